"""The verbs of the command line as functions, for notebooks and scripts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from plumbline.core.digest import digest
from plumbline.core.errors import (
    CorruptEntryError,
    GateError,
    MissingDataError,
    ParameterError,
    ProjectError,
)
from plumbline.core.panel import Panel
from plumbline.core.settings import read_settings
from plumbline.engine.code_digest import CodeDigests
from plumbline.engine.executor import Executor, executors
from plumbline.engine.objects import names_in
from plumbline.engine.pipeline import DataSet, Pipeline
from plumbline.engine.plan import Plan
from plumbline.engine.project import Project, create_project, open_project
from plumbline.engine.run import RunOptions, RunResult
from plumbline.engine.verify import Verified
from plumbline.engine.watcher import Silent, Watcher
from plumbline.lake.dataset import Dataset
from plumbline.lake.prepared import PreparedDataset
from plumbline.stages.gates import broken_gates
from plumbline.stages.recipe import Recipe, load_recipe
from plumbline.stages.study_findings import record_findings
from plumbline.stages.study_warnings import DATA, StudyWarning
from plumbline.stages.tables import is_table_node, study_tables

if TYPE_CHECKING:
    import polars as pl

    from plumbline.report.paths import ReportPaths
    from plumbline.report.study import StudyResults

RECIPE = "study.yaml"


@final
@dataclass(frozen=True)
class Options:
    """How to run; nothing here changes a result.

    Parameters
    ----------
    executor : name of the executor; default: ``PLUMBLINE_EXECUTOR``, else ``serial``.
    workers : worker processes of ``processes``; default: ``PLUMBLINE_WORKERS``, else all cores.
    watcher : told of progress.
    use_cache : False computes everything again.
    compiling : called while kernels compile with what, how many are done, how many there are.
    """

    executor: str | None = None
    workers: int | None = None
    watcher: Watcher = field(default_factory=Silent)
    use_cache: bool = True
    compiling: Any = None

    def make_executor(self) -> Executor:
        """Return the executor."""
        settings = read_settings()
        name = self.executor or settings.executor
        if self.workers is not None and name != "processes":
            raise ParameterError(
                f"workers={self.workers} needs the executor 'processes', not {name!r}"
            )
        if name == "processes":
            return executors[name](workers=self.workers or settings.workers)  # type: ignore[call-arg]  # a field of this plug-in
        return executors[name]()


@final
@dataclass(frozen=True)
class Workspace:
    """A recipe, a project, and the data that the recipe asks for.

    Parameters
    ----------
    recipe : a valid recipe.
    project : where everything is kept.
    prepared : data sets read and cleaned; those of changed files are not stored yet.
    """

    recipe: Recipe
    project: Project
    prepared: Mapping[str, PreparedDataset | Dataset]

    @cached_property
    def datasets(self) -> dict[str, Dataset]:
        """Return the data sets by the recipe's names."""
        return {
            name: found.dataset if isinstance(found, PreparedDataset) else found
            for name, found in self.prepared.items()
        }

    @cached_property
    def pipeline(self) -> Pipeline:
        """Return the graph of stages."""
        data: dict[str, DataSet] = dict(self.datasets)
        return self.recipe.pipeline(data)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Return what of the recipe cannot be computed from these data, as far as axes tell."""
        data: dict[str, DataSet] = dict(self.datasets)
        return self.recipe.warnings(data)

    def quality(self, name: str) -> "pl.DataFrame":
        """Return what cleaning found in the files of a data set of the recipe."""
        found = self.prepared[name]
        if isinstance(found, PreparedDataset):
            return found.quality
        return self.project.lake.quality(found.dataset_id)

    def store_data(self) -> None:
        """Store the data sets that are not in the lake yet."""
        for found in self.prepared.values():
            if isinstance(found, PreparedDataset):
                self.project.lake.commit(found)

    def changes(self) -> "dict[str, pl.DataFrame]":
        """Return, by data set, the patches in which changed files differ from the last version."""
        from plumbline.lake.dataset import diff

        found = {}
        for name, dataset in self.datasets.items():
            try:
                before = self.project.lake.dataset(dataset.name)
            except MissingDataError:
                continue
            if before.dataset_id != dataset.dataset_id:
                found[name] = diff(before, dataset)
        return found


@final
@dataclass(frozen=True)
class Study:
    """A finished run of a recipe.

    Parameters
    ----------
    workspace : recipe, project and data.
    result : run id, counts, digests, and where every result is.
    warnings : what could not be computed, and why.
    """

    workspace: Workspace
    result: RunResult
    warnings: tuple[StudyWarning, ...] = ()

    @cached_property
    def tables(self) -> "dict[str, pl.DataFrame]":
        """Return the tables of all signals, joined."""
        return study_tables(self.workspace.project.engine, self.result)

    def panel(self, node: str) -> Panel:
        """Return the panel of a node, such as ``signal:momentum`` or ``factor_model``."""
        found = self.workspace.project.engine.output(self.result, node)
        if not isinstance(found, Panel):
            raise MissingDataError(f"node {node!r} makes tables, not a panel; see Study.tables")
        return found

    @property
    def recipe(self) -> Recipe:
        """Return the recipe."""
        return self.workspace.recipe

    @property
    def folder(self) -> Path:
        """Return where the project keeps this study's report."""
        return self.workspace.project.root / "reports" / self.recipe.name

    @property
    def codes(self) -> CodeDigests:
        """Return the code digests of this process."""
        return self.workspace.project.codes

    @property
    def data_digest(self) -> str:
        """Return the digest of what is known of the data: content, and what cleaning found."""
        found = [
            (name, data.key if isinstance(data, PreparedDataset) else data.dataset_id)
            for name, data in sorted(self.workspace.prepared.items())
        ]
        return digest(found)

    def write_report(self, folder: Path | None = None) -> "ReportPaths":
        """Write the HTML report and its JSON twin; default: into :attr:`folder`."""
        from plumbline.report.write import write_report

        return write_report(self._results(), folder or self.folder)

    def check_gates(self) -> None:
        """Raise GateError if a gate of the recipe said no; every one is named."""
        recipe = self.workspace.recipe
        gates = recipe.kind.gates(recipe.document)
        broken = broken_gates(gates, self.tables) if gates else []
        if broken:
            raise GateError("; ".join(broken))

    def _results(self) -> "StudyResults":
        from plumbline.report.collect import StudyInputs, collect

        workspace = self.workspace
        stocks = workspace.recipe.resolved["universe"]["prices"]
        return collect(
            StudyInputs(
                workspace.recipe,
                workspace.datasets[stocks],
                workspace.quality(stocks),
                self.tables,
                self.warnings,
                self.result,
                workspace.project.database,
            )
        )

    def _repr_html_(self) -> str:
        from plumbline.report.page import study_page

        return study_page(self._results())


def init(folder: str | Path = ".") -> Project:
    """Make a folder a project."""
    return create_project(Path(folder))


def prepare(
    recipe: str | Path | Mapping[str, Any] | Recipe,
    *,
    project: str | Path | Project | None = None,
    overrides: Sequence[str] = (),
    reading: Any = None,
) -> Workspace:
    """Load a recipe, open its project and look at its data; nothing is stored.

    Parameters
    ----------
    recipe : file, document, or a recipe.
    project : folder or project; default: that of the recipe's folder or of the nearest above.
    overrides : ``key=value``, as ``--set`` takes them.
    reading : called while files are read with what, how much is done, how much there is.
    """
    loaded = recipe if isinstance(recipe, Recipe) else load_recipe(recipe, overrides)
    opened = project if isinstance(project, Project) else open_project(Path(project or loaded.base))
    prepared: dict[str, PreparedDataset | Dataset] = {}
    for name, spec in loaded.data.items():
        if spec.source is None:
            prepared[name] = opened.lake.dataset(spec.dataset)
        else:
            prepared[name] = opened.lake_for(spec.source).prepare(
                spec.dataset,
                spec.source,
                calendar=spec.calendar,
                rules=spec.rules,
                base=loaded.base,
                progress=reading,
            )
    opened.codes.save()
    return Workspace(loaded, opened, prepared)


def plan(recipe: str | Path | Mapping[str, Any] | Recipe, **where: Any) -> Plan:
    """Say what a run would compute, and why; see :func:`prepare` for the arguments."""
    workspace = prepare(recipe, **where)
    return workspace.project.engine.plan(workspace.pipeline)


def run(
    recipe: str | Path | Mapping[str, Any] | Recipe,
    *,
    options: Options | None = None,
    **where: Any,
) -> Study:
    """Compute what is missing of a recipe.

    Parameters
    ----------
    recipe : file, document, or a recipe.
    options : executor, progress, cache.
    where : ``project``, ``overrides``; see :func:`prepare`. Without a project there or above, the
        recipe's own folder becomes one.

    Returns
    -------
    The study: ``.tables``, ``.panel(node)``, ``.write_report()``; a notebook shows the report.

    Raises
    ------
    RecipeError, SourceError
        If the recipe or its data are wrong; every problem is listed.
    RunError
        If stages failed.
    """
    loaded = (
        recipe if isinstance(recipe, Recipe) else load_recipe(recipe, where.pop("overrides", ()))
    )
    if where.get("project") is None:
        try:
            where["project"] = open_project(loaded.base)
        except ProjectError:
            where["project"] = create_project(loaded.base)
    return run_workspace(prepare(loaded, **where), options or Options())


def run_workspace(workspace: Workspace, options: Options) -> Study:
    """Compute what is missing of a workspace, and store its new data."""
    from plumbline.kernels.kernel_cache import has_marker

    def compile_first(_plan: Plan) -> None:
        if not has_marker():
            from plumbline.kernels.warm import warm

            warm(options.compiling)

    pipeline, warnings = workspace.pipeline, workspace.warnings  # nothing is stored if these fail
    workspace.store_data()
    recipe = workspace.recipe
    engine = workspace.project.engine
    result = engine.run(
        pipeline,
        options.make_executor(),
        RunOptions((recipe.text, recipe.digest), options.watcher, options.use_cache, compile_first),
    )
    engine.cache.trim(read_settings().cache_bytes, engine.ledger)
    known = tuple(StudyWarning(DATA, "", text) for text in warnings)
    return Study(workspace, result, record_findings(engine, result, recipe.resolved, known))


def read_stored(workspace: Workspace) -> Study:
    """Return the study whose results are all stored; nothing is computed.

    Raises
    ------
    MissingDataError
        If results are missing, outdated or damaged; the next step is named.
    """
    engine = workspace.project.engine
    plan = engine.plan(workspace.pipeline)
    if not plan.is_done:
        raise MissingDataError(
            "results of this recipe are missing or outdated; see: plumbline plan, "
            "then: plumbline run"
        )
    for decision in plan.decisions:
        node, block = decision.task.place
        if decision.entry is None or not is_table_node(node):
            continue
        try:
            for name in names_in(decision.entry.manifest):
                engine.cache.objects.check(name)
        except CorruptEntryError as error:
            raise MissingDataError(
                f"{node} [{block}]: {error}; to compute it again: plumbline run"
            ) from error
    return run_workspace(workspace, Options())


def verify(
    workspace: Workspace, options: Options, sample: int | None = None, seed: int = 0
) -> Verified:
    """Compute stored results again and compare bits; says also what was left out, and why."""
    from plumbline.engine.verify import verify as verify_pipeline

    workspace.store_data()
    return verify_pipeline(
        workspace.project.engine,
        workspace.pipeline,
        options.make_executor(),
        sample=sample,
        seed=seed,
        watcher=options.watcher,
    )

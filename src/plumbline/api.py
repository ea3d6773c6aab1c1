"""The verbs of the command line as functions, for notebooks and scripts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, final

from plumbline.core.arguments import Argument, require
from plumbline.core.digest import digest
from plumbline.core.errors import (
    CorruptEntryError,
    GateError,
    MissingDataError,
    ProjectError,
)
from plumbline.core.panel import Panel
from plumbline.core.settings import read_settings
from plumbline.engine.code_digest import CodeDigests
from plumbline.engine.objects import names_in
from plumbline.engine.plan import Plan, State
from plumbline.engine.project import Project, create_project, open_project
from plumbline.engine.run import RunOptions, RunResult
from plumbline.engine.verify import Verified
from plumbline.lake.prepared import PreparedDataset, Progress
from plumbline.lake.room import Room
from plumbline.stages.gates import Verdict, judged
from plumbline.stages.options import Options
from plumbline.stages.recipe import Recipe
from plumbline.stages.run_recipe import recipe_of_run
from plumbline.stages.study_findings import findings_of, record_findings
from plumbline.stages.study_warnings import StudyWarning, known_warning
from plumbline.stages.tables import is_table_node, panel_nodes, study_tables
from plumbline.stages.workspace import (
    ProjectLike,
    RecipeLike,
    Workspace,
    loaded_recipe,
    prepare,
    prepare_arguments,
)

if TYPE_CHECKING:
    import polars as pl

    from plumbline.report.paths import ReportPaths
    from plumbline.report.study import StudyResults

RECIPE = "study.yaml"

__all__ = [
    "Options",
    "Study",
    "Workspace",
    "init",
    "plan",
    "prepare",
    "retry_run",
    "run",
    "run_workspace",
    "verify",
]


@final
@dataclass(frozen=True)
class Study:
    """A finished run of a recipe.

    Parameters
    ----------
    workspace : recipe, project and data.
    result : run id, counts, digests, and where every result is.
    warnings : what could not be computed, and why.
    gates : the verdict on each gate of the recipe.
    """

    workspace: Workspace
    result: RunResult
    warnings: tuple[StudyWarning, ...] = ()
    gates: tuple[Verdict, ...] = ()

    @cached_property
    def tables(self) -> "dict[str, pl.DataFrame]":
        """Return the tables of all signals, joined."""
        return study_tables(self.workspace.project.engine, self.result)

    def panel(self, node: str) -> Panel:
        """Return the panel of a node, such as ``signal:momentum`` or ``factor_model``."""
        name = isinstance(node, str)
        require(Argument("node", node, name, "the name of a node, as 'signal:momentum'"))
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

        if folder is not None:
            require(_folder_argument(folder))
        return write_report(self._results(), folder or self.folder)

    def check_gates(self) -> None:
        """Raise GateError if a gate of the recipe said no; every one is named."""
        broken = [verdict.text for verdict in self.gates if not verdict.passed]
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
                self.gates,
                data={
                    name: (found, workspace.quality(name))
                    for name, found in workspace.datasets.items()
                },
            )
        )

    def __repr__(self) -> str:
        counts = ", ".join(f"{n} {state}" for state, n in sorted(self.result.counts.items()))
        nodes = panel_nodes(self.result.pieces)
        return (
            f"Study({self.recipe.name!r}, run {self.result.run_id}: blocks {counts})\n"
            f"  .tables[name]: summary and more; .panel(node): {', '.join(nodes)}\n"
            f"  .write_report(): to {self.folder}"
            + "".join(f"\n  {verdict}" for verdict in self.gates)
        )

    def _repr_html_(self) -> str:
        from plumbline.report.page import study_page

        return study_page(self._results())


def init(folder: str | Path = ".") -> Project:
    """Make a folder a project."""
    require(_folder_argument(folder))
    return create_project(Path(folder))


def _folder_argument(folder: object) -> Argument:
    is_folder = isinstance(folder, (str, Path)) and folder != ""
    return Argument("folder", folder, is_folder, "a folder, as text or a Path")


def plan(
    recipe: RecipeLike,
    *,
    project: ProjectLike | None = None,
    overrides: Sequence[str] = (),
    reading: Progress | None = None,
) -> Plan:
    """Say what a run would compute, and why; see :func:`prepare` for the arguments."""
    workspace = prepare(recipe, project=project, overrides=overrides, reading=reading)
    return workspace.project.engine.plan(workspace.pipeline)


def run(
    recipe: RecipeLike,
    *,
    options: Options | None = None,
    project: ProjectLike | None = None,
    overrides: Sequence[str] = (),
    reading: Progress | None = None,
) -> Study:
    """Compute what is missing of a recipe.

    Parameters
    ----------
    recipe : file, document, or a recipe.
    options : executor, progress, cache.
    project, overrides, reading : see :func:`prepare`. Without a project there or above, the
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
    ParameterError
        If an argument is of another kind; every such is named.
    """
    is_options = isinstance(options, Options | None)
    require(
        Argument("options", options, is_options, "Options, as plumbline.Options(workers=2)"),
        *prepare_arguments(recipe, project, overrides, reading),
    )
    chosen = options or Options()
    chosen.make_executor()  # refuses a wrong one before anything is read or made
    loaded = loaded_recipe(recipe, overrides)
    if project is None:
        try:
            project = open_project(loaded.base)
        except ProjectError:
            project = create_project(loaded.base)
    if chosen.memory is not None:
        opened = project if isinstance(project, Project) else open_project(Path(project))
        project = replace(opened, room=Room(chosen.memory))
    return run_workspace(prepare(loaded, project=project, reading=reading), chosen)


def run_workspace(workspace: Workspace, options: Options) -> Study:
    """Compute what is missing of a workspace, and store its new data."""
    pipeline, warnings = workspace.pipeline, workspace.warnings  # nothing is stored if these fail
    workspace.store_data()
    recipe = workspace.recipe
    engine = workspace.project.engine
    result = engine.run(pipeline, options.make_executor(), _run_options(workspace, options))
    engine.cache.trim(read_settings().cache_bytes)
    known = tuple(known_warning(text) for text in warnings)
    found = record_findings(engine, result, recipe.resolved, known)
    gates = judged(recipe.graph_kind.gates(recipe.document), found.metrics)
    return Study(workspace, result, found.warnings, gates)


def retry_run(
    project: Project, run_id: str, options: Options, reading: Progress | None = None
) -> RunResult:
    """Compute the dead blocks of a run and those that waited for them, as a run of its own.

    Parameters
    ----------
    project, run_id : which run; it has dead blocks.
    options : executor, attempts, progress.
    reading : see :func:`prepare`.

    Raises
    ------
    MissingDataError
        If the run's recipe cannot be found again, or what the dead blocks read is not there.
    RunError
        If blocks failed again.
    """
    recipe = recipe_of_run(project, run_id)
    workspace = prepare(recipe, project=project, reading=reading)
    return project.engine.run(
        workspace.pipeline,
        options.make_executor(),
        replace(_run_options(workspace, options), retried=run_id),
    )


def _run_options(workspace: Workspace, options: Options) -> RunOptions:
    """Return what the engine is told; kernels compile when it is known which are reached."""
    from plumbline.kernels.warm import families_among, is_warm, warm

    codes = workspace.project.codes

    def compile_first(plan: Plan) -> None:
        waiting = (d for d in plan.decisions if d.state in (State.RUN, State.FOLLOWS))
        stages = {d.task.node.name: d.task.node.stage for d in waiting}
        reached = families_among(m for stage in stages.values() for m in codes.of(stage).files)
        if not is_warm(reached):
            warm(options.compiling, reached)

    recipe = workspace.recipe
    return RunOptions(
        (recipe.text, recipe.digest),
        options.watcher,
        options.use_cache,
        compile_first,
        options.retries,
        recipe.base,
        memory=options.memory or read_settings().memory,
    )


def read_stored(workspace: Workspace) -> Study:
    """Return the study whose results are all stored; nothing is computed.

    Raises
    ------
    MissingDataError
        If results are missing, outdated or damaged; the first of them and the next step are
        named.
    """
    engine = workspace.project.engine
    plan = engine.plan(workspace.pipeline)
    missing = [d for d in plan.decisions if d.state in (State.RUN, State.FOLLOWS)]
    if missing:
        node, block = missing[0].task.place
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise MissingDataError(
            f"no up-to-date result of {node} [{block}] ({missing[0].reason}){more}; "
            "see: plumbline plan, then: plumbline run"
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
    if workspace.project.database.is_read_only:
        return _study_of_ledger(workspace, plan)
    return run_workspace(workspace, Options())


def _study_of_ledger(workspace: Workspace, plan: Plan) -> Study:
    """Return the study of the newest run that used the results of a plan in which all are there.

    Raises
    ------
    MissingDataError
        If no run used just these; one cannot be recorded where nothing can be written.
    """
    recipe, engine = workspace.recipe, workspace.project.engine
    result = engine.recorded(workspace.pipeline, plan, recipe.digest)
    if result is None:
        raise MissingDataError(
            f"no run of {recipe.name!r} used all of these results, and the project "
            f"{workspace.project.root} cannot be written, so that none can be recorded; run it in "
            "a copy that can"
        )
    known = tuple(known_warning(text) for text in workspace.warnings)
    found = findings_of(engine, result, recipe.resolved, known)
    gates = judged(recipe.graph_kind.gates(recipe.document), found.metrics)
    return Study(workspace, result, found.warnings, gates)


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

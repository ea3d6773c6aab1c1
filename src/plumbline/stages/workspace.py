"""From a recipe to its data: a project, and data sets read and cleaned but not stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, final

from plumbline.core.arguments import Argument, require
from plumbline.core.errors import (
    CalendarError,
    MissingDataError,
    ParameterError,
    ProjectError,
    RecipeError,
    SourceError,
    UnknownNameError,
)
from plumbline.engine.pipeline import DataSet, Pipeline
from plumbline.engine.project import Project, open_project
from plumbline.lake.dataset import Dataset
from plumbline.lake.prepared import PreparedDataset, Progress
from plumbline.lake.remote_source import RemoteSource
from plumbline.lake.room import Room
from plumbline.stages.kind import DataSpec
from plumbline.stages.recipe import Recipe, load_recipe, overrides_argument

if TYPE_CHECKING:
    import polars as pl

RecipeLike: TypeAlias = str | Path | Mapping[str, object] | Recipe
ProjectLike: TypeAlias = str | Path | Project


@final
@dataclass(frozen=True)
class Workspace:
    """A recipe, a project, and the data that the recipe asks for.

    Parameters
    ----------
    recipe : a valid recipe.
    project : where everything is kept.
    prepared : data sets read and cleaned; those of changed files are not stored yet.
    absent : data set -> why its files could not be found, where the lake's was taken instead.
    """

    recipe: Recipe
    project: Project
    prepared: Mapping[str, PreparedDataset | Dataset]
    absent: Mapping[str, str] = field(default_factory=dict)

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
        try:
            return self.recipe.pipeline(data)
        except RecipeError as error:
            raise RecipeError(error.subject, [*error.problems, *self._emptied(error)]) from error

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Return where calendar or close may not be meant, and what the data cannot give."""
        data: dict[str, DataSet] = dict(self.datasets)
        return (*self._holes(), *self._unadjusted(), *self.recipe.warnings(data))

    def _emptied(self, error: RecipeError) -> list[str]:
        """Return why assets that a recipe asks for are not there though the files name them."""
        return [
            f"data.{name}: the files name {asset!r} and hold no value of it"
            for name in self.prepared
            for asset in self.quality(name).filter(rule="no_value")["asset"]
            if repr(asset) in str(error)
        ]

    def __repr__(self) -> str:
        names = ", ".join(self.prepared)
        return f"Workspace({self.recipe.name!r} in {self.project.root}; data: {names})"

    def quality(self, name: str) -> "pl.DataFrame":
        """Return what cleaning found in the files of a data set of the recipe."""
        found = self.prepared[name]
        if isinstance(found, PreparedDataset):
            return found.quality
        return self.project.lake.quality(found)

    def _holes(self) -> list[str]:
        """Return which data sets have many bars without any asset."""
        found: list[str] = []
        for name, dataset in self.datasets.items():
            if dataset.may_have_holes:  # spares an import
                from plumbline.lake.quality import holes

                found += holes(self.quality(name), dataset)
        return found

    def _unadjusted(self) -> list[str]:
        """Return which data sets hold a close and an adjusted one between which nobody chose."""
        found: list[str] = []
        for name, dataset in self.datasets.items():
            if {"close", "adj_close"} <= set(dataset.fields):  # spares an import
                from plumbline.lake.quality import unadjusted

                found += unadjusted(self.quality(name), dataset)
        return found

    def store_data(self) -> None:
        """Store the data sets that are not in the lake yet.

        Raises
        ------
        ProjectError
            If there are any, and the project cannot be written.
        """
        prepared = {n: p for n, p in self.prepared.items() if isinstance(p, PreparedDataset)}
        if self.project.database.is_read_only:
            self._refuse_new([n for n, found in prepared.items() if found.rows is not None])
            return
        for found in prepared.values():
            self.project.lake.commit(found)

    def _refuse_new(self, names: Sequence[str]) -> None:
        if names:
            raise ProjectError(
                f"data.{', data.'.join(names)}: the lake lacks what these files hold, and the "
                f"project {self.project.root} cannot be written, so that they cannot be read into "
                "it; do this in a copy that can be written, or name dataset alone instead of "
                "source to take what the lake has"
            )

    def losses(self) -> list[str]:
        """Return what cleaning dropped in such numbers that data are lost, of files just read."""
        prepared = (p for p in self.prepared.values() if isinstance(p, PreparedDataset))
        read = [found for found in prepared if found.rows is not None]
        if not read:  # spares an import
            return []
        from plumbline.lake.quality import large_losses

        return [text for found in read for text in large_losses(found.quality, found.dataset)]

    def cleaned(self) -> list[str]:
        """Return what cleaning took or altered, a sentence for each data set where it did."""
        from plumbline.lake.quality import count_effects

        found = []
        for name, dataset in self.datasets.items():
            n = count_effects(self.quality(name))
            if n["changed"] or n["dropped"]:
                found.append(
                    f"{dataset.name}: of its rows {n['changed']:,} were changed by cleaning and "
                    f"{n['dropped']:,} dropped; see: plumbline data {dataset.name} --quality"
                )
        return found

    def repairs(self) -> list[str]:
        """Return which data sets lack files in the lake, so that their sources were read again."""
        found = {
            name: one.n_lacking
            for name, one in self.prepared.items()
            if isinstance(one, PreparedDataset)
        }
        return [
            f"{self.datasets[name].name}: {n} of its files in the lake "
            f"{'is' if n == 1 else 'are'} missing or damaged; read again from the source"
            for name, n in found.items()
            if n
        ]

    def changes(self) -> "dict[str, pl.DataFrame]":
        """Return, by data set, the values in which it differs from the last version of its name.

        Versions on two calendars have no bars in common: see :meth:`regridded`.
        """
        lake = self.project.lake.within(Room(self.project.room.limit))
        found = {}
        for name, (before, dataset) in self._versions().items():
            if before.dataset_id != dataset.dataset_id and before.grid == dataset.grid:
                prepared = self.prepared[name]
                is_prepared = isinstance(prepared, PreparedDataset)
                found[name] = lake.diff(before, prepared if is_prepared else dataset)
        return found

    def regridded(self) -> dict[str, str]:
        """Return, by data set, which other calendar the last version of its name lies on."""
        return {
            name: " -> ".join(" ".join(one.grid) for one in (before, dataset))
            for name, (before, dataset) in self._versions().items()
            if before.grid != dataset.grid
        }

    def _versions(self) -> dict[str, tuple[Dataset, Dataset]]:
        """Return the last stored version and the present one of each data set that has both."""
        found = {}
        for name, dataset in self.datasets.items():
            try:
                found[name] = (self.project.lake.dataset(dataset.name), dataset)
            except MissingDataError:  # it is new
                continue
        return found


def prepare(
    recipe: RecipeLike,
    *,
    project: ProjectLike | None = None,
    overrides: Sequence[str] = (),
    reading: Progress | None = None,
    or_last_read: bool = False,
    as_of: str | None = None,
) -> Workspace:
    """Load a recipe, open its project and look at its data; nothing is stored.

    Parameters
    ----------
    recipe : file, document, or a recipe.
    project : folder or project; default: that of the recipe's folder or of the nearest above.
    overrides : ``key=value``, as ``--set`` takes them.
    reading : called while files are read with what, how much is done, how much there is.
    or_last_read : takes what the lake holds of a source whose files are not found, as they were
        last read.
    as_of : takes every data set as its name meant it at a time, UTC, and reads no source.

    Raises
    ------
    RecipeError, SourceError
        If the recipe or its data are wrong; every problem of every data set is listed.
    ParameterError
        If an argument is of another kind; every such is named.
    """
    require(*prepare_arguments(recipe, project, overrides, reading))
    loaded = loaded_recipe(recipe, overrides)
    opened = project if isinstance(project, Project) else open_project(Path(project or loaded.base))
    prepared: dict[str, PreparedDataset | Dataset] = {}
    absent: dict[str, str] = {}
    problems: list[str] = []
    is_recipes_fault = True
    for name, spec in loaded.data.items():
        try:
            if as_of is not None:
                prepared[name] = opened.lake.dataset(spec.dataset, as_of=as_of)
                continue
            lost = _not_found(spec, loaded.base) if or_last_read else None
            if lost is None:
                prepared[name] = _prepared(opened, loaded, spec, reading)
            else:
                prepared[name] = _last_read(opened, spec, lost)
                absent[name] = "; ".join(lost.problems)
        except (CalendarError, MissingDataError, ParameterError, SourceError) as error:
            found = error.problems if isinstance(error, SourceError) else (str(error),)
            problems += [f"data.{name}: {problem}" for problem in found]
            is_recipes_fault &= isinstance(error, (ParameterError, UnknownNameError))
    if problems:
        kind = RecipeError if is_recipes_fault else SourceError
        raise kind(f"data of {loaded.origin.subject}", problems)
    opened.codes.save()
    return Workspace(loaded, opened, prepared, absent)


def prepare_arguments(
    recipe: object, project: object, overrides: object, reading: object
) -> tuple[Argument, ...]:
    """Return the arguments of :func:`prepare`, looked at."""
    is_recipe = isinstance(recipe, (str, Path, Mapping, Recipe))
    is_project = isinstance(project, (str, Path, Project, type(None))) and project != ""
    return (
        Argument("recipe", recipe, is_recipe, "a recipe's file, its document, or a loaded Recipe"),
        Argument("project", project, is_project, "a folder, as text or a Path, a Project, or None"),
        overrides_argument(overrides),
        Argument(
            "reading", reading, reading is None or callable(reading), "a function to call, or None"
        ),
    )


def _prepared(
    project: Project, recipe: Recipe, spec: DataSpec, reading: Progress | None
) -> PreparedDataset | Dataset:
    if spec.source is None:
        return project.lake.dataset(spec.dataset, spec.version, spec.as_of)
    return project.lake_for(spec.source).prepare(
        spec.dataset,
        spec.source,
        calendar=spec.calendar,
        rules=spec.rules,
        base=recipe.base,
        progress=reading,
    )


def _not_found(spec: DataSpec, base: Path) -> SourceError | None:
    """Return why the files of a source are not found, or None if they are.

    A remote source is not asked again for what the lake holds of it.
    """
    if isinstance(spec.source, RemoteSource):
        return SourceError(spec.source.label, ["it lies across a network and is not asked"])
    try:
        if spec.source is not None:
            spec.source.files(base)
    except SourceError as error:
        return error
    return None


def _last_read(project: Project, spec: DataSpec, lost: SourceError) -> PreparedDataset:
    """Return what the lake holds of a source whose files are not found.

    Raises
    ------
    SourceError
        If it holds nothing that this source gave; says what to do.
    """
    from plumbline.lake.last_read import last_read

    found = None
    if spec.source is not None:
        lake = project.lake_for(spec.source)
        found = last_read(lake, spec.dataset, spec.source, spec.calendar, spec.rules)
    if found is not None:
        return found
    advice = (
        f"nor has the lake a {spec.dataset} that was last read as the recipe says; put the files "
        "back, or name dataset alone instead of source to take what the lake has"
    )
    raise SourceError(lost.subject, [f"{problem}; {advice}" for problem in lost.problems]) from lost


def loaded_recipe(recipe: RecipeLike, overrides: Sequence[str]) -> Recipe:
    """Return a recipe from its file or document, or as it is.

    Raises
    ------
    ParameterError
        If there are overrides for a recipe that is loaded.
    RecipeError
        If the recipe is wrong.
    """
    if not isinstance(recipe, Recipe):
        return load_recipe(recipe, overrides)
    if overrides:
        raise ParameterError(
            f"overrides {list(overrides)} do not change a recipe that is loaded; give them to "
            "load_recipe, or give the recipe's file"
        )
    return recipe

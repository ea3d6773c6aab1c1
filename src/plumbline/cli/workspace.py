"""From the words of a command to a project and a recipe."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from plumbline.api import RECIPE, Options
from plumbline.cli import console
from plumbline.cli.progress import ProgressWatcher
from plumbline.core.errors import ParameterError, ProjectError
from plumbline.core.settings import read_settings
from plumbline.core.sizes import bytes_of
from plumbline.core.wording import counted
from plumbline.engine.project import Project, open_project
from plumbline.engine.retries import Retries
from plumbline.lake.prepared import Progress
from plumbline.lake.room import Room
from plumbline.stages.recipe import Recipe, load_recipe, recipes_in
from plumbline.stages.workspace import Workspace, prepare


def roomy(project: Project, memory: str | None) -> Project:
    """Return a project whose work on data keeps to ``--memory``, and tells what it expects."""
    limit = None if memory is None else bytes_of("--memory", memory)
    return replace(project, room=Room(limit, console.note))


def find_project(project: Path | None, near: Path | None = None) -> Project:
    """Open the project named, else that of the working folder, else that near a recipe."""
    read_settings()  # refuses a setting that is none, whatever the command needs of it
    if project is not None:
        if not project.is_dir():
            raise ParameterError(f"--project {project}: there is no such folder")
        return open_project(project)
    try:
        return open_project(Path.cwd())
    except ProjectError:
        if near is None:
            raise
    return open_project(near)


def find_recipe(
    recipe: Path | None, project: Path | None, overrides: Sequence[str] | None
) -> tuple[Recipe, Project]:
    """Load a recipe, that of the project if none is named, and open its project."""
    if recipe is None:
        opened = find_project(project)
        recipe = opened.root / RECIPE
        if not recipe.is_file():
            raise ParameterError(
                f"name a recipe: {recipe} does not exist; {recipes_in(opened.root)}"
            )
    loaded = load_recipe(recipe, overrides or ())
    return loaded, find_project(project, loaded.base)


def find_workspace(
    recipe: Path | None,
    project: Path | None,
    overrides: Sequence[str] | None,
    reading: Progress | None = None,
    *,
    or_last_read: bool = False,
    as_of: str | None = None,
) -> Workspace:
    """Load a recipe and look at its data; the last two as for :func:`prepare`."""
    loaded, opened = find_recipe(recipe, project, overrides)
    found = roomy(opened, None)
    return prepare(loaded, project=found, reading=reading, or_last_read=or_last_read, as_of=as_of)


def retries_of(attempts: int | None, time_limit: float | None) -> Retries:
    """Return how often and how long blocks are tried, as the command says."""
    return Retries(attempts=attempts or Retries.attempts, time_limit=time_limit)


def run_options(
    watcher: ProgressWatcher,
    executor: str | None,
    workers: int | None,
    *,
    use_cache: bool = True,
    retries: Retries | None = None,
    memory: str | None = None,
) -> Options:
    """Return how to run, as the command says; an executor that is not there is refused here.

    Commands ask for this before they read data, so that a slip of the pen costs no work.
    """
    cores = os.cpu_count() or 1
    if workers is not None and workers > cores:
        console.note(f"{workers} workers share {counted(cores, 'core')}: no faster than {cores}")
    limit = None if memory is None else bytes_of("--memory", memory)
    options = Options(
        executor,
        workers,
        watcher,
        use_cache,
        watcher.compiling,
        retries or Retries(),
        memory=limit,
    )
    options.make_executor()
    return options

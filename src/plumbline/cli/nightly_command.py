"""Running nightly recipes, for the commands that do."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from plumbline.cli import console
from plumbline.core.errors import MissingDataError, ParameterError, RunError

if TYPE_CHECKING:
    from plumbline.cli.progress import ProgressWatcher
    from plumbline.engine.project import Project
    from plumbline.stages.nightly import Task
    from plumbline.stages.nightly_run import NightlyResult
    from plumbline.stages.recipe import Recipe
    from plumbline.stages.workspace import Workspace

_AGAIN: Final = "the others are as they were, and the same command computes all of them again"

Words = tuple[Path | None, Path | None, list[str] | None]
"""Recipe, project and overrides, as a command takes them."""


def nightly_workspace(words: Words, watcher: "ProgressWatcher") -> "Workspace":
    """Return the workspace of a nightly recipe, that of the project if none is named."""
    from plumbline.cli.workspace import find_project, roomy
    from plumbline.stages.nightly import recipe_file, require_nightly
    from plumbline.stages.recipe import load_recipe
    from plumbline.stages.workspace import prepare

    recipe, folder, overrides = words
    if recipe is None:
        recipe = recipe_file(find_project(folder))
    loaded = load_recipe(recipe, overrides or ())
    require_nightly(loaded)
    opened = roomy(find_project(folder, loaded.base), None)
    return prepare(loaded, project=opened, reading=watcher.step)


def run_and_print(words: Words, task: "Task", *, as_json: bool) -> None:
    """Run a nightly recipe and print what it did.

    Raises
    ------
    RunError
        If an analytic failed on a portfolio-day; the others are stored.
    """
    from plumbline.cli.progress import GOES_ON, progress
    from plumbline.stages.nightly import run_task
    from plumbline.stages.nightly_run import NightlyOptions

    rest = _AGAIN if task.choice.is_forced else GOES_ON
    with progress(quiet=as_json, rest=rest) as watcher:
        workspace = nightly_workspace(words, watcher)
        options = NightlyOptions(watcher.counted, watcher.compiling, watcher.accompanied)
        result = run_task(workspace, task, options)
    _print(result, as_json=as_json)


def run_nightly_recipe(words: Words, *, is_forced: bool, as_json: bool) -> None:
    """Run a nightly recipe on the default store; see :func:`run_and_print`."""
    from plumbline.stages.nightly import Task
    from plumbline.stages.nightly_plan import Choice

    run_and_print(words, Task(choice=Choice(is_forced=is_forced)), as_json=as_json)


def retry_and_print(project: "Project", run: str, store: str | None, *, as_json: bool) -> None:
    """Compute again what failed in a nightly run, and print what was done.

    Raises
    ------
    RunError
        If an analytic failed again.
    """
    from plumbline.cli.progress import progress
    from plumbline.stages.nightly import retry_nightly
    from plumbline.stages.nightly_run import NightlyOptions

    with progress(quiet=as_json) as watcher:
        options = NightlyOptions(watcher.counted, watcher.compiling, watcher.accompanied)
        result = retry_nightly(project, run, store, options)
    _print(result, as_json=as_json)


def written_reports(
    project: "Project",
    recipe: "Recipe",
    place: str | None,
    portfolios: Sequence[str] | None,
    folder: Path | None,
) -> dict[str, str]:
    """Write the pages of some portfolios, and the index of all; return name -> page.

    Parameters
    ----------
    project, recipe : whose.
    place : store of the results; None for the default.
    portfolios : names; None for all of the book that the store holds.
    folder : None for ``reports/NAME`` of the project.

    Raises
    ------
    UnknownNameError
        If the store lacks a portfolio.
    MissingDataError
        If it holds nothing.
    """
    from contextlib import closing

    import polars as pl

    from plumbline.report.paths import portfolio_stem
    from plumbline.report.portfolio_write import write_portfolio_index, write_portfolio_report
    from plumbline.stages.nightly import known_portfolios, open_portfolio_store
    from plumbline.stages.stored_portfolios import stored_portfolios

    target = folder or project.root / "reports" / recipe.name
    with closing(open_portfolio_store(project, place, is_made=True)) as store:
        held = store.latest()["portfolio"].to_list()
        if not held:
            raise MissingDataError(
                f"the store {store.label} holds no portfolio; to compute them: plumbline risk run"
            )
        found = stored_portfolios(project, recipe, store)
        own = found.book.portfolios["portfolio"]
        listed = own.filter(own.is_in(held)).to_list()
        chosen = listed if portfolios is None else known_portfolios(store, portfolios)
        files = {}
        for results in found.results(chosen):
            paths = write_portfolio_report(results, target, "index.html")
            files[results.portfolio] = str(paths.html)
        index = found.index()
        pages = [
            page if (target / page).is_file() else None
            for page in (f"{portfolio_stem(name)}.html" for name in index["portfolio"])
        ]
        linked = index.with_columns(pl.Series("page", pages, dtype=pl.String))
        title = str(recipe.resolved["title"])
        files["index"] = str(write_portfolio_index(linked, target, title, found.origin).html)
    return files


def book_and_pages(
    project: "Project",
    recipe: Path,
    files: Mapping[str, Path],
    watcher: "ProgressWatcher",
    *,
    is_forced: bool,
) -> dict[str, Any]:
    """Import the book of a recipe, compute what is missing, and write all pages.

    Parameters
    ----------
    project : that keeps it.
    recipe, files : of kind nightly, and the tables of its book.
    watcher : told of progress.
    is_forced : whether what is up to date is computed again.
    """
    from plumbline.cli.nightly_text import run_data
    from plumbline.stages.nightly import Task, run_task
    from plumbline.stages.nightly_plan import Choice
    from plumbline.stages.nightly_run import NightlyOptions
    from plumbline.stages.portfolio_books import import_book
    from plumbline.stages.recipe import load_recipe
    from plumbline.stages.workspace import prepare
    from plumbline.store.opening import PARQUET

    loaded = load_recipe(recipe)
    import_book(project, str(loaded.document["book"]), files)
    workspace = prepare(loaded, project=project, reading=watcher.step)
    options = NightlyOptions(watcher.counted, watcher.compiling, watcher.accompanied)
    task = Task(PARQUET, Choice(is_forced=is_forced))
    result = run_task(workspace, task, options)
    return {**run_data(result), "pages": written_reports(project, loaded, PARQUET, None, None)}


def refuse_options(recipe: object, **given: object) -> None:
    """Refuse options of `plumbline run` that a nightly recipe does not take.

    Raises
    ------
    ParameterError
        With all that were given.
    """
    wrong = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    if wrong:
        raise ParameterError(
            f"{', '.join(wrong)} does not go with {recipe}, of kind nightly; see: plumbline risk "
            "run --help"
        )


def _print(result: "NightlyResult", *, as_json: bool) -> None:
    from plumbline.cli.nightly_text import run_data, run_text

    data = run_data(result)
    console.emit(data, lambda: run_text(data), as_json=as_json)
    if result.n_failures:
        told = f"run {result.run_id} (to try again: plumbline runs retry {result.run_id})"
        raise RunError(told, result.told_failures())

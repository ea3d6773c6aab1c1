"""P&L and risk of every portfolio on every date."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli import console
from plumbline.cli.options import AsJson, Overrides, ProjectFolder, StorePlace, dated
from plumbline.core.errors import ParameterError
from plumbline.core.wording import counted

if TYPE_CHECKING:
    from plumbline.stages.nightly import Task

group = typer.Typer(help=__doc__, rich_markup_mode=None, no_args_is_help=True)

NightlyPath = Annotated[
    Path | None,
    typer.Argument(
        metavar="[RECIPE]",
        help="Recipe of kind nightly. Default: nightly.yaml of the project.",
        show_default=False,
    ),
]
Portfolios = Annotated[
    list[str] | None,
    typer.Option(
        "--portfolio",
        metavar="NAME",
        help="Only this one. May be repeated. Default: all.",
        show_default=False,
    ),
]
First = Annotated[
    str | None,
    typer.Option("--from", metavar="DATE", help="First date. Default: the recipe's."),
]
Last = Annotated[
    str | None, typer.Option("--to", metavar="DATE", help="Last date. Default: the recipe's.")
]
Sessions = Annotated[
    int | None,
    typer.Option("--sessions", min=1, help="Only the last so many sessions.", show_default=False),
]


@group.command()
def run(
    recipe: NightlyPath = None,
    overrides: Overrides = None,
    portfolio: Portfolios = None,
    first: First = None,
    last: Last = None,
    sessions: Sessions = None,
    store: StorePlace = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Compute and store the portfolio-days that are missing or out of date, and no others.

    One command for the night, a back-fill, a new portfolio and a repair: what is there and made of
    the same inputs stays. Killed and started again it goes on. A cell that fails is recorded, the
    rest is stored, and the exit code is 1.
    """
    from plumbline.cli.nightly_command import run_and_print

    task = _task(store, portfolio, (first, last, sessions))
    run_and_print((recipe, project, overrides), task, as_json=as_json)


@group.command()
def plan(
    recipe: NightlyPath = None,
    overrides: Overrides = None,
    portfolio: Portfolios = None,
    first: First = None,
    last: Last = None,
    sessions: Sessions = None,
    store: StorePlace = None,
    show_all: Annotated[
        bool, typer.Option("--all", help="List every portfolio that has something to do.")
    ] = False,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Say which portfolio-days a run would compute, and why. Nothing is computed."""
    from plumbline.cli.nightly_command import nightly_workspace
    from plumbline.cli.nightly_text import plan_data, plan_text
    from plumbline.cli.progress import progress
    from plumbline.stages.nightly import plan_task

    task = _task(store, portfolio, (first, last, sessions))
    with progress(quiet=as_json) as watcher:
        workspace = nightly_workspace((recipe, project, overrides), watcher)
        found = plan_task(workspace, task)
    data = plan_data(found)
    console.emit(data, lambda: plan_text(data, show_all=show_all), as_json=as_json)


@group.command()
def restate(
    recipe: NightlyPath = None,
    overrides: Overrides = None,
    portfolio: Portfolios = None,
    first: First = None,
    last: Last = None,
    sessions: Sessions = None,
    store: StorePlace = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Compute portfolio-days again though nothing changed: of some portfolios, or some dates.

    What changed is found without being told: `plumbline risk run` restates that.
    """
    from plumbline.cli.nightly_command import run_and_print

    if not portfolio and first is None and last is None and sessions is None:
        raise ParameterError(
            "say which: --portfolio NAME, --from DATE, --to DATE or --sessions N; what changed is "
            "found by plumbline risk run"
        )
    task = _task(store, portfolio, (first, last, sessions), is_forced=True)
    run_and_print((recipe, project, overrides), task, as_json=as_json)


@group.command()
def status(
    store: StorePlace = None, project: ProjectFolder = None, as_json: AsJson = False
) -> None:
    """Say what the store of portfolios holds: portfolios, dates, who is behind, failures."""
    from contextlib import closing

    from plumbline.cli.nightly_text import status_text
    from plumbline.cli.workspace import find_project
    from plumbline.stages.nightly import open_portfolio_store, status_of

    with closing(open_portfolio_store(find_project(project), store, is_made=True)) as opened:
        data = status_of(opened)
    console.emit(data, lambda: status_text(data), as_json=as_json)


@group.command()
def show(
    portfolio: Annotated[str, typer.Argument(help="Which portfolio.")],
    day: Annotated[
        str | None,
        typer.Option("--date", metavar="DATE", help="Default: the newest.", show_default=False),
    ] = None,
    store: StorePlace = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show a portfolio on a date: value, what was gained, positions, all figures, stress."""
    from contextlib import closing

    from plumbline.cli.nightly_text import day_of, day_text
    from plumbline.cli.workspace import find_project
    from plumbline.stages.nightly import known_portfolios, open_portfolio_store

    asked = dated(day, "--date")
    with closing(open_portfolio_store(find_project(project), store, is_made=True)) as opened:
        known_portfolios(opened, [portfolio])
        data = day_of(opened, portfolio, asked)
    console.emit(data, lambda: day_text(data), as_json=as_json)


@group.command()
def forget(
    portfolio: Annotated[
        list[str] | None,
        typer.Argument(help="Portfolios that are taken away.", show_default=False),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Take all portfolios away.")] = False,
    store: StorePlace = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Take all stored dates of portfolios away: of those that were deleted or renamed.

    One that is in the book is computed again by the next run.
    """
    from contextlib import closing

    from plumbline.cli.workspace import find_project
    from plumbline.stages.nightly import forget_portfolios, open_portfolio_store

    if bool(portfolio) == every:
        raise ParameterError("say which portfolios are taken away, by name or with --all")
    with closing(open_portfolio_store(find_project(project), store, is_made=True)) as opened:
        n_days = forget_portfolios(opened, portfolio)
        data = {"store": opened.label, "portfolios": portfolio, "portfolio_days": n_days}
    whose = ", ".join(portfolio) if portfolio else "all portfolios"
    text = f"{counted(n_days, 'portfolio-day')} of {whose} taken away"
    console.emit(data, lambda: text, as_json=as_json)


@group.command()
def report(
    portfolio: Annotated[
        list[str] | None,
        typer.Argument(help="Portfolios whose pages are written.", show_default=False),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Write the pages of all.")] = False,
    recipe: Annotated[
        Path | None,
        typer.Option(
            "--recipe",
            metavar="FILE",
            help="Recipe of kind nightly. Default: nightly.yaml of the project.",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="Folder. Default: reports/ of the project."),
    ] = None,
    store: StorePlace = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write the pages of portfolios, HTML and JSON, and the index of all; computes nothing.

    Without names it writes the index alone.
    """
    from plumbline.cli.nightly_command import written_reports
    from plumbline.cli.workspace import find_project
    from plumbline.stages.nightly import recipe_file, require_nightly
    from plumbline.stages.recipe import load_recipe

    opened = find_project(project, None if recipe is None else recipe.parent)
    loaded = load_recipe(recipe or recipe_file(opened))
    require_nightly(loaded)
    named = None if every else portfolio or []
    files = written_reports(opened, loaded, store, named, to)
    console.emit(files, lambda: "\n".join(files.values()), as_json=as_json)


@group.command()
def synthesize(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="It may hold none of the files.")],
    portfolios: Annotated[int, typer.Option("--portfolios", min=1)] = 100,
    positions: Annotated[int, typer.Option("--positions", min=1, help="Of a portfolio.")] = 21,
    dates: Annotated[int, typer.Option("--dates", min=1, help="Sessions with portfolios.")] = 87,
    symbols: Annotated[int, typer.Option("--symbols", min=1, help="Shares with prices.")] = 300,
    first: Annotated[
        str | None,
        typer.Option(
            "--first",
            metavar="DATE",
            help="Default: 2023-01-03, or earlier where dates would end after 2025.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Make portfolios, trades and ragged prices of any size, with a recipe that measures them.

    The same numbers and seed give the same bits. The files are Parquet. No date lies in the future.
    """
    from plumbline.risk.synthetic_load import Load
    from plumbline.stages.synthetic_files import refuse_future, usual_first, write_load

    begin = dated(first, "--first") or usual_first(dates)
    load = Load(portfolios, positions, dates, symbols, begin)
    refuse_future(load)
    files = {table: str(path) for table, path in write_load(load, seed, folder).items()}
    told, where = [*files.values()], shlex.quote(str(folder))
    told.append(
        f"to use it: plumbline init {where} && cd {where} && plumbline portfolios import synthetic "
        "--portfolios portfolios.parquet --trades trades.parquet --cash-flows cash_flows.parquet "
        "--instruments instruments.parquet && plumbline risk run"
    )
    console.emit(files, lambda: "\n".join(told), as_json=as_json)


def _task(
    store: str | None,
    portfolios: list[str] | None,
    span: tuple[str | None, str | None, int | None],
    *,
    is_forced: bool = False,
) -> "Task":
    from plumbline.stages.nightly import Task
    from plumbline.stages.nightly_parts import Span
    from plumbline.stages.nightly_plan import Choice

    first, last, sessions = span
    begin, end = dated(first, "--from"), dated(last, "--to")
    if begin is not None and end is not None and begin > end:
        raise ParameterError(f"--from {begin} must not be after --to {end}")
    asked = Span(begin, end, sessions)
    chosen = Choice(tuple(portfolios) if portfolios else None, is_forced=is_forced)
    return Task(store, chosen, None if asked == Span() else asked)

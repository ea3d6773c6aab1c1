"""Show runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plumbline.cli import console
from plumbline.cli.options import (
    AsJson,
    Attempts,
    ExecutorName,
    ProjectFolder,
    StorePlace,
    TimeLimit,
    Workers,
)
from plumbline.core.errors import ParameterError
from plumbline.core.wording import counted

if TYPE_CHECKING:
    from plumbline.engine.project import Project


def command(
    run: Annotated[
        str | None,
        typer.Argument(
            help="Run to show, or 'last'; 'retry' tries again. Default: list them.",
            show_default=False,
        ),
    ] = None,
    which: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="After 'retry': the run whose dead blocks are computed. Default: the newest that "
            "has any.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many to list.")] = 20,
    recipe: Annotated[
        bool, typer.Option("--recipe", help="Print the resolved recipe of the run.")
    ] = False,
    failures: Annotated[
        bool, typer.Option("--failures", help="Show the blocks that the run gave up, and why.")
    ] = False,
    timings: Annotated[
        bool,
        typer.Option("--timings", help="Show where the time went, by node and by worker."),
    ] = False,
    keep: Annotated[
        bool | None,
        typer.Option(
            "--keep/--unkeep",
            help="Keep the results of the run, whatever `plumbline gc` clears; or no more.",
            show_default=False,
        ),
    ] = None,
    executor: ExecutorName = None,
    workers: Workers = None,
    attempts: Attempts = None,
    time_limit: TimeLimit = None,
    store: StorePlace = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """List the newest runs, show one, or compute what one gave up.

    A run shows what it did with each block, its failures and numbers, what it could not compute,
    and why, and what the gates of its recipe say. `runs retry` computes the blocks that a run gave
    up and those that waited for them, and nothing else, as a new run that names the old one.
    """
    from plumbline.cli.workspace import find_project

    if run == "retry":
        how = (executor, workers, attempts, time_limit)
        _retry(project, which, how, store, as_json=as_json)
        return
    if which is not None or executor or workers or attempts or time_limit or store:
        raise ParameterError(
            "a second run, --executor, --workers, --attempts, --time-limit and --store go with "
            "`plumbline runs retry` alone"
        )
    opened = find_project(project)
    if run is None and keep is not None:
        raise ParameterError("--keep and --unkeep need the run before them, or 'last'")
    if run is None:
        _list(opened, limit, as_json=as_json)
    elif keep is not None:
        _keep(opened, run, is_kept=keep, as_json=as_json)
    elif recipe:
        _recipe(opened, run, as_json=as_json)
    elif timings:
        _timings(opened, run, as_json=as_json)
    elif failures:
        _failures(opened, run, as_json=as_json)
    else:
        _show(opened, run, as_json=as_json)


def _list(project: "Project", limit: int, *, as_json: bool) -> None:
    from plumbline.cli.runs_text import list_text
    from plumbline.ledger import queries

    rows = queries.list_runs(project.database, limit)
    console.emit(rows, lambda: list_text(rows), as_json=as_json)


def _recipe(project: "Project", run: str, *, as_json: bool) -> None:
    from plumbline.ledger import queries

    text = queries.get_run(project.database, run)["recipe"]
    console.emit({"recipe": text}, lambda: text, as_json=as_json)


def _keep(project: "Project", run: str, *, is_kept: bool, as_json: bool) -> None:
    from plumbline.ledger import queries

    run_id = queries.get_run(project.database, run)["id"]
    project.engine.ledger.keep_run(run_id, is_kept=is_kept)
    data = {"run": run_id, "kept": is_kept, "all_kept": queries.kept_runs(project.database)}
    how = "stay, whatever is cleared away" if is_kept else "may be cleared away"
    console.emit(data, lambda: f"results of run {run_id} {how}", as_json=as_json)


def _found(project: "Project", run: str) -> dict[str, Any]:
    """Return a run with the run that it tried again, if it did."""
    from plumbline.ledger import queries

    found = queries.get_run(project.database, run)
    origin = queries.origin_of_run(project.database, found["id"])
    return found | {"retried": None if origin is None else origin["retried"]}


def _show(project: "Project", run: str, *, as_json: bool) -> None:
    from plumbline.cli.runs_text import run_text
    from plumbline.engine.bar_dates import dates_of_run, with_dates
    from plumbline.ledger import queries
    from plumbline.stages.study_findings import verdicts_of_run

    found, database = _found(project, run), project.database
    dates = dates_of_run(project, found["id"])
    shown = {
        "run": found,
        "blocks": with_dates(queries.tasks_of_run(database, found["id"]), dates),
        "failures": queries.failures_of_run(database, found["id"]),
        "metrics": queries.metrics_of_run(database, found["id"]),
        "warnings": queries.warnings_of_run(database, found["id"]),
    }
    verdicts = verdicts_of_run(database, found)
    document = shown | {"gates": [verdict._asdict() for verdict in verdicts]}
    console.emit(document, lambda: run_text(shown, verdicts, dates), as_json=as_json)


def _failures(project: "Project", run: str, *, as_json: bool) -> None:
    from plumbline.cli.runs_text import failures_text
    from plumbline.engine.bar_dates import dates_of_run, with_dates
    from plumbline.ledger import queries

    found = _found(project, run)
    dates = dates_of_run(project, found["id"])
    dead = queries.dead_letters_of_run(project.database, found["id"])
    data = {"run": found["id"], "state": found["state"], "dead": with_dates(dead, dates)}
    console.emit(data, lambda: failures_text(found, dead, dates), as_json=as_json)


def _timings(project: "Project", run: str, *, as_json: bool) -> None:
    from plumbline.cli.runs_text import timings_text
    from plumbline.engine.bar_dates import dates_of_run
    from plumbline.ledger import queries
    from plumbline.ledger.timings import timings_by_node, timings_by_worker, wall_seconds

    found = _found(project, run)
    tasks = queries.tasks_of_run(project.database, found["id"])
    seconds = wall_seconds(found)
    shown = {
        "run": found,
        "seconds": seconds,
        "nodes": timings_by_node(tasks),
        "workers": timings_by_worker(tasks, seconds),
    }
    dates = dates_of_run(project, found["id"])
    console.emit(shown, lambda: timings_text(shown, dates), as_json=as_json)


def _retry(
    folder: Path | None,
    run: str | None,
    how: tuple[str | None, int | None, int | None, float | None],
    store: str | None,
    *,
    as_json: bool,
) -> None:
    from plumbline.api import retry_run
    from plumbline.cli.nightly_command import refuse_options, retry_and_print
    from plumbline.cli.progress import progress
    from plumbline.cli.workspace import find_project, retries_of, run_options
    from plumbline.engine.dead import dead_blocks
    from plumbline.ledger import queries
    from plumbline.stages.run_recipe import recipe_of_run

    project = find_project(folder)
    known = queries.runs_with_dead_letters(project.database)
    named = run or next(iter(known), None)
    if named is not None:
        named = queries.get_run(project.database, named)["id"]
    if named is None or not dead_blocks(project.database, named):
        head = "no run gave a block up" if named is None else f"run {named} gave no block up"
        others = f"; runs that did: {', '.join(known[:10])}" if known else ""
        text = f"{head}: nothing to try again{others}"
        console.emit(
            {"run_id": None, "retried": named, "blocks": {}}, lambda: text, as_json=as_json
        )
        return
    executor, workers, attempts, time_limit = how
    if not recipe_of_run(project, named).is_graph:
        refuse_options(
            f"run {named}",
            executor=executor,
            workers=workers,
            attempts=attempts,
            time_limit=time_limit,
        )
        retry_and_print(project, named, store, as_json=as_json)
        return
    with progress(quiet=as_json) as watcher:
        retries = retries_of(attempts, time_limit)
        options = run_options(watcher, executor, workers, retries=retries)
        result = retry_run(project, named, options, watcher.step)
    computed = counted(result.counts.get("computed", 0), "block")
    text = (
        f"run {result.run_id}: {computed} of run {named} computed in {result.seconds:.1f} s\n"
        "the report is written by: plumbline report"
    )
    data = {"run_id": result.run_id, "retried": named, "blocks": dict(result.counts)}
    console.emit(data, lambda: text, as_json=as_json)

"""Show runs."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plumbline.cli import console
from plumbline.cli.options import AsJson, ProjectFolder

if TYPE_CHECKING:
    from plumbline.engine.bar_dates import BarDates
    from plumbline.stages.gates import Verdict


def command(
    run: Annotated[
        str | None,
        typer.Argument(help="Run to show, or 'last'. Default: list them.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many to list.")] = 20,
    recipe: Annotated[
        bool, typer.Option("--recipe", help="Print the resolved recipe of the run.")
    ] = False,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """List the newest runs, or show one: what it did with each block, failures, numbers.

    A run also tells what it could not compute, and why, and what the gates of its recipe say.
    """
    from plumbline.cli.workspace import find_project
    from plumbline.engine.bar_dates import dates_of_run, with_dates
    from plumbline.ledger import queries
    from plumbline.stages.study_findings import verdicts_of_run

    opened = find_project(project)
    database = opened.database
    if run is None:
        rows = queries.list_runs(database, limit)
        text = console.table([_line(r) for r in rows]) if rows else "no runs in this project yet"
        console.emit(rows, lambda: text, as_json=as_json)
        return
    found = queries.get_run(database, run)
    if recipe:
        console.emit({"recipe": found["recipe"]}, lambda: found["recipe"], as_json=as_json)
        return
    dates = dates_of_run(opened, found["id"])
    shown = {
        "run": found,
        "blocks": with_dates(queries.tasks_of_run(database, found["id"]), dates),
        "failures": queries.failures_of_run(database, found["id"]),
        "metrics": queries.metrics_of_run(database, found["id"]),
        "warnings": queries.warnings_of_run(database, found["id"]),
    }
    verdicts = verdicts_of_run(database, found)
    document = shown | {"gates": [verdict._asdict() for verdict in verdicts]}
    console.emit(document, lambda: _text(shown, verdicts, dates), as_json=as_json)


def _line(run: dict[str, Any]) -> dict[str, Any]:
    counts = ", ".join(f"{n} {state}" for state, n in sorted(run["counts"].items()))
    kept = ("id", "pipeline", "state", "owner", "started", "executor")
    return {name: run[name] for name in kept} | {"blocks": counts}


def _text(shown: dict[str, Any], verdicts: "Sequence[Verdict]", dates: "BarDates") -> str:
    run = shown["run"]
    blocks = [row | {"block": dates.text(row["block"])} for row in shown["blocks"]]
    lines = [
        f"run       {run['id']}  {run['state']}",
        f"recipe    {run['pipeline']}  {run['recipe_digest'][:12]}",
        f"owner     {run['owner']}   executor {run['executor']}",
        f"started   {_moment(run['started'])}   finished {_moment(run['finished'])}",
        "",
        console.table(blocks, ("node", "block", "state", "seconds", "reason")),
    ]
    for failure in shown["failures"]:
        lines += ["", f"{failure['kind']}: {failure['message']}", failure["trace"].rstrip()]
    if shown["warnings"]:
        lines += ["", *(f"warning: {warning['text']}" for warning in shown["warnings"])]
    if verdicts:
        lines += ["", *(str(verdict) for verdict in verdicts)]
    if shown["metrics"]:
        lines += ["", console.table(shown["metrics"], ("subject", "name", "value"))]
    return "\n".join(lines)


def _moment(at: datetime | None) -> str:
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"

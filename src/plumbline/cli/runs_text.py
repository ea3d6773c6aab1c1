"""Runs in words: lists, one run, what it gave up."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from plumbline.cli import console
from plumbline.core.sizes import shown_bytes
from plumbline.core.wording import counted

if TYPE_CHECKING:
    from plumbline.engine.bar_dates import BarDates
    from plumbline.stages.gates import Verdict


def list_text(runs: Sequence[dict[str, Any]]) -> str:
    """Return the newest runs, a line each."""
    if not runs:
        return "no runs in this project yet"
    return console.table([_line(run) for run in runs])


def run_text(shown: dict[str, Any], verdicts: "Sequence[Verdict]", dates: "BarDates") -> str:
    """Return what a run did with each block, its failures, warnings, gates and numbers."""
    run = shown["run"]
    blocks = [row | {"block": dates.text(row["block"])} for row in shown["blocks"]]
    lines = [*head_lines(run), "", console.table(blocks, _BLOCK_COLUMNS)]
    for failure in shown["failures"]:
        lines += ["", f"{failure['kind']}: {failure['message']}", failure["trace"].rstrip()]
    if shown["warnings"]:
        lines += ["", *(f"warning: {warning['text']}" for warning in shown["warnings"])]
    if verdicts:
        lines += ["", *(str(verdict) for verdict in verdicts)]
    if shown["metrics"]:
        lines += ["", console.table(shown["metrics"], ("subject", "name", "value"))]
    return "\n".join(lines)


_BLOCK_COLUMNS = ("node", "block", "state", "seconds", "reason")


def head_lines(run: dict[str, Any]) -> list[str]:
    """Return what a run is, in four lines, and the run that it tried again."""
    lines = [
        f"run       {run['id']}  {run['state']}",
        f"recipe    {run['pipeline']}  {run['recipe_digest'][:12]}",
        f"owner     {run['owner']}   executor {run['executor']}",
        f"started   {_moment(run['started'])}   finished {_moment(run['finished'])}",
    ]
    return lines + ([f"retries   {run['retried']}"] if run.get("retried") else [])


def failures_text(run: dict[str, Any], dead: Sequence[dict[str, Any]], dates: "BarDates") -> str:
    """Return the blocks that a run gave up, each with its cause, and what to type."""
    lines = head_lines(run)
    if not dead:
        return "\n".join([*lines, "", "it gave no block up"])
    for row in dead:
        tries = counted(row["attempts"], "attempt")
        lines += [
            "",
            f"{row['node']} [{dates.text(row['block'])}] after {tries}, {_moment(row['at'])}",
            f"{row['kind']}: {row['message']}",
            row["trace"].rstrip(),
        ]
    lines += ["", f"to compute these and what waited for them: plumbline runs retry {run['id']}"]
    return "\n".join(lines)


def timings_text(shown: dict[str, Any], dates: "BarDates") -> str:
    """Return where the time of a run went: a line for each node, then for each worker."""
    wall = shown["seconds"]
    lines = head_lines(shown["run"])
    if not shown["nodes"]:
        return "\n".join([*lines, "", "it computed nothing"])
    nodes = [
        {
            "node": row["node"],
            "blocks": row["blocks"],
            "seconds": row["seconds"],
            "share": "-" if row["share"] is None else f"{row['share']:.0%}",
            "median": row["median"],
            "slowest": row["slowest"],
            "peak": "-" if row["peak_bytes"] is None else shown_bytes(row["peak_bytes"]),
            "slowest block": dates.text(row["slowest_block"]),
        }
        for row in shown["nodes"]
    ]
    computing = sum(row["seconds"] for row in shown["nodes"])
    took = "the clock stood still" if wall is None else f"took {wall:.1f} s"
    lines += ["", console.table(nodes), "", console.table(shown["workers"]), ""]
    return "\n".join([*lines, f"computing {computing:.1f} s in all; the run {took}"])


def _line(run: dict[str, Any]) -> dict[str, Any]:
    counts = ", ".join(f"{n} {state}" for state, n in sorted(run["counts"].items()))
    kept = ("id", "pipeline", "state", "owner", "started", "executor")
    return {name: run[name] for name in kept} | {"blocks": counts}


def _moment(at: datetime | None) -> str:
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"

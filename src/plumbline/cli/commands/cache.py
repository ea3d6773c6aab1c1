"""Show what the stored results hold."""

from typing import Annotated, Any

import typer

from plumbline.cli import console
from plumbline.cli.options import AsJson, ProjectFolder
from plumbline.core.wording import counted


def command(
    runs: Annotated[
        int, typer.Option("--runs", min=1, help="How many of the newest runs to count hits of.")
    ] = 10,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show the stored results: how many, their files and bytes, by recipe and node, and their age.

    Of the newest runs it says how many blocks were there already. `plumbline gc` makes room,
    `plumbline run --no-cache` computes everything again.
    """
    from plumbline.cli.workspace import find_project
    from plumbline.core.settings import read_settings
    from plumbline.ledger.usage import hits_of_newest_runs, stored_by_node

    opened = find_project(project)
    data = {
        **vars(opened.engine.cache.statistics()),
        "max_bytes": read_settings().cache_bytes,
        "nodes": stored_by_node(opened.database),
        "runs": hits_of_newest_runs(opened.database, runs),
    }
    console.emit(data, lambda: _text(data), as_json=as_json)


def _text(data: dict[str, Any]) -> str:
    from plumbline.core.sizes import shown_bytes

    size, most = shown_bytes(data["n_bytes"]), shown_bytes(data["max_bytes"])
    results = counted(data["n_results"], "result")
    files = counted(data["n_files"], "file")
    nodes = [row | {"bytes": shown_bytes(row["bytes"])} for row in data["nodes"]]
    hits = [row | {"hit_rate": _percent(row["hit_rate"])} for row in data["runs"]]
    head = f"{results} in {files}, {size} of {most}"
    return "\n\n".join([head, *(console.table(rows) for rows in (nodes, hits) if rows)])


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.0%}"

"""Say what a run would compute, and why."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from plumbline.cli import console
from plumbline.cli.options import AsJson, AsOf, Overrides, ProjectFolder, RecipePath

if TYPE_CHECKING:
    import polars as pl

    from plumbline.engine.plan import Plan

_LISTED = 1000  # values that a document lists


def command(
    recipe: RecipePath = None,
    overrides: Overrides = None,
    project: ProjectFolder = None,
    as_of: AsOf = None,
    show_all: Annotated[
        bool, typer.Option("--all", help="Also show blocks that are there already.")
    ] = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Plan a run that computes everything again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say which blocks a run would compute, and why. Nothing is computed or stored.

    What the data cannot give is told as warnings; if they can give nothing, that is an error.
    A block that "follows" reads one that will run; it runs only if that comes out different.
    """
    from plumbline.cli.progress import progress
    from plumbline.cli.workspace import find_workspace

    with progress(quiet=as_json) as watcher:
        workspace = find_workspace(recipe, project, overrides, watcher.step, as_of=as_of)
        changes, regridded = workspace.changes(), workspace.regridded()
        plan = workspace.project.engine.plan(workspace.pipeline, use_cache=not no_cache)
        warnings = (*workspace.repairs(), *workspace.losses(), *workspace.warnings)
    data = _data(plan, changes) | {"calendars": regridded, "warnings": list(warnings)}
    moved = [
        f"data {n}: another calendar, {grids}: all bars count as new"
        for n, grids in regridded.items()
    ]
    told = [f"warning: {text}" for text in warnings]
    shown = [*moved, _text(plan, changes, show_all), *told]
    console.emit(data, lambda: "\n".join(shown), as_json=as_json)


def _data(plan: "Plan", changes: "dict[str, pl.DataFrame]") -> dict[str, Any]:
    from plumbline.engine.bar_dates import BarDates, with_dates
    from plumbline.engine.plan_text import state_counts
    from plumbline.lake.differences import summary

    dates = BarDates.of_nodes(d.task.node for d in plan.decisions)
    blocks: list[dict[str, Any]] = [
        {"node": d.task.node.name, "block": d.task.block.label, "state": d.state.value}
        | {"reason": d.reason, "key": d.key.digest if d.key else None}
        for d in plan.decisions
    ]
    return {
        "counts": state_counts(plan),
        "expected_seconds": plan.expected_seconds,
        "nodes": plan.node_costs(),
        "data_changes": {
            name: {**summary(table), "values": table.head(_LISTED).to_dicts()}
            for name, table in changes.items()
        },
        "blocks": with_dates(blocks, dates),
    }


def _text(plan: "Plan", changes: "dict[str, pl.DataFrame]", show_all: bool) -> str:
    from plumbline.cli.difference_text import difference_lines
    from plumbline.engine.plan_text import plan_text

    lines = [line for name, table in changes.items() for line in difference_lines(name, table)]
    return "\n".join([*lines, plan_text(plan, show_all=show_all), *_costs(plan)])


def _costs(plan: "Plan") -> list[str]:
    """Return a table of what the blocks of each node are expected to cost."""
    from plumbline.core.sizes import shown_bytes

    rows = [
        {
            "node": row["node"],
            "blocks": row["blocks"],
            "seconds": row["seconds"],
            "largest block": shown_bytes(row["block_bytes"]),
            "by": "past runs" if row["measured"] else "its extent",
        }
        for row in plan.node_costs()
    ]
    return ["", console.table(rows)] if rows else []

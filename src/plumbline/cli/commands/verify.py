"""Compute stored results again and compare bits."""

from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli import console
from plumbline.cli.options import (
    AsJson,
    AsOf,
    ExecutorName,
    Overrides,
    ProjectFolder,
    RecipePath,
    Workers,
)
from plumbline.core.errors import RunError
from plumbline.core.wording import counted

if TYPE_CHECKING:
    from plumbline.engine.bar_dates import BarDates
    from plumbline.engine.verify import Verified


def command(
    recipe: RecipePath = None,
    sample: Annotated[
        int | None,
        typer.Option("--sample", min=1, help="How many blocks, drawn by --seed. Default: all."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws the sample.")] = 0,
    overrides: Overrides = None,
    project: ProjectFolder = None,
    as_of: AsOf = None,
    executor: ExecutorName = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Compute stored blocks again, from scratch, and compare every bit with what is stored.

    Exit code 1 if any differs, cannot be compared as a file is damaged, or is known to have come
    out different before. Nothing stored is touched.
    """
    from plumbline.api import verify
    from plumbline.cli.progress import progress
    from plumbline.cli.workspace import find_workspace, run_options
    from plumbline.engine.bar_dates import BarDates, with_dates

    with progress(quiet=as_json) as watcher:
        options = run_options(watcher, executor, workers)
        workspace = find_workspace(recipe, project, overrides, watcher.step, as_of=as_of)
        found = verify(workspace, options, sample, seed)
    dates = BarDates.of_nodes(workspace.pipeline.nodes)
    data = {
        "compared": with_dates(map(vars, found.compared), dates),
        "uncompared": with_dates(map(vars, found.uncompared), dates),
        "damaged": dict(found.damaged),
        "left_out": dict(found.left_out),
        "wrong": len(found.wrong),
    }
    table = [
        {"node": v.node, "block": dates.text(v.block), "equal": equal, "note": v.note}
        for equal, v in [
            *((v.equal, v) for v in found.compared),
            *((None, v) for v in found.uncompared),
        ]
    ]
    console.emit(data, lambda: f"{console.table(table)}\n{_summary(found)}", as_json=as_json)
    if found.wrong:
        problems = _problems(found, dates)
        console.note(f"plumbline: {RunError('verification', problems)}")
        raise typer.Exit(1)  # --json has said so in its one document


def _problems(found: "Verified", dates: "BarDates") -> list[str]:
    """Return a sentence on each damaged file, whatever stands behind it, and on other blocks."""
    blocks: dict[str, list[str]] = {told: [] for told in found.damaged.values()}
    for v in found.wrong:
        notes = [found.damaged[path] for path in v.damaged]
        for note in notes if notes and v.is_stable else [*notes, v.note]:
            blocks[note] = [*blocks.get(note, []), f"{v.node} [{dates.text(v.block)}]"]
    return [
        first + (f" and {counted(len(rest), 'more block')}" if rest else "") + f": {note}"
        for note, (first, *rest) in blocks.items()
    ]


def _summary(found: "Verified") -> str:
    """Return how many blocks were compared, how many differ or could not be, what was left out."""
    differ = sum(not v.equal for v in found.compared)
    unstable = sum(not v.is_stable for v in [*found.compared, *found.uncompared])
    line = f"{counted(len(found.compared), 'block')} computed again and compared"
    if found.compared:
        line += f": {differ} differ" if differ else ": all equal"
    if unstable:
        line += f", {unstable} known not to be deterministic"
    if found.uncompared:
        line += f"; {len(found.uncompared)} could not be compared: {_causes(found)}"
    left_out = [f"{n} {why}" for why, n in found.left_out.items() if n]
    return f"{line}; left out: {', '.join(left_out)}" if left_out else line


def _causes(found: "Verified") -> str:
    behind = sum(bool(v.damaged) for v in found.uncompared)
    failed = len(found.uncompared) - behind
    told = [f"{failed} failed"] if failed else []
    if behind:
        files = counted(len(found.damaged), "damaged file")
        told.append(f"{files} behind {counted(behind, 'block')}")
    return ", ".join(told)

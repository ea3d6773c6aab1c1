"""Show what a block's key is made of."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from plumbline.cli import console
from plumbline.cli.options import AsJson, Overrides, ProjectFolder, RecipePath
from plumbline.core.errors import UnknownNameError, nearest_names

if TYPE_CHECKING:
    from plumbline.engine.bar_dates import BarDates
    from plumbline.engine.plan import Decision


def command(
    node: Annotated[str, typer.Argument(help="Node, such as signal:momentum.")],
    recipe: RecipePath = None,
    block: Annotated[
        str | None,
        typer.Option("--block", help="Block, such as 'bars 512-1023'. Default: all."),
    ] = None,
    overrides: Overrides = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show what a block's key is made of, and which part differs from what is stored.

    The parts: stage and parameters, source files that it reaches, library versions, the
    processor, and the digests of its inputs.
    """
    from plumbline.cli.workspace import find_workspace
    from plumbline.engine.bar_dates import BarDates, with_dates

    workspace = find_workspace(recipe, project, overrides)
    plan = workspace.project.engine.plan(workspace.pipeline)
    names = {d.task.node.name for d in plan.decisions}
    if node not in names:
        raise UnknownNameError(f"the recipe has no node {node!r}; {nearest_names(node, names)}")
    chosen = [d for d in plan.decisions if d.task.node.name == node]
    if block is not None:
        labels = [d.task.block.label for d in chosen]
        block = block.partition(" (")[0]  # as it is shown: with its dates
        if block not in labels:
            known = ", ".join(labels[:20]) + (f", … ({len(labels)})" if len(labels) > 20 else "")
            raise UnknownNameError(f"{node} has no block {block!r}; it has {known}")
        chosen = [d for d in chosen if d.task.block.label == block]
    dates = BarDates.of_nodes(workspace.pipeline.nodes)
    data = with_dates((_data(decision) for decision in chosen), dates)
    console.emit(data, lambda: "\n\n".join(_text(d, dates) for d in data), as_json=as_json)


def _data(decision: "Decision") -> dict[str, Any]:
    key = decision.key
    return {
        "node": decision.task.node.name,
        "block": decision.task.block.label,
        "state": decision.state.value,
        "reason": decision.reason,
        "key": None if key is None else key.digest,
        "parameters": {}
        if key is None
        else {name: part["value"] for name, part in key.parts["parameters"].items()},
        "files": {} if key is None else dict(key.code.files),
        "libraries": {} if key is None else dict(key.code.libraries),
        "processor": None if key is None else key.parts["device"],
        "inputs": [] if key is None else [list(row) for row in key.inputs],
    }


def _text(data: dict[str, Any], dates: "BarDates") -> str:
    lines = [
        f"{data['node']} [{dates.text(data['block'])}]: {data['state']}",
        f"  why         {data['reason']}",
        f"  key         {data['key'] or 'not known before its inputs are'}",
    ]
    lines += [f"  parameter   {name} = {value}" for name, value in data["parameters"].items()]
    lines += [f"  code        {name}  {digest[:12]}" for name, digest in data["files"].items()]
    lines += [f"  library     {name} {version}" for name, version in data["libraries"].items()]
    if data["processor"]:
        lines.append(f"  processor   {data['processor']}")
    for name, dataset_id, digest in data["inputs"]:
        where = "" if dataset_id is None else f" of data set {dataset_id[:12]}"
        lines.append(f"  input       {name}  {digest[:12]}{where}")
    return "\n".join(lines)

"""A finished study in a few lines, and as data."""

from typing import TYPE_CHECKING, Any

from plumbline.cli import console
from plumbline.core.wording import counted
from plumbline.engine.interruption import stop_if_interrupted
from plumbline.engine.root import project_option

if TYPE_CHECKING:
    from plumbline.api import Study, Workspace
    from plumbline.engine.run import RunResult
    from plumbline.report.publish import Published
    from plumbline.stages.run_code import KeptBlocks

_COLUMNS = ("signal", "horizon_bars", "mean_ic", "t_hac", "critical_5pct", "n_bars")


def before_run(workspace: "Workspace") -> None:
    """Tell what the data cannot give.

    Raises
    ------
    RecipeError
        If they can give nothing of the recipe.
    """
    _ = workspace.pipeline
    for text in (*workspace.repairs(), *workspace.losses(), *workspace.warnings):
        console.note(f"warning: {text}")
    stop_if_interrupted()  # nothing is begun yet


def _cleaning(workspace: "Workspace") -> dict[str, dict[str, int]]:
    """Return by data set how many rows cleaning changed, dropped and noted."""
    from plumbline.lake.quality import count_effects

    return {name: count_effects(workspace.quality(name)) for name in workspace.datasets}


def _cleaning_text(workspace: "Workspace") -> list[str]:
    """Return what cleaning did, a line for each data set."""
    lines = []
    for name, n in _cleaning(workspace).items():
        see = f"plumbline data {workspace.datasets[name].name} --quality"
        see += project_option(workspace.project.root)
        told = f"{name}: {n['changed']} rows changed by cleaning, {n['dropped']} dropped"
        lines.append(told + (f", {n['noted']} noted; see: {see}" if any(n.values()) else ""))
    return lines


def print_summary(study: "Study", published: "Published", *, as_json: bool) -> None:
    """Print a run: as one JSON document, or as text."""
    # Nothing is prepared that is not printed: the data need a library that text can do without.
    data = summary_data(study, published) if as_json else {}
    console.emit(data, lambda: summary_text(study, published), as_json=as_json)


def summary_data(study: "Study", published: "Published") -> dict[str, Any]:
    """Return what ``--json`` prints of a run."""
    return {
        "run_id": study.result.run_id,
        "recipe": study.workspace.recipe.name,
        "recipe_digest": study.workspace.recipe.digest,
        "seconds": study.result.seconds,
        "blocks": dict(study.result.counts),
        "kept": {found.node: found.n_blocks for found in _kept(study)},
        "digests": {f"{n} [{b}]": d for (n, b), d in study.result.digests.items()},
        "report": str(published.html),
        "report_json": str(published.json),
        "report_written": published.is_new,
        "cleaning": _cleaning(study.workspace),
        "warnings": [warning.text for warning in study.warnings],
        "gates": [verdict._asdict() for verdict in study.gates],
    }


def summary_text(study: "Study", published: "Published") -> str:
    """Return what a person reads of a run."""
    lines = []
    if published.is_new:
        lines += [console.table(study.tables["summary"].to_dicts(), _COLUMNS), ""]
        lines += _cleaning_text(study.workspace)
    told = set(study.workspace.warnings)  # by before_run
    lines += [f"warning: {w.text}" for w in study.warnings if w.text not in told]
    lines += _kept_text(study)
    lines += [_blocks_text(study.result), f"report: {published.html}"]
    return "\n".join(lines)


def _kept(study: "Study") -> "tuple[KeptBlocks, ...]":
    """Return the blocks that were kept from other code, by node."""
    if not study.result.counts.get("kept"):
        return ()
    from plumbline.stages.run_code import kept_blocks

    return kept_blocks(study.workspace.project.database, study.result.run_id)


def _kept_text(study: "Study") -> list[str]:
    """Return a warning of blocks that were kept from other code, if there are any."""
    from plumbline.stages.run_code import kept_text

    kept = _kept(study)
    see = f"plumbline runs last{project_option(study.workspace.project.root)}"
    return [f"warning: {kept_text(kept)}; {see} names them"] if kept else []


def _blocks_text(result: "RunResult") -> str:
    """Return how many blocks a run computed, found and kept."""
    counts = result.counts
    total = sum(counts.values())
    computed, kept = counts.get("computed", 0), counts.get("kept", 0)
    if not computed and not kept:
        return f"run {result.run_id}: nothing changed, all {total} blocks there already"
    there = f"{total - computed - kept} there already" + (f", {kept} kept" if kept else "")
    done = f"{computed} of {counted(total, 'block')} computed in {result.seconds:.1f} s"
    return f"run {result.run_id}: {done}, {there}"

"""A plan in words: which blocks of which node run, why, and how many there are in all."""

from typing import TYPE_CHECKING

from plumbline.engine.bar_dates import BarDates

if TYPE_CHECKING:
    from plumbline.engine.plan import Plan

_LISTED = 4  # blocks of a group that are listed one by one


def plan_text(plan: "Plan", *, show_all: bool = False, limit: int | None = None) -> str:
    """Return a line or two for blocks of one node, state and reason, then the sums.

    Parameters
    ----------
    plan : the plan.
    show_all : whether blocks that are there already are listed as well.
    limit : groups of blocks that are listed, the others counted; None lists all.
    """
    groups = _grouped(plan, show_all=show_all)
    shown = groups if limit is None else groups[:limit]
    dates = BarDates.of_nodes(d.task.node for d in plan.decisions)
    lines = [
        f"{state:8}{node}: {_shown(blocks, dates)}\n          {reason}"
        for node, state, reason, blocks in shown
    ]
    if len(shown) < len(groups):
        lines.append(f"… and {len(groups) - len(shown)} more")
    return "\n".join([*lines, _sums(plan)])


def state_counts(plan: "Plan") -> dict[str, int]:
    """Return how many blocks each state has, states in the order they come."""
    counts: dict[str, int] = {}
    for decision in plan.decisions:
        counts[decision.state.value] = counts.get(decision.state.value, 0) + 1
    return counts


def _sums(plan: "Plan") -> str:
    n = len(plan.decisions)
    counts = state_counts(plan)
    parts = [f"{counts[state]} {state}" for state in ("cached", "kept") if state in counts]
    tail = "; nothing to compute" if plan.is_done else ""
    if not plan.is_done:
        run, follow = counts.get("run", 0), counts.get("follows", 0)
        told = [f"{run} run{'s' if run == 1 else ''}"] if run else []
        told += [f"{follow} follow{'s' if follow == 1 else ''}"] if follow else []
        parts.append(f"{run + follow} to compute ({', '.join(told)})")
        seconds = plan.expected_seconds
        if seconds is not None:
            tail = f"; about {seconds:.1f} s on one worker by past timings"
    return f"{n} block{'' if n == 1 else 's'}: {', '.join(parts)}{tail}"


def _grouped(plan: "Plan", *, show_all: bool) -> list[tuple[str, str, str, list[str]]]:
    groups: dict[tuple[str, str, str], list[str]] = {}
    for d in plan.decisions:
        if show_all or d.state.value != "cached":
            key = (d.task.node.name, d.state.value, d.reason)
            groups.setdefault(key, []).append(d.task.block.label)
    return [(*key, blocks) for key, blocks in groups.items()]


def _shown(blocks: list[str], dates: BarDates) -> str:
    if len(blocks) <= _LISTED:
        return ", ".join(dates.text(block) for block in blocks)
    ends = [dates.span(blocks[0]), dates.span(blocks[-1])]
    span = f", {dates.range_text(ends[0][0], ends[1][1])}" if ends[0] and ends[1] else ""
    return f"{blocks[0]}, {blocks[1]}, … {blocks[-1]} ({len(blocks)} blocks{span})"

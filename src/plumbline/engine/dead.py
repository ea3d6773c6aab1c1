"""The dead of a run, blocks given up and those that waited for them, as tasks of their own."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from plumbline.core.errors import MissingDataError, UnknownNameError, nearest_names
from plumbline.engine.blocks import Read, Task
from plumbline.engine.plan import Plan, State
from plumbline.ledger.database import Database
from plumbline.ledger.queries import get_run, tasks_of_run

Place = tuple[str, str]


def dead_blocks(database: Database, run_id: str) -> list[Place]:
    """Return the blocks of a run that failed and those that waited for them.

    Raises
    ------
    UnknownNameError
        If there is no such run.
    """
    found = get_run(database, run_id)
    rows = tasks_of_run(database, found["id"])
    return [(r["node"], r["block"]) for r in rows if r["state"] in ("failed", "blocked")]


def tasks_of_dead(tasks: Sequence[Task], dead: Collection[Place], run_id: str) -> tuple[Task, ...]:
    """Return the dead blocks among tasks and all that they are computed from, numbered anew.

    Raises
    ------
    MissingDataError
        If the recipe has none of that place by now: its data or its blocks have changed.
    """
    by_place = {task.place: task for task in tasks}
    gone = [f"{node} [{block}]" for node, block in dead if (node, block) not in by_place]
    if gone:
        raise MissingDataError(
            f"run {run_id} gave up {gone[0]}{_and_more(gone)}, which its recipe has no more: its "
            "data have changed; type: plumbline run"
        )
    return subset(tasks, dead)


def refuse_others(plan: Plan, dead: Collection[Place], run_id: str) -> None:
    """Refuse a plan that computes more than the dead.

    Raises
    ------
    MissingDataError
        If a result that they are computed from is not there, or outdated.
    """
    allowed = set(dead)
    others = [
        f"{d.task.node.name} [{d.task.block.label}] ({d.reason})"
        for d in plan.decisions
        if d.state in (State.RUN, State.FOLLOWS) and d.task.place not in allowed
    ]
    if others:
        raise MissingDataError(
            f"what run {run_id} gave up is computed from results that are not there any more: "
            f"{others[0]}{_and_more(others)}; type: plumbline run"
        )


def tasks_of_node(tasks: Sequence[Task], node: str) -> tuple[Task, ...]:
    """Return the blocks of a node and all that they are computed from, numbered anew.

    Raises
    ------
    UnknownNameError
        If there is no such node.
    """
    places = [task.place for task in tasks if task.node.name == node]
    if not places:
        known = {task.node.name for task in tasks}
        raise UnknownNameError(f"no node {node!r}; {nearest_names(node, known)}")
    return subset(tasks, places)


def subset(tasks: Sequence[Task], places: Collection[Place]) -> tuple[Task, ...]:
    """Return tasks of some places and their producers, in order, numbered anew."""
    wanted = set(places)
    chosen: dict[int, None] = {}
    for task in reversed(tasks):  # readers come after their producers
        if task.place in wanted or task.number in chosen:
            chosen |= dict.fromkeys([task.number, *task.needs])
    number = {old: new for new, old in enumerate(sorted(chosen))}
    return tuple(
        replace(
            tasks[old],
            number=new,
            reads=tuple(_renumbered(read, number) for read in tasks[old].reads),
            before=None if (before := tasks[old].before) is None else number[before],
        )
        for old, new in number.items()
    )


def _renumbered(read: Read, number: dict[int, int]) -> Read:
    return replace(read, producers=tuple(number[n] for n in read.producers))


def _and_more(found: Sequence[str]) -> str:
    return f" and {len(found) - 1} more" if len(found) > 1 else ""

"""By which code the results of a run were made."""

import json
from collections.abc import Sequence
from typing import NamedTuple, final

from sqlalchemy import select

from plumbline.ledger.database import Database
from plumbline.ledger.models import Artefact, TaskRecord
from plumbline.ledger.queries import tasks_of_run


@final
class KeptBlocks(NamedTuple):
    """Blocks of a node that a run kept though other code made them than would make them there.

    Parameters
    ----------
    node : the node.
    n_blocks : how many.
    reasons : which code made them, and what of it has changed since.
    """

    node: str
    n_blocks: int
    reasons: tuple[str, ...]


def kept_blocks(database: Database, run_id: str) -> tuple[KeptBlocks, ...]:
    """Return the blocks that a run kept from other code, by node in order of the name."""
    reasons: dict[str, list[str]] = {}
    for task in tasks_of_run(database, run_id):
        if task["state"] == "kept":
            reasons.setdefault(task["node"], []).append(task["reason"])
    return tuple(
        KeptBlocks(node, len(told), tuple(sorted(set(told))))
        for node, told in sorted(reasons.items())
    )


def kept_text(kept: Sequence[KeptBlocks]) -> str:
    """Return ``3 blocks were kept from other code: a (1), b (2)``."""
    total = sum(found.n_blocks for found in kept)
    named = ", ".join(f"{found.node} ({found.n_blocks})" for found in kept)
    return f"{total} block{' was' if total == 1 else 's were'} kept from other code: {named}"


def codes_by_node(database: Database, run_id: str) -> dict[str, tuple[str, ...]]:
    """Return for each node of a run the digests of the code that made its results, sorted."""
    query = (
        select(TaskRecord.node, Artefact.parts)
        .join(Artefact, Artefact.key == TaskRecord.key)
        .where(TaskRecord.run_id == run_id)
    )
    found: dict[str, set[str]] = {}
    with database.read() as connection:
        for node, parts in connection.execute(query):
            found.setdefault(node, set()).add(json.loads(parts)["code"])
    return {node: tuple(sorted(codes)) for node, codes in sorted(found.items())}

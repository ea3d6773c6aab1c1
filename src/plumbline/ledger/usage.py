"""What is stored, by recipe and node, and how much of the newest runs was there already."""

from typing import Any

from sqlalchemy import func, select

from plumbline.ledger.database import Database
from plumbline.ledger.models import Artefact, Run, TaskRecord

_FOUND = ("cached", "kept")
_RUNNABLE = (*_FOUND, "computed", "failed")


def stored_by_node(database: Database) -> list[dict[str, Any]]:
    """Return results and bytes of each node of each recipe, and since when and when last used.

    A file that several results hold counts for each of them.
    """
    place = (Artefact.pipeline, Artefact.node)
    query = (
        select(
            *place,
            func.count().label("results"),
            func.sum(Artefact.n_bytes).label("bytes"),
            func.min(Artefact.created).label("oldest"),
            func.max(Artefact.used).label("last_used"),
        )
        .group_by(*place)
        .order_by(Artefact.pipeline, func.sum(Artefact.n_bytes).desc(), Artefact.node)
    )
    with database.read() as connection:
        rows = [dict(row._mapping) for row in connection.execute(query)]
    return [row | {"bytes": int(row["bytes"])} for row in rows]


def hits_of_newest_runs(database: Database, limit: int) -> list[dict[str, Any]]:
    """Return of the newest runs how many blocks were there already, the newest first.

    ``hit_rate`` is their part of the blocks that were found or begun; None without any.
    """
    newest = select(Run.id, Run.pipeline, Run.state, Run.number)
    newest = newest.order_by(Run.number.desc()).limit(limit)
    counting = select(TaskRecord.run_id, TaskRecord.state, func.count())
    counting = counting.group_by(TaskRecord.run_id, TaskRecord.state)
    with database.read() as connection:
        runs = connection.execute(newest).all()
        ids = [run.id for run in runs]
        counts = connection.execute(counting.where(TaskRecord.run_id.in_(ids))).all()
    found = []
    for run in runs:
        mine = {state: n for run_id, state, n in counts if run_id == run.id}
        hits = sum(mine.get(state, 0) for state in _FOUND)
        begun = sum(mine.get(state, 0) for state in _RUNNABLE)
        rate = hits / begun if begun else None
        row = {"run": run.id, "recipe": run.pipeline, "blocks": begun, "found": hits}
        found.append(row | {"computed": mine.get("computed", 0), "hit_rate": rate})
    return found

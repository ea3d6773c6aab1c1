"""What blocks cost in the past: time and memory, by node."""

from typing import NamedTuple

from sqlalchemy import func, select

from plumbline.ledger.database import Database
from plumbline.ledger.models import Run, TaskRecord

_REMEMBERED = 100  # latest blocks of a node


class Cost(NamedTuple):
    """One block that was computed: which, how long it took, and the memory it added at most."""

    block: str
    seconds: float
    peak_bytes: int | None


def past_costs(database: Database, pipeline: str) -> dict[str, list[Cost]]:
    """Return the costs of the latest blocks of each node of a pipeline, the latest first."""
    newest_first = (Run.number.desc(), TaskRecord.finished.desc(), TaskRecord.block)
    place = func.row_number().over(partition_by=TaskRecord.node, order_by=newest_first)
    columns = (TaskRecord.node, TaskRecord.block, TaskRecord.seconds, TaskRecord.peak_bytes)
    placed = (
        select(*columns, place.label("place"))
        .join(Run, Run.id == TaskRecord.run_id)
        .where(Run.pipeline == pipeline, TaskRecord.seconds.is_not(None))
        .subquery()
    )
    own = placed.c
    query = select(own.node, own.block, own.seconds, own.peak_bytes)
    query = query.where(own.place <= _REMEMBERED).order_by(own.node, own.place)
    found: dict[str, list[Cost]] = {}
    with database.read() as connection:
        for node, block, seconds, peak_bytes in connection.execute(query):
            found.setdefault(node, []).append(Cost(block, seconds, peak_bytes))
    return found

"""Writing to the ledger: a run begins, blocks are committed with their results, a run ends."""

import math
import os
import platform
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any, final

from sqlalchemy import Connection, Table, bindparam, delete, func, select, update

from plumbline.core.settings import clock_time, current_time, read_settings
from plumbline.ledger.database import Base, Database
from plumbline.ledger.models import (
    NONDETERMINISTIC,
    Artefact,
    CodeRecord,
    DeadLetter,
    FailureRecord,
    FindingsRecord,
    KeptRun,
    Lineage,
    Metric,
    Run,
    RunOrigin,
    TaskRecord,
    WarningRecord,
)
from plumbline.ledger.processes import this_process
from plumbline.ledger.queries import present_states
from plumbline.ledger.rows import insert_absent, insert_or_replace

_BOUND_VALUES = 500  # SQLite binds a limited number of values


@final
@dataclass(frozen=True)
class Completion:
    """One finished block, and the result to store with it if it was computed.

    Parameters
    ----------
    node, block : which block.
    key : its key, or None if it has none.
    state : computed, cached, kept, failed or blocked.
    reason : why it was in that state.
    artefact : columns of the result's row, or None if there is nothing new to store.
    lineage : rows of its inputs.
    seconds, peak_bytes, worker : how it went, if it ran.
    death : its last attempt, if the run gave it up.
    """

    node: str
    block: str
    key: str | None
    state: str
    reason: str
    artefact: Mapping[str, Any] | None = None
    lineage: Sequence[Mapping[str, Any]] = ()
    seconds: float | None = None
    peak_bytes: int | None = None
    worker: str | None = None
    death: "Mishap | None" = None


@final
@dataclass(frozen=True)
class Mishap:
    """One attempt that failed, or one stored result found damaged or not to be reproduced."""

    node: str
    block: str
    attempt: int
    kind: str
    message: str
    trace: str


@final
class Ledger:
    """The writer of one run.

    Each call is one transaction, so a crash leaves a block's result and its row either both
    there or both absent.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def start_run(
        self,
        pipeline: str,
        recipe: str,
        recipe_digest: str,
        executor: str,
        origin: tuple[str, str | None] | None = None,
    ) -> str:
        """Open a run and return its id; runs that go on no more are closed.

        Parameters
        ----------
        pipeline, recipe, recipe_digest, executor : what is run, and where.
        origin : folder of the recipe, and the run that this one tries again, where that is known.
        """
        run_id = f"{current_time():%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"
        row = {
            "id": run_id,
            "pipeline": pipeline,
            "state": "running",
            "owner": read_settings().owner,
            "started": _now(),
            "recipe": recipe,
            "recipe_digest": recipe_digest,
            "executor": executor,
            "machine": machine(),
            "process": this_process(),
        }
        with self.database.begin() as connection:
            _close_lost(connection)
            last = connection.execute(select(func.max(Run.number))).scalar() or 0
            connection.execute(_table(Run).insert(), row | {"number": last + 1})
            if origin is not None:
                known = {"run_id": run_id, "base": origin[0], "retried": origin[1]}
                connection.execute(_table(RunOrigin).insert(), known)
        return run_id

    def finish_run(self, run_id: str, state: str) -> None:
        """Close a run as done, failed or interrupted."""
        with self.database.begin() as connection:
            connection.execute(
                update(Run).where(Run.id == run_id).values(state=state, finished=_now())
            )

    def commit(
        self, run_id: str, completions: Sequence[Completion], codes: Mapping[str, Any]
    ) -> list[Mishap]:
        """Commit finished blocks with their results, all or nothing.

        Parameters
        ----------
        completions : the blocks.
        codes : code digest -> code, for the digests that the results name.

        Returns
        -------
        The blocks whose key gave another result before: recorded as non-deterministic, with the
        result of this run in place of the earlier one.
        """
        now, clock = _now(), clock_time()
        dead = [_dead_row(run_id, c.death, now) for c in completions if c.death is not None]
        results = [c for c in completions if c.artefact is not None]
        artefacts = [
            {**(c.artefact or {}), "run_id": run_id, "created": clock, "used": clock}
            for c in results
        ]
        tasks = [
            {
                "run_id": run_id,
                "node": c.node,
                "block": c.block,
                "key": c.key,
                "state": c.state,
                "reason": _storable(c.reason),
                "finished": now,
                "seconds": c.seconds,
                "peak_bytes": c.peak_bytes,
                "worker": c.worker,
            }
            for c in completions
        ]
        with self.database.begin() as connection:
            different = _different_from_before(connection, artefacts)
            _insert_mishaps(connection, run_id, different)
            insert_absent(connection, CodeRecord, [_code_row(codes[d]) for d in sorted(codes)])
            insert_or_replace(connection, Artefact, artefacts, unless_equal=("digest", "manifest"))
            insert_absent(connection, Lineage, [row for c in results for row in c.lineage])
            insert_or_replace(connection, TaskRecord, tasks)
            insert_or_replace(connection, DeadLetter, dead)
        return different

    def touch(self, keys: Sequence[str]) -> None:
        """Note that results were used, so that the least recently used can be told."""
        if not keys:
            return
        table = _table(Artefact)
        statement = table.update().where(table.c.key == bindparam("this")).values(used=clock_time())
        with self.database.begin() as connection:
            connection.execute(statement, [{"this": key} for key in keys])

    def keep_run(self, run_id: str, *, is_kept: bool) -> None:
        """Note that the results of a run stay, or that they need not any more."""
        with self.database.begin() as connection:
            if is_kept:
                insert_absent(connection, KeptRun, [{"run_id": run_id, "since": _now()}])
            else:
                connection.execute(delete(KeptRun).where(KeptRun.run_id == run_id))

    def record_mishap(self, run_id: str, mishap: Mishap) -> None:
        """Write one failed attempt or damaged result."""
        with self.database.begin() as connection:
            _insert_mishaps(connection, run_id, [mishap])

    def record_findings(
        self,
        run_id: str,
        metrics: Mapping[tuple[str, str], float | None],
        warnings: Sequence[tuple[str, str, str]],
        code: str,
    ) -> None:
        """Write what a run's results say.

        Parameters
        ----------
        metrics : (name, subject) -> value.
        warnings : part, subject and text of what could not be computed, in order.
        code : digest of the code that took them from the results.
        """
        rows = [
            {"run_id": run_id, "name": name, "subject": subject, "value": _number(value)}
            for (name, subject), value in metrics.items()
        ]
        told = [
            {"run_id": run_id, "position": i, "part": part, "subject": subject, "text": text}
            for i, (part, subject, text) in enumerate(warnings)
        ]
        with self.database.begin() as connection:
            insert_absent(connection, FindingsRecord, [{"run_id": run_id, "code": code}])
            insert_absent(connection, Metric, rows)
            insert_absent(connection, WarningRecord, told)

    def drop_artefacts(self, keys: Sequence[str]) -> None:
        """Forget results, for instance because a file of theirs is damaged."""
        if not keys:
            return
        table = _table(Artefact)
        statement = table.delete().where(table.c.key == bindparam("this"))
        with self.database.begin() as connection:
            connection.execute(statement, [{"this": key} for key in keys])


def machine() -> dict[str, Any]:
    """Return what a reader of a number must know of the machine and the libraries."""
    libraries = ("plumbline", "numpy", "numba", "polars", "scipy", "pyarrow", "duckdb")
    return {
        "system": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in libraries},
    }


def _close_lost(connection: Connection) -> None:
    for run_id, state in present_states(connection).items():
        if state != "running":
            connection.execute(update(Run).where(Run.id == run_id).values(state=state))


def _different_from_before(
    connection: Connection, artefacts: Sequence[Mapping[str, Any]]
) -> list[Mishap]:
    """Return a mishap for each result whose key is there with another output or end state."""
    found = []
    for start in range(0, len(artefacts), _BOUND_VALUES):
        part = {row["key"]: row for row in artefacts[start : start + _BOUND_VALUES]}
        query = select(Artefact.key, Artefact.digest, Artefact.manifest, Artefact.run_id)
        query = query.where(Artefact.key.in_(list(part)))
        for key, digest, manifest, run_id in connection.execute(query):
            row = part[key]
            if (row["digest"], row["manifest"]) == (digest, manifest):
                continue
            here = row["digest"][:12] if row["digest"] != digest else "another end state"
            message = (
                f"key {key} gave {digest[:12]} in run {run_id} and {here} in run "
                f"{row['run_id']}; the stage depends on something that is no part of its key, such "
                "as a clock, a random number without a seed, or the order of a set"
            )
            found.append(Mishap(row["node"], row["block"], 0, NONDETERMINISTIC, message, ""))
    return found


def _insert_mishaps(connection: Connection, run_id: str, mishaps: Sequence[Mishap]) -> None:
    rows = [
        {
            "run_id": run_id,
            "at": _now(),
            **vars(mishap),
            "message": _storable(mishap.message),
            "trace": _storable(mishap.trace),
        }
        for mishap in mishaps
    ]
    if rows:
        connection.execute(_table(FailureRecord).insert(), rows)


def _storable(text: str) -> str:
    """Return a text as both databases take it: PostgreSQL holds no zero character."""
    return text.replace("\0", "\\0")


def _number(value: float | None) -> float | None:
    """Return a number as both databases give it back: SQLite has no NaN and makes it NULL."""
    return None if value is None or math.isnan(value) else value


def _dead_row(run_id: str, last: Mishap, now: datetime) -> dict[str, Any]:
    row = {name: value for name, value in vars(last).items() if name != "attempt"}
    return {"run_id": run_id, **row, "attempts": last.attempt, "at": now}


def _table(model: type[Base]) -> Table:
    return Base.metadata.tables[model.__tablename__]


def _code_row(code: Any) -> dict[str, Any]:
    return {
        "digest": code.digest,
        "files": dict(code.files),
        "libraries": dict(code.libraries),
    }


def _now() -> datetime:
    return current_time().replace(tzinfo=None)

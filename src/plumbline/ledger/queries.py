"""Reading the ledger."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from plumbline.core.errors import UnknownNameError, nearest_names
from plumbline.core.settings import current_time
from plumbline.ledger.database import Database
from plumbline.ledger.models import (
    NONDETERMINISTIC,
    Artefact,
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
from plumbline.ledger.processes import present_state

_ALIKE = 20  # runs of one recipe; a run that found all its results is most often like the last


def present_states(connection: Connection) -> dict[str, str]:
    """Return what each run that is recorded as running is by now: running, killed or unknown."""
    latest = (
        select(func.max(TaskRecord.finished)).where(TaskRecord.run_id == Run.id).scalar_subquery()
    )
    query = select(Run.id, Run.process, Run.started, latest).where(Run.state == "running")
    now = current_time().replace(tzinfo=None)
    return {
        run_id: present_state(process, now - max(started, at or started))
        for run_id, process, started, at in connection.execute(query)
    }


def runs_going_on(database: Database, pipeline: str) -> list[str]:
    """Return the runs of a pipeline whose process works on them, as far as can be known."""
    query = select(Run.id).where(Run.pipeline == pipeline, Run.state == "running")
    with database.read() as connection:
        states = present_states(connection)
        found = connection.execute(query.order_by(Run.number)).scalars().all()
    return [run_id for run_id in found if states.get(run_id) == "running"]


def unstable_blocks(database: Database) -> list[dict[str, Any]]:
    """Return the stored results whose key also gave another: node, block, key and message."""
    query = (
        select(FailureRecord.node, FailureRecord.block, Artefact.key, FailureRecord.message)
        .join(
            Artefact,
            (Artefact.node == FailureRecord.node)
            & (Artefact.block == FailureRecord.block)
            & FailureRecord.message.contains(Artefact.key),
        )
        .where(FailureRecord.kind == NONDETERMINISTIC)
        .order_by(FailureRecord.id)
    )
    with database.read() as connection:
        return [dict(row._mapping) for row in connection.execute(query)]


def keys_of_newest_runs(database: Database) -> set[str]:
    """Return the keys of the results that the newest run of each pipeline used or made."""
    newest = select(func.max(Run.number).label("number")).group_by(Run.pipeline)
    last = newest.subquery()
    query = (
        select(TaskRecord.key)
        .join(Run, Run.id == TaskRecord.run_id)
        .join(last, last.c.number == Run.number)
        .where(TaskRecord.key.is_not(None))
    )
    with database.read() as connection:
        return {key for key in connection.execute(query).scalars() if key is not None}


def list_runs(database: Database, limit: int = 50) -> list[dict[str, Any]]:
    """Return the newest runs with their counts of blocks by state."""
    columns = (Run.id, Run.pipeline, Run.state, Run.owner, Run.started, Run.finished, Run.executor)
    query = select(*columns).order_by(Run.number.desc()).limit(limit)
    counting = select(TaskRecord.run_id, TaskRecord.state, func.count()).group_by(
        TaskRecord.run_id, TaskRecord.state
    )
    with database.read() as connection:
        runs = [dict(row._mapping) for row in connection.execute(query)]
        ids = [run["id"] for run in runs]
        counts = connection.execute(counting.where(TaskRecord.run_id.in_(ids))).all()
        present = present_states(connection)
    for run in runs:
        run["state"] = present.get(run["id"], run["state"])
        run["counts"] = {state: n for run_id, state, n in counts if run_id == run["id"]}
    return runs


def get_run(database: Database, run_id: str) -> dict[str, Any]:
    """Return a run with the digests of the code that made its results.

    Raises
    ------
    UnknownNameError
        If there is no such run; ``last`` names the newest.
    """
    query = select(Run).order_by(Run.number.desc()).limit(1)
    if run_id != "last":
        query = select(Run).where(Run.id == run_id)
    parts = select(Artefact.parts).join(TaskRecord, TaskRecord.key == Artefact.key)
    with database.read() as connection:
        row = connection.execute(query).first()
        if row is None:
            known = connection.execute(select(Run.id)).scalars().all()
            raise UnknownNameError(f"no run {run_id!r}; {nearest_names(run_id, known)}")
        run = dict(row._mapping)
        run["state"] = present_states(connection).get(run["id"], run["state"])
        texts = connection.execute(parts.where(TaskRecord.run_id == run["id"])).scalars().all()
    run["codes"] = sorted({json.loads(text)["code"] for text in texts})
    return run


def tasks_of_run(database: Database, run_id: str) -> list[dict[str, Any]]:
    """Return what a run did with each block, in the order of completion."""
    query = select(TaskRecord).where(TaskRecord.run_id == run_id)
    query = query.order_by(TaskRecord.finished, TaskRecord.node, TaskRecord.block)
    with database.read() as connection:
        return [dict(row._mapping) for row in connection.execute(query)]


def datasets_of_run(database: Database, run_id: str) -> list[str]:
    """Return the ids of the data sets that results of a run were made from, sorted."""
    query = (
        select(Lineage.dataset_id)
        .join(TaskRecord, TaskRecord.key == Lineage.key)
        .where(TaskRecord.run_id == run_id, Lineage.dataset_id.is_not(None))
        .distinct()
    )
    with database.read() as connection:
        return sorted(found for found in connection.execute(query).scalars() if found)


def failures_of_run(database: Database, run_id: str) -> list[dict[str, Any]]:
    """Return the failed attempts and damaged results of a run, with their causes."""
    query = select(FailureRecord).where(FailureRecord.run_id == run_id).order_by(FailureRecord.id)
    with database.read() as connection:
        return [dict(row._mapping) for row in connection.execute(query)]


def dead_letters_of_run(database: Database, run_id: str) -> list[dict[str, Any]]:
    """Return the blocks that a run gave up, with their causes."""
    order = (DeadLetter.at, DeadLetter.node, DeadLetter.block)
    query = select(DeadLetter).where(DeadLetter.run_id == run_id).order_by(*order)
    with database.read() as connection:
        return [dict(row._mapping) for row in connection.execute(query)]


def runs_with_dead_letters(database: Database) -> list[str]:
    """Return the runs that gave blocks up, the newest first."""
    dead = select(DeadLetter.run_id).distinct()
    query = select(Run.id).where(Run.id.in_(dead)).order_by(Run.number.desc())
    with database.read() as connection:
        return list(connection.execute(query).scalars())


def kept_runs(database: Database) -> list[str]:
    """Return the runs whose results stay for ever, the newest first."""
    query = select(Run.id).join(KeptRun, KeptRun.run_id == Run.id).order_by(Run.number.desc())
    with database.read() as connection:
        return list(connection.execute(query).scalars())


def newest_run_of(database: Database, pipeline: str) -> dict[str, Any] | None:
    """Return ``id``, ``started`` (UTC) and ``recipe`` of the newest run of a recipe, or None."""
    query = select(Run.id, Run.started, Run.recipe).where(Run.pipeline == pipeline)
    with database.read() as connection:
        row = connection.execute(query.order_by(Run.number.desc()).limit(1)).first()
    return None if row is None else dict(row._mapping)


def recipes_of_runs(database: Database, run_ids: Sequence[str]) -> dict[str, str]:
    """Return run -> text of its recipe, of the runs that there are among some."""
    query = select(Run.id, Run.recipe).where(Run.id.in_(run_ids))
    with database.read() as connection:
        return {row.id: row.recipe for row in connection.execute(query)}


def origin_of_run(database: Database, run_id: str) -> dict[str, Any] | None:
    """Return the folder of a run's recipe and the run that it tried again, or None."""
    query = select(RunOrigin.base, RunOrigin.retried).where(RunOrigin.run_id == run_id)
    with database.read() as connection:
        row = connection.execute(query).first()
    return None if row is None else dict(row._mapping)


def metrics_of_run(database: Database, run_id: str) -> list[dict[str, Any]]:
    """Return the numbers that a run recorded."""
    query = select(Metric).where(Metric.run_id == run_id).order_by(Metric.subject, Metric.name)
    with database.read() as connection:
        return [dict(row._mapping) for row in connection.execute(query)]


def warnings_of_run(database: Database, run_id: str) -> list[dict[str, Any]]:
    """Return what a run could not compute: part, subject, text."""
    columns = (WarningRecord.part, WarningRecord.subject, WarningRecord.text)
    query = select(*columns).where(WarningRecord.run_id == run_id).order_by(WarningRecord.position)
    with database.read() as connection:
        return [dict(row._mapping) for row in connection.execute(query)]


def run_that_told_the_same(database: Database, run_id: str, code: str) -> str | None:
    """Return the latest run before whose numbers and warnings hold for a run too, or None.

    That is one of the same recipe on the same results, read by the same code; the run in question
    found all of them: what a run computes itself it has to read. Only the newest runs are asked.

    Parameters
    ----------
    run_id : a finished run.
    code : digest of the code that takes numbers and warnings from results.
    """
    tasks = select(TaskRecord.node, TaskRecord.block, TaskRecord.key, TaskRecord.state)
    told = select(FindingsRecord.run_id).where(FindingsRecord.code == code)
    recipe = select(Run.recipe_digest).where(Run.id == run_id).scalar_subquery()
    alike = (
        select(Run.id)
        .where(Run.recipe_digest == recipe, Run.id != run_id, Run.id.in_(told))
        .order_by(Run.number.desc())
        .limit(_ALIKE)
    )
    with database.read() as connection:
        mine = connection.execute(tasks.where(TaskRecord.run_id == run_id)).all()
        if not mine or any(task.state == "computed" or task.key is None for task in mine):
            return None
        wanted = {(task.node, task.block, task.key) for task in mine}
        for other in connection.execute(alike).scalars().all():
            found = connection.execute(tasks.where(TaskRecord.run_id == other)).all()
            if wanted <= {(task.node, task.block, task.key) for task in found}:
                return other
    return None


def run_that_used(
    database: Database, pipeline: str, recipe_digest: str, keys: Mapping[tuple[str, str], str]
) -> str | None:
    """Return the newest finished run of a recipe that used just these results, or None.

    Parameters
    ----------
    keys : (node, block) -> key of the result.
    """
    runs = select(Run.id).where(
        Run.pipeline == pipeline, Run.recipe_digest == recipe_digest, Run.state == "done"
    )
    tasks = select(TaskRecord.node, TaskRecord.block, TaskRecord.key)
    with database.read() as connection:
        for run_id in connection.execute(runs.order_by(Run.number.desc())).scalars().all():
            rows = connection.execute(tasks.where(TaskRecord.run_id == run_id))
            if {(node, block): key for node, block, key in rows} == keys:
                return run_id
    return None


def lineage_of(database: Database, key: str) -> list[dict[str, Any]]:
    """Return the inputs of a result: results by digest, or patches of a data set."""
    query = select(Lineage).where(Lineage.key == key).order_by(Lineage.position)
    with database.read() as connection:
        return [dict(row._mapping) for row in connection.execute(query)]

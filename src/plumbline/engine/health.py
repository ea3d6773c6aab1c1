"""Whether a project's parts are whole."""

import json
from dataclasses import dataclass
from typing import final

from sqlalchemy import select

from plumbline.core.errors import CorruptEntryError
from plumbline.engine.objects import names_in
from plumbline.engine.project import Project
from plumbline.ledger.database import REFUSALS, refusal
from plumbline.ledger.models import Artefact
from plumbline.ledger.queries import keys_of_newest_runs, unstable_blocks

_PATIENCE_MS = 3000  # commits take milliseconds; a lock held longer is a process that hangs


@final
@dataclass(frozen=True)
class Check:
    """One thing looked at."""

    name: str
    ok: bool
    found: str


def checks_of(project: Project, *, deep: bool = False) -> list[Check]:
    """Check the database, the stored results and the data sets.

    ``deep`` reads every file, drops the results that hold a damaged one, and sets damaged
    segments aside, so that the next command reads their sources again.
    """
    database = _database(project)
    if not database.ok:  # of a database that cannot be used nothing else can be told
        return [database]
    return [
        database,
        _results(project, deep=deep),
        _determinism(project),
        _data(project, deep=deep),
    ]


def _database(project: Project) -> Check:
    if project.database.engine.dialect.name != "sqlite":
        return Check("database", ok=True, found=project.database.engine.dialect.name)
    try:
        with project.database.read() as connection:
            found = str(connection.exec_driver_sql("PRAGMA quick_check").scalar_one())
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {_PATIENCE_MS}")
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # what every command that writes needs
            connection.exec_driver_sql("DELETE FROM runs WHERE 0")
            connection.exec_driver_sql("ROLLBACK")
    except REFUSALS as error:
        return Check("database", ok=False, found=refusal(error))
    return Check("database", ok=found == "ok", found=found)


def _determinism(project: Project) -> Check:
    in_use = keys_of_newest_runs(project.database)  # a stage that was mended has other keys
    blocks = [row for row in unstable_blocks(project.database) if row["key"] in in_use]
    if not blocks:
        return Check(
            "determinism", ok=True, found="no key in use is known to have given two results"
        )
    first = blocks[0]
    found = f"{first['node']} [{first['block']}]: {first['message']}"
    more = f" (and {len(blocks) - 1} more)" if len(blocks) > 1 else ""
    return Check("determinism", ok=False, found=f"{found}; mend the stage{more}")


def _results(project: Project, *, deep: bool) -> Check:
    cache = project.engine.cache
    with project.database.read() as connection:
        rows = connection.execute(select(Artefact.manifest, Artefact.n_bytes)).all()
    held_by = [(names_in(json.loads(text)), n_bytes) for text, n_bytes in rows]
    names = sorted({name for files, _ in held_by for name in files})
    odd = [files for files, n_bytes in held_by if cache.objects.size(files) != n_bytes]
    suspects = {name for files in odd for name in files}
    wrong = []
    for name in names:
        try:
            if deep or name in suspects:
                cache.objects.check(name)
            elif not cache.objects.path(name).exists():
                raise CorruptEntryError(name, str(cache.objects.path(name)), "the file is missing")
        except CorruptEntryError as error:
            wrong.append(str(error))
            if deep:
                cache.forget(name, project.engine.ledger)
    held = cache.statistics()
    found = f"{held.n_results} results in {held.n_files} files, {held.n_bytes / 1e6:.1f} MB"
    if wrong:
        found = f"{len(wrong)} of {len(names)} files are wrong; a run makes them again: {wrong[0]}"
    return Check("results", ok=not wrong, found=found)


def _data(project: Project, *, deep: bool) -> Check:
    wrong = []
    versions = project.lake.datasets()
    for row in versions if deep else ():
        lacking = project.lake.set_damaged_aside(row["dataset_id"])
        if lacking:
            wrong.append(f"{row['name']} version {row['version']} lacks {lacking} of its files")
    if wrong:
        advice = (
            "damaged ones are set aside; `plumbline run` of a recipe that names the source, or "
            "`plumbline ingest`, restores them"
        )
        return Check("data sets", ok=False, found=f"{'; '.join(wrong)}; {advice}")
    names = {row["name"] for row in versions}
    return Check("data sets", ok=True, found=f"{len(versions)} versions of {len(names)} names")

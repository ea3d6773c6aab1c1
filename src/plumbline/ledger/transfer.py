"""Copying all tables from one database to another, with a check of what arrived."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, final

from sqlalchemy import Connection, Integer, LargeBinary, Table, delete, func, inspect, select

from plumbline.core.errors import ProjectError
from plumbline.ledger.database import Base
from plumbline.ledger.models import ProjectMark
from plumbline.ledger.rows import insert_many

Progress = Callable[[str, int], None]
"""Told the name of a table and the number of its rows that are copied so far."""

_CHUNK = 20_000  # rows in memory at once
_CHUNK_OF_BYTES = 200  # of tables that hold columns of bytes
_NUMBERS = "alembic_version"


@final
@dataclass(frozen=True)
class Copied:
    """A table that was copied.

    Parameters
    ----------
    table : its name.
    n_rows : its rows.
    digest : of the rows, in any order: source and target have the same.
    """

    table: str
    n_rows: int
    digest: str


def copy_tables(source: Connection, target: Connection, told: Progress) -> list[Copied]:
    """Copy the rows of all tables but the mark into empty ones, and compare what arrived.

    Both connections are inside a transaction in which nobody else writes.

    Raises
    ------
    ProjectError
        If other rows arrived than were sent.
    """
    tables = [t for t in Base.metadata.sorted_tables if t.name != ProjectMark.__tablename__]
    copied = []
    for table in tables:
        sent = _Sum()
        for rows in _chunks(source, table):
            insert_many(target, table, rows)
            sent.add(rows)
            told(table.name, sent.n_rows)
        _set_counters(target, table)
        arrived = _Sum()
        for rows in _chunks(target, table):
            arrived.add(rows)
        if (sent.n_rows, sent.total) != (arrived.n_rows, arrived.total):
            raise ProjectError(
                f"{sent.n_rows} rows of {table.name} were sent, {arrived.n_rows} arrived, and "
                "their digests differ; nothing is changed: see the logs of both databases"
            )
        copied.append(Copied(table.name, sent.n_rows, f"{sent.total:032x}"))
    return copied


def refuse_unknown_tables(source: Connection) -> None:
    """Refuse a database with tables that are not known here: their rows would stay behind.

    Raises
    ------
    ProjectError
        If there are such; they are named.
    """
    unknown = table_names(source) - set(Base.metadata.tables) - {_NUMBERS}
    if unknown:
        raise ProjectError(
            f"the database holds tables that are none of Plumbline's: {', '.join(sorted(unknown))}"
            "; move or drop them first"
        )


def table_names(connection: Connection) -> set[str]:
    """Return the names of the tables in the schema of a project."""
    return set(inspect(connection).get_table_names())


def rows_in(connection: Connection) -> int:
    """Return the number of rows in the tables of a project that are there, without its mark."""
    there = table_names(connection) - {ProjectMark.__tablename__}
    tables = [table for name, table in Base.metadata.tables.items() if name in there]
    counts = (select(func.count()).select_from(table) for table in tables)
    return sum(connection.execute(count).scalar_one() for count in counts)


def clear_tables(connection: Connection) -> None:
    """Delete all rows of a project, its mark too."""
    for table in reversed(Base.metadata.sorted_tables):
        connection.execute(delete(table))


class _Sum:
    """Number and digest of rows, whatever their order."""

    def __init__(self) -> None:
        self.n_rows = 0
        self.total = 0

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            text = repr([_plain(value) for value in row.values()]).encode("utf-8", "surrogatepass")
            digest = hashlib.blake2b(text, digest_size=16).digest()
            self.total = (self.total + int.from_bytes(digest)) % 2**128
        self.n_rows += len(rows)


def _plain(value: Any) -> Any:
    """Return a value as both databases give it: times without zone, objects as sorted text."""
    if isinstance(value, datetime):
        return (value if value.tzinfo is None else value.astimezone(UTC)).replace(tzinfo=None)
    return json.dumps(value, sort_keys=True) if isinstance(value, (dict, list)) else value


def _chunks(connection: Connection, table: Table) -> Iterator[list[Mapping[str, Any]]]:
    holds_bytes = any(isinstance(column.type, LargeBinary) for column in table.columns)
    size = _CHUNK_OF_BYTES if holds_bytes else _CHUNK
    result = connection.execute(select(table), execution_options={"yield_per": size})
    for rows in result.mappings().partitions():
        yield [dict(row) for row in rows]


def _set_counters(connection: Connection, table: Table) -> None:
    """Let numbers that PostgreSQL gives go on after those that were copied."""
    if connection.dialect.name != "postgresql":
        return
    for column in table.primary_key.columns:
        if column is table.autoincrement_column and isinstance(column.type, Integer):
            last = connection.execute(select(func.max(column))).scalar() or 0
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            connection.execute(select(func.setval(sequence, max(last, 1), last > 0)))

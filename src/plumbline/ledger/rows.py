"""Rows into tables, one statement for many: those that are there stay, or are replaced."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import JSON, Connection, Table, or_
from sqlalchemy.exc import DBAPIError

from plumbline.core.settings import read_settings
from plumbline.ledger.database import Base
from plumbline.ledger.slow_statements import note_statement

_COPY_FROM = 1000  # rows; COPY takes a tenth of the time, but a table of its own to check keys


def insert_absent(
    connection: Connection, model: type[Base], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows, leaving out those whose key is there already."""
    if not rows:
        return
    table = Base.metadata.tables[model.__tablename__]
    if connection.dialect.name == "postgresql" and len(rows) >= _COPY_FROM:
        _copy_absent(connection, table, rows)
        return
    connection.execute(_insert(connection, table).on_conflict_do_nothing(), list(rows))


def insert_or_replace(
    connection: Connection,
    model: type[Base],
    rows: Sequence[Mapping[str, Any]],
    unless_equal: Sequence[str] = (),
) -> None:
    """Insert rows; one whose key is there already takes the place of the earlier row.

    Parameters
    ----------
    unless_equal : columns; a row that agrees in all with the earlier one leaves it as it is.
    """
    if not rows:
        return
    table = Base.metadata.tables[model.__tablename__]
    statement = _insert(connection, table)
    keys = [column.name for column in table.primary_key.columns]
    names = [column.name for column in table.columns]
    values = {name: statement.excluded[name] for name in names if name not in keys}
    differs = None
    if unless_equal:
        differs = or_(*(table.c[name] != statement.excluded[name] for name in unless_equal))
    statement = statement.on_conflict_do_update(index_elements=keys, set_=values, where=differs)
    connection.execute(statement, list(rows))


def insert_many(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows whose keys are not there."""
    if connection.dialect.name == "postgresql":
        copy_rows(connection, table, f'"{table.name}"', rows)
    else:
        connection.execute(table.insert(), list(rows))


def copy_rows(
    connection: Connection, table: Table, into: str, rows: Iterable[Mapping[str, Any]]
) -> None:
    """Send rows with COPY into a table of PostgreSQL, or into one that has its columns.

    Raises
    ------
    DBAPIError
        If the server refuses them.
    """
    items = iter(rows)
    first = next(items, None)
    if first is None:
        return
    names = list(first)
    is_json = [isinstance(table.c[name].type, JSON) for name in names]
    statement = f"COPY {into} ({_quoted(names)}) FROM STDIN"
    driver: Any = connection.connection.driver_connection
    began = time.perf_counter()
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in _with(first, items):
                copy.write_row(
                    [
                        json.dumps(row[name]) if as_json and row[name] is not None else row[name]
                        for name, as_json in zip(names, is_json, strict=True)
                    ]
                )
    except connection.dialect.loaded_dbapi.Error as error:
        base = connection.dialect.loaded_dbapi.Error
        raise DBAPIError.instance(statement, None, error, base) from error
    limit = read_settings().slow_query_ms
    if limit is not None:
        note_statement(statement, time.perf_counter() - began, limit / 1e3)


def _with(first: Mapping[str, Any], rest: Iterable[Mapping[str, Any]]) -> Iterable[Any]:
    yield first
    yield from rest


def _copy_absent(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    names = _quoted(rows[0])
    connection.exec_driver_sql(
        f'CREATE TEMPORARY TABLE arriving ON COMMIT DROP AS SELECT {names} FROM "{table.name}" '  # noqa: S608  # names of our own
        "WITH NO DATA"
    )
    copy_rows(connection, table, "arriving", rows)
    connection.exec_driver_sql(
        f'INSERT INTO "{table.name}" ({names}) SELECT {names} FROM arriving ON CONFLICT DO NOTHING'  # noqa: S608  # the same names
    )
    connection.exec_driver_sql("DROP TABLE arriving")


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _insert(connection: Connection, table: Table) -> Any:
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as insert_postgresql

        return insert_postgresql(table)
    from sqlalchemy.dialects.sqlite import insert as insert_sqlite

    return insert_sqlite(table)

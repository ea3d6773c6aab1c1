"""The form of the tables: made and changed by the files in ``migrations/versions`` alone.

A file a migration, numbered; ``alembic_version`` in the database holds the number of the last that
was applied. A database that has tables and no number was made before there were numbers: the first
migration makes what is missing of the tables of that time. All that a call applies is one
transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, inspect

from plumbline.core.errors import ParameterError, ProjectError
from plumbline.ledger.database import START_AGAIN, Database
from plumbline.ledger.postgresql import make_schema

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

FOLDER = Path(__file__).parent / "migrations"
_NUMBERS = "alembic_version"


@lru_cache(maxsize=1)
def revisions() -> tuple[str, ...]:
    """Return the numbers of all migrations, the oldest first; alembic need not be loaded."""
    names = [path.stem for path in (FOLDER / "versions").glob("[0-9]*.py")]
    return tuple(sorted(name.partition("_")[0] for name in names))


def revision_of(connection: Connection) -> str | None:
    """Return the number of the last migration that a database has, or None before the first."""
    if not inspect(connection).has_table(_NUMBERS):
        return None
    found = connection.exec_driver_sql(f"SELECT version_num FROM {_NUMBERS}")  # noqa: S608  # ours
    return found.scalar()


def bring_up_to_date(database: Database) -> None:
    """Apply the migrations that a database lacks; see :meth:`Database.create_tables`."""
    with database.read() as connection:
        here = revision_of(connection)
    newest = revisions()[-1]
    if here == newest:
        return
    _refuse_unknown(database, here)
    if database.is_read_only:
        raise ProjectError(
            f"{database.url} has tables of version {here or 'none'}, this Plumbline reads "
            f"{newest}; they are brought up to it when the project is opened by a user who may "
            "write to it"
        )
    change_to(database, newest)


def change_to(database: Database, revision: str) -> tuple[str | None, str]:
    """Apply migrations, or take them back, up to a number; return the number before and after.

    Raises
    ------
    ParameterError
        If there is no migration of that number.
    ProjectError
        If a newer version made the tables.
    """
    if revision not in revisions():
        known = ", ".join(revisions())
        raise ParameterError(f"no version {revision!r} of the tables; known: {known}")
    with _unchecked(database) as connection:
        here = revision_of(connection)  # another process may have done it meanwhile
        _refuse_unknown(database, here)
        if here != revision:
            _apply(connection, here, revision)
    return here, revision


def _refuse_unknown(database: Database, here: str | None) -> None:
    if here is not None and here not in revisions():
        raise ProjectError(
            f"{database.url} has tables of version {here}, this Plumbline knows them up to "
            f"{revisions()[-1]}: install a newer Plumbline, or with that one go back by `plumbline "
            f"migrate --tables {revisions()[-1]}`"
        )


@contextmanager
def _unchecked(database: Database) -> Iterator[Connection]:
    """Open a transaction in which SQLite may build a table anew, as it does to change a column.

    With its foreign keys in force the rows that refer to the old table would go with that.
    """
    if database.schema is not None:
        with database.begin() as connection:
            make_schema(connection, database.schema)
            yield connection
        return
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")  # before a transaction, or never
        connection.rollback()
        with connection.begin():
            connection.exec_driver_sql(database.turn)
            yield connection
            lost = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            if lost:
                raise ProjectError(
                    f"{database.url}: rows of {', '.join(sorted({row[0] for row in lost}))} refer "
                    f"to rows that are not there, so its tables were left as they are; "
                    f"{START_AGAIN}"
                )


def _apply(connection: Connection, here: str | None, revision: str) -> None:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    numbers, script = revisions(), _script()
    n_done = 0 if here is None else numbers.index(here) + 1
    n_wanted = numbers.index(revision) + 1
    context = MigrationContext.configure(connection)
    with Operations.context(context):
        for number in numbers[n_done:n_wanted]:
            _module(script, number).upgrade()
        for number in reversed(numbers[n_wanted:n_done]):
            _module(script, number).downgrade()
    context.stamp(script, revision)


def _module(script: "ScriptDirectory", number: str) -> Any:
    return script.get_revision(number).module


@lru_cache(maxsize=1)
def _script() -> "ScriptDirectory":
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(FOLDER))

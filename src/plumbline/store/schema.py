"""The tables of a server's store: made and changed by the files in ``migrations/versions`` alone.

``store_version`` in the schema holds the number of the last that was applied. All that a call
applies is one transaction.
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from plumbline.core.errors import StoreError
from plumbline.ledger.database import Database, refusal
from plumbline.ledger.postgresql import make_schema

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

FOLDER = Path(__file__).parent / "migrations"
_NUMBERS: Final = "store_version"
_LEAST: Final = (15, 0)  # from which on a view is read with the rights of who asks


@lru_cache(maxsize=1)
def revisions() -> tuple[str, ...]:
    """Return the numbers of all migrations, the oldest first."""
    names = [path.stem for path in (FOLDER / "versions").glob("[0-9]*.py")]
    return tuple(sorted(name.partition("_")[0] for name in names))


def bring_up_to_date(database: Database, *, is_made: bool = False) -> None:
    """Apply the migrations that a store lacks; where it has all, nothing is locked.

    Parameters
    ----------
    database : of the store.
    is_made : whether it must have tables already, of whatever version.

    Raises
    ------
    StoreError
        If the server is too old, a newer version made the tables, the schema is a project's, the
        tables are not there though they must be, or the user may not make them.
    """
    with database.read() as connection:
        here = _revision_of(connection, database)
    newest = revisions()[-1]
    if here == newest:
        return
    if here is None and is_made:
        raise StoreError(
            f"{database.url} holds no store of portfolios; check the schema's name; to make one "
            "there: plumbline risk run --store ADDRESS"
        )
    if here is not None and here not in revisions():
        raise StoreError(
            f"{database.url} has tables of version {here}, this Plumbline knows them up to "
            f"{newest}: install a newer Plumbline"
        )
    try:
        with database.begin() as connection:
            make_schema(connection, database.schema or "")
            _apply(connection, _revision_of(connection, database))
    except DatabaseError as error:
        raise StoreError(
            f"{database.url} has tables of version {here or 'none'}, this Plumbline needs "
            f"{newest}, and this user cannot make them: {refusal(error)}; or let the owner of "
            "the tables open the store once, and let this user in by grant_reader"
        ) from error


def _revision_of(connection: Connection, database: Database) -> str | None:
    """Return the number of the last migration; refuse what no store can be made in."""
    version = connection.dialect.server_version_info or (0,)
    if version < _LEAST:
        raise StoreError(
            f"{database.url} cannot be used: it is PostgreSQL {'.'.join(map(str, version))}; at "
            f"least {_LEAST[0]} is needed, as views of older ones show the rows of all owners"
        )
    query = f"SELECT to_regclass('{_NUMBERS}') IS NOT NULL, to_regclass('alembic_version') IS NULL"
    is_made, is_free = connection.exec_driver_sql(query).one()
    if not is_made and not is_free:
        raise StoreError(
            f"{database.url} holds the tables of a project, whose names would clash: give "
            "portfolios a schema of their own, by ?schema=NAME"
        )
    if not is_made:
        return None
    found = connection.exec_driver_sql(f"SELECT version_num FROM {_NUMBERS}")  # noqa: S608  # ours
    return str(found.scalar_one())


def _apply(connection: Connection, here: str | None) -> None:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    script = _script()
    context = MigrationContext.configure(connection, opts={"version_table": _NUMBERS})
    n_done = 0 if here is None else revisions().index(here) + 1
    with Operations.context(context):
        for number in revisions()[n_done:]:
            script.get_revision(number).module.upgrade()
    context.stamp(script, revisions()[-1])


@lru_cache(maxsize=1)
def _script() -> "ScriptDirectory":
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(FOLDER))

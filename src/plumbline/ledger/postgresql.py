"""PostgreSQL: a schema for each project, whose writers wait for their turn at one lock."""

import hashlib
from importlib.util import find_spec
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from plumbline.core.address import Address
from plumbline.core.errors import MissingExtraError

_LOCK_CLASS = 0x706C756D  # of all locks of ours, so that those of other programs are left alone
_WAIT_SECONDS = 60
_CONNECT_SECONDS = 10
_LEAST_VERSION = (13, 0)
_CONNECTIONS = 2  # that a process keeps open; a thread more opens one and closes it again
_MORE_CONNECTIONS = 8
_SESSION = {
    "synchronous_commit": "on",  # a server that is set to less forgets what it said is committed
    "lock_timeout": f"{_WAIT_SECONDS}s",
    "tcp_keepalives_idle": "30",  # a host that vanished holds the lock for a minute at most
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
_ADVICE = (
    (
        ("password", "no pg_hba.conf entry", "authentication"),
        (
            "give the password of that user by PGPASSWORD, by a passfile (~/.pgpass), or in the "
            "URL of PLUMBLINE_DATABASE, and see that the server lets this user in from here"
        ),
    ),
    (
        ("starting up", "shutting down", "in recovery mode"),
        "wait until the server runs again, and give the command again",
    ),
    (
        (
            "refused",
            "No such file",
            "translate host",
            "resolve host",
            "timeout expired",
            "timed out",
        ),
        "see that the server runs there and can be reached from here, and give the command again",
    ),
    (("too many", "remaining connection"), "use fewer workers, or raise its max_connections"),
    (
        ("lock timeout",),
        "another process holds it: let that end, or end it, and give the command again",
    ),
    (
        ("permission denied", "must be owner", "read-only"),
        (
            "the user may not do that: let the owner of the database grant it USAGE and CREATE on "
            "the schema, or make the schema with its name as owner"
        ),
    ),
    (('database "', 'role "'), "create it, or correct the URL"),
    (
        ("does not exist",),
        (
            "it may have been moved or dropped: see what .plumbline/database names, and give the "
            "command again"
        ),
    ),
    (("No space left", "disk full"), "make room on the server's disk, and give the command again"),
    (
        ("terminat", "closed", "SSL", "reset by peer", "Broken pipe", "lost", "EOF"),
        (
            "the connection was lost; what was committed is kept: give the command again, and it "
            "goes on from there"
        ),
    ),
)


def postgresql_engine(address: Address) -> Engine:
    """Return the engine of an address.

    Raises
    ------
    MissingExtraError
        If the library for PostgreSQL is not installed.
    """
    if find_spec("psycopg") is None:
        raise MissingExtraError("psycopg", "postgres")
    url = URL.create(
        "postgresql+psycopg",
        username=address.user or None,
        host=address.host or None,
        port=address.port,
        database=address.name,
    )
    session = {"search_path": address.schema, **_SESSION}
    words = [address.options.get("options", ""), *(f"-c{k}={v}" for k, v in session.items())]
    connect: dict[str, Any] = {
        "application_name": "plumbline",
        "client_encoding": "utf8",
        "connect_timeout": _CONNECT_SECONDS,
        **address.options,
        "options": " ".join(filter(None, words)),
    }
    if address.password is not None:
        connect["password"] = address.password
    engine = create_engine(
        url, connect_args=connect, pool_size=_CONNECTIONS, max_overflow=_MORE_CONNECTIONS
    )
    event.listen(engine, "connect", _keep_utc)
    return engine


def _keep_utc(connection: Any, _record: Any) -> None:
    """Have times written and read in UTC; as an option it would yield to PGTZ."""
    connection.execute("SET timezone TO 'UTC'")
    connection.commit()


def turn_at(schema: str) -> str:
    """Return the statement that waits until no other transaction of a project writes.

    The lock is let go with the transaction, however that ends. Two schemas share a lock by an
    accident of one in four thousand million; then they queue, and nothing else is different.
    """
    number = int.from_bytes(hashlib.blake2b(schema.encode(), digest_size=4).digest(), signed=True)
    return f"SELECT pg_advisory_xact_lock({_LOCK_CLASS}, {number})"


def look(connection: Connection) -> str | None:
    """Return what is wrong with the server, such as its age, or None."""
    version = connection.dialect.server_version_info or (0,)
    if version < _LEAST_VERSION:
        least = ".".join(map(str, _LEAST_VERSION))
        return f"it is PostgreSQL {'.'.join(map(str, version))}; at least {least} is needed"
    return None


def can_only_read(connection: Connection) -> bool:
    """Return whether the server or the user's rights refuse every change of the project."""
    query = (
        "SELECT current_setting('transaction_read_only') = 'on' OR to_regclass('runs') IS NOT NULL "
        "AND NOT has_table_privilege('runs', 'INSERT')"
    )
    return bool(connection.exec_driver_sql(query).scalar_one())


def make_schema(connection: Connection, schema: str) -> None:
    """Make the schema of a project, if it is not there; inside a transaction that has its turn."""
    query = f"SELECT to_regnamespace('{schema}') IS NULL"  # its name is letters, digits and _
    if connection.exec_driver_sql(query).scalar_one():
        connection.exec_driver_sql(f'CREATE SCHEMA "{schema}"')


def rename_schema(connection: Connection, schema: str, name: str) -> None:
    """Give the schema of a project another name: who has the project open finds no table more."""
    connection.exec_driver_sql(f'ALTER SCHEMA "{schema}" RENAME TO "{name}"')


def quick_check(connection: Connection, turn: str, patience_ms: int) -> str:
    """Return ``ok`` if what every command that writes needs can be done."""
    with connection.begin() as transaction:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {patience_ms}")
        connection.exec_driver_sql(turn)
        connection.exec_driver_sql("DELETE FROM runs WHERE false")
        transaction.rollback()
    return "ok"


def is_lost(error: Exception) -> bool:
    """Return whether an error says that the server was not reached, or ended the connection."""
    if not isinstance(error, OperationalError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or state is None or state[:3] in ("57P", "080")


def advice(text: str) -> str:
    """Return what to do about what the server or its client says."""
    found = (told for words, told in _ADVICE if any(word in text for word in words))
    return next(found, "see the log of the server")

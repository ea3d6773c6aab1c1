"""A role that owns nothing sees the portfolios whose owner has its name, and changes nothing."""

import re
import secrets
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import polars as pl
import psycopg
import pytest

from plumbline.core.address import parse_address
from plumbline.core.errors import StoreError
from plumbline.store.portfolio_store import Chunk
from plumbline.store.postgresql_store import PostgreSQLStore
from plumbline.store.tables import SHARED
from tests.postgres import Server
from tests.store.made import ID, chunk_of, keys_for

Frames = dict[str, pl.DataFrame]
OPEN = {"layouts", "store_version"}  # which name figures and a number, and nobody's portfolios


class Tenants:
    """A store with portfolios of two owners, one of which is a role that may read."""

    def __init__(self, server: Server, writer: str, frames: Frames) -> None:
        self.server = server
        self.schema = parse_address(writer).schema
        self.reader, self.other = (f"{name}_{secrets.token_hex(4)}" for name in ("ann", "ben"))
        for role in (self.reader, self.other):
            server.execute(f"CREATE ROLE {role} LOGIN")
        self.writer = parse_address(writer).user
        self.store = PostgreSQLStore(parse_address(writer))
        chunk = chunk_of(frames)
        owners = {"ann": self.reader, "ben": self.other}
        days = chunk.days.with_columns(pl.col("owner").replace(owners))
        self.chunk = Chunk(days, chunk.frames)
        self.store.write(self.chunk, "run")
        shared = {name: frames[name] for name in SHARED}
        keys = keys_for(shared["correlations"].select(portfolio=pl.lit("p0"), date="date"))
        self.store.write_dates(shared, keys.select("date", "key"), "run")
        self.store.grant_reader(self.reader)
        server.execute(f"ANALYZE {self.schema}.portfolio_days")
        self.mine = set(days.filter(pl.col("owner") == self.reader)["portfolio"])
        self.theirs = set(days["portfolio"]) - self.mine
        self.symbols = set(chunk.frames["exposures"]["symbol"])

    def url(self, role: str) -> str:
        return re.sub(r"//\w+@", f"//{role}@", self.server.url)

    def connect(self, role: str) -> "psycopg.Connection[Any]":
        return psycopg.connect(
            self.url(role), autocommit=True, options=f"-csearch_path={self.schema}"
        )

    def open(self, role: str) -> PostgreSQLStore:
        return PostgreSQLStore(parse_address(f"{self.url(role)}&schema={self.schema}"))


@pytest.fixture(scope="module")
def tenants(postgres: Server, frames: Frames) -> Iterator[Tenants]:
    from tests.store.conftest import writer_url

    found = Tenants(postgres, writer_url(postgres), frames)
    yield found
    found.store.close()


@pytest.fixture
def ask(tenants: Tenants) -> Iterator[Callable[..., list[Any]]]:
    """Return what a reader's connection answers."""
    with tenants.connect(tenants.reader) as connection:

        def asked(query: str, *values: object) -> list[Any]:
            cursor = connection.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

        yield asked


def test_both_owners_have_portfolios(tenants: Tenants) -> None:
    assert len(tenants.mine) == len(tenants.theirs) == 6


def test_every_relation_gives_a_reader_its_own_rows_or_none(
    tenants: Tenants, ask: Callable[..., list[Any]]
) -> None:
    kinds = ask(
        "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind IN "
        "('r', 'v', 'm', 'f', 'p', 'S')",
        tenants.schema,
    )
    seen = {}
    for (name,) in kinds:
        try:
            rows = ask(f'SELECT * FROM "{name}"')  # noqa: S608  # as the server calls it
        except psycopg.errors.InsufficientPrivilege:
            continue
        seen[name] = rows
        assert not any(portfolio in str(rows) for portfolio in tenants.theirs), name
        assert tenants.other not in str(rows)
        if name not in OPEN:
            assert {row[0] for row in rows} <= tenants.mine, name
    own = {"portfolio_days", "portfolio_keys", "days", "snapshots", "measures"}
    own |= {"exposures", "sectors", "stress", "failures"}
    assert set(seen) == own | OPEN
    assert all({row[0] for row in seen[name]} == tenants.mine for name in own - {"failures"})
    assert not any(symbol in str([seen[n] for n in OPEN]) for symbol in tenants.symbols)


def test_a_reader_sees_what_a_store_of_its_portfolios_alone_would_hold(tenants: Tenants) -> None:
    store = tenants.open(tenants.reader)
    own = pl.col("portfolio").is_in(sorted(tenants.mine))
    for name, frame in tenants.chunk.frames.items():
        assert store.read(name).equals(frame.filter(own)), name
        assert store.read(name, portfolios=sorted(tenants.theirs)).height == 0
        assert set(store.latest(name)["portfolio"]) <= tenants.mine
    assert store.latest().height == len(tenants.mine)
    assert set(store.keys()["portfolio"]) == tenants.mine
    counted = store.sql("SELECT count(*) AS n FROM exposures")["n"].item()
    assert counted == tenants.chunk.frames["exposures"].filter(own).height
    for act in (store.date_keys, *(partial(store.read, name) for name in SHARED)):
        with pytest.raises(StoreError, match="permission denied"):
            act()
    store.close()


def test_a_reader_writes_nothing(tenants: Tenants, ask: Callable[..., list[Any]]) -> None:
    before = tenants.store.keys()
    store = tenants.open(tenants.reader)
    some = tenants.chunk.days.filter(pl.col("owner") == tenants.reader)
    mine = {n: f.join(some, on=ID, how="semi") for n, f in tenants.chunk.frames.items()}
    with pytest.raises(StoreError, match="permission denied"):
        store.write(Chunk(some, mine), "run")
    with pytest.raises(StoreError, match="permission denied"):
        store.remove(some.select(ID), "run")
    with pytest.raises(StoreError, match="only who owns the tables lets others read them"):
        store.grant_reader(tenants.other)
    store.close()
    for statement in (
        "DELETE FROM portfolio_days",
        "UPDATE portfolio_days SET owner = current_user",
        "INSERT INTO portfolio_days SELECT * FROM portfolio_days",
        "UPDATE days SET owner = current_user",
        "DELETE FROM exposures",
        "TRUNCATE portfolio_days",
        "INSERT INTO layouts VALUES (gen_random_uuid(), 99, '[]')",
        "CREATE TABLE mine (a int4)",
        "CREATE VIEW theirs AS SELECT * FROM portfolio_days",
        "ALTER TABLE portfolio_days ENABLE TRIGGER ALL",
        "SELECT * FROM portfolio_days FOR UPDATE",
        "DO $$ BEGIN LOCK TABLE portfolio_days IN EXCLUSIVE MODE; END $$",
        "MERGE INTO portfolio_days d USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
    ):
        with pytest.raises(psycopg.Error) as refused:
            ask(statement)
        assert refused.value.sqlstate in ("42501", "42809", "55000", "42P17"), statement
    assert tenants.store.keys().equals(before)


def test_a_reader_does_not_get_out_of_its_role(
    tenants: Tenants, ask: Callable[..., list[Any]]
) -> None:
    for statement in (
        f"SET ROLE {tenants.writer}",
        f"SET ROLE {tenants.other}",
        f"SET SESSION AUTHORIZATION {tenants.writer}",
        f"SELECT set_config('role', '{tenants.other}', false)",
        f"SELECT set_config('session_authorization', '{tenants.other}', false)",
        f"GRANT {tenants.writer} TO {tenants.reader}",
        "ALTER TABLE portfolio_days DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE portfolio_days NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY reader ON portfolio_days",
        "CREATE POLICY mine ON portfolio_days USING (true)",
        "ALTER VIEW exposures SET (security_invoker = false)",
        f"ALTER ROLE {tenants.reader} BYPASSRLS",
        f"ALTER ROLE {tenants.reader} RENAME TO {tenants.other}x",
    ):
        with pytest.raises(psycopg.Error) as refused:
            ask(statement)
        assert refused.value.sqlstate in ("42501", "22023", "0A000"), statement
    ask("SET row_security = off")  # then what policies would hide is an error, not shown
    with pytest.raises(psycopg.Error, match="would be affected by row-level security"):
        ask("SELECT * FROM exposures")


def test_nothing_beside_the_rows_tells_of_the_others(
    tenants: Tenants, ask: Callable[..., list[Any]]
) -> None:
    """Functions of the reader's own in a query, statistics, and copies."""
    assert ask("SELECT * FROM pg_stats WHERE schemaname = %s", tenants.schema) == []
    for name in ("pg_statistic", "portfolio_dates", *SHARED):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ask(f"SELECT * FROM {name}")  # noqa: S608  # names of our own
    functions = ask(
        "SELECT proname FROM pg_proc WHERE pronamespace = %s::regnamespace", tenants.schema
    )
    assert functions == []
    with tenants.connect(tenants.reader) as connection, connection.cursor() as cursor:
        for what in ("portfolio_days", "(SELECT * FROM exposures)"):
            with cursor.copy(f"COPY {what} TO STDOUT") as copy:
                text = b"".join(bytes(piece) for piece in copy).decode()
            assert any(portfolio in text for portfolio in tenants.mine)
            assert not any(portfolio in text for portfolio in tenants.theirs)


def test_a_function_of_a_reader_is_shown_no_row_that_the_reader_may_not_see(
    tenants: Tenants,
) -> None:
    """However cheap it says it is, so that a planner would like to call it first."""
    owned = tenants.chunk.frames["exposures"].join(tenants.chunk.days, on=ID)
    symbols = dict(owned.group_by("portfolio").agg(pl.col("symbol").unique()).iter_rows())
    mine = {symbol for portfolio in tenants.mine for symbol in symbols[portfolio]}
    told: set[str] = set()
    with tenants.connect(tenants.reader) as connection:
        connection.add_notice_handler(lambda notice: told.add(str(notice.message_primary)))
        connection.execute(
            "CREATE FUNCTION pg_temp.told(text) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS "
            "$$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$"
        )
        for name in ("portfolio_days", "days", "snapshots", "exposures", "measures", "stress"):
            told.clear()
            connection.execute(f"SELECT * FROM {name} WHERE pg_temp.told(portfolio)")  # noqa: S608  # ours
            assert told == tenants.mine, name
        told.clear()
        connection.execute("SELECT * FROM exposures WHERE pg_temp.told(symbol)")
        assert told == mine


def test_row_security_is_forced_on_all_tables_of_portfolios_and_views_do_not_bypass_it(
    tenants: Tenants,
) -> None:
    tables = tenants.server.execute(
        "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relkind = 'r' "  # noqa: S608  # ours
        f"AND relnamespace = '{tenants.schema}'::regnamespace"
    )
    secured = {name for name, is_secured, _ in tables if is_secured}
    assert {name for name, *_ in tables} - secured == OPEN
    forced = {name for name, *_, is_forced in tables if is_forced}
    assert secured - forced == {"portfolio_dates"}  # no portfolio's, and no policy lets anybody in
    views = tenants.server.execute(
        "SELECT relname, reloptions::text FROM pg_class WHERE relkind = 'v' AND relnamespace = "  # noqa: S608  # ours
        f"'{tenants.schema}'::regnamespace"
    )
    assert len(views) == 10
    assert all("security_invoker=true" in options for _, options in views)


def test_a_role_that_was_not_let_in_sees_nothing_and_is_told_how(tenants: Tenants) -> None:
    with pytest.raises(StoreError, match=r"let the owner of the tables .* grant_reader"):
        tenants.open(tenants.other)
    tenants.store.grant_reader(tenants.other)
    other = tenants.open(tenants.other)
    assert set(other.keys()["portfolio"]) == tenants.theirs
    tenants.store.revoke_reader(tenants.other)
    with pytest.raises(StoreError, match=r"permission denied|does not exist"):
        other.keys()
    other.close()
    with pytest.raises(StoreError, match=r'role "no ""body" does not exist|does not exist'):
        tenants.store.grant_reader('no "body')


def test_the_view_of_measures_keeps_its_rights_when_a_layout_comes(
    tenants: Tenants, ask: Callable[..., list[Any]]
) -> None:
    days = tenants.chunk.days.filter(pl.col("owner") == tenants.other)
    rest = {n: f.join(days, on=ID, how="semi") for n, f in tenants.chunk.frames.items()}
    measures = rest["measures"].with_columns(another=pl.lit(1.5))
    tenants.store.write(Chunk(days, {**rest, "measures": measures}), "run")
    rows = ask("SELECT portfolio, another FROM measures")
    assert {portfolio for portfolio, _ in rows} == tenants.mine
    assert {another for _, another in rows} == {None}

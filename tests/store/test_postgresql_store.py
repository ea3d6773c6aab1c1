"""What is asked of a server, and what is said where it refuses."""

import re
import secrets
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from plumbline.core.address import parse_address
from plumbline.core.errors import ParameterError, StoreError
from plumbline.engine.project import create_project
from plumbline.store import schema
from plumbline.store.portfolio_store import PortfolioStore
from plumbline.store.postgresql_store import PostgreSQLStore
from plumbline.store.statements import latest_of
from tests.engine.dropping import DROP
from tests.postgres import Server
from tests.store.made import ID, assert_holds, chunk_of

Frames = dict[str, pl.DataFrame]


@pytest.fixture
def kind() -> str:
    return "postgresql"


def test_a_chunk_is_three_statements_and_a_commit_the_first_of_a_layout_some_more(
    store: PortfolioStore, opened: Callable[[], PortfolioStore], frames: Frames
) -> None:
    chunk = chunk_of(frames)
    assert store.write(chunk, "run").statements == 9
    assert store.write(chunk, "run").statements == 4
    again = opened()
    assert again.write(chunk, "run").statements == 5
    assert again.write(chunk, "run").statements == 4
    assert store.remove(chunk.days.select(ID), "run").statements == 2
    assert store.statements == 15


def test_rows_stay_whole_in_their_page(
    store: PostgreSQLStore, frames: Frames, postgres: Server
) -> None:
    store.write(chunk_of(frames), "run")
    name = f"{parse_address(store.label).schema}.portfolio_days"
    query = (
        "SELECT pg_relation_size(reltoastrelid), pg_relation_size(oid) FROM pg_class WHERE oid = "  # noqa: S608  # ours
        f"'{name}'::regclass"
    )
    ((beside, inside),) = postgres.execute(query)
    assert beside == 0 < inside


def test_the_newest_dates_are_found_by_an_index(store: PortfolioStore, frames: Frames) -> None:
    store.write(chunk_of(frames), "run")
    rows = store.sql(f"EXPLAIN {latest_of(['portfolio', 'date'])}")
    text = "\n".join(rows.to_series())
    assert "portfolio_days_pkey" in text or "portfolio_days_by_owner" in text


def test_a_server_that_cannot_be_used_is_told_of_with_what_to_do(
    postgres: Server, writer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreError, match="see that the server runs there and can be reached"):
        PostgreSQLStore(parse_address("postgresql://me@127.0.0.1:1/db?connect_timeout=1"))
    with pytest.raises(StoreError, match="create it, or correct the URL"):
        PostgreSQLStore(parse_address(writer.replace("/postgres?", "/nowhere?")))
    create_project(tmp_path / "p", parse_address(writer))
    with pytest.raises(StoreError, match="holds the tables of a project, whose names would clash"):
        PostgreSQLStore(parse_address(writer))
    role = f"poor_{secrets.token_hex(4)}"
    postgres.execute(f"CREATE ROLE {role} LOGIN")
    poor = re.sub(r"//\w+@", f"//{role}@", postgres.fresh())
    with pytest.raises(StoreError, match="this user cannot make them: permission denied"):
        PostgreSQLStore(parse_address(poor))
    monkeypatch.setattr(schema, "_LEAST", (99, 0))
    with pytest.raises(StoreError, match="at least 99 is needed, as views of older ones show"):
        PostgreSQLStore(parse_address(postgres.fresh()))


def test_tables_of_a_later_version_are_left_alone(postgres: Server, writer: str) -> None:
    store = PostgreSQLStore(parse_address(writer))
    place = parse_address(writer).schema
    postgres.execute(f"UPDATE {place}.store_version SET version_num = '9999'")  # noqa: S608  # ours
    with pytest.raises(StoreError, match="has tables of version 9999, this Plumbline knows them"):
        PostgreSQLStore(parse_address(writer))
    store.close()


def test_two_that_open_a_schema_at_once_make_its_tables_once(writer: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def opened(_number: int) -> int:
        store = PostgreSQLStore(parse_address(writer))
        n_rows = store.keys().height
        store.close()
        return n_rows

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(opened, range(4))) == [0] * 4


def test_a_connection_that_is_lost_between_chunks_is_opened_anew(
    store: PortfolioStore, frames: Frames, postgres: Server
) -> None:
    chunk = chunk_of(frames)
    store.write(chunk, "run")
    postgres.execute(DROP)
    store.write(chunk, "run")
    postgres.execute(DROP)
    assert_holds(store, [chunk])


def test_a_query_that_the_server_refuses_is_told_of_and_several_are_not_asked(
    store: PortfolioStore,
) -> None:
    with pytest.raises(StoreError, match='relation "nothing" does not exist'):
        store.sql("SELECT * FROM nothing")
    with pytest.raises(StoreError, match="cannot insert multiple commands"):
        store.sql("COMMIT; DROP TABLE portfolio_days")
    with pytest.raises(ParameterError, match="give one SELECT"):
        store.sql("RESET work_mem")


def test_a_superuser_may_own_a_store_too(postgres: Server, frames: Frames) -> None:
    store = PostgreSQLStore(parse_address(postgres.fresh()))
    chunk = chunk_of(frames)
    store.write(chunk, "run")
    assert_holds(store, [chunk])
    store.close()

"""Rows of a query become bars, the password never shows, and nothing can be written."""

import sqlite3

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from plumbline.core.errors import ParameterError, SourceError
from plumbline.lake.sources.sql import Sql
from tests.lake.refusals import refused, state

QUERY = "SELECT day AS date, ticker AS symbol, price AS close FROM prices ORDER BY day, ticker"
URL = "sqlite:///prices.db"


@pytest.fixture
def prices(tmp_path):
    """Return a database of three days of two assets."""
    connection = sqlite3.connect(tmp_path / "prices.db")
    connection.execute("CREATE TABLE prices (day TEXT, ticker TEXT, price)")
    rows = [(f"2024-01-0{day}", ticker, day + 0.5) for day in (2, 3, 4) for ticker in "AB"]
    connection.executemany("INSERT INTO prices VALUES (?, ?, ?)", rows)
    connection.commit()
    yield connection
    connection.close()


def test_the_rows_of_a_query_are_bars(lake, prices, tmp_path):
    done = lake.ingest("x", Sql(URL, QUERY), calendar="XNYS", base=tmp_path)
    assert done.dataset.assets == ("A", "B")
    assert lake.panel("x")["close"].tolist() == [[2.5, 2.5], [3.5, 3.5], [4.5, 4.5]]
    assert done.quality.filter(~done.quality["rule"].is_in(["unsorted"])).height == 0


def test_a_wide_query_has_a_column_an_asset(lake, prices, tmp_path):
    query = (
        "SELECT day, MAX(CASE ticker WHEN 'A' THEN price END) AS A, "
        "MAX(CASE ticker WHEN 'B' THEN price END) AS B FROM prices GROUP BY day"
    )
    lake.ingest("x", Sql(URL, query, form="wide"), calendar="XNYS", base=tmp_path)
    assert lake.dataset("x").assets == ("A", "B")


def test_the_same_rows_are_recognised_and_others_are_a_new_version(lake, prices, tmp_path):
    source = Sql(URL, QUERY)
    first = lake.prepare("x", source, calendar="XNYS", base=tmp_path)
    lake.commit(first)
    prices.execute("CREATE TABLE other (a)")
    prices.commit()
    again = lake.prepare("x", source, calendar="XNYS", base=tmp_path)
    assert again.rows is None
    assert again.key == first.key
    prices.execute("UPDATE prices SET price = 9 WHERE day = '2024-01-03' AND ticker = 'B'")
    prices.commit()
    done = lake.ingest("x", source, calendar="XNYS", base=tmp_path)
    assert (done.created, done.dataset.version) == (True, 2)
    portions = sorted((lake.root / "fetched").rglob("*.portion"))
    assert len(portions) == 1, "rows of before are taken away"


def test_many_rows_come_in_portions_and_are_the_same_bars(lake, tmp_path):
    connection = sqlite3.connect(tmp_path / "prices.db")
    connection.execute("CREATE TABLE bars (stamp INTEGER, asset TEXT, close REAL)")
    stamps = np.arange(60_000) * 60
    connection.executemany(
        "INSERT INTO bars VALUES (?, 'A', ?)", [(int(s), float(s + 1) / 7) for s in stamps]
    )
    connection.commit()
    connection.close()
    source = Sql(URL, "SELECT * FROM bars", time_format="s", columns={"bar": "stamp"})
    lake.ingest("x", source, calendar="24/7 1m", base=tmp_path)
    assert_array_equal(lake.panel("x")["close"][:, 0], (stamps + 1) / 7)
    assert len(list((lake.root / "fetched").rglob("*.portion"))) == 2


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM prices",
        "UPDATE prices SET price = 0",
        "INSERT INTO prices VALUES ('2024-01-05', 'A', 1) RETURNING day, ticker, price",
        "DROP TABLE prices",
        "CREATE TABLE more (a)",
        "CREATE TEMP TABLE more (a)",
    ],
)
def test_nothing_can_be_written(lake, prices, tmp_path, query):
    before = prices.execute(QUERY).fetchall()
    (problem,) = refused(lake, Sql(URL, query), tmp_path, "XNYS")
    assert "readonly" in problem or "read-only" in problem
    assert prices.execute(QUERY).fetchall() == before


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("SELECT missing FROM prices", "no such column: missing"),
        ("SELECT day, day FROM prices", "the query gives columns twice: 'day'; name them apart"),
        (QUERY.replace("price AS", "'x' AS"), "query, column 'close', 6 of 6 cells, such as 'x'"),
        (QUERY.replace("ORDER", "WHERE day > '2030' ORDER"), "no file holds a row"),
        (
            "SELECT '2024-01-02' AS date, 'A' AS symbol, 9007199254740993 AS close",
            "query, row 1, column 'close': '9007199254740993' does not become float64 without loss",
        ),
    ],
)
def test_what_a_query_gives_is_held_to_the_rules_of_tables(lake, prices, tmp_path, query, problem):
    problems = refused(lake, Sql(URL, query), tmp_path, "XNYS")
    assert any(problem in told for told in problems), problems


def test_per_cent_signs_and_colons_of_a_query_mean_themselves(lake, prices, tmp_path):
    query = (
        "SELECT strftime('%Y-%m-%d', day || ' 10:30') AS date, ticker AS symbol, price AS close, "
        "length(':name x::y') AS size FROM prices WHERE ticker LIKE 'A%' ORDER BY day"
    )
    lake.ingest("x", Sql(URL, query), calendar="XNYS", base=tmp_path)
    assert lake.dataset("x").assets == ("A",)
    assert set(lake.panel("x")["size"][:, 0]) == {10.0}


def test_rows_that_break_off_are_told_and_nothing_is_ingested(lake, prices, tmp_path):
    query = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70000) SELECT "
        "i AS time, 'A' AS symbol, CASE i WHEN 60000 THEN abs(-9223372036854775807 - 1) ELSE i END "
        "AS close FROM n"
    )
    (problem,) = refused(lake, Sql(URL, query, time_format="s"), tmp_path, "24/7 1m")
    assert problem == "the rows broke off: integer overflow; run again"


def test_conflicting_rows_are_named_with_their_place(lake, prices, tmp_path):
    prices.execute("INSERT INTO prices VALUES ('2024-01-02', 'A', 99)")
    prices.commit()
    (problem,) = refused(lake, Sql(URL, QUERY), tmp_path, "XNYS")
    assert "close: 2.5 or 99.0 (query, row 1; query, row 2)" in problem


def test_numbers_of_several_kinds_in_one_column_lose_nothing(lake, tmp_path):
    query = (
        "SELECT '2024-01-02' AS date, 'A' AS symbol, 1 AS close UNION ALL "
        "SELECT '2024-01-03', 'A', 2.25 UNION ALL SELECT '2024-01-04', 'A', '3.125' UNION ALL "
        "SELECT '2024-01-05', 'A', NULL UNION ALL SELECT '2024-01-08', 'A', 9007199254740992"
    )
    sqlite3.connect(tmp_path / "prices.db").close()
    lake.ingest("x", Sql(URL, query), calendar="XNYS", base=tmp_path)
    values = lake.panel("x")["close"][:, 0]
    assert values[[0, 1, 2, 4]].tolist() == [1.0, 2.25, 3.125, 2.0**53]
    assert np.isnan(values[3])


def test_a_database_that_is_not_there_is_told_at_once_and_none_is_made(lake, tmp_path):
    (problem,) = refused(lake, Sql("sqlite:///none.db", QUERY), tmp_path, "XNYS")
    assert "unable to open database file" in problem
    assert not (tmp_path / "none.db").exists()


def test_a_locked_database_is_tried_again_and_then_told(lake, prices, tmp_path):
    prices.execute("BEGIN EXCLUSIVE")
    source = Sql(URL, QUERY, attempts=2, first_wait_seconds=0.01, timeout_seconds=0.01, seed=3)
    with pytest.raises(SourceError) as caught:
        lake.ingest("x", source, calendar="XNYS", base=tmp_path)
    assert "failed 2 times in a row, the last time with: database is locked" in str(caught.value)
    prices.rollback()
    assert lake.ingest("x", source, calendar="XNYS", base=tmp_path).dataset.n_rows == 6


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("nobody:${READER_WORD}@{network}", "password authentication failed"),
        ("plumbline@/none?{socket}", 'database "none" does not exist'),
        ("nobody@/postgres?{socket}", 'role "nobody" does not exist'),
    ],
)
def test_who_is_refused_by_a_server_is_told_at_once(
    lake, postgres, monkeypatch, tmp_path, place, told
):
    monkeypatch.setenv("READER_WORD", "wrong")
    url = place.replace("{network}", postgres.network)
    url = url.replace("{socket}", postgres.url.partition("?")[2])
    (problem,) = refused(lake, Sql(f"postgresql+psycopg://{url}", QUERY), tmp_path, "XNYS")
    assert told in problem
    assert "times in a row" not in problem


SECRET = "hunter2-very-secret"  # noqa: S105  # no password of anything


def test_a_password_in_plain_letters_is_refused_and_not_shown():
    for url in (
        f"postgresql://reader:{SECRET}@localhost/prices",
        f"postgresql://reader@localhost/prices?password={SECRET}",
        f"sqlite:///a.db?secret={SECRET}",
    ):
        with pytest.raises(ParameterError, match="in plain letters") as caught:
            Sql(url, QUERY)
        assert SECRET not in str(caught.value)
    with pytest.raises(ParameterError, match=r"query must.*the URL cannot be read"):
        Sql(f"no url with {SECRET}", " ")


def test_a_password_of_the_environment_never_shows(lake, monkeypatch, tmp_path):
    source = Sql("postgresql+nodriver://reader:${READER_WORD}@localhost:1/prices", QUERY)
    with pytest.raises(ParameterError, match="environment variable READER_WORD is not set"):
        lake.ingest("x", source, calendar="XNYS", base=tmp_path)
    monkeypatch.setenv("READER_WORD", SECRET)
    fingerprint = source.fingerprint
    before = state(lake)
    with pytest.raises(SourceError) as caught:
        lake.ingest("x", source, calendar="XNYS", base=tmp_path)
    assert "is not installed" in str(caught.value)
    assert state(lake) == before
    shown = (str(caught.value), repr(caught.value), repr(source), source.label, fingerprint)
    assert all(SECRET not in text for text in shown)
    monkeypatch.setenv("READER_WORD", "another")
    assert source.fingerprint == fingerprint


def test_patience_changes_no_place_of_kept_portions():
    from plumbline.core.calendar import Calendar

    daily = Calendar("24/7")
    patient = Sql(URL, QUERY, attempts=9, seed=4, timeout_seconds=1.0)
    assert patient.place(daily) == Sql(URL, QUERY).place(daily)
    assert Sql(URL, QUERY + " ").place(daily) != patient.place(daily)
    assert patient.place(Calendar("24/7", "1h")) != patient.place(daily)

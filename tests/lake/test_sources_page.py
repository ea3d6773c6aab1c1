"""The examples of the page on sources work as they stand there."""

import dataclasses
import re
import shlex
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from plumbline.cli.app import call
from plumbline.lake.source import sources
from plumbline.stages.recipe import load_recipe
from tests.lake.exchange_server import ExchangeServer
from tests.lake.made_klines import rows, text, zipped

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sources.md"
NAME = "BTCUSDT-5m-2020-03"
STUDY: dict[str, Any] = {
    "name": "x",
    "universe": {"prices": "stocks"},
    "factors": {"data": "stocks", "definitions": {"market": "A"}},
    "signals": {"momentum": {}},
}
STOCKS = {"source": "csv", "paths": ["stocks.csv"], "calendar": "XNYS"}


def examples() -> dict[str, dict[str, Any]]:
    """Return source -> the entry that the page shows of it, with its name."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    found = {}
    for block in blocks:
        ((name, entry),) = yaml.safe_load(block)["data"].items()
        found[entry["source"]] = {"name": name, **entry}
    return found


def write_arrow(base: Path) -> None:
    place = base / "lake" / "symbol=BTC" / "year=2024"
    place.mkdir(parents=True)
    hours = [datetime(2024, 1, 1, hour, tzinfo=UTC) for hour in (1, 2, 3)]
    pl.DataFrame({"bar_close": hours, "close": [1.0, 2.0, 3.0]}).write_ipc(place / "a.arrow")


def write_yahoo(base: Path) -> None:
    (base / "prices").mkdir()
    (base / "prices" / "BRK-B.csv").write_text(
        "Date,Open,High,Low,Close,Adj Close,Volume\n2024-01-02,1,3,1,2,1.5,9\n"
        "2024-01-03,null,null,null,null,null,null\n2024-01-04,1,3,1,2,1.5,9\n"
    )


def write_binance(base: Path) -> None:
    (base / "klines").mkdir()
    (base / "klines" / f"{NAME}.zip").write_bytes(zipped((f"{NAME}.csv", text(rows(9)))))


def write_mark_price(base: Path) -> None:
    (base / "marks").mkdir()
    name = "BTCUSDT-1h-2020-03"
    hours = [
        [
            str(1583020800000 + i * 3_600_000),
            *"1111",
            "0",
            str(1583020800000 + (i + 1) * 3_600_000 - 1),
        ]
        for i in range(3)
    ]
    (base / "marks" / f"{name}.zip").write_bytes(
        zipped((f"{name}.csv", text([[*hour, *"00000"] for hour in hours])))
    )


def write_funding(base: Path) -> None:
    (base / "funding").mkdir()
    (base / "funding" / "BTCUSDT-fundingRate-2020-03.csv").write_text(
        "calc_time,funding_interval_hours,last_funding_rate\n1583020800003,8,0.0001\n"
        "1583049600000,8,0.0002\n"
    )


def write_sql(base: Path) -> None:
    connection = sqlite3.connect(base / "prices.db")
    connection.execute("CREATE TABLE prices (day TEXT, ticker TEXT, price REAL)")
    connection.execute("INSERT INTO prices VALUES ('2024-01-02', 'A', 1.5)")
    connection.commit()
    connection.close()


WRITERS: dict[str, Callable[[Path], None]] = {
    "arrow": write_arrow,
    "yahoo": write_yahoo,
    "binance": write_binance,
    "mark_price": write_mark_price,
    "funding": write_funding,
    "sql": write_sql,
}


def test_every_source_has_a_row_and_an_example_or_a_place_in_the_recipes():
    table = set(re.findall(r"^\| \[`(\w+)`\]", PAGE.read_text(), re.MULTILINE))
    assert table == set(sources)
    assert set(examples()) == set(sources) - {"csv", "parquet"} == {*WRITERS, "ccxt"}


@pytest.mark.parametrize("kind", WRITERS)
def test_the_example_of_a_source_reads_what_it_says(lake, tmp_path, kind):
    WRITERS[kind](tmp_path)
    entry = examples()[kind]
    name = entry.pop("name")
    data = {"stocks": STOCKS, name: entry} if name != "stocks" else {"stocks": entry}
    spec = load_recipe({**STUDY, "data": data}).data[name]
    done = lake.ingest(name, spec.source, calendar=spec.calendar, rules=spec.rules, base=tmp_path)
    assert done.dataset.n_rows >= 1
    assert done.dataset.assets == (("BTC",) if kind == "arrow" else done.dataset.assets)


def test_the_example_of_an_exchange_reads_it(lake, tmp_path):
    pytest.importorskip("ccxt", reason="the extra crypto is not installed")
    entry = examples()["ccxt"]
    name = entry.pop("name")
    spec = load_recipe({**STUDY, "data": {"stocks": STOCKS, name: entry}}).data[name]
    server = ExchangeServer(50)
    try:
        near = dataclasses.replace(spec.source, address=server.address, since="2020-03-01")
        done = lake.ingest(name, near, calendar="24/7 5m", base=tmp_path)
    finally:
        server.close()
    assert done.dataset.assets == ("BTC/USDT", "ETH/USDT")


def test_the_commands_of_the_page_are_whole(capsys, tmp_path, monkeypatch):
    """The one of files is run; the one of an exchange is checked up to its first call."""
    monkeypatch.chdir(tmp_path)
    write_binance(tmp_path)
    assert call(["init"]) == 0
    blocks = re.findall(r"^\$ plumbline (.+)$", PAGE.read_text(), re.MULTILINE)
    files, exchange = (shlex.split(line) for line in blocks)
    assert call(files) == 0
    assert "fields close, count, high" in capsys.readouterr().out
    pytest.importorskip("ccxt", reason="the extra crypto is not installed")
    nowhere = ["--option", "address=http://127.0.0.1:1", "--option", "attempts=1"]
    assert call([*exchange, *nowhere]) == 1
    assert "failed 1 times in a row, the last time with" in capsys.readouterr().err

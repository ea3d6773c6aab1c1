"""Funding rates and mark prices join other bars on a grid."""

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from plumbline.lake.sources.binance import Binance
from plumbline.lake.sources.funding import Funding
from plumbline.lake.sources.parquet import Parquet
from tests.lake.made_klines import MARCH, gzipped, rows, text, zipped
from tests.lake.refusals import refused

HEADER = "calc_time,funding_interval_hours,last_funding_rate\n"
NAME = "BTCUSDT-fundingRate-2020-03"
EIGHT = 8 * 3_600_000


def month(n: int, late: int = 0, hours: int = 8, unit: int = 1) -> str:
    """Return n fundings as a file holds them, without a header."""
    return "".join(
        f"{(MARCH + i * hours * 3_600_000 + late) * unit},{hours},{0.0001 * (i - 1):.8f}\n"
        for i in range(n)
    )


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        ("csv", HEADER + month(5)),
        ("csv", month(5)),
        ("csv", HEADER + month(5, late=7)),
        ("csv", HEADER + month(5, late=60_000)),
        ("csv", "\ufeff" + (HEADER + month(5)).replace("\n", "\r\n")),
        ("csv", HEADER + month(5, unit=1000)),
        ("csv.gz", gzipped(HEADER + month(5))),
        ("zip", zipped((f"{NAME}.csv", HEADER + month(5)))),
    ],
)
def test_a_rate_is_known_when_it_is_paid(lake, write, tmp_path, ending, content):
    write(f"in/{NAME}.{ending}", content)
    done = lake.ingest("x", Funding("in"), calendar="24/7 8h", base=tmp_path)
    assert done.quality.height == 0
    assert done.dataset.assets == ("BTCUSDT",)
    closes = done.dataset.closes().astype("datetime64[ms]").astype(np.int64)
    assert_array_equal(closes, MARCH + np.arange(5) * EIGHT)
    panel = lake.panel("x")
    assert panel["funding_rate"][:, 0].tolist() == [-0.0001, 0.0, 0.0001, 0.0002, 0.0003]
    assert set(panel["funding_interval_hours"][:, 0]) == {8.0}


def test_a_rate_later_than_a_minute_is_no_funding_of_the_hour(lake, write, tmp_path):
    write(f"{NAME}.csv", HEADER + month(5) + f"{MARCH + 5 * EIGHT + 60_001},8,0.5\n")
    done = lake.ingest("x", Funding("*.csv"), calendar="24/7 8h", base=tmp_path)
    assert done.quality.select("rule", "action").rows() == [("off_calendar", "dropped")]
    assert done.dataset.n_rows == 5


def test_rates_stand_on_the_bars_that_close_with_them_and_on_no_other(lake, write, tmp_path):
    write(f"{NAME}.csv", HEADER + month(3))
    write("BTCUSDT-5m-2020-03.csv", text(rows(200)))
    lake.ingest("rates", Funding(f"{NAME}.csv"), calendar="24/7 5m", base=tmp_path)
    bars = lake.ingest("bars", Binance("*-5m-*"), calendar="24/7 5m", base=tmp_path).dataset
    first, last = bars.first_bar, lake.dataset("rates").last_bar
    rates = lake.panel("rates", first_bar=first, last_bar=last)["funding_rate"][:, 0]
    paid = bars.closes(first, last).astype("datetime64[ms]").astype(np.int64)
    assert_array_equal(np.isnan(rates), (paid - MARCH) % EIGHT != 0)
    assert np.flatnonzero(~np.isnan(rates)).tolist() == [95, 191]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (HEADER + month(2) + "x,8,1\n", ", line 4, column 'calc_time': 'x' is no time"),
        (month(2) + f"{MARCH},8,x\n", ", line 3, column 'last_funding_rate': 'x' is no number"),
        (month(2) + f"{MARCH},8\n", ", line 3: 2 cells, a line has 3"),
        (month(2) + f"{MARCH}000,8,1\n", ", line 3, column 'calc_time': "),
        ("a,b,c\n1,2,3\n", ": the first line holds 'a', 'b', 'c'; files of funding have"),
        (month(2) + HEADER, ", line 3, column 'calc_time': 'calc_time' is no time"),
        (month(9, hours=4), (", column 'funding_interval_hours', 9 of 9 cells, such as '4' (line "
         "1), '4' (line 2), '4' (line 3): each is less than a bar of 8 hours")),
        ("", ": the file is empty"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_named_with_its_line(lake, write, tmp_path, content, problem):
    write(f"in/{NAME}.csv", content)
    write("in/ETHUSDT-fundingRate-2020-03.csv", HEADER + month(3))
    problems = refused(lake, Funding("in"), tmp_path, "24/7 8h")
    assert any(p.startswith(f"in/{NAME}.csv{problem}") for p in problems), problems


def test_tables_of_funding_and_of_mark_prices_are_read_by_the_parquet_source(lake, shared_data):
    folder = shared_data / "crypto_derivs"
    funding = Parquet("funding_8h.parquet", columns={"bar": "funding_time"})
    done = lake.ingest("funding", funding, calendar="24/7 8h", base=folder)
    table = pl.read_parquet(folder / "funding_8h.parquet")
    assert done.dataset.n_rows == table.height
    assert done.quality.filter(pl.col("rule") != "unsorted").height == 0
    panel = lake.panel("funding", assets="BTCUSDT")
    rates = panel["funding_rate"][:, 0]
    assert_array_equal(
        rates[~np.isnan(rates)], table.filter(symbol="BTCUSDT").sort("funding_time")["funding_rate"]
    )
    names = {f"mark_{name}": name for name in ("open", "high", "low", "close")}
    mark = Parquet(
        "mark_price_1h.parquet", columns={"bar": "open_time", **names}, time_label="open"
    )
    done = lake.ingest("mark", mark, calendar="24/7 1h", base=folder)
    assert done.dataset.fields == ("mark_close", "mark_high", "mark_low", "mark_open")
    assert done.dataset.n_rows == done.dataset.n_bars == 56_084

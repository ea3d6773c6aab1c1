"""Daily prices of Yahoo Finance, a file an asset."""

import gzip

import numpy as np
import polars as pl
import pytest

from plumbline.core.errors import ParameterError
from plumbline.lake.sources.csv import Csv
from plumbline.lake.sources.yahoo import Yahoo
from tests.lake.refusals import refused

TEXT = (
    "Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits\n"
    "2024-01-02,10,12,9,11,5.5,100,0,0\n"
    "2024-01-03,null,null,null,null,null,null,0,0\n"
    "2024-01-04,11,13,10,12,6.25,300,0.1,0\n"
)
DOWNLOADED = (
    "Date,Open,High,Low,Close,Volume\n"
    "2024-01-02 00:00:00-05:00,10,12,9,11,100\n"
    "2024-01-03 00:00:00-05:00,11,13,10,12,200\n"
)


def test_the_close_is_the_adjusted_one_and_the_rest_is_reported(lake, write, tmp_path):
    write("in/BRK-B.csv", TEXT)
    write("in/more/SPY.csv.gz", gzip.compress(TEXT.encode("utf-8-sig")))
    done = lake.ingest("x", Yahoo("in"), calendar="XNYS", base=tmp_path)
    assert done.dataset.assets == ("BRK-B", "SPY")
    assert done.dataset.fields == ("close", "volume")
    closes = lake.panel("x")["close"]
    assert closes[[0, 2]].tolist() == [[5.5, 5.5], [6.25, 6.25]]
    assert np.isnan(closes[1]).all()
    left_out = done.quality.filter(rule="not_taken")
    assert left_out.select("field", "action", "value").rows() == [
        (name, "left_out", 2.0)
        for name in ("Close", "Dividends", "High", "Low", "Open", "Stock Splits")
    ]
    assert done.quality.filter(rule="empty_bar").select("asset", "action").rows() == [
        ("BRK-B", "dropped"),
        ("SPY", "dropped"),
    ]


def test_the_close_as_traded_comes_with_the_prices_beside_it(lake, write, tmp_path):
    write("A.csv", TEXT)
    done = lake.ingest("x", Yahoo("A.csv", close="Close"), calendar="XNYS", base=tmp_path)
    assert done.dataset.fields == ("close", "high", "low", "open", "volume")
    assert lake.panel("x")["close"][[0, 2], 0].tolist() == [11.0, 12.0]
    assert set(done.quality.filter(rule="not_taken")["field"]) == {
        "Adj Close",
        "Dividends",
        "Stock Splits",
    }


def test_a_time_of_day_beside_the_date_is_of_the_exchange(lake, write, tmp_path):
    write("A.csv", DOWNLOADED)
    done = lake.ingest("x", Yahoo("A.csv", close="Close"), calendar="XNYS", base=tmp_path)
    assert done.quality.height == 0
    closes = [str(time)[:16] for time in done.dataset.closes()]
    assert closes == ["2024-01-02T21:00", "2024-01-03T21:00"]


def test_what_is_wrong_is_named_with_file_and_line(lake, write, tmp_path):
    write("in/A.csv", TEXT)
    write("in/B.csv", TEXT.replace("6.25", "x"))
    write("in/C.csv", DOWNLOADED)
    write("in/D.csv", "")
    problems = refused(lake, Yahoo("in"), tmp_path, "XNYS")
    assert problems[0].startswith("in/B.csv, line 4, column 'Adj Close': 'x' is no number")
    assert problems[1].startswith("in/C.csv: no column 'Adj Close' for 'close'")
    assert problems[-1] == "in/D.csv: the file is empty"


def test_two_files_of_one_asset_that_differ_are_refused_with_both_places(lake, write, tmp_path):
    write("in/A.csv", TEXT)
    write("in/old/A.csv", TEXT.replace("6.25", "7"))
    (problem,) = refused(lake, Yahoo("in"), tmp_path, "XNYS")
    assert "close: 6.25 or 7.0 (in/A.csv, line 4; in/old/A.csv, line 4)" in problem


def test_wrong_parameters_are_refused():
    with pytest.raises(ParameterError, match="paths must name"):
        Yahoo("")
    with pytest.raises(ParameterError, match="time_zone='Nowhere'"):
        Yahoo("A.csv", time_zone="Nowhere")


def test_wide_closes_are_read_by_the_tables_sources(lake, shared_data, tmp_path):
    """Yahoo's closes of many assets in one table need nothing of their own."""
    table = pl.read_parquet(shared_data / "us_equity_adjclose" / "etf_adjclose_1993-2026.parquet")
    table.select("date", "SPY", "TLT").tail(500).write_csv(tmp_path / "etfs.csv")
    source = Csv("etfs.csv", form="wide")
    done = lake.ingest("x", source, calendar="XNYS", base=tmp_path)
    assert done.dataset.assets == ("SPY", "TLT")
    assert lake.panel("x")["close"].shape[0] >= 500

"""The example data are what their README says, and their script makes them again."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from plumbline.core.calendar import Calendar

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
DATA = EXAMPLES / "data" / "us_equity"
YEARS = range(2007, 2018)
SCHEMA = {
    "symbol": pl.String,
    "date": pl.Date,
    **dict.fromkeys(("open", "high", "low", "close"), pl.Float32),
    "volume": pl.Int64,
}
FACTORS = {"SPY", "IWM", "QQQ", "IWD", "IWF", "VTV", "VUG", "MTUM", "QUAL", "USMV"}
BONDS_AND_GOLD = {"TLT", "IEF", "LQD", "HYG", "GLD"}
SECTOR_ETFS = {"XLB", "XLE", "XLF", "XLI", "XLK", "XLP", "XLU", "XLV", "XLY"}


@pytest.fixture(scope="module")
def stocks() -> pl.DataFrame:
    return pl.concat(pl.read_parquet(DATA / "stocks" / f"{year}.parquet") for year in YEARS)


@pytest.fixture(scope="module")
def etfs() -> pl.DataFrame:
    return pl.read_csv(DATA / "etfs.csv", try_parse_dates=True, infer_schema_length=None)


@pytest.fixture(scope="module")
def sectors() -> pl.DataFrame:
    return pl.read_csv(DATA / "sectors.csv")


def test_data_stay_below_twelve_megabytes():
    assert sum(path.stat().st_size for path in DATA.rglob("*")) < 12_000_000


def test_the_folder_holds_the_files_of_its_readme_and_no_others():
    found = {str(path.relative_to(DATA)) for path in DATA.rglob("*") if path.is_file()}
    assert found == {"etfs.csv", "sectors.csv", *(f"stocks/{year}.parquet" for year in YEARS)}
    readme = (EXAMPLES / "data" / "README.md").read_text(encoding="utf-8")
    assert "CC0" in readme
    assert "CC0 1.0 Universal" in (EXAMPLES / "data" / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize("year", YEARS)
def test_a_file_of_stocks_holds_one_sorted_year(year):
    bars = pl.read_parquet(DATA / "stocks" / f"{year}.parquet")
    assert bars.schema == SCHEMA
    assert bars["date"].dt.year().unique().to_list() == [year]
    keys = bars.select("symbol", "date")
    assert keys.equals(keys.unique().sort("symbol", "date"))
    assert bars.null_count().sum_horizontal().item() == 0


def test_every_stock_trades_from_the_first_session_to_the_last(stocks):
    spans = stocks.group_by("symbol").agg(
        pl.col("date").min().alias("first"), pl.col("date").max().alias("last")
    )
    assert spans.height == 120
    assert spans["first"].unique().to_list() == [stocks["date"].min()]
    assert spans["last"].unique().to_list() == [stocks["date"].max()]


def test_rows_are_sessions_of_the_exchange_and_the_union_has_no_gap(stocks, etfs):
    calendar = Calendar("XNYS")
    for table in (stocks, etfs):
        dates = table["date"].unique().sort().to_numpy()
        closes, is_session = calendar.session_closes(dates)
        assert is_session.all()
        assert (np.diff(calendar.numbers(closes)) == 1).all()
        assert dates.size == 2736


def test_every_stock_has_a_sector_and_every_sector_its_stocks(stocks, sectors):
    assert sectors["symbol"].to_list() == sorted(set(stocks["symbol"]))
    assert sectors.null_count().sum_horizontal().item() == 0
    counts = dict(sectors.group_by("sector").len().iter_rows())
    assert len(counts) == 11
    assert counts.pop("Communication Services") == 10
    assert set(counts.values()) == {11}


def test_the_factor_etfs_are_there_and_priced(etfs):
    assert set(etfs.columns) == {"date"} | FACTORS | BONDS_AND_GOLD | SECTOR_ETFS
    closes = etfs.drop("date")
    assert set(closes.dtypes) == {pl.Float64}
    assert closes.min().min_horizontal().item() > 0
    late = {"HYG", "MTUM", "QUAL", "USMV"}
    assert closes.drop(late).null_count().max_horizontal().item() == 1


def test_the_dirt_that_cleaning_must_find_is_there(stocks):
    ratio = pl.col("close") / pl.col("close").shift(1).over("symbol")
    spikes = stocks.with_columns(ratio.alias("ratio")).filter(pl.col("ratio") < 0.2)
    assert spikes.group_by("symbol").len().sort("symbol").rows() == [
        ("AVB", 2),
        ("BXP", 1),
        ("EIX", 3),
        ("HST", 1),
        ("NUE", 1),
    ]
    short = stocks.group_by("date").len().filter(pl.col("len") < 120).sort("date")
    assert [(str(day), n) for day, n in short.iter_rows()] == [
        ("2010-11-19", 114),
        ("2011-02-17", 98),
    ]


def test_the_script_makes_the_committed_files_again(shared_data, tmp_path):
    command = [sys.executable, EXAMPLES / "make_data.py", shared_data / "us_equity_cc0"]
    subprocess.run([*command, "--out", tmp_path], check=True, capture_output=True)
    for name in ("etfs.csv", "sectors.csv"):
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes()
    for year in YEARS:
        name = f"stocks/{year}.parquet"
        assert_frame_equal(
            pl.read_parquet(tmp_path / name), pl.read_parquet(DATA / name), check_exact=True
        )


def test_closes_in_text_read_back_as_the_float32_of_the_source(shared_data, etfs):
    source = (
        pl.read_parquet(shared_data / "us_equity_cc0" / "etf_ohlcv_2005-2017.parquet")
        .with_columns(pl.col("symbol").cast(pl.String))
        .filter(pl.col("symbol").is_in(etfs.columns))
        .join(etfs.select("date"), on="date")
        .sort("symbol", "date")
    )
    long = etfs.unpivot(index="date", variable_name="symbol", value_name="close").drop_nulls()
    text = long.sort("symbol", "date")["close"].cast(pl.Float32)
    assert text.to_list() == source["close"].to_list()

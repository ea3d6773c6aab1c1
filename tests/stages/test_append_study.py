"""A study on data that grow or are corrected: the bits of a rebuild, at the cost of the change.

``PLUMBLINE_TEST_DAYS`` says how many random days are appended.
"""

import os
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from plumbline.api import Study, init, run
from plumbline.cli.app import call
from plumbline.core.calendar import Calendar
from plumbline.engine.blocks import bars_of_label
from plumbline.lake.sources.parquet import Parquet
from plumbline.ledger.queries import list_runs, tasks_of_run
from tests.study_files import EXAMPLES

RECIPE = """\
name: growing
data:
  stocks: {dataset: stocks}
  etfs: {dataset: etfs}
universe: {prices: stocks}
factors: {data: etfs, definitions: {market: SPY}}
model: {window: 20}
signals:
  momentum: {lookback_bars: 20, skip_bars: 2}
  residual_momentum: {lookback_bars: 20, skip_bars: 2}
evaluation: {horizons: [1, 5], n_quantiles: 3, spread_horizon: 5, periods_per_year: 252}
rolling_bars: 20
block_bars: 32
"""
N_DAYS = int(os.environ.get("PLUMBLINE_TEST_DAYS", "2"))
BACKWARD = ("returns", "factor_returns", "factor_model", "signal:momentum")
EXCHANGE = Calendar("XNYS")


@pytest.fixture(scope="module")
def prices() -> dict[str, pl.DataFrame]:
    """Real closes of eight stocks and of one fund over a year."""
    table = pl.read_parquet(EXAMPLES / "data" / "us_equity" / "stocks" / "2010.parquet")
    table = table.with_columns(pl.col("symbol").cast(pl.String), pl.col("close").cast(pl.Float64))
    names = sorted(table["symbol"].unique())[:8]
    stocks = table.filter(pl.col("symbol").is_in(names)).select("date", "symbol", "close")
    wide = pl.read_csv(EXAMPLES / "data" / "us_equity" / "etfs.csv", try_parse_dates=True)
    fund = wide.filter(pl.col("date").dt.year() == 2010)
    etfs = fund.select("date", pl.lit("SPY").alias("symbol"), pl.col("SPY").alias("close"))
    return {"stocks": stocks, "etfs": etfs}


def give(folder: Path, name: str, rows: pl.DataFrame, how: str) -> None:
    """Ingest rows into the lake of a project, append them, or correct by them."""
    rows.write_parquet(folder / f"{name}.parquet")
    source = Parquet(f"{name}.parquet")
    lake = init(folder).lake
    if how == "ingest":
        lake.ingest(name, source, calendar=EXCHANGE, base=folder)
    else:
        lake.append(name, source, corrects=how == "correct", base=folder)


def rebuilt(folder: Path, prices: dict[str, pl.DataFrame]) -> Study:
    init(folder)
    (folder / "study.yaml").write_text(RECIPE)
    for name, rows in prices.items():
        give(folder, name, rows, "ingest")
    return run(folder / "study.yaml")


def computed(study: Study) -> set[tuple[str, str]]:
    tasks = tasks_of_run(study.workspace.project.database, study.result.run_id)
    return {(t["node"], t["block"]) for t in tasks if t["state"] == "computed"}


def blocks_with(node: str, study: Study, first: int, last: int) -> set[tuple[str, str]]:
    """Return the blocks of a node that hold a bar from one number to another."""
    spans = {(n, block): bars_of_label(block) for n, block in study.result.digests if n == node}
    return {place for place, (a, b) in spans.items() if a <= last and first <= b}


def numbers(days: pl.Series) -> tuple[int, int]:
    closes, _ = EXCHANGE.session_closes(days.unique().sort().to_numpy())
    found = EXCHANGE.numbers(closes)
    return int(found[0]), int(found[-1])


@pytest.mark.parametrize("seed", range(N_DAYS))
def test_one_more_day_computes_the_blocks_that_hold_it_and_equals_a_rebuild(seed, prices, tmp_path):
    days = prices["stocks"]["date"].unique().sort()
    day = days[int(np.random.default_rng(seed).integers(90, days.len() - 1))]
    date_of = pl.col("date")
    before = {name: rows.filter(date_of < day) for name, rows in prices.items()}
    rebuilt(tmp_path / "grown", before)
    for name, rows in prices.items():
        give(tmp_path / "grown", name, rows.filter(date_of == day), "append")
    grown = run(tmp_path / "grown" / "study.yaml")
    whole = rebuilt(
        tmp_path / "whole", {name: rows.filter(date_of <= day) for name, rows in prices.items()}
    )
    assert grown.result.digests == whole.result.digests
    first, last = numbers(pl.Series([day]))
    for node in BACKWARD:
        own = {place for place in computed(grown) if place[0] == node}
        assert own == blocks_with(node, grown, first, last), node
    n_all = len(grown.result.digests)
    assert 0 < len(computed(grown)) < n_all


def test_a_month_of_late_corrections_equals_a_rebuild_from_corrected_prices(prices, tmp_path):
    is_late = pl.col("date").is_between(date(2010, 5, 1), date(2010, 5, 31))
    stocks = prices["stocks"]
    late = stocks.filter(is_late, symbol=stocks["symbol"][0]).with_columns(pl.col("close") * 1.002)
    fixed = stocks.update(late, on=["date", "symbol"])
    rebuilt(tmp_path / "grown", prices)
    give(tmp_path / "grown", "stocks", late, "correct")
    grown = run(tmp_path / "grown" / "study.yaml")
    whole = rebuilt(tmp_path / "whole", prices | {"stocks": fixed})
    assert grown.result.digests == whole.result.digests
    lake = grown.workspace.project.lake
    changes = lake.diff(lake.dataset("stocks", 1), lake.dataset("stocks", 2))
    assert (
        changes.select("asset", "after").rows()
        == late.sort("date").select("symbol", "close").rows()
    )
    first, last = numbers(late["date"])
    own = {place for place in computed(grown) if place[0] == "returns"}
    patch_end = last // 32 * 32 + 31  # the block behind reads its last bar, if no corrected one
    assert own == blocks_with("returns", grown, first, patch_end + 1)
    assert not {place for place in computed(grown) if place[0] == "factor_returns"}


def test_a_study_as_of_a_time_reads_what_the_data_were(prices, tmp_path, monkeypatch):
    monkeypatch.setenv("PLUMBLINE_NOW", "2011-01-03T12:00:00Z")
    first = rebuilt(tmp_path / "p", prices)
    late = prices["stocks"].head(30).with_columns(pl.col("close") * 1.5)
    monkeypatch.setenv("PLUMBLINE_NOW", "2011-01-05T12:00:00Z")
    give(tmp_path / "p", "stocks", late, "correct")
    now = run(tmp_path / "p" / "study.yaml")
    assert now.result.digests != first.result.digests
    words = ["run", str(tmp_path / "p" / "study.yaml"), "--as-of", "2011-01-04"]
    assert call(words) == 0
    project = init(tmp_path / "p")
    tasks = tasks_of_run(project.database, list_runs(project.database, 1)[0]["id"])
    assert {t["state"] for t in tasks} == {"cached"}
    recipe = RECIPE.replace("stocks: {dataset: stocks}", "stocks: {dataset: stocks, version: 1}")
    (tmp_path / "p" / "study.yaml").write_text(recipe)
    assert run(tmp_path / "p" / "study.yaml").result.digests == first.result.digests

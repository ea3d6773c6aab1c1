"""A small real study on disk: a few stocks and years of the example data."""

import shutil
from pathlib import Path

import polars as pl

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
N_STOCKS = 14

RECIPE = """\
name: small
data:
  stocks:
    source: csv
    paths: [prices/*.csv]
    calendar: XNYS
  etfs:
    source: csv
    paths: [etfs.csv]
    form: wide
    field: close
    calendar: XNYS
universe:
  prices: stocks
factors:
  data: etfs
  definitions:
    market: SPY
    size: IWM - SPY
model:
  window: 60
signals:
  momentum: {lookback_bars: 60, skip_bars: 5}
  residual_momentum: {lookback_bars: 60, skip_bars: 5}
evaluation:
  horizons: [1, 5]
  n_quantiles: 3
  spread_horizon: 5
rolling_bars: 40
block_bars: 128
"""


def write_study(folder: Path, recipe: str = RECIPE, years: tuple[int, ...] = (2009, 2010)) -> Path:
    """Write prices of a few stocks, one file a year, and the recipe; return the recipe's path."""
    prices = folder / "prices"
    prices.mkdir(parents=True)
    for year in years:
        table = pl.read_parquet(EXAMPLES / "data" / "us_equity" / "stocks" / f"{year}.parquet")
        names = sorted(table["symbol"].cast(pl.String).unique())[:N_STOCKS]
        chosen = table.filter(pl.col("symbol").cast(pl.String).is_in(names))
        chosen.select("date", "symbol", "close", "volume").write_csv(prices / f"{year}.csv")
    etfs = pl.read_csv(EXAMPLES / "data" / "us_equity" / "etfs.csv", infer_schema=False)
    near = etfs.filter(pl.col("date").str.slice(0, 4).cast(pl.Int32).is_in(list(years)))
    near.select("date", "SPY", "IWM").write_csv(folder / "etfs.csv")
    path = folder / "study.yaml"
    path.write_text(recipe)
    return path


def copied(study: Path, folder: Path) -> Path:
    """Copy a project into a folder, as ``p``, and return the copy."""
    return Path(shutil.copytree(study, folder / "p"))


def edit_price(folder: Path, year: int, asset: str, factor: float = 1.01) -> tuple[str, float]:
    """Change one close in the middle of a year; return its date and its new value."""
    path = folder / "prices" / f"{year}.csv"
    table = pl.read_csv(path)
    rows = table.with_row_index().filter(pl.col("symbol") == asset)
    row = rows.row(len(rows) // 2, named=True)
    value = row["close"] * factor
    changed = pl.when(pl.int_range(pl.len()) == row["index"]).then(value).otherwise(pl.col("close"))
    table.with_columns(changed.alias("close")).write_csv(path)
    return row["date"], value

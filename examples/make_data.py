"""Write the example data of this folder from the full set of daily US equity bars.

    python examples/make_data.py FOLDER [--out examples/data/us_equity]

``FOLDER`` holds the daily bars of Kaggle's "Huge Stock Market Dataset" (B. Marjanovic, CC0) as
``sp500_ohlcv_2007-2017.parquet``, ``etf_ohlcv_2005-2017.parquet`` and ``universe.csv``. What is
taken, by which rule, and what is wrong with it is said in ``examples/data/README.md``.

The same source gives the same files: rows are sorted, nothing is drawn, filled or corrected.
"""

import argparse
from pathlib import Path

import numpy as np
import polars as pl

FIRST, LAST = pl.date(2007, 1, 1), pl.date(2017, 12, 31)
RANKED_YEAR = 2007  # the first year, so that the choice knows nothing of the later ones
STOCKS_A_SECTOR = 11
ETFS = (
    *("GLD", "HYG", "IEF", "IWD", "IWF", "IWM", "LQD", "MTUM", "QQQ", "QUAL", "SPY", "TLT"),
    *("USMV", "VTV", "VUG"),
    *("XLB", "XLE", "XLF", "XLI", "XLK", "XLP", "XLU", "XLV", "XLY"),
)
STOCK_COLUMNS = ("symbol", "date", "open", "high", "low", "close", "volume")


def read_bars(path: Path) -> pl.DataFrame:
    """Return the bars of a source file from 2007 to 2017, sorted by symbol, then date."""
    bars = pl.read_parquet(path).with_columns(pl.col("symbol").cast(pl.String))
    return bars.filter(pl.col("date").is_between(FIRST, LAST)).sort("symbol", "date")


def chosen_stocks(universe: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """Return symbol, name and sector of the stocks to keep, sorted by symbol.

    In each sector these are the S&P 500 members with the largest median dollar volume (close
    times volume) in 2007; equal ones in the order of their symbols.
    """
    dollars = pl.col("close").cast(pl.Float64) * pl.col("volume")
    traded = (
        bars.filter(pl.col("date").dt.year() == RANKED_YEAR)
        .group_by("symbol")
        .agg(dollars.median().alias("dollar_volume"))
    )
    return (
        universe.filter(pl.col("index_2015") == "SP500")
        .join(traded, on="symbol")
        .sort(["sector", "dollar_volume", "symbol"], descending=[False, True, False])
        .group_by("sector", maintain_order=True)
        .head(STOCKS_A_SECTOR)
        .select("symbol", pl.col("name").str.strip_chars(' "'), "sector")
        .sort("symbol")
    )


def write_stocks(bars: pl.DataFrame, folder: Path) -> None:
    """Write one Parquet file a year, sorted by symbol, then date."""
    folder.mkdir(parents=True, exist_ok=True)
    for year in range(2007, 2018):
        rows = bars.filter(pl.col("date").dt.year() == year).select(STOCK_COLUMNS)
        rows.write_parquet(
            folder / f"{year}.parquet", compression="zstd", compression_level=19, statistics=False
        )


def write_etfs(bars: pl.DataFrame, path: Path) -> None:
    """Write the closes of the ETFs, one column each, as the shortest text that reads back equal."""
    wide = bars.filter(pl.col("symbol").is_in(ETFS)).pivot("symbol", index="date", values="close")
    wide = wide.sort("date").select("date", *ETFS)
    lines = [",".join(wide.columns)]
    for date, *closes in wide.iter_rows():
        lines.append(",".join([date.isoformat(), *map(shortest_text, closes)]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def shortest_text(close: float | None) -> str:
    """Return the fewest digits that read back as the same float32; nothing for a missing close."""
    return "" if close is None else np.format_float_positional(np.float32(close), trim="-")


def main() -> None:
    """Read the source, write the files and print what was written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("source", type=Path, help="folder of the full set")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data" / "us_equity")
    arguments = parser.parse_args()
    source, out = arguments.source, arguments.out

    bars = read_bars(source / "sp500_ohlcv_2007-2017.parquet")
    stocks = chosen_stocks(pl.read_csv(source / "universe.csv"), bars)
    kept = bars.join(stocks.select("symbol"), on="symbol").sort("symbol", "date")
    write_stocks(kept, out / "stocks")
    write_etfs(read_bars(source / "etf_ohlcv_2005-2017.parquet"), out / "etfs.csv")
    stocks.write_csv(out / "sectors.csv")

    files = sorted(path for path in out.rglob("*") if path.is_file())
    for path in files:
        print(f"{path.stat().st_size:>10,}  {path.relative_to(out)}")
    total = sum(path.stat().st_size for path in files)
    print(f"{total:>10,}  bytes in all; {kept.height:,} bars of {stocks.height} stocks")


if __name__ == "__main__":
    main()

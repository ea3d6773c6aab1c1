"""The kernels without a project: betas of 120 stocks to the market, from a Parquet folder.

Run: python examples/kernels_on_arrays.py
"""

from pathlib import Path

import numpy as np
import polars as pl

from plumbline import Calendar, Panel
from plumbline.kernels import RollingOptions, rolling_ols

DATA = Path(__file__).resolve().parent / "data" / "us_equity"


def main() -> None:
    calendar = Calendar("XNYS")
    stocks = Panel.from_frame(
        pl.read_parquet(DATA / "stocks" / "*.parquet").select("date", "symbol", "close"),
        bar="date",
        asset="symbol",
        calendar=calendar,
    )
    etfs = pl.read_csv(DATA / "etfs.csv", try_parse_dates=True, infer_schema_length=None)
    market = Panel.from_frame(
        etfs.select("date", "SPY"), bar="date", asset=None, fields=["close"], calendar=calendar
    )

    y = stocks["close"][1:] / stocks["close"][:-1] - 1
    x = market["close"][1:] / market["close"][:-1] - 1
    options = RollingOptions(as_of_lag=1, inference=True, first_bar=stocks.first_bar + 1)
    fit = rolling_ols(y, x, window=252, options=options)

    order = np.argsort(fit.beta[-1, :, 0])
    print(f"beta to SPY over 252 sessions to {stocks.bars[-1]}")
    for i in (*order[:3], *order[-3:]):
        print(f"{stocks.assets[i]:6} {fit.beta[-1, i, 0]:6.2f}  t {fit.tstat[-1, i, 1]:6.1f}")


if __name__ == "__main__":
    main()

"""The table of correlations: a row a date."""

from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from plumbline.kernels.pair_correlation import Pairs
from plumbline.risk.analytic import MarketDays

CORRELATIONS: Final = {
    "date": pl.Date(),
    "symbols": pl.List(pl.String()),
    "pairs": pl.List(pl.Float32()),
    "n_obs": pl.List(pl.UInt16()),
}


def correlation_table(pairs: Pairs, days: MarketDays) -> pl.DataFrame:
    """Return the symbols, pairs and observations of each date.

    Parameters
    ----------
    pairs : in seven digits; NaN becomes a missing value. The table keeps their memory.
    days : the dates.
    """
    n_held = pairs.n_held
    symbols = pa.array(np.array(days.market.symbols, dtype=object), pa.large_string())
    held = np.flatnonzero(days.held.T.ravel()) % len(days.market.symbols)
    is_missing = np.isnan(pairs.values)
    values = pa.array(pairs.values, mask=is_missing if is_missing.any() else None)
    lists = {
        "symbols": (np.append(0, np.cumsum(n_held)), symbols.take(pa.array(held))),
        "pairs": (pairs.start, values),
        "n_obs": (pairs.start, pa.array(pairs.counts)),
    }
    columns = [pl.Series("date", days.market.dates[days.days].astype("datetime64[D]"))]
    for name, (start, flat) in lists.items():
        whole = pa.LargeListArray.from_arrays(pa.array(start, pa.int64()), flat)
        columns.append(pl.Series(name, pl.from_arrow(whole)))
    return pl.DataFrame(columns, schema=CORRELATIONS)

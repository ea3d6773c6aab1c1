"""The table of correlations: a row a date."""

from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from plumbline.core.arrow import arrow_array
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
    symbols = pl.Series(days.market.symbols, dtype=pl.String)
    held = np.flatnonzero(days.held.T.ravel()) % len(days.market.symbols)
    lists = {
        "symbols": (np.append(0, np.cumsum(n_held)), symbols.gather(held).to_arrow()),
        "pairs": (pairs.start, arrow_array(pairs.values, np.isnan(pairs.values))),
        "n_obs": (pairs.start, arrow_array(pairs.counts)),
    }
    columns = [pl.Series("date", days.market.dates[days.days].astype("datetime64[D]"))]
    for name, (start, flat) in lists.items():
        whole = pa.LargeListArray.from_arrays(arrow_array(start), flat)
        columns.append(pl.Series(name, pl.from_arrow(whole)))
    return pl.DataFrame(columns, schema=CORRELATIONS)

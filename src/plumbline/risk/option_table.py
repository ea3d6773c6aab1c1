"""What the rows of a table of options hold: volatility, value and Greeks on each date."""

from typing import Final

import numpy as np
import polars as pl

from plumbline.risk.analytic import MarketDays

_GREEKS: Final = ("value", "delta", "gamma", "vega", "theta", "rho")
OPTIONS: Final = {
    "date": pl.Date(),
    "symbol": pl.String(),
    **dict.fromkeys(("volatility", *_GREEKS), pl.Float64()),
}


def option_rows(days: MarketDays) -> pl.DataFrame:
    """Return a row a date and option that any portfolio holds, by date and symbol.

    Returns
    -------
    The columns of :data:`OPTIONS`, of one option on one unit of its underlying: ``volatility`` a
    year, implied by the last price or that of the instrument; ``value`` by it; ``delta`` and
    ``gamma`` for 1 of the underlying, ``vega`` for a point of volatility, ``theta`` for a calendar
    day, ``rho`` for 1 % of the rate. Null where there is no volatility or no price of the
    underlying.

    Notes
    -----
    Cost: O(options x dates).
    """
    valuation = days.valuation
    options = valuation.options
    day, row = np.nonzero(days.held_options.T)
    order = np.lexsort((options.rows[row], day))  # symbols are sorted
    day, row = day[order], row[order]
    sessions = days.days[day]
    names = pl.Series(list(valuation.market.symbols), dtype=pl.String)
    figures = {"volatility": options.volatility} | {
        name: getattr(options.greeks, name) for name in _GREEKS
    }
    columns = {
        "date": valuation.market.dates[sessions].astype("datetime64[D]"),
        "symbol": names.gather(options.rows[row]),
        **{name: pl.Series(table[row, sessions]).fill_nan(None) for name, table in figures.items()},
    }
    return pl.DataFrame(columns, schema=OPTIONS)

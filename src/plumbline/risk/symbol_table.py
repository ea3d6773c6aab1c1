"""What the rows of a table of symbols hold: fits of what is held, on each date."""

from typing import Final

import numpy as np
import polars as pl

from plumbline.risk.analytic import MarketDays, Prepared

_ERRORS: Final = ("r2", "stderr", "t")
SYMBOLS: Final = {
    "date": pl.Date(),
    "symbol": pl.String(),
    "analytic": pl.String(),
    **dict.fromkeys(("beta", "alpha", *_ERRORS), pl.Float64()),
    "n_obs": pl.Int64(),
}


def symbol_rows(analytic: str, fits: Prepared, days: MarketDays) -> pl.DataFrame:
    """Return a row a date and symbol that any portfolio is exposed to, by date and symbol.

    Parameters
    ----------
    analytic : name of what was fitted.
    fits : ``slopes`` (S, D, 2), ``errors`` (S, D, 3) and ``n_obs`` (S, D), as
        :func:`plumbline.risk.one_factor.fitted` gives them.
    days : the dates, and what is held on each.

    Returns
    -------
    The columns of :data:`SYMBOLS`; beta in returns of the symbol per return of the factor, alpha in
    return a day. Null where there is no fit, and ``n_obs`` 0. What has no returns of a market, such
    as a private asset, has no row.

    Notes
    -----
    Cost: O(symbols x dates).
    """
    is_held = days.held & days.valuation.is_measured[:, None]
    day, symbol = np.nonzero(is_held.T)
    sessions = days.days[day]
    cells = np.concatenate([fits["slopes"][symbol, day], fits["errors"][symbol, day]], axis=1)
    names = pl.Series(list(days.market.symbols), dtype=pl.String)
    figures = {
        name: pl.Series(np.ascontiguousarray(cells[:, i])).fill_nan(None)
        for i, name in enumerate(("beta", "alpha", *_ERRORS))
    }
    columns = {
        "date": days.market.dates[sessions].astype("datetime64[D]"),
        "symbol": names.gather(symbol),
        "analytic": pl.repeat(analytic, day.size, dtype=pl.String, eager=True),
        **figures,
        "n_obs": fits["n_obs"][symbol, day],
    }
    return pl.DataFrame(columns, schema=SYMBOLS)

"""Returns of portfolios that flows of cash leave alone: cumulative, drawdown, by month and year."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Int

from plumbline.risk.equity import Equity

Table = Float[np.ndarray, "portfolios sessions"]

_ROUNDING = 1e-12  # of the most that was ever there, below which what is left is no money
_PERIODS = {"month_to_date": "M", "quarter_to_date": "Q", "year_to_date": "Y"}


@final
@dataclass(frozen=True, eq=False)
class Performance:
    """Time-weighted returns at the close of each session.

    Parameters
    ----------
    returns : pnl over the equity of the session before and what was contributed; NaN where that
        is 0 or less.
    cumulative : since the portfolio opened; NaN from the first missing return on.
    drawdown : below the highest index up to then, 0 or negative.
    days_under_water : sessions since that highest index.
    month_to_date, quarter_to_date, year_to_date : since the last session of the period before, or
        since the portfolio opened.
    stopped : session whose return is the first that is missing; -1 if there is none.
    """

    returns: Table
    cumulative: Table
    drawdown: Table
    days_under_water: Int[np.ndarray, "portfolios sessions"]
    month_to_date: Table
    quarter_to_date: Table
    year_to_date: Table
    stopped: Int[np.ndarray, " portfolios"]


def performance(equity: Equity, contributions: Table, dates: np.ndarray) -> Performance:
    """Return the performance of portfolios.

    Parameters
    ----------
    equity : of all sessions since they opened.
    contributions : cash put in on a session, opening cash included; it counts from its morning,
        what is withdrawn leaves in the evening.
    dates : (T,) of the sessions.

    Notes
    -----
    A portfolio that opens without cash starts with its first contribution: there is no return
    where neither cash nor holdings are, which a full withdrawal leaves but for rounding. Cost: a
    few passes.

    References
    ----------
    CFA Institute, "Global Investment Performance Standards", time-weighted returns.
    """
    before = np.hstack([np.zeros((equity.pnl.shape[0], 1)), equity.equity[:, :-1]])
    base = np.where(np.isnan(before), 0.0, before) + contributions
    is_open = ~np.isnan(equity.equity)
    known = np.where(is_open, np.maximum(np.abs(equity.equity), base), 0.0)
    least = _ROUNDING * np.maximum.accumulate(known, axis=1)
    is_idle = is_open & (np.abs(base) <= least) & (np.abs(equity.pnl) <= least)
    with np.errstate(divide="ignore", invalid="ignore"):  # such bases are taken out
        raw = equity.pnl / base
    returns = np.where(is_open & (base > 0) & ~is_idle, raw, np.nan)
    growth = np.where(is_open & ~is_idle, 1.0 + returns, 1.0)
    index = np.cumprod(growth, axis=1)
    peak = np.maximum.accumulate(np.maximum(index, 1.0), axis=1)
    missing = np.isnan(index)
    stopped = np.where(missing.any(axis=1), missing.argmax(axis=1), -1)
    sessions = np.arange(index.shape[1])
    is_top = (index >= peak) | ~is_open
    since = sessions - np.maximum.accumulate(np.where(is_top, sessions, -1), axis=1)
    periods = {name: _since(index, dates, unit) for name, unit in _PERIODS.items()}
    seen = np.where(is_open, index, np.nan)
    return Performance(
        returns=returns,
        cumulative=seen - 1.0,
        drawdown=seen / peak - 1.0,
        days_under_water=np.where(is_open & ~missing, since, -1),
        stopped=stopped,
        **{name: np.where(is_open, table, np.nan) for name, table in periods.items()},
    )


def _since(index: Table, dates: np.ndarray, unit: str) -> Table:
    """Return the return since the last session of the period before."""
    if unit == "Q":
        period = dates.astype("datetime64[M]").astype(np.int64) // 3
    else:
        period = dates.astype(f"datetime64[{unit}]").astype(np.int64)
    first = np.searchsorted(period, period)
    base = np.hstack([np.ones((index.shape[0], 1)), index])[:, first]
    return np.asarray(index / base - 1.0)

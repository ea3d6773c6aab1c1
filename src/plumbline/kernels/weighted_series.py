"""The returns that today's weights would have had: one series for each portfolio and date."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.compilation import compiled


class Returns(NamedTuple):
    """Returns of symbols, as series are added up from them.

    Parameters
    ----------
    filled : 0 where there is none.
    missing : (S, T + 1) how many are missing before each session.
    """

    filled: Float[np.ndarray, "symbols sessions"]
    missing: Int[np.ndarray, "symbols sessions_and_one"]


def as_returns(returns: Float[np.ndarray, "symbols sessions"]) -> Returns:
    """Return returns in the form that series are added up from."""
    is_missing = ~np.isfinite(returns)
    before = np.zeros((returns.shape[0], returns.shape[1] + 1), dtype=np.int64)
    np.cumsum(is_missing, axis=1, out=before[:, 1:])
    return Returns(np.where(is_missing, 0.0, returns), before)


class Weights(NamedTuple):
    """What portfolios hold, a row a line.

    Parameters
    ----------
    start : (P + 1,) place of each portfolio's first line.
    symbol : (L,) row of the returns.
    weight : (L, D) of equity, signed; 0 for what is not held, NaN where there is no equity.
    gross : (P, D) size of all that is held, over equity, what has no return at all included.
    """

    start: Int[np.ndarray, " portfolios_and_one"]
    symbol: Int[np.ndarray, " lines"]
    weight: Float[np.ndarray, "lines dates"]
    gross: Float[np.ndarray, "portfolios dates"]


def weighted_series(
    weights: Weights,
    returns: Returns,
    ends: Int[np.ndarray, " dates"],
    window: int,
    *,
    least_share: float,
) -> tuple[Float[np.ndarray, "portfolios dates window"], Float[np.ndarray, "portfolios dates"]]:
    """Add up the weighted returns of each portfolio and date over the window that ends there.

    Parameters
    ----------
    weights : of the date; they stand still over the window.
    returns : of all symbols.
    ends : session of each date.
    window : sessions; what lies before the first is missing.
    least_share : share of the gross weight that a session's returns must have.

    Returns
    -------
    series : NaN on a session on which a smaller share has a return, and for a portfolio without
        equity or holdings. Weights are not raised for what is missing: it adds nothing.
    coverage : mean share over the sessions that are there; NaN if there is none.

    Notes
    -----
    Lines are added in their order, so a portfolio's bits depend on its own lines alone. Cost:
    O(lines x dates x window).
    """
    n_portfolios, n_dates = weights.gross.shape
    series = np.empty((n_portfolios, n_dates, window))
    coverage = np.empty((n_portfolios, n_dates))
    _add_up(weights, returns, ends, least_share, series, coverage)
    return series, coverage


@compiled
def _add_up(
    weights: Weights,
    returns: Returns,
    ends: Int[np.ndarray, " dates"],
    least_share: float,
    series: Float[np.ndarray, "portfolios dates window"],
    coverage: Float[np.ndarray, "portfolios dates"],
) -> None:
    n_portfolios, n_dates, window = series.shape
    absent = np.empty(window)
    for p in range(n_portfolios):
        for d in range(n_dates):
            out = series[p, d]
            gross = weights.gross[p, d]
            coverage[p, d] = np.nan
            if not gross > 0.0:
                out[:] = np.nan
                continue
            stop = ends[d] + 1
            start = max(0, stop - window)
            skip = window - (stop - start)
            out[:skip] = np.nan
            total, gone = out[skip:], absent[skip:]  # dense, so that sessions go abreast
            total[:] = 0.0
            gone[:] = 0.0
            held = 0.0
            for line in range(weights.start[p], weights.start[p + 1]):
                weight, s = weights.weight[line, d], weights.symbol[line]
                if weight == 0.0:
                    continue
                size = np.abs(weight)
                held += size
                own = returns.filled[s, start:stop]
                for i in range(total.size):
                    total[i] += weight * own[i]
                before = returns.missing[s]
                if before[stop] > before[start]:
                    earlier, later = before[start:stop], before[start + 1 : stop + 1]
                    for i in range(gone.size):
                        gone[i] += size if later[i] > earlier[i] else 0.0
            for i in range(gone.size):
                gone[i] = (held - gone[i]) / gross
            shares, n = 0.0, 0
            for i in range(total.size):
                if gone[i] >= least_share:
                    shares += gone[i]
                    n += 1
                else:
                    total[i] = np.nan
            if n > 0:
                coverage[p, d] = shares / n

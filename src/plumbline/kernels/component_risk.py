"""What each holding adds to the volatility and to the value at risk of its portfolio."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.compilation import compiled
from plumbline.kernels.weighted_series import Returns


class Holding(NamedTuple):
    """Lines of portfolios.

    Parameters
    ----------
    owner : portfolio of each line.
    symbol : row of the returns that a line has.
    weight : of equity, signed; 0 for what has no part in the portfolio's series, NaN without
        equity.
    """

    owner: Int[np.ndarray, " lines"]
    symbol: Int[np.ndarray, " lines"]
    weight: Float[np.ndarray, "lines dates"]


def component_volatility(
    holding: Holding,
    returns: Returns,
    ends: Int[np.ndarray, " dates"],
    series: Float[np.ndarray, "portfolios dates window"],
) -> Float[np.ndarray, "lines dates"]:
    """Return the part of each line in the deviation of its portfolio's returns.

    cov(w_i r_i, w'R) / sd(w'R) over the days of the series that are there; a missing return of the
    line is 0, as it is in the series. The parts of a portfolio add up to its sample deviation.

    Parameters
    ----------
    holding : the lines.
    returns : of all symbols.
    ends : session of each date.
    series : of the portfolios over the window that ends on each date; NaN for missing days.

    Returns
    -------
    NaN where the weight or the series is missing, or the series does not move.

    Notes
    -----
    Cost: O(lines x dates x window), one product a day.

    References
    ----------
    Litterman, "Hot spots and hedges", Journal of Portfolio Management (1996): contributions to
    risk.
    """
    out = np.full(holding.weight.shape, np.nan)
    centred = np.zeros_like(series)
    scale = np.full(series.shape[:2], np.nan)
    _centre(series, centred, scale)
    _add_up(holding, returns.filled, ends, centred, scale, out)
    return out


def component_quantile(
    holding: Holding,
    returns: Returns,
    first: Int[np.ndarray, "portfolios dates"],
    second: Int[np.ndarray, "portfolios dates"],
    share: Float[np.ndarray, "portfolios dates"],
) -> Float[np.ndarray, "lines dates"]:
    """Return the part of each line in a loss that lies between those of two days.

    The parts of a portfolio add up to its value at risk of type 7, on whose two days they rest.

    Parameters
    ----------
    holding : the lines.
    returns : of all symbols.
    first, second : sessions of the two days; negative where there is no such loss.
    share : how far it lies from the first of them to the second.

    Returns
    -------
    Losses are positive; NaN where the weight or the loss is missing.

    Notes
    -----
    Cost: one pass over lines x dates.
    """
    out = np.full(holding.weight.shape, np.nan)
    first, second, share = (np.ascontiguousarray(table) for table in (first, second, share))
    _interpolate(holding, returns.filled, first, second, share, out)
    return out


@compiled
def _interpolate(
    holding: Holding,
    filled: Float[np.ndarray, "symbols sessions"],
    first: Int[np.ndarray, "portfolios dates"],
    second: Int[np.ndarray, "portfolios dates"],
    share: Float[np.ndarray, "portfolios dates"],
    out: Float[np.ndarray, "lines dates"],
) -> None:
    for line in range(out.shape[0]):
        p, returns = holding.owner[line], filled[holding.symbol[line]]
        for d in range(out.shape[1]):
            if first[p, d] >= 0:
                one, two = returns[first[p, d]], returns[second[p, d]]
                out[line, d] = -holding.weight[line, d] * (one + share[p, d] * (two - one))


@compiled
def _centre(
    series: Float[np.ndarray, "portfolios dates window"],
    centred: Float[np.ndarray, "portfolios dates window"],
    scale: Float[np.ndarray, "portfolios dates"],
) -> None:
    """Write each series less its mean, 0 on missing days, and what turns a product into a part."""
    n_portfolios, n_dates, window = series.shape
    for p in range(n_portfolios):
        for d in range(n_dates):
            own = series[p, d]
            n, total = 0, 0.0
            for value in own:
                if not np.isnan(value):
                    n += 1
                    total += value
            if n < 2:
                continue
            mean, rest, squares = total / n, 0.0, 0.0
            for i in range(window):
                if not np.isnan(own[i]):
                    gap = own[i] - mean
                    centred[p, d, i] = gap
                    rest += gap
                    squares += gap * gap
            deviation = np.sqrt(max(squares - rest * rest / n, 0.0) / (n - 1))
            if deviation > 0.0:
                scale[p, d] = 1.0 / (deviation * (n - 1))
                for i in range(window):
                    if not np.isnan(own[i]):
                        centred[p, d, i] -= rest / n


@compiled
def _add_up(
    holding: Holding,
    filled: Float[np.ndarray, "symbols sessions"],
    ends: Int[np.ndarray, " dates"],
    centred: Float[np.ndarray, "portfolios dates window"],
    scale: Float[np.ndarray, "portfolios dates"],
    out: Float[np.ndarray, "lines dates"],
) -> None:
    window = centred.shape[2]
    lanes = np.zeros(8)
    for line in range(out.shape[0]):
        p, returns = holding.owner[line], filled[holding.symbol[line]]
        for d in range(out.shape[1]):
            weight, factor = holding.weight[line, d], scale[p, d]
            if np.isnan(weight) or np.isnan(factor):
                continue
            if weight == 0.0:
                out[line, d] = 0.0
                continue
            stop = ends[d] + 1
            start = max(0, stop - window)
            own = returns[start:stop]
            gaps = centred[p, d, window - own.size :]
            lanes[:] = 0.0
            whole = own.size - own.size % 8
            for i in range(0, whole, 8):
                for k in range(8):
                    lanes[k] += own[i + k] * gaps[i + k]
            for i in range(whole, own.size):
                lanes[i - whole] += own[i] * gaps[i]
            total = 0.0
            for k in range(8):
                total += lanes[k]
            out[line, d] = weight * total * factor

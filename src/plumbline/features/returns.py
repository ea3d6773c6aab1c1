"""Returns that are known at the close of their bar."""

import numpy as np
from jaxtyping import Float


def simple_returns(close: Float[np.ndarray, "bars assets"]) -> Float[np.ndarray, "bars assets"]:
    """Return close / previous close - 1.

    Parameters
    ----------
    close : (T, A) prices, any currency.

    Returns
    -------
    (T, A) decimal returns per bar. Row 0 is NaN, and so is a row where this or the previous close
    is missing, infinite or not positive: a return over a gap is not a return of one bar.
    """
    price = positive_prices(close)
    returns = np.empty_like(price)
    returns[:1] = np.nan
    with np.errstate(over="ignore"):
        np.divide(price[1:], price[:-1], out=returns[1:])
    returns -= 1.0
    returns[np.isinf(returns)] = np.nan
    return returns


def return_between(
    close: Float[np.ndarray, "bars assets"], lookback_bars: int, skip_bars: int
) -> Float[np.ndarray, "bars assets"]:
    """Return close[t - skip_bars] / close[t - lookback_bars] - 1.

    Parameters
    ----------
    close : (T, A) prices, any currency.
    lookback_bars, skip_bars : bars back to the first and to the last close; 0 <= skip < lookback.

    Returns
    -------
    (T, A) decimal returns. The first ``lookback_bars`` rows are NaN, and so is a row where one of
    the two closes is missing, infinite or not positive. O(T·A).
    """
    price = positive_prices(close)
    returns = np.full_like(price, np.nan)
    n_rows = max(len(price) - lookback_bars, 0)
    if n_rows:
        first = lookback_bars - skip_bars
        with np.errstate(over="ignore"):
            change = price[first : first + n_rows] / price[:n_rows] - 1.0
        returns[lookback_bars:] = np.where(np.isfinite(change), change, np.nan)
    return returns


def positive_prices(close: Float[np.ndarray, "bars assets"]) -> Float[np.ndarray, "bars assets"]:
    """Return a copy with NaN wherever a price is missing, infinite or not positive."""
    price = np.array(close, dtype=np.float64)
    price[~((price > 0) & (price < np.inf))] = np.nan  # NaN is neither
    return price

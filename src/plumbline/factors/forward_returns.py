"""Returns after a bar: they look ahead on purpose, to judge signals and never to make them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from plumbline.core.errors import ParameterError
from plumbline.features.returns import positive_prices


def forward_returns(
    close: Float[np.ndarray, "bars assets"], horizons: Sequence[int]
) -> Float[np.ndarray, "horizons bars assets"]:
    """Return close[t + h] / close[t] - 1: the return of the h bars after bar t.

    A signal known at the close of bar t is compared with what an order filled at that close earns.

    Parameters
    ----------
    close : (T, A) prices.
    horizons : H bar counts, each at least 1.

    Returns
    -------
    (H, T, A) decimal returns over h bars, not annualised. NaN in the last h rows and where one of
    the two closes is missing, infinite or not positive; closes in between do not matter.

    Raises
    ------
    ParameterError
        If a horizon is below 1.
    """
    if any(h < 1 for h in horizons):
        raise ParameterError(f"horizons={tuple(horizons)} must be at least 1 bar")
    price = positive_prices(close)
    returns = np.empty((len(horizons), *price.shape))
    for row, h in zip(returns, horizons, strict=True):
        n_rows = max(len(price) - h, 0)
        with np.errstate(over="ignore"):
            np.divide(price[h:], price[:n_rows], out=row[:n_rows])
        row[:n_rows] -= 1.0
        row[n_rows:] = np.nan
        row[np.isinf(row)] = np.nan
    return returns

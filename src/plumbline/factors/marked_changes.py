"""What holdings gain from bar to bar, whatever gaps their prices have."""

import numpy as np
from jaxtyping import Float

from plumbline.features.returns import positive_prices


def marked_changes(
    close: Float[np.ndarray, "bars assets"], before: Float[np.ndarray, " assets"] | None = None
) -> Float[np.ndarray, "bars assets"]:
    """Return what a holding of one gains on each bar, a missing close marked at the last one known.

    The move over a gap is gained on the bar on which the price is back; a price that never comes
    back gains nothing more. Bars before an asset's first close are 0, and so is row 0 without an
    earlier close.

    Parameters
    ----------
    close : (T, A) prices; missing, infinite and non-positive ones are missing.
    before : (A,) last known closes before row 0, NaN for an asset without one; see
        :func:`last_closes`.
    """
    price = positive_prices(close)
    earlier = np.full((1, price.shape[1]), np.nan) if before is None else before[None]
    price = np.concatenate([earlier, price])
    carried = _carried(price)
    changes = np.empty((len(price) - 1, price.shape[1]))
    with np.errstate(over="ignore"):
        np.divide(carried[1:], carried[:-1], out=changes)
    changes -= 1.0
    changes[~np.isfinite(changes)] = 0.0
    return changes


def last_closes(
    close: Float[np.ndarray, "bars assets"], before: Float[np.ndarray, " assets"]
) -> Float[np.ndarray, " assets"]:
    """Return the last known close of each asset, or that of ``before`` if there is none."""
    last: Float[np.ndarray, " assets"] = _carried(
        np.concatenate([before[None], positive_prices(close)])
    )[-1]
    return last


def _carried(price: Float[np.ndarray, "bars assets"]) -> Float[np.ndarray, "bars assets"]:
    """Return prices with the last known one in place of a missing one."""
    row = np.where(np.isfinite(price), np.arange(len(price))[:, None], 0)
    carried: Float[np.ndarray, "bars assets"] = np.take_along_axis(
        price, np.maximum.accumulate(row, axis=0), axis=0
    )
    return carried

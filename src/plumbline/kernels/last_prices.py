"""The last price up to each day, through splits, and how old it is."""

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.compilation import compiled


def last_prices(
    price: Float[np.ndarray, "symbols days"], split: Float[np.ndarray, "symbols days"]
) -> tuple[Float[np.ndarray, "symbols days"], Int[np.ndarray, "symbols days"]]:
    """Carry each price forward until there is another.

    Parameters
    ----------
    price : in shares of the day; NaN where there is none.
    split : shares of the day for a share of the day before.

    Returns
    -------
    price : in shares of the day; NaN before the first.
    age : days since it was made; -1 before the first.

    Notes
    -----
    Cost: one pass.
    """
    out = np.empty(price.shape)
    age = np.empty(price.shape, dtype=np.int64)
    _carry(price, split, out, age)
    return out, age


@compiled
def _carry(
    price: Float[np.ndarray, "symbols days"],
    split: Float[np.ndarray, "symbols days"],
    out: Float[np.ndarray, "symbols days"],
    age: Int[np.ndarray, "symbols days"],
) -> None:
    for symbol in range(price.shape[0]):
        last, old = np.nan, -1
        for day in range(price.shape[1]):
            if not np.isnan(price[symbol, day]):
                last, old = price[symbol, day], 0
            elif old >= 0:
                last, old = last / split[symbol, day], old + 1
            out[symbol, day], age[symbol, day] = last, old

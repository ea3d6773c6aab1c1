"""How concentrated portfolios are, by symbol and by group."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.compilation import compiled
from plumbline.kernels.weighted_series import Weights


class Concentration(NamedTuple):
    """Shares of gross weight; NaN where nothing is held.

    Parameters
    ----------
    herfindahl : sum of squared shares of symbols; 1 over it is the effective number.
    top_3, top_10 : share of the largest symbols.
    n_symbols : that are held.
    """

    herfindahl: Float[np.ndarray, "portfolios dates"]
    top_3: Float[np.ndarray, "portfolios dates"]
    top_10: Float[np.ndarray, "portfolios dates"]
    n_symbols: Int[np.ndarray, "portfolios dates"]


def concentration(weights: Weights) -> Concentration:
    """Measure portfolios by the sizes of their symbols' weights, each symbol once.

    Cost: O(lines x dates).

    References
    ----------
    Hirschman, "The paternity of an index", American Economic Review 54 (1964) 761.
    """
    shape = weights.gross.shape
    tables = [np.full(shape, np.nan) for _ in range(3)]
    out = Concentration(*tables, np.zeros(shape, dtype=np.int64))  # type: ignore[call-arg]  # three tables
    _measure(weights, out)
    return out


@compiled
def _measure(weights: Weights, out: Concentration) -> None:
    n_portfolios, n_dates = weights.gross.shape
    largest = np.empty(10)
    for p in range(n_portfolios):
        for d in range(n_dates):
            total, squares, n = 0.0, 0.0, 0
            largest[:] = 0.0
            for line in range(weights.start[p], weights.start[p + 1]):
                size = np.abs(weights.weight[line, d])
                if not size > 0.0:
                    continue
                n += 1
                total += size
                squares += size * size
                if size > largest[9]:
                    at = 9
                    while at > 0 and largest[at - 1] < size:
                        largest[at] = largest[at - 1]
                        at -= 1
                    largest[at] = size
            out.n_symbols[p, d] = n
            if total > 0.0:
                out.herfindahl[p, d] = squares / (total * total)
                out.top_3[p, d] = (largest[0] + largest[1] + largest[2]) / total
                held = 0.0
                for value in largest:
                    held += value
                out.top_10[p, d] = held / total


def group_weights(
    weights: Weights, group: Int[np.ndarray, " symbols"], n_groups: int
) -> Float[np.ndarray, "portfolios dates groups two"]:
    """Return the long and the short weight of each group, of symbols each once; short is negative.

    Parameters
    ----------
    weights : of the dates.
    group : of each symbol, 0 … ``n_groups`` - 1.
    n_groups : groups.

    Notes
    -----
    Cost: O(lines x dates).
    """
    out = np.zeros((*weights.gross.shape, n_groups, 2))
    _add_groups(weights, group, out)
    return out


@compiled
def _add_groups(
    weights: Weights,
    group: Int[np.ndarray, " symbols"],
    out: Float[np.ndarray, "portfolios dates groups two"],
) -> None:
    for p in range(out.shape[0]):
        for line in range(weights.start[p], weights.start[p + 1]):
            g = group[weights.symbol[line]]
            for d in range(out.shape[1]):
                weight = weights.weight[line, d]
                if weight > 0.0:
                    out[p, d, g, 0] += weight
                elif weight < 0.0:
                    out[p, d, g, 1] += weight
                elif np.isnan(weight):
                    out[p, d, g, :] = np.nan

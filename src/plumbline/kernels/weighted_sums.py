"""Figures of symbols added up to those of portfolios, and how much of each portfolio has them."""

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.compilation import compiled
from plumbline.kernels.weighted_series import Weights


def weighted_sums(
    weights: Weights, figures: Float[np.ndarray, "symbols dates figures"]
) -> tuple[Float[np.ndarray, "portfolios dates figures"], Float[np.ndarray, "portfolios dates"]]:
    """Add up weight times figure over the lines of each portfolio and date.

    Parameters
    ----------
    weights : of the dates.
    figures : a symbol that lacks one of them on a date lacks all.

    Returns
    -------
    sums : of what has figures; weights are not raised for what has none. NaN where nothing has.
    coverage : size of the weights that have figures, over all; NaN without equity or holdings.

    Notes
    -----
    Lines are added in their order. Cost: O(lines x dates x figures).
    """
    shape = weights.gross.shape
    sums = np.empty((*shape, figures.shape[2]))
    coverage = np.empty(shape)
    _add_up(weights, figures, sums, coverage)
    return sums, coverage


@compiled
def _add_up(
    weights: Weights,
    figures: Float[np.ndarray, "symbols dates figures"],
    sums: Float[np.ndarray, "portfolios dates figures"],
    coverage: Float[np.ndarray, "portfolios dates"],
) -> None:
    n_portfolios, n_dates, n_figures = sums.shape
    for p in range(n_portfolios):
        for d in range(n_dates):
            total, covered = sums[p, d], 0.0
            total[:] = 0.0
            for line in range(weights.start[p], weights.start[p + 1]):
                weight = weights.weight[line, d]
                own = figures[weights.symbol[line], d]
                if weight == 0.0 or np.isnan(own[0]):
                    continue
                covered += np.abs(weight)
                for k in range(n_figures):
                    total[k] += weight * own[k]
            gross = weights.gross[p, d]
            coverage[p, d] = covered / gross if gross > 0.0 else np.nan
            if not covered > 0.0:
                total[:] = np.nan


def fewest_of_held(
    weights: Weights, counts: Int[np.ndarray, "symbols dates"]
) -> Int[np.ndarray, "portfolios dates"]:
    """Return the smallest count above 0 among the symbols that are held; 0 if there is none.

    Cost: O(lines x dates).
    """
    out = np.zeros(weights.gross.shape, dtype=np.int64)
    _find_fewest(weights, counts, out)
    return out


@compiled
def _find_fewest(
    weights: Weights,
    counts: Int[np.ndarray, "symbols dates"],
    out: Int[np.ndarray, "portfolios dates"],
) -> None:
    for p in range(out.shape[0]):
        for line in range(weights.start[p], weights.start[p + 1]):
            own = counts[weights.symbol[line]]
            for d in range(out.shape[1]):
                weight = weights.weight[line, d]
                is_held = weight != 0.0 and not np.isnan(weight)
                if is_held and own[d] > 0 and (out[p, d] == 0 or own[d] < out[p, d]):
                    out[p, d] = own[d]

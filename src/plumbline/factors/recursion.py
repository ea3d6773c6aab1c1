"""What factor models share that are fitted recursively over anchored blocks of bars."""

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.factors.model import require_same_bars, residual_returns

if TYPE_CHECKING:
    from plumbline.kernels.recursive_fit import RecursiveOptions

LONGEST: Final = 10_000_000  # bars of a block: a minute's bars over 19 years


def rows_needed(memory_bars: int, min_obs: int | None, n_factors: int) -> int:
    """Return the observations that a fit needs; at least one more than there are coefficients."""
    least = math.ceil(0.6 * memory_bars) if min_obs is None else min_obs
    return max(least, n_factors + 2)


def least_memory(memory_bars: int, n_factors: int) -> None:
    """Raise ParameterError if a block holds too few bars for the factors and an intercept."""
    if memory_bars < n_factors + 2:
        raise ParameterError(
            f"memory_bars={memory_bars} cannot fit {n_factors} factors and an intercept, needs at "
            f"least {n_factors + 2}"
        )


def filtered(
    returns: Panel,
    factors: Panel,
    memory_bars: int,
    min_obs: int | None,
    options: "RecursiveOptions",
) -> Panel:
    """Return the fields of a model, its residual with the coefficients of the bar before.

    Parameters
    ----------
    returns, factors, memory_bars, min_obs : those of the model.
    options : how its coefficients move.
    """
    from plumbline.kernels.recursive_fit import recursive_ols

    y, x = returns["return"], factors["return"]
    require_same_bars(returns, factors)
    fit = recursive_ols(y, x, memory_bars, min_obs=min_obs, options=options)
    fields = {
        "alpha": fit.alpha,
        **{f"beta_{name}": fit.beta[k] for k, name in enumerate(factors.assets)},
        "n_obs": fit.n_obs,
        "r2": fit.r2,
        "residual_return": residual_returns(y, x, fit.alpha, fit.beta),
    }
    return Panel(
        fields,
        returns.bars,
        returns.assets,
        known_at=np.maximum(returns.known_at, factors.known_at),
        first_bar=returns.first_bar,
    )

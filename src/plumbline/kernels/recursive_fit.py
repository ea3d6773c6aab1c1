"""Recursive regressions of many assets on the same factors: drifting betas and forgetting."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from plumbline.core.arguments import Argument, require
from plumbline.core.errors import ParameterError
from plumbline.core.parameters import require_kinds
from plumbline.kernels.inputs import as_input, whole_number_problems


@final
@dataclass(frozen=True, kw_only=True)
class RecursiveOptions:
    """How coefficients move; the defaults are least squares over all rows since the start.

    Parameters
    ----------
    alpha_drift : standard deviation of alpha's change per bar over that of the noise,
        dimensionless; 0 keeps it.
    beta_drift : standard deviation of a beta's change per bar over that of the noise, per unit of
        x; 0 keeps it. With noise of 1 % and 1 per unit of return, a beta moves by 0.01 a bar.
    forgetting : share of a row's weight that is left a bar later, above 0, at most 1.
    first_bar : absolute number of row 0, which anchors the blocks; may be negative.
    """

    alpha_drift: float = 0.0
    beta_drift: float = 0.0
    forgetting: float = 1.0
    first_bar: int = 0

    def __post_init__(self) -> None:
        require_kinds(self)


@final
@dataclass(frozen=True, eq=False)
class RecursiveFit:
    """Result of a recursive regression; NaN where there is no fit.

    Parameters
    ----------
    alpha : (T, A) intercepts, in units of y.
    beta : (K, T, A) slopes, in units of y per unit of x.
    n_obs : (T, A) rows since the start of the filter.
    r2 : (T, A) 1 less the squares that are left over the squared deviations of y from its mean,
        both with the weights of ``forgetting``. Of drifting coefficients, what is left are the
        squared one-step prediction errors, each over its variance in units of the noise. NaN where
        y is constant.
    """

    alpha: Float[np.ndarray, "bars assets"]
    beta: Float[np.ndarray, "factors bars assets"]
    n_obs: Int[np.ndarray, "bars assets"]
    r2: Float[np.ndarray, "bars assets"]


def recursive_ols(
    y: ArrayLike,
    x: ArrayLike,
    memory: int,
    *,
    min_obs: int | None = None,
    options: RecursiveOptions | None = None,
) -> RecursiveFit:
    """Filter the coefficients of every asset on the same factors, with an intercept.

    y_t = α_t + x_t'β_t + ε_t, where α and β are random walks whose steps have a standard deviation
    of the drift times the noise's, and the filter gives the best linear estimate of α_t and β_t
    from the rows up to t. The noise's own size is not needed: it scales both. Without drift and
    with ``forgetting`` it is exponentially weighted least squares; with both, the variance of steps
    and noise alike grows by 1 / forgetting a bar back. The start is diffuse, exactly.

    Bars are cut into blocks of ``memory`` at absolute bar numbers, and the filter of a block starts
    with the block before, so that a row depends on no bar further back than 2·memory - 1, wherever
    the series begins; every bar is filtered twice for it. A row is missing for an asset where y or
    any factor is not finite; coefficients drift and weights fade over it all the same.

    Cost: O(T·(K³ + A·K²)) without gaps, O(T·A·K³) with them. An asset's bits depend on its own rows
    and the factors alone.

    Parameters
    ----------
    y : (T, A) returns, decimal per bar (any unit will do).
    x : (T, K) factor returns, decimal per bar.
    memory : bars of a block, more than the number of coefficients.
    min_obs : rows that a fit needs since the start of its filter; default ceil(0.6·memory). A fit
        always needs one row more than it has coefficients.
    options : how coefficients move.

    Returns
    -------
    RecursiveFit
        NaN where there are too few rows, where the factors are linearly dependent over them, or
        where numbers are too large or too small for their squares.

    Raises
    ------
    ParameterError
        If shapes do not fit together or a value is out of range; every problem is named.

    References
    ----------
    Harvey, "Forecasting, structural time series models and the Kalman filter", Cambridge (1989),
    chapter 3. Anderson and Moore, "Optimal filtering", Prentice-Hall (1979), section 6.3 (the
    information form). Ljung and Söderström, "Theory and practice of recursive identification", MIT
    Press (1983), chapter 2 (forgetting).
    """
    from plumbline.kernels.filter_steps import Recursion
    from plumbline.kernels.recursive_loop import Filtered, run_filters

    is_options = options is None or isinstance(options, RecursiveOptions)
    require(Argument("options", options, is_options, "RecursiveOptions, or None"))
    chosen = options or RecursiveOptions()
    problems = whole_number_problems(memory=memory, min_obs=min_obs)
    if problems:
        raise ParameterError("recursive_ols: " + "; ".join(problems))
    y_panel, x_panel = as_input(y, "y"), as_input(x, "x")
    needed = math.ceil(0.6 * memory) if min_obs is None else min_obs
    problems = [*_shape_problems(y_panel, x_panel), *_range_problems(memory, needed, chosen)]
    n = x_panel.shape[1] + 1 if x_panel.ndim == 2 else 2
    if memory <= n:
        problems.append(f"memory={memory} cannot fit {n} coefficients, needs at least {n + 1}")
    if problems:
        raise ParameterError("recursive_ols: " + "; ".join(problems))
    drift = np.full(n, float(chosen.beta_drift))
    drift[0] = chosen.alpha_drift
    offset = chosen.first_bar % memory
    least = max(needed, n + 1)
    rules = Recursion(int(memory), offset, int(least), float(chosen.forgetting), drift)
    design = np.column_stack([np.ones(len(x_panel)), x_panel])
    out = Filtered(
        np.full((n, *y_panel.shape), np.nan),
        np.zeros(y_panel.shape, np.int64),
        np.full(y_panel.shape, np.nan),
    )
    run_filters(y_panel, design, rules, out)
    return RecursiveFit(out.coefficients[0], out.coefficients[1:], out.n_obs, out.r2)


def _shape_problems(y: Float[np.ndarray, "..."], x: Float[np.ndarray, "..."]) -> list[str]:
    """Return what is wrong with the shapes."""
    problems = []
    if y.ndim != 2:
        problems.append(f"y has shape {y.shape}, needs (bars, assets)")
    if x.ndim != 2:
        problems.append(f"x has shape {x.shape}, needs (bars, factors)")
    elif x.shape[1] == 0:
        problems.append("x has no factor, needs at least 1")
    if y.ndim == x.ndim == 2 and len(y) != len(x):
        problems.append(f"y has {len(y)} bars and x has {len(x)}; they need the same bars")
    return problems


def _range_problems(memory: int, min_obs: int, options: RecursiveOptions) -> list[str]:
    """Return what is wrong with the numbers."""
    problems = []
    if not 1 <= min_obs <= max(memory, 1):
        problems.append(f"min_obs={min_obs} is not between 1 and memory={memory}")
    for name in ("alpha_drift", "beta_drift"):
        value = getattr(options, name)
        if not 0 <= value < math.inf:
            problems.append(f"{name}={value} must be a number of at least 0")
    if not 0 < options.forgetting <= 1:
        problems.append(f"forgetting={options.forgetting} must be above 0 and at most 1")
    return problems

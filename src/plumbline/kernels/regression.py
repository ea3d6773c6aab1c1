"""Rolling regressions of many assets on the same factors."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Float, Int, Num
from numpy.typing import ArrayLike

from plumbline.core.arguments import Argument, require
from plumbline.core.errors import ParameterError
from plumbline.core.parameters import kind_problems, refuse
from plumbline.kernels.fit_layout import DEFICIENT, MISSING, TOO_FEW, Panels, Results, Rules
from plumbline.kernels.inputs import as_input, whole_number_problems
from plumbline.kernels.magnitudes import fill_largest
from plumbline.kernels.result_memory import empty_arrays
from plumbline.kernels.rolling_fit import fit_groups

_LARGEST, _SMALLEST = 1e153, 1e-153  # of a column's largest value: squares fit a float64

_REASONS = {
    "too_few_observations": TOO_FEW,
    "missing": MISSING,
    "rank_deficient": DEFICIENT,
}


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class RollingOptions:
    """Variants of a rolling regression; the defaults are ordinary least squares.

    Parameters
    ----------
    as_of_lag : bars between the window's end and the return whose residual is taken; 0 gives the
        in-sample residual, 1 or more the causal one. Coefficients do not move.
    ridge : penalty added to the diagonal of X'X (not to the intercept's), in units of x squared.
        Standard errors are those of the penalised estimator, σ²·M·S·M with M = (S + penalty)⁻¹.
    half_life : bars in which a row's weight halves inside the window, or None for equal weights.
    weights : observation weights, (T,) or (T, A), at least 0; standard errors follow weighted
        least squares, where a weight is the inverse of a variance. A row of weight 0 or of a
        weight that is not finite is a missing row.
    missing : ``skip`` leaves an asset's missing rows out of its windows; ``propagate`` gives NaN
        where any existing row of the window is missing.
    inference : whether to compute standard errors, t statistics and condition numbers.
    rank_deficient : ``nan``, or ``minimum_norm`` for the solution that is shortest in the caller's
        units, alpha included (``numpy.linalg.lstsq``).
    outputs : ``fit``, or ``coefficients`` to leave residual and R2 out.
    first_bar : absolute number of row 0, may be negative. Give a chunk the number its first row
        has in the whole series, and its full windows get the bits they have there.

    Raises
    ------
    ParameterError
        If a field is of another kind; what else is wrong with the fields is named with it. If all
        are of the right kind, ``rolling_ols`` names what is out of range, beside its own problems.
    """

    as_of_lag: int = 0
    ridge: float = 0.0
    half_life: float | None = None
    weights: Num[np.ndarray, "*shape"] | None = None
    missing: Literal["skip", "propagate"] = "skip"
    inference: bool = False
    rank_deficient: Literal["nan", "minimum_norm"] = "nan"
    outputs: Literal["fit", "coefficients"] = "fit"
    first_bar: int = 0

    def __post_init__(self) -> None:
        wrong = kind_problems(self)
        if wrong:
            refuse(self, [*wrong.values(), *_option_problems(self, wrong)])


@final
@dataclass(frozen=True, eq=False)
class RollingFit:
    """Result of a rolling regression; NaN where a window is not fitted.

    Parameters
    ----------
    alpha : (T, A) intercepts, in units of y; 0 where fitted without an intercept.
    beta : (T, A, K) slopes, in units of y per unit of x.
    n_obs : (T, A) usable rows of each window.
    reasons : how many windows were not fitted, by reason: ``too_few_observations``, ``missing``
        (with ``missing="propagate"``), ``rank_deficient``.
    residual : (T, A), y[t] - alpha[t-lag] - x[t]·beta[t-lag]; None for coefficients only.
    r2 : (T, A) share of the (weighted) variance of y explained, around its mean with an intercept
        and around 0 without; NaN where y is constant; None for coefficients only.
    stderr : (T, A, K+1) standard errors, alpha first (NaN without an intercept); None without
        inference.
    tstat : (T, A, K+1) coefficients over standard errors, alpha first; NaN where an error is
        missing, or 0 like its coefficient. None without inference.
    condition : (T, A) 2-norm condition number of the weighted design matrix, intercept included,
        in the caller's units, as ``numpy.linalg.cond`` gives it; with a ridge penalty, of the
        design with the penalty's rows below. None without inference.
    """

    alpha: Float[np.ndarray, "bars assets"]
    beta: Float[np.ndarray, "bars assets factors"]
    n_obs: Int[np.ndarray, "bars assets"]
    reasons: Mapping[str, int]
    residual: Float[np.ndarray, "bars assets"] | None = None
    r2: Float[np.ndarray, "bars assets"] | None = None
    stderr: Float[np.ndarray, "bars assets coefficients"] | None = None
    tstat: Float[np.ndarray, "bars assets coefficients"] | None = None
    condition: Float[np.ndarray, "bars assets"] | None = None


def rolling_ols(
    y: ArrayLike,
    x: ArrayLike,
    window: int,
    *,
    min_obs: int | None = None,
    intercept: bool = True,
    options: RollingOptions | None = None,
) -> RollingFit:
    """Regress every asset on the same factors over a trailing window.

    Row t uses the bars t-W+1 … t that exist. A row is missing for an asset where y, or any factor,
    is not finite. The factors are shared, so X'X is summed and factorised once per bar for all
    assets without gaps nearby, and per asset for the others.

    The residual of a bar is in-sample by default: its window ends with the bar itself.
    ``RollingOptions(as_of_lag=1)`` gives the causal one, by coefficients known before the bar.

    Cost: O(T·(K³ + A·K²)) without gaps, O(T·A·K³) with them, whatever the window; memory is the
    outputs plus O(W·K²) scratch. Windows whose Gram matrix is close to singular, or that fit almost
    exactly (unless only coefficients are asked for), are solved by QR at O(W·K²) each.

    An asset's bits depend on its own rows and the factors alone: not on the other assets, the
    memory layout, the machine's vector width, or bars outside the window.

    Parameters
    ----------
    y : (T, A) returns, decimal per bar (any unit will do).
    x : (T, K) factor returns, decimal per bar. Of both, the largest value of a column must lie
        in 1e-153 … 1e153 or be 0; values below 1e-153 beside it count as none.
    window : W, bars per fit; more than the number of coefficients.
    min_obs : usable rows a window needs; default ceil(0.6·W). A window always needs one row more
        than it has coefficients, so that a residual variance exists.
    intercept : whether to fit alpha.
    options : variants, missing-data policy, inference; see ``RollingOptions``.

    Returns
    -------
    RollingFit
        Coefficients and what ``options`` asks for; NaN where a window is not fitted, counted in
        ``reasons``.

    Raises
    ------
    ParameterError
        If shapes do not fit together or a value is out of range; every problem is named.

    References
    ----------
    Window sums: van Herk (1992), "A fast algorithm for local minimum and maximum filters".
    QR: Björck (1967), "Solving linear least squares problems by Gram-Schmidt orthogonalization".
    """
    is_options = options is None or isinstance(options, RollingOptions)
    require(Argument("options", options, is_options, "RollingOptions, or None"))
    chosen = options or RollingOptions()
    problems = whole_number_problems(window=window, min_obs=min_obs)
    if not isinstance(intercept, (bool, np.bool_)):
        problems.append(f"intercept={intercept!r} must be True or False")
    if problems:
        raise ParameterError("rolling_ols: " + "; ".join(problems))
    y_panel, x_panel = as_input(y, "y"), as_input(x, "x")
    weights = None if chosen.weights is None else as_input(chosen.weights, "weights")
    n_coefficients = (x_panel.shape[1] if x_panel.ndim == 2 else 1) + int(intercept)
    needed = math.ceil(0.6 * window) if min_obs is None else min_obs
    problems = [
        *_shape_problems(y_panel, x_panel, weights),
        *_range_problems(window, needed, n_coefficients, chosen),
    ] or [*_size_problems("y", y_panel), *_size_problems("x", x_panel)]
    if problems:
        raise ParameterError("rolling_ols: " + "; ".join(problems))
    rules = Rules(
        window=window,
        offset=chosen.first_bar % window,
        min_obs=max(needed, n_coefficients + 1),
        intercept=int(intercept),
        propagate=int(chosen.missing == "propagate"),
        minimum_norm=int(chosen.rank_deficient == "minimum_norm"),
        level=_level(chosen),
        lag=chosen.as_of_lag,
        ridge=float(chosen.ridge),
    )
    panels = _panels(y_panel, x_panel, window, chosen.half_life, weights)
    results = _empty_results(y_panel.shape, x_panel.shape[1], rules)
    fit_groups(panels, rules, results)
    return _fit(results, rules)


def _level(options: RollingOptions) -> int:
    """Return how much the kernel computes: coefficients, fit, inference."""
    if options.inference:
        return 2
    return 0 if options.outputs == "coefficients" else 1


def _shape_problems(
    y: Float[np.ndarray, "..."], x: Float[np.ndarray, "..."], weights: np.ndarray | None
) -> list[str]:
    """Return what is wrong with the shapes and the signs of the weights."""
    problems = []
    if y.ndim != 2:
        problems.append(f"y has shape {y.shape}, needs (bars, assets)")
    if x.ndim != 2:
        problems.append(f"x has shape {x.shape}, needs (bars, factors)")
    if x.ndim == 2 and x.shape[1] == 0:
        problems.append("x has no factor, needs at least 1")
    if y.ndim == x.ndim == 2 and len(y) != len(x):
        problems.append(f"y has {len(y)} bars and x has {len(x)}; they need the same bars")
    if weights is not None:
        if weights.shape not in {y.shape[:1], y.shape}:
            problems.append(f"weights have shape {weights.shape}, need {y.shape[:1]} or {y.shape}")
        if np.any(weights < 0):
            problems.append(f"the smallest weight is {np.nanmin(weights)}, needs at least 0")
    return problems


def _size_problems(name: str, values: Float[np.ndarray, "bars columns"]) -> list[str]:
    """Return which columns hold values whose squares do not fit a float64; O(T·A)."""
    largest = np.zeros(values.shape[1])
    fill_largest(values, largest)
    wrong = np.flatnonzero((largest > _LARGEST) | ((largest > 0) & (largest < _SMALLEST)))
    if not wrong.size:
        return []
    more = f" and in {wrong.size - 1} more" if wrong.size > 1 else ""
    held = f"{name} holds values up to {largest[wrong[0]]:.3g} in column {wrong[0]}{more}"
    wanted = f"multiply it to a size of {_SMALLEST:g} … {_LARGEST:g}"
    return [f"{held}; their squares do not fit a number: {wanted}"]


def _range_problems(
    window: int, min_obs: int, n_coefficients: int, options: RollingOptions
) -> list[str]:
    """Return what is wrong with the numbers."""
    problems = []
    if window < n_coefficients + 1:
        problems.append(
            f"window={window} cannot fit {n_coefficients} coefficients, "
            f"needs at least {n_coefficients + 1}"
        )
    if not 1 <= min_obs <= max(window, 1):
        problems.append(f"min_obs={min_obs} is not between 1 and window={window}")
    return [*problems, *_option_problems(options)]


def _option_problems(options: RollingOptions, wrong: Collection[str] = ()) -> list[str]:
    """Return what of the options is out of range; fields of another kind are not looked at."""
    problems = []
    if "as_of_lag" not in wrong and options.as_of_lag < 0:
        problems.append(f"as_of_lag={options.as_of_lag} would read the future, needs at least 0")
    if "ridge" not in wrong and not 0 <= options.ridge < math.inf:
        problems.append(f"ridge={options.ridge} is no penalty, needs a number of at least 0")
    half_life = None if "half_life" in wrong else options.half_life
    if half_life is not None and not 0 < half_life < math.inf:
        problems.append(f"half_life={half_life} bars, needs a number above 0 or None")
    if options.inference is True and options.outputs == "coefficients":
        problems.append("inference=True needs outputs='fit'")
    return problems


def _panels(
    y: Float[np.ndarray, "bars assets"],
    x: Float[np.ndarray, "bars factors"],
    window: int,
    half_life: float | None,
    weights: Float[np.ndarray, "*shape"] | None,
) -> Panels:
    """Return the kernels' inputs: rows that no asset may use get weight 0."""
    row_weight = np.isfinite(x).all(axis=1).astype(np.float64)
    cell_weight = np.empty((0, 0))
    if weights is not None:
        given = np.where(np.isfinite(weights), weights, 0.0)
        if given.ndim == 1:
            row_weight *= given
        else:
            cell_weight = np.ascontiguousarray(given)
    ages = np.arange(window + 1, dtype=np.float64)
    decay = np.ones(window + 1) if half_life is None else 0.5 ** (ages / half_life)
    return Panels(y, x, row_weight, cell_weight, decay)


def _empty_results(shape: tuple[int, ...], n_factors: int, rules: Rules) -> Results:
    """Return room for what the level asks for."""
    fit = shape if rules.level > 0 else (0, 0)
    inference = shape if rules.level == 2 else (0, 0)
    n_coefficients = n_factors + 1 if rules.level == 2 else 0
    coefficients, n_obs, residual, r2, stderr, tstat, condition = empty_arrays(
        ((n_factors + 1, *shape), np.float64),
        (shape, np.int32),
        (fit, np.float64),
        (fit, np.float64),
        ((n_coefficients, *inference), np.float64),
        ((n_coefficients, *inference), np.float64),
        (inference, np.float64),
    )
    reasons = np.zeros(len(_REASONS) + 1, np.int64)
    return Results(coefficients, n_obs, residual, r2, stderr, tstat, condition, reasons)


def _fit(results: Results, rules: Rules) -> RollingFit:
    """Return the kernel's outputs under their public names and axis order."""
    counts = {name: int(results.reasons[place]) for name, place in _REASONS.items()}
    has_fit, has_inference = rules.level > 0, rules.level == 2
    return RollingFit(
        alpha=results.coefficients[0],
        beta=np.moveaxis(results.coefficients[1:], 0, -1),
        n_obs=results.n_obs,
        reasons=counts,
        residual=results.residual if has_fit else None,
        r2=results.r2 if has_fit else None,
        stderr=np.moveaxis(results.stderr, 0, -1) if has_inference else None,
        tstat=np.moveaxis(results.tstat, 0, -1) if has_inference else None,
        condition=results.condition if has_inference else None,
    )

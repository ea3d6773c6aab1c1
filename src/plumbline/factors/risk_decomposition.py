"""What of a portfolio's risk comes from which factor, by the exposures of a factor model."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.factors.model import require_same_bars

SPECIFIC, TOTAL = "specific", "total"
"""The sources of risk that are no factor."""

_SCHEMA: dict[str, Any] = {
    "bar_close": pl.Datetime("us", "UTC"),
    "portfolio": pl.String,
    "source": pl.String,
    "exposure": pl.Float64,
    "marginal_annual": pl.Float64,
    "contribution_annual": pl.Float64,
    "share": pl.Float64,
    "n_assets": pl.Int64,
    "weight_covered": pl.Float64,
}


class _Risk(NamedTuple):
    """Betas (A, K) and covariance (K, K) of factors, residual variances (A,); per bar."""

    beta: Float[np.ndarray, "assets factors"]
    covariance: Float[np.ndarray, "factors factors"]
    specific: Float[np.ndarray, " assets"]


def exposures(model: Panel, errors: Panel | None = None) -> pl.DataFrame:
    """Return every asset's beta to every factor at the last bar of a model.

    Parameters
    ----------
    model : fields ``beta_<factor>`` of a factor model.
    errors : fields ``stderr_<factor>``, same assets and last bar; see
        :meth:`plumbline.factors.model.FactorModel.beta_errors`. Default: none.

    Returns
    -------
    bar_close, asset, factor, beta (dimensionless; null without a fit), stderr (of the beta, as the
    model has it), t (beta over stderr); by asset, then factor. Both are null where the model gives
    no error, and t where the error is 0. No rows if the model has no bar.

    Raises
    ------
    ParameterError
        If the errors are of other assets or of another last bar.
    """
    last = model.tail(1)
    if errors is None:
        errors = last.only([])
    if errors.assets != model.assets or not np.array_equal(errors.bars[-1:], last.bars):
        raise ParameterError(
            f"exposures: errors are {errors!r}, need the assets and the last bar of {model!r}"
        )
    given, names = errors.tail(1), sorted(name for name in model if name.startswith("beta_"))
    rows = [
        (bar, asset, factor, *_with_t(last[name][0, a], _error(given, factor, a)))
        for bar in last.bars.tolist()
        for a, asset in enumerate(last.assets)
        for name in names
        for factor in [name.removeprefix("beta_")]
    ]
    schema: dict[str, Any] = {
        "bar_close": pl.Datetime("us"),
        "asset": pl.String,
        "factor": pl.String,
        **dict.fromkeys(("beta", "stderr", "t"), pl.Float64),
    }
    table = pl.DataFrame(rows, schema=schema, orient="row")
    close = pl.col("bar_close").dt.replace_time_zone("UTC")
    return table.with_columns(close, pl.col(pl.Float64).fill_nan(None))


def _error(errors: Panel, factor: str, asset: int) -> float:
    name = f"stderr_{factor}"
    return float(errors[name][0, asset]) if name in errors else math.nan


def _with_t(beta: float, stderr: float) -> tuple[float, float, float]:
    """Return beta, its standard error and t; NaN for what is missing."""
    return float(beta), stderr, float(beta) / stderr if stderr > 0 else math.nan


def risk_decomposition(
    model: Panel,
    factor_returns: Panel,
    weights: Mapping[str, Float[np.ndarray, " assets"]] | None = None,
    *,
    window: int = 252,
    half_life: float | None = None,
    periods_per_year: float = 252.0,
) -> pl.DataFrame:
    """Return what each factor, and what is specific, adds to the risk of portfolios.

    At the last bar, with w the weights, B the betas there, b = B'w, F the covariance of the factors
    and D the variances of the residuals over the last ``window`` bars:

        σ² = b'Fb + Σ w²D.

    Residuals of different assets are taken as uncorrelated. By Euler's theorem σ is the sum of
    b·(Fb)/σ over factors and of Σ w²D/σ; (Fb)/σ is what σ gains by a unit more of an exposure.

    F and D are means of products of deviations with ddof 1, or with weights that halve every
    ``half_life`` bars and the divisor Σv - Σv²/Σv that is n - 1 for equal ones. Both need 60 % of
    the window; a bar on which a factor is missing counts for none of them. Where betas are those of
    a regression over the same window and residuals are in-sample, σ² of one asset is the sample
    variance of its returns. A model's ``residual_return`` is causal, so D is what the model did not
    foresee.

    Cost: O(W·(K² + A)), and O(A·K) a portfolio.

    Parameters
    ----------
    model : ``beta_<factor>`` and ``residual_return`` of a factor model.
    factor_returns : ``return`` of its factors, decimal per bar; same bars; see
        :meth:`plumbline.factors.model.FactorModel.factor_returns`.
    weights : portfolio -> (A,) shares of its capital, signed; a missing one is 0. Default: every
        asset on its own.
    window : bars, at least 2.
    half_life : bars in which a bar's weight halves; default: equal weights.
    periods_per_year : bars in a year.

    Returns
    -------
    bar_close, portfolio, source, exposure, marginal_annual, contribution_annual, share, n_assets,
    weight_covered. A portfolio has a row for each factor, one ``specific`` and one ``total``, whose
    contributions (volatility, decimal per year) and shares (of the variance) add up to the total's.
    An asset without a beta or a residual variance is left out: ``n_assets`` are those with a weight
    and both, ``weight_covered`` is their share of the sum of sizes of the weights. Null where
    nothing is left, and for what a specific part does not have. No rows if there is no bar.

    Raises
    ------
    ParameterError
        If bars differ, names of factors do not fit the betas, weights do not fit the assets, or a
        number is out of range; every problem is named.

    References
    ----------
    Grinold and Kahn, "Active portfolio management", 2nd ed., McGraw-Hill (2000), chapter 3.
    Litterman, "Hot spots and hedges", Journal of Portfolio Management (1996) 52-75 (contributions).
    """
    _refuse(model, factor_returns, weights, (window, half_life, periods_per_year))
    if not model.n_bars:
        return pl.DataFrame(schema=_SCHEMA)
    names = factor_returns.assets
    risk = _risk_at_the_end(model, factor_returns, window, half_life)
    if weights is None:
        chosen = dict(zip(model.assets, np.eye(model.n_assets), strict=True))
    else:
        chosen = {name: np.nan_to_num(values) for name, values in weights.items()}
    rows = [
        (model.bars[-1].item(), portfolio, *row)
        for portfolio, values in chosen.items()
        for row in _rows(names, values, risk, periods_per_year)
    ]
    schema = {**_SCHEMA, "bar_close": pl.Datetime("us")}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    numbers = pl.col(pl.Float64).fill_nan(None)
    return table.with_columns(pl.col("bar_close").dt.replace_time_zone("UTC"), numbers)


def has_risk_estimate(
    model: Panel, factor_returns: Panel, window: int
) -> Bool[np.ndarray, " assets"]:
    """Return the assets with betas and a residual variance at the last bar of a model.

    They are those that :func:`risk_decomposition` does not leave out; its arguments.
    """
    require_same_bars(model, factor_returns)
    if not model.n_bars:
        return np.zeros(model.n_assets, dtype=bool)
    return _has_risk(_risk_at_the_end(model, factor_returns, window, None))


def _has_risk(risk: _Risk) -> Bool[np.ndarray, " assets"]:
    has_all: Bool[np.ndarray, " assets"] = np.isfinite(
        np.column_stack([risk.beta, risk.specific])
    ).all(axis=1)
    return has_all


def _refuse(
    model: Panel,
    factors: Panel,
    weights: Mapping[str, Float[np.ndarray, "..."]] | None,
    numbers: tuple[int, float | None, float],
) -> None:
    require_same_bars(model, factors)
    window, half_life, periods = numbers
    problems = []
    betas = sorted(name.removeprefix("beta_") for name in model if name.startswith("beta_"))
    if betas != sorted(factors.assets):
        problems.append(f"betas are to {betas}, factors are {sorted(factors.assets)}")
    for name, values in (weights or {}).items():
        if np.shape(values) != (model.n_assets,):
            problems.append(
                f"weights of {name!r} have shape {np.shape(values)}, need ({model.n_assets},)"
            )
        elif np.isinf(values).any():
            problems.append(f"weights of {name!r} are infinite")
    if window < 2:
        problems.append(f"window={window} must be at least 2 bars")
    if half_life is not None and not 0 < half_life < math.inf:
        problems.append(f"half_life={half_life} must be a number above 0")
    if not 0 < periods < math.inf:
        problems.append(f"periods_per_year={periods} must be a number above 0")
    if problems:
        raise ParameterError("risk_decomposition: " + "; ".join(problems))


def _risk_at_the_end(model: Panel, factors: Panel, window: int, half_life: float | None) -> _Risk:
    """Return betas of the last bar, and covariances over the window that ends there."""
    x = factors["return"][-window:]
    residual = model["residual_return"][-window:]
    age = np.arange(len(x))[::-1]
    decay = np.ones(len(x)) if half_life is None else 0.5 ** (age / half_life)
    has_factors = np.isfinite(x).all(axis=1)
    needed = max(math.ceil(0.6 * window), 2)
    beta = np.column_stack([model[f"beta_{name}"][-1] for name in factors.assets])
    covariance = np.full((x.shape[1], x.shape[1]), np.nan)
    if has_factors.sum() >= needed:
        weight = np.where(has_factors, decay, 0.0)[:, None]
        deviation = _deviations(np.where(has_factors[:, None], x, 0.0), weight)
        products = weight[:, :, None] * deviation[:, :, None] * deviation[:, None, :]
        covariance = products.sum(axis=0) / _divisor(weight)
    is_there = np.isfinite(residual) & has_factors[:, None]
    weight = np.where(is_there, decay[:, None], 0.0)
    deviation = _deviations(np.where(is_there, residual, 0.0), weight)
    with np.errstate(invalid="ignore", divide="ignore"):
        specific = (weight * deviation**2).sum(axis=0) / _divisor(weight)
    return _Risk(beta, covariance, np.where(is_there.sum(axis=0) >= needed, specific, np.nan))


def _deviations(
    values: Float[np.ndarray, "bars columns"], weight: Float[np.ndarray, "bars width"]
) -> Float[np.ndarray, "bars columns"]:
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Float[np.ndarray, " columns"] = (weight * values).sum(axis=0) / weight.sum(axis=0)
    deviation: Float[np.ndarray, "bars columns"] = values - mean
    return deviation


def _divisor(weight: Float[np.ndarray, "bars width"]) -> Float[np.ndarray, " width"]:
    with np.errstate(invalid="ignore", divide="ignore"):
        total: Float[np.ndarray, " width"] = weight.sum(axis=0)
        divisor: Float[np.ndarray, " width"] = total - (weight**2).sum(axis=0) / total
    return divisor


def _rows(
    names: tuple[str, ...], weight: Float[np.ndarray, " assets"], risk: _Risk, periods: float
) -> list[tuple[str, float, float, float, float, int, float]]:
    """Return source, exposure, marginal, contribution, share, assets and weight of a portfolio."""
    has_risk = _has_risk(risk)
    used = np.where(has_risk, weight, 0.0)
    n_assets = int((used != 0).sum())
    size = float(np.abs(weight).sum())
    covered = float(np.abs(used).sum()) / size if size else math.nan
    exposure = (used[:, None] * np.where(has_risk[:, None], risk.beta, 0.0)).sum(axis=0)
    slope = (risk.covariance * exposure).sum(axis=1)
    parts = exposure * slope
    specific = float((used**2 * np.where(has_risk, risk.specific, 0.0)).sum())
    variance = float(parts.sum()) + specific if n_assets else math.nan
    volatility = math.sqrt(variance) if variance >= 0 else math.nan
    unit = math.sqrt(periods) / volatility if volatility > 0 else math.nan
    end = (n_assets, covered)
    rows = [
        (name, float(e), float(s) * unit, float(p) * unit, _share(float(p), variance), *end)
        for name, e, s, p in zip(names, exposure, slope, parts, strict=True)
    ]
    none = math.nan
    rows.append((SPECIFIC, none, none, specific * unit, _share(specific, variance), *end))
    total = volatility * math.sqrt(periods)
    return [*rows, (TOTAL, none, none, total, _share(variance, variance), *end)]


def _share(part: float, variance: float) -> float:
    return part / variance if variance > 0 else math.nan

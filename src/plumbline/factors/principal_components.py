"""Principal components of a window of returns: what moves most assets at once."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float, Int

_ROUNDING = 1e-12  # a standard deviation this small beside its values is rounding
_SMALLEST_SHARE = 1e-10  # of the first eigenvalue: below it there is no further component


@final
@dataclass(frozen=True, eq=False)
class Components:
    """K components of a window, and what they explain of n of its assets.

    Parameters
    ----------
    columns : (n,) the assets, as columns of the window.
    mean, deviation : (n,) of their returns in the window, decimal per bar; deviation 0 marks an
        asset whose returns are all alike, which has no part in the components.
    loading : (n, K) eigenvectors, by which standardised returns are added up to a score.
    base, unit : (K,) return of a component at score 0, and per unit of score, decimal per bar.
    alpha : (n,) decimal per bar.
    beta : (n, K) dimensionless.
    r2 : (n,) share of the window's variance explained; NaN where returns are all alike.
    """

    columns: Int[np.ndarray, " n"]
    mean: Float[np.ndarray, " n"]
    deviation: Float[np.ndarray, " n"]
    loading: Float[np.ndarray, "n factors"]
    base: Float[np.ndarray, " factors"]
    unit: Float[np.ndarray, " factors"]
    alpha: Float[np.ndarray, " n"]
    beta: Float[np.ndarray, "n factors"]
    r2: Float[np.ndarray, " n"]

    def returns_of(
        self, returns: Float[np.ndarray, "bars assets"]
    ) -> Float[np.ndarray, "bars factors"]:
        """Return what the components earn on other bars of all assets, decimal per bar.

        A missing return counts as the asset's mean of the window. NaN on a bar without any.
        """
        chosen = returns[:, self.columns]
        has_return = np.isfinite(chosen) & (self.deviation > 0)
        scores = _standardised(chosen, has_return, self.mean, self.deviation) @ self.loading
        factors = self.base + self.unit * scores
        return np.where(has_return.any(axis=1)[:, None], factors, np.nan)


def fit_components(
    returns: Float[np.ndarray, "bars assets"], n_factors: int, needed: int
) -> Components | None:
    """Return the first components of a window, or None if it holds too few that differ.

    The eigenvectors are those of the smaller second-moment matrix of standardised returns, assets
    by assets or bars by bars; they span the same. A component is a portfolio that holds each asset
    by eigenvector over standard deviation, sizes adding up to 1, so that its return is one that
    can be traded. Its sign makes the sum of the cubed loadings positive: a component that moves
    most assets moves them up. Alphas and betas are least squares of an asset's own returns on the
    components.

    Assets are taken in the order of their returns and not of their columns, so that no bit depends
    on what they are called.

    Parameters
    ----------
    returns : (W, A) decimal per bar; what is not finite is missing. A missing standardised return
        counts as 0 in the components; an asset's regression leaves the bar out.
    n_factors : K.
    needed : returns that an asset needs; at least K + 2.

    Returns
    -------
    Components of the assets with enough returns; None unless more than K of them vary and the K-th
    eigenvalue stands out from rounding. O(W·A·min(W, A) + min(W, A)³).
    """
    columns = _in_order(returns, np.isfinite(returns).sum(axis=0) >= needed)
    chosen = returns[:, columns]
    is_there = np.isfinite(chosen)
    mean, deviation = _mean_and_deviation(chosen, is_there)
    varies = deviation > 0
    if varies.sum() <= n_factors:
        return None
    z = _standardised(chosen, is_there & varies, mean, deviation)
    loading = np.zeros((len(columns), n_factors))
    found = _first_vectors(z[:, varies], n_factors)
    if found is None:
        return None
    loading[varies] = found
    intercept, slope, r2 = _regressions(z, is_there, z @ loading)
    smallest = deviation[varies].min()
    inverse = np.divide(smallest, deviation, out=np.zeros_like(deviation), where=varies)
    total = np.abs(loading * inverse[:, None]).sum(axis=0)
    unit = smallest / total
    weight = loading * inverse[:, None] / total
    base = (weight * mean[:, None]).sum(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):  # of returns that have no squares
        beta = deviation[:, None] * slope / unit
        alpha = mean + deviation * intercept - (beta * base).sum(axis=1)
    r2[~varies] = np.nan
    return Components(columns, mean, deviation, loading, base, unit, alpha, beta, r2)


def _in_order(
    returns: Float[np.ndarray, "bars assets"], is_used: Bool[np.ndarray, " assets"]
) -> Int[np.ndarray, " n"]:
    """Return the columns in use, in the order of the bytes that they hold."""
    cleaned = np.where(np.isfinite(returns), returns, np.nan)
    held = {int(a): cleaned[:, a].tobytes() for a in np.flatnonzero(is_used)}
    return np.array(sorted(held, key=held.__getitem__), dtype=np.int64)


def _mean_and_deviation(
    returns: Float[np.ndarray, "bars n"], is_there: Bool[np.ndarray, "bars n"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Return mean and standard deviation (ddof 0) of each column, 0 if it is so to rounding."""
    values = np.where(is_there, returns, 0.0)
    size = np.abs(values).max(axis=0, initial=0.0)
    scaled = np.divide(values, size, out=np.zeros_like(values), where=size > 0)
    n_obs = np.maximum(is_there.sum(axis=0), 1)
    mean = scaled.sum(axis=0) / n_obs
    square = (np.where(is_there, scaled - mean, 0.0) ** 2).sum(axis=0) / n_obs
    deviation = np.where(square > _ROUNDING**2, np.sqrt(square), 0.0)
    return mean * size, deviation * size


def _standardised(
    returns: Float[np.ndarray, "bars n"],
    is_used: Bool[np.ndarray, "bars n"],
    mean: Float[np.ndarray, " n"],
    deviation: Float[np.ndarray, " n"],
) -> Float[np.ndarray, "bars n"]:
    """Return deviations from the mean in standard deviations, 0 where a return is not used."""
    z = np.zeros(returns.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        np.divide(returns - mean, deviation, out=z, where=is_used)
    return z


def _first_vectors(z: Float[np.ndarray, "bars n"], k: int) -> Float[np.ndarray, "n factors"] | None:
    """Return the first k eigenvectors of the assets' second moments, None if there are fewer."""
    n_bars, n_assets = z.shape
    is_wide = n_assets > n_bars
    if k > min(n_bars, n_assets):
        return None
    moments = z @ z.T if is_wide else z.T @ z
    values, vectors = np.linalg.eigh(moments)
    values, vectors = values[::-1][:k], vectors[:, ::-1][:, :k]
    if not values[-1] > _SMALLEST_SHARE * values[0]:
        return None
    loading = z.T @ vectors / np.sqrt(values) if is_wide else vectors
    return loading * np.where((loading**3).sum(axis=0) < 0, -1.0, 1.0)


def _regressions(
    z: Float[np.ndarray, "bars n"],
    is_there: Bool[np.ndarray, "bars n"],
    scores: Float[np.ndarray, "bars factors"],
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n factors"], Float[np.ndarray, " n"]]:
    """Return intercept, slopes and R² of each asset's own bars on the scores; NaN if singular."""
    size = np.sqrt((scores**2).mean(axis=0))
    design = np.column_stack([np.ones(len(z)), scores / size])
    n = design.shape[1]
    products = (design[:, :, None] * design[:, None, :]).reshape(len(z), n * n)
    gram = (is_there.T.astype(np.float64) @ products).reshape(-1, n, n)
    spread = np.linalg.eigvalsh(gram)
    is_regular = spread[:, 0] > _SMALLEST_SHARE * spread[:, -1]
    gram[~is_regular] = np.eye(n)
    solution = np.linalg.solve(gram, (z.T @ design)[:, :, None])[:, :, 0]
    solution[~is_regular] = np.nan
    left = np.where(is_there, z - design @ solution.T, 0.0)
    total = (z**2).sum(axis=0)
    r2 = 1.0 - np.divide((left**2).sum(axis=0), total, out=np.ones(len(total)), where=total > 0)
    return solution[:, 0], solution[:, 1:] / size, r2

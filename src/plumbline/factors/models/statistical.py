"""Factors taken from the returns themselves: trailing principal components."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float, Int
from threadpoolctl import threadpool_limits

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.core.parameters import broken, refuse, require_kinds
from plumbline.factors.model import FactorModel, LeastBars, residual_returns, window_reasons
from plumbline.factors.principal_components import Components, fit_components

_LONGEST = 100_000  # bars: what a matrix of bars by bars can have


@final
@dataclass(frozen=True)
class Statistical(FactorModel):
    """Alpha and betas to the first principal components of the last ``window`` bars.

    The factors ``pc1``, ``pc2`` … are portfolios of the assets: eigenvectors of the correlations,
    each asset's part over its standard deviation, sizes adding up to 1. They are fitted anew on
    bars whose calendar number is a multiple of ``refit_bars``; between two such bars, portfolios,
    alphas and betas stay. A factor's return, and so the residual return, of bar t uses the
    portfolios known at bar t - 1: nothing of bar t is in a weight or a coefficient.

    An asset with fewer than ``min_obs`` returns in a window has no part and no fit until the next;
    a missing return of the others counts as their mean in the factors, and is left out of their own
    regression. ``n_obs`` and ``r2`` are those of the fit in force. Where no more than ``n_factors``
    assets vary, none has a fit. The sign of a factor makes the sum of the cubed loadings positive;
    beyond the first, factors may change places or sign at a refit, and their betas with them, which
    leaves residuals as they are.

    Cost: O(W·A·min(W, A) + min(W, A)³) per refit.

    Parameters
    ----------
    n_factors : components, at least 1.
    window : bars per fit, at least ``n_factors`` + 2, at most 100,000.
    refit_bars : bars from one fit to the next, at least 1.
    min_obs : returns an asset needs in a window, at least ``n_factors`` + 2; default: 60 % of the
        window, rounded up.

    Raises
    ------
    ParameterError
        If a parameter is outside its range; every problem is named.

    References
    ----------
    Connor and Korajczyk, "Performance measurement with the arbitrage pricing theory", Journal of
    Financial Economics 15 (1986) 373-394 (components from the bars' second moments). Avellaneda and
    Lee, "Statistical arbitrage in the US equities market", Quantitative Finance 10 (2010) 761-782
    (portfolios by eigenvector over standard deviation, applied to later returns).
    """

    needs_factors: ClassVar[bool] = False
    n_factors: int = 3
    window: int = 252
    refit_bars: int = 21
    min_obs: int | None = None

    def __post_init__(self) -> None:
        require_kinds(self)
        least = max(self.n_factors, 1) + 2
        rules = (
            (self.n_factors >= 1, "n_factors must be at least 1"),
            (
                least <= self.window <= _LONGEST,
                f"window must lie in n_factors + 2 = {least} … {_LONGEST}",
            ),
            (self.refit_bars >= 1, "refit_bars must be at least 1"),
            (
                self.min_obs is None or least <= self.min_obs <= self.window,
                f"min_obs must lie in n_factors + 2 = {least} … window",
            ),
        )
        refuse(self, broken(rules))

    @property
    def warm_up(self) -> int:
        """Return the bars before a row that it depends on: back to the window of the last refit."""
        return self.window + self.refit_bars - 1

    @property
    def own_factors(self) -> tuple[str, ...]:
        """Return the names of the components: pc1, pc2 …; pc01 … if there are ten or more."""
        width = len(str(self.n_factors))
        return tuple(f"pc{k + 1:0{width}d}" for k in range(self.n_factors))

    def least_bars(self, n_factors: int) -> LeastBars:
        """Return the fewest bars after which fits and residuals can exist."""
        del n_factors  # it has its own
        return LeastBars(fit=self._needed, residual=self._needed + 1)

    def reasons(self, fitted: Panel) -> Mapping[str, int]:
        """Return the bars and assets without a fit by reason, and those whose returns are alike.

        ``too_few_observations`` and ``rank_deficient`` have no fit; ``constant_return`` has one
        without R². The bars before the first refit have no observations.
        """
        return window_reasons(fitted, self._needed)

    @property
    def _needed(self) -> int:
        least = math.ceil(0.6 * self.window) if self.min_obs is None else self.min_obs
        return max(least, self.n_factors + 2)

    def factor_returns(self, returns: Panel, factors: Panel | None = None) -> Panel:
        """Return the components' returns, by portfolios known the bar before; NaN before them."""
        _refuse_factors(self, factors)
        values = returns["return"]
        made = np.full((returns.n_bars, self.n_factors), np.nan)
        for row, _, found in self._fits(values, returns.first_bar):
            self._apply(found, values, row, made)
        return Panel(
            {"return": made},
            returns.bars,
            self.own_factors,
            known_at=returns.known_at,
            first_bar=returns.first_bar,
        )

    def fit(self, returns: Panel, factors: Panel | None = None) -> Panel:
        """Return alpha, betas, r2, n_obs and the causal residual of every bar and asset."""
        _refuse_factors(self, factors)
        values = returns["return"]
        made = np.full((returns.n_bars, self.n_factors), np.nan)
        alpha, r2 = np.full((2, *returns.shape), np.nan)
        beta = np.full((self.n_factors, *returns.shape), np.nan)
        n_obs = np.zeros(returns.shape)
        for row, counts, found in self._fits(values, returns.first_bar):
            stop = min(row + self.refit_bars, returns.n_bars)
            n_obs[row:stop] = counts
            if found is None:
                continue
            alpha[row:stop, found.columns] = found.alpha
            r2[row:stop, found.columns] = found.r2
            beta[:, row:stop, found.columns] = found.beta.T[:, None, :]
            self._apply(found, values, row, made)
        has_fit = np.isfinite(alpha) & np.isfinite(beta).all(axis=0)
        alpha, r2 = np.where(has_fit, alpha, np.nan), np.where(has_fit, r2, np.nan)
        beta = np.where(has_fit, beta, np.nan)
        betas = {f"beta_{name}": beta[k] for k, name in enumerate(self.own_factors)}
        residual = residual_returns(values, made, alpha, beta)
        return returns.only([]).with_fields(
            {"alpha": alpha, **betas, "n_obs": n_obs, "r2": r2, "residual_return": residual}
        )

    def _fits(
        self, values: Float[np.ndarray, "bars assets"], first_bar: int
    ) -> Iterator[tuple[int, Int[np.ndarray, " assets"], Components | None]]:
        """Yield the row of each refit, the returns that each asset has there, the components."""
        with threadpool_limits(limits=1, user_api="blas"):  # its bits depend on the number
            for row in range(-first_bar % self.refit_bars, len(values), self.refit_bars):
                seen = values[max(row - self.window + 1, 0) : row + 1]
                counts = np.isfinite(seen).sum(axis=0)
                yield row, counts, fit_components(seen, self.n_factors, self._needed)

    def _apply(
        self,
        found: Components | None,
        values: Float[np.ndarray, "bars assets"],
        row: int,
        made: Float[np.ndarray, "bars factors"],
    ) -> None:
        """Write the components' returns of the bars up to the next refit, its own included.

        Always over as many bars, since the bits of a matrix product depend on its shape.
        """
        if found is None:
            return
        later = values[row + 1 : row + 1 + self.refit_bars]
        block = np.full((self.refit_bars, values.shape[1]), np.nan)
        block[: len(later)] = later
        made[row + 1 : row + 1 + self.refit_bars] = found.returns_of(block)[: len(later)]


def _refuse_factors(model: Statistical, factors: Panel | None) -> None:
    if factors is not None and factors.n_assets:
        raise ParameterError(
            f"{type(model).__name__} makes its own factors and was given "
            f"{', '.join(factors.assets)}; leave them out"
        )

"""Regression by recursive least squares, with a factor by which the past is forgotten."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from plumbline.core.panel import Panel
from plumbline.core.parameters import broken, refuse, require_kinds
from plumbline.factors.model import FactorModel, LeastBars, window_reasons
from plumbline.factors.recursion import LONGEST, filtered, least_memory, rows_needed


@final
@dataclass(frozen=True)
class RecursiveLeastSquares(FactorModel):
    """Alpha and betas by least squares over what came before, weighted less the older it is.

    A return's weight is ``forgetting`` to the power of its age in bars, which halves it in
    ln ½ / ln ``forgetting`` bars. The residual return of bar t is r_t less what alpha and betas of
    bar t - 1 explain: nothing of bar t is in them. R² has the weights of the fit.

    So that a row does not depend on where the data begin, bars are cut into blocks of
    ``memory_bars`` by calendar number, and the regression of a block starts with the block before:
    a fit knows between 1 and 2 blocks of bars. Every bar is added twice for it. Where
    ``forgetting`` to the power of ``memory_bars`` is small, the seams do not show.

    A bar where the asset's or a factor's return is missing is no observation; the weights of the
    others fade over it. Too few observations, or factors that are linearly dependent over them,
    give NaN.

    Parameters
    ----------
    forgetting : share of a return's weight that is left a bar later, above 0, at most 1. 0.99
        halves it in 69 bars.
    memory_bars : bars of a block, at most 10,000,000; more than the number of factors + 1.
    min_obs : observations that a fit needs; default: 60 % of ``memory_bars``, rounded up.

    Raises
    ------
    ParameterError
        If a parameter is outside its range; every problem is named.

    References
    ----------
    Ljung and Söderström, "Theory and practice of recursive identification", MIT Press (1983),
    chapter 2. The sums are kept in information form, which needs no starting covariance.
    """

    forgetting: float = 0.99
    memory_bars: int = 252
    min_obs: int | None = None

    def __post_init__(self) -> None:
        require_kinds(self)
        rules = (
            (0 < self.forgetting <= 1, "forgetting must be above 0 and at most 1"),
            (3 <= self.memory_bars <= LONGEST, f"memory_bars must lie in 3 … {LONGEST}"),
            (
                self.min_obs is None or 1 <= self.min_obs <= self.memory_bars,
                "min_obs must lie in 1 … memory_bars",
            ),
        )
        refuse(self, broken(rules))

    @property
    def warm_up(self) -> int:
        """Return the bars before a row that it depends on: the two blocks of a fit, and a bar."""
        return 2 * self.memory_bars

    def least_bars(self, n_factors: int) -> LeastBars:
        """Return the fewest bars after which fits and residuals can exist.

        Raises
        ------
        ParameterError
            If a block holds too few bars for the factors and an intercept.
        """
        least_memory(self.memory_bars, n_factors)
        needed = rows_needed(self.memory_bars, self.min_obs, n_factors)
        return LeastBars(fit=needed, residual=needed + 1)

    def reasons(self, fitted: Panel) -> Mapping[str, int]:
        """Return the fits that are missing by reason; see :func:`window_reasons`."""
        n_factors = sum(name.startswith("beta_") for name in fitted)
        return window_reasons(fitted, rows_needed(self.memory_bars, self.min_obs, n_factors))

    def fit(self, returns: Panel, factors: Panel) -> Panel:
        """Return alpha, betas, r2, n_obs and the causal residual of every bar and asset."""
        from plumbline.kernels.recursive_fit import RecursiveOptions

        options = RecursiveOptions(forgetting=self.forgetting, first_bar=returns.first_bar)
        return filtered(returns, factors, self.memory_bars, self.min_obs, options)

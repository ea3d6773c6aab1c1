"""What a factor model is, and the room that holds them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.core.plugin import Plugin, Room


class LeastBars(NamedTuple):
    """The fewest bars with all returns after which a model can have something.

    Parameters
    ----------
    fit : bars until the first alpha and betas.
    residual : bars until the first residual return, its own bar included.
    """

    fit: int
    residual: int


@dataclass(frozen=True)
class FactorModel(Plugin, ABC):
    """A way to split every asset's return into factors and a residual.

    A model is a frozen dataclass in a file of its own in ``factors/models``; its fields are its
    parameters and its docstring is its page, with its source under ``References``. One that makes
    its factors of the returns sets ``needs_factors`` to False and names them in ``own_factors``.
    """

    needs_factors: ClassVar[bool] = True

    @property
    @abstractmethod
    def warm_up(self) -> int:
        """Return how many bars before a row that row may depend on.

        Rows computed from panels that begin this many bars earlier have the same bits as rows of
        the whole panels.
        """

    @property
    def needs_independent_factors(self) -> bool:
        """Return whether no fit exists where one factor is a combination of others."""
        return True

    @property
    def own_factors(self) -> tuple[str, ...]:
        """Return the factors that the model makes of the returns; empty if it is given factors."""
        return ()

    def factor_returns(self, returns: Panel, factors: Panel) -> Panel:
        """Return the returns of the factors that the betas belong to: those given, or its own.

        Parameters
        ----------
        returns, factors : as for :meth:`fit`.

        Returns
        -------
        A panel with the factors as its assets and the field ``return``, decimal per bar.
        """
        del returns  # a model that is given its factors makes none
        return factors

    def least_bars(self, n_factors: int) -> LeastBars:
        """Return the fewest bars after which fits and residuals can exist.

        A plan compares them with the data, so they must not be too many; 1 and 2, the default,
        promise nothing.

        Raises
        ------
        ParameterError
            If the model cannot be fitted on so many factors at all.
        """
        del n_factors  # the default knows nothing of how the model fits
        return LeastBars(fit=1, residual=2)

    @property
    def error_convention(self) -> str:
        """Return in a sentence what ``beta_errors`` are; empty if the model gives none."""
        return ""

    def beta_errors(self, returns: Panel, factors: Panel) -> Panel:
        """Return the standard errors of the betas of every bar and asset.

        Parameters
        ----------
        returns, factors : as for :meth:`fit`.

        Returns
        -------
        A panel with the axes of ``returns`` and the field ``stderr_<factor>`` of each factor,
        dimensionless like a beta, NaN where there is no fit. It has no field, the default, if the
        model gives none.
        """
        del factors  # the default knows nothing of how the model fits
        return returns.only([])

    def reasons(self, fitted: Panel) -> Mapping[str, int]:
        """Return the windows that have no fit, or only part of one, counted by reason.

        Parameters
        ----------
        fitted : what :meth:`fit` returned.

        Returns
        -------
        Reason -> number of bars and assets; every reason that the model knows, also with 0.
        """
        return {"not_fitted": int(np.isnan(fitted["alpha"]).sum())}

    @abstractmethod
    def fit(self, returns: Panel, factors: Panel) -> Panel:
        """Return the model's fields for every bar and asset.

        Parameters
        ----------
        returns : holds ``return``, simple returns of the assets, decimal per bar.
        factors : holds ``return`` of the factors, whose names are the assets of this panel; same
            bars. For a model with ``own_factors``, a panel without any asset.

        Returns
        -------
        A panel with the axes of ``returns`` and these fields, NaN where the data do not suffice:
        ``alpha`` (decimal per bar), ``beta_<factor>`` for each factor, ``r2``, ``n_obs`` of the
        window that ends at the row; ``residual_return``, the return of the row less what
        coefficients known before it explain. Row t reads rows t - ``warm_up`` … t.

        Raises
        ------
        MissingDataError
            If a panel lacks ``return``.
        ParameterError
            If the bars of the panels differ, there is no factor, or one is given to a model that
            makes its own.
        """


def window_reasons(fitted: Panel, needed: int) -> dict[str, int]:
    """Return the bars and assets without a fit by reason, and those whose returns are all alike.

    Parameters
    ----------
    fitted : alpha, r2 and n_obs of a model.
    needed : observations that a fit needs.

    Returns
    -------
    ``too_few_observations`` and ``rank_deficient`` have no fit; ``constant_return`` has one without
    R².
    """
    has_fit = np.isfinite(fitted["alpha"])
    is_short = fitted["n_obs"] < needed
    return {
        "too_few_observations": int((~has_fit & is_short).sum()),
        "rank_deficient": int((~has_fit & ~is_short).sum()),
        "constant_return": int((has_fit & np.isnan(fitted["r2"])).sum()),
    }


models: Room[FactorModel] = Room("plumbline.factors.models", FactorModel)


def require_same_bars(returns: Panel, factors: Panel) -> None:
    """Raise ParameterError unless the two panels have the same bars and there is a factor."""
    if not factors.n_assets:
        raise ParameterError("the panel of factors has no column; name at least one factor")
    if returns.first_bar != factors.first_bar or not np.array_equal(returns.bars, factors.bars):
        raise ParameterError(
            f"returns and factors need the same bars, got {returns!r} from bar "
            f"{returns.first_bar} and {factors!r} from bar {factors.first_bar}; "
            "cut both with Panel.between or load them on one calendar"
        )


def residual_returns(
    returns: Float[np.ndarray, "bars assets"],
    factors: Float[np.ndarray, "bars factors"],
    alpha: Float[np.ndarray, "bars assets"],
    beta: Float[np.ndarray, "factors bars assets"],
) -> Float[np.ndarray, "bars assets"]:
    """Return each bar's return less what the coefficients of the bar before explain.

    Parameters
    ----------
    returns, factors : decimal per bar.
    alpha, beta : coefficients known at the close of each bar.

    Returns
    -------
    (T, A) decimal per bar; NaN on the first bar and where a return or a coefficient is missing.
    """
    residual = np.full(returns.shape, np.nan)
    if len(returns) > 1:
        explained = alpha[:-1].copy()
        for k in range(len(beta)):
            explained += beta[k, :-1] * factors[1:, k, None]
        residual[1:] = returns[1:] - explained
    return np.where(np.isfinite(residual), residual, np.nan)

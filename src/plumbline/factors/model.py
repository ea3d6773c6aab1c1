"""What a factor model is, and the room that holds them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

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
    parameters and its docstring is its page, with its source under ``References``.
    """

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
            bars.

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
            If the bars of the panels differ or there is no factor.
        """


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

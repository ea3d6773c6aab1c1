"""What a factor model is, and the room that holds them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.core.plugin import Plugin, Room


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

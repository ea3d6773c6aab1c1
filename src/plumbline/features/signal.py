"""What a signal is, and the room that holds them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float

from plumbline.core.panel import Panel
from plumbline.core.plugin import Plugin, Room

PART: Final = "signal:"
"""What the name of a field begins with that holds the signal of a label: ``signal:momentum``."""


@dataclass(frozen=True)
class Signal(Plugin, ABC):
    """A number per bar and asset, known at the close of the bar, high where one would buy.

    A signal is a frozen dataclass in a file of its own in ``features/signals``; its fields are its
    parameters and its docstring is its page, with the paper it comes from under ``References``.
    """

    @abstractmethod
    def requires(self) -> frozenset[str]:
        """Return the fields it reads.

        Bars as loaded (``close``, ``volume``, …), or derived: ``return`` (simple return of the
        bar), ``residual_return`` (causal residual of the study's factor model),
        ``beta_<factor>`` (the model's beta from the window that ends at the bar),
        ``signal:<label>`` (another signal of the study, before anything is neutralised in it).
        """

    @property
    @abstractmethod
    def warm_up(self) -> int:
        """Return how many bars before a row that row may depend on.

        Rows computed from a panel that begins this many bars earlier have the same bits as rows of
        the whole panel. A derived field's own warm-up is not in it.
        """

    @property
    def least_bars(self) -> int:
        """Return the fewest bars of its fields with which a value can exist.

        A plan compares it with the data, so it must not be too many; 1, the default, promises
        nothing.
        """
        return 1

    def least_bars_of(self, field: str) -> int:
        """Return the fewest bars of one of its fields; ``least_bars`` by default.

        Derived fields begin later than the data. A signal that looks back over one of its fields
        and takes another as it is on the bar needs fewer bars of the other.
        """
        del field  # the default makes no difference between them
        return self.least_bars

    @property
    def least_fields(self) -> int:
        """Return of how many of its fields a value needs to be there; all by default."""
        return len(self.requires())

    @property
    def is_cross_sectional(self) -> bool:
        """Return whether a value also depends on the other assets of its bar.

        If not, an asset has the same bits beside any other assets. If so, the order of the assets
        may change the last digits.
        """
        return False

    @abstractmethod
    def compute(self, panel: Panel) -> Float[np.ndarray, "bars assets"]:
        """Return the signal of every bar and asset.

        Parameters
        ----------
        panel : holds the fields of :meth:`requires`; others are ignored.

        Returns
        -------
        (T, A) values, each asset from its own column or from the cross-section, whatever the
        assets are called. NaN where the data do not suffice; never infinite. Row t reads rows
        t - ``warm_up`` … t.

        Raises
        ------
        MissingDataError
            If the panel lacks a required field.
        """


signals: Room[Signal] = Room("plumbline.features.signals", Signal)

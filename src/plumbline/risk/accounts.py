"""What portfolios hold and are worth."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from plumbline.kernels.position_accounting import Holdings
from plumbline.risk.equity import Equity
from plumbline.risk.positions import Lines


class Accounts(NamedTuple):
    """Portfolios through time.

    Parameters
    ----------
    lines : one symbol in one portfolio each.
    holdings : of the lines, from a session on before which nothing happened.
    equity : of the portfolios, on all sessions.
    first : session of the first column of the holdings.
    """

    lines: Lines
    holdings: Holdings
    equity: Equity
    first: int

    def at(self, name: str, days: Int[np.ndarray, " dates"]) -> Shaped[np.ndarray, "lines dates"]:
        """Return a table of the holdings, by its name, at the close of some sessions."""
        table, place = getattr(self.holdings, name), days - self.first
        found = table[:, np.maximum(place, 0)]
        found[:, place < 0] = 0
        return np.asarray(found)

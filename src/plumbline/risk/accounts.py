"""What portfolios hold and are worth on all sessions."""

from typing import NamedTuple

from plumbline.kernels.position_accounting import Holdings
from plumbline.risk.equity import Equity
from plumbline.risk.positions import Lines


class Accounts(NamedTuple):
    """Portfolios on all sessions.

    Parameters
    ----------
    lines : one symbol in one portfolio each.
    holdings : of the lines.
    equity : of the portfolios.
    """

    lines: Lines
    holdings: Holdings
    equity: Equity

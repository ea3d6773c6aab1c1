"""P&L and risk of portfolios: every portfolio, every date, every figure."""

from typing import TYPE_CHECKING

from plumbline.core.fronts import front

if TYPE_CHECKING:
    from plumbline.risk.book import Book as Book
    from plumbline.risk.book import Conventions as Conventions
    from plumbline.risk.market import Market as Market
    from plumbline.risk.market import market_of as market_of
    from plumbline.risk.measurement import measure as measure
    from plumbline.risk.result import RiskResult as RiskResult
    from plumbline.risk.synthesis import synthesize as synthesize
    from plumbline.risk.synthetic_load import Load as Load

_EXPORTS = {
    "Book": "book",
    "Conventions": "book",
    "Load": "synthetic_load",
    "Market": "market",
    "RiskResult": "result",
    "market_of": "market",
    "measure": "measurement",
    "synthesize": "synthesis",
}

__getattr__, __dir__, __all__ = front(__name__, _EXPORTS)

"""Results of portfolios on every date, in Parquet or on a PostgreSQL server.

The room promises that a portfolio-day is there whole or not at all, that what is read equals what
was written bit for bit, and that a reader of a server sees the portfolios of its owner alone.
"""

from typing import TYPE_CHECKING

from plumbline.core.fronts import front

if TYPE_CHECKING:
    from plumbline.store.opening import open_store as open_store
    from plumbline.store.portfolio_store import Chunk as Chunk
    from plumbline.store.portfolio_store import PortfolioStore as PortfolioStore
    from plumbline.store.portfolio_store import Written as Written

_EXPORTS = {
    "Chunk": "portfolio_store",
    "PortfolioStore": "portfolio_store",
    "Written": "portfolio_store",
    "open_store": "opening",
}

__getattr__, __dir__, __all__ = front(__name__, _EXPORTS)

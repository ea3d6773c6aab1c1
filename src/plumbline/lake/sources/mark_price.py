"""Klines of mark prices in the archives of Binance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from plumbline.lake.kline_source import KlineSource


@final
@dataclass(frozen=True)
class MarkPrice(KlineSource):
    """Klines of mark prices, by which futures are margined, as Binance's public archive holds them.

    The fields are ``mark_open mark_high mark_low mark_close`` in the quote currency. Names of their
    own let them stand beside the prices of trades. The other columns say nothing: a mark price has
    no volume.

    References
    ----------
    Binance, "Binance Public Data", https://github.com/binance/binance-public-data.
    """

    def offered(self) -> Mapping[str, str]:
        """Return field -> column of a kline."""
        return {f"mark_{name}": name for name in ("open", "high", "low", "close")}

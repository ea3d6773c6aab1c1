"""Klines of trades in the archives of Binance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from plumbline.lake.kline_source import KlineSource

_FIELDS = (
    *("open", "high", "low", "close", "volume"),
    *("quote_volume", "count", "taker_buy_volume", "taker_buy_quote_volume"),
)


@final
@dataclass(frozen=True)
class Binance(KlineSource):
    """Klines of trades, of spot and futures, as Binance's public archive holds them.

    The fields are ``open high low close`` in the quote currency, ``volume`` and
    ``taker_buy_volume`` in the base currency, ``quote_volume`` and ``taker_buy_quote_volume`` in
    the quote currency, and ``count``, the number of trades.

    References
    ----------
    Binance, "Binance Public Data", https://github.com/binance/binance-public-data.
    """

    def offered(self) -> Mapping[str, str]:
        """Return field -> column of a kline."""
        return {name: name for name in _FIELDS}

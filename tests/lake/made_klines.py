"""Klines made for tests, in every shape that the archives have."""

import gzip
import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime

HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore"
)
SPOT_HEADER = (
    "Open time,Open,High,Low,Close,Volume,Close time,Quote asset volume,Number of trades,"
    "Taker buy base asset volume,Taker buy quote asset volume,Ignore"
)
STEP_MS = 300_000
MARCH = int(datetime(2020, 3, 1, tzinfo=UTC).timestamp() * 1000)


def row(number: int, start_ms: int = MARCH, unit: int = 1) -> list[str]:
    """Return the cells of a five-minute kline; ``unit`` is 1 for milliseconds, 1000 for micro."""
    opens = (start_ms + number * STEP_MS) * unit
    price = 100 + number % 7
    return [
        *(str(opens), f"{price}.10", f"{price + 2}.25", f"{price - 1}.00", f"{price + 1}.50"),
        *(f"{10 + number}.125", str(opens + STEP_MS * unit - 1), f"{1000 + number}.25"),
        *(str(50 + number), f"{5 + number}.0625", f"{500 + number}.5", "0"),
    ]


def rows(n: int, start_ms: int = MARCH, unit: int = 1) -> list[list[str]]:
    """Return the cells of klines in a row."""
    return [row(i, start_ms, unit) for i in range(n)]


def text(cells: Sequence[Sequence[str]], header: str | None = HEADER, end: str = "\n") -> str:
    """Return klines as a file holds them."""
    lines = [",".join(line) for line in cells]
    return "".join(line + end for line in ([] if header is None else [header]) + lines)


def zipped(*members: tuple[str, str]) -> bytes:
    """Return a zip archive of files: pairs of a name and a text."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def gzipped(content: str) -> bytes:
    """Return a text in gzip, without a time stamp."""
    return gzip.compress(content.encode(), mtime=0)

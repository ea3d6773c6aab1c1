"""A server on this machine that speaks as much of Binance's REST interface as bars need."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

from tests.lake.made_klines import MARCH, STEP_MS, row

SYMBOLS = {"BTCUSDT": ("BTC", "USDT"), "ETHUSDT": ("ETH", "USDT")}


@dataclass
class Answer:
    """What the server says instead of the truth.

    Parameters
    ----------
    status : of HTTP.
    body : text; None closes the connection without an answer.
    headers : of HTTP.
    seconds : how long it lets wait.
    """

    status: int = 200
    body: str | None = "[]"
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


class ExchangeServer:
    """An exchange with five-minute bars of two markets.

    Parameters
    ----------
    n_bars : bars since the first of March 2020, the last of which has not closed.
    """

    def __init__(self, n_bars: int) -> None:
        self.n_bars = n_bars
        self.gaps: set[int] = set()
        self.most = 1000
        self.asked: list[tuple[str, int]] = []  # market and start of each call for bars
        self.upsets: list[Answer] = []  # said to calls for bars, one each, before the truth
        self.change: Callable[[list[list[object]]], list[list[object]]] = lambda rows: rows
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._http.server_port}"

    @property
    def now_ms(self) -> int:
        """Return the exchange's time: two minutes into the last bar."""
        return MARCH + (self.n_bars - 1) * STEP_MS + 120_000

    def close(self) -> None:
        """Stop."""
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one call."""
        url = urlparse(handler.path)
        asked = {key: values[0] for key, values in parse_qs(url.query).items()}
        if url.path == "/api/v3/klines":
            self.asked.append((asked["symbol"], int(asked["startTime"])))
            if self.upsets:
                self._send(handler, self.upsets.pop(0))
                return
            said: object = self.change(self.klines(asked))
        elif url.path == "/api/v3/time":
            said = {"serverTime": self.now_ms}
        elif url.path.endswith("/exchangeInfo"):
            said = {"symbols": markets() if url.path.startswith("/api") else []}
        else:
            self._send(handler, Answer(404, json.dumps({"code": -1, "msg": url.path})))
            return
        self._send(handler, Answer(200, json.dumps(said)))

    def klines(self, asked: dict[str, str]) -> list[list[object]]:
        """Return the bars between two times, at most as many as asked for."""
        start, end = int(asked["startTime"]), int(asked.get("endTime", 1 << 60))
        numbers = [
            i
            for i in range(self.n_bars)
            if i not in self.gaps and start <= MARCH + i * STEP_MS <= end
        ]
        found = numbers[: min(self.most, int(asked["limit"]))]
        return [[int(c) if i in (0, 6, 8) else c for i, c in enumerate(row(n))] for n in found]

    def _send(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        time.sleep(answer.seconds)
        if answer.body is None:
            handler.connection.close()
            return
        content = answer.body.encode()
        handler.send_response(answer.status)
        for key, value in {"Content-Type": "application/json", **answer.headers}.items():
            handler.send_header(key, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)


def markets() -> list[dict[str, object]]:
    """Return the markets in the form of ``exchangeInfo``."""
    return [
        {
            "symbol": name,
            "status": "TRADING",
            "baseAsset": base,
            "quoteAsset": quote,
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "orderTypes": ["LIMIT"],
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "permissions": ["SPOT"],
            "permissionSets": [["SPOT"]],
            "filters": [],
        }
        for name, (base, quote) in SYMBOLS.items()
    ]

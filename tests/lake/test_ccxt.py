"""Bars of an exchange, from a server that speaks its interface."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from plumbline.core.errors import ParameterError, SourceError
from plumbline.lake.sources.binance import Binance
from plumbline.lake.sources.ccxt import Ccxt
from tests.lake.exchange_server import Answer, ExchangeServer
from tests.lake.made_klines import MARCH, STEP_MS, row, rows, text
from tests.lake.refusals import refused, state

pytest.importorskip("ccxt", reason="the extra crypto is not installed")
GRID = "24/7 5m"
N_BARS = 205  # two whole portions of a hundred, and one that goes on; the last bar has not closed


@pytest.fixture
def server():
    made = ExchangeServer(N_BARS)
    yield made
    made.close()


def source_of(server, **options) -> Ccxt:
    told = {
        "since": "2020-03-01",
        "portion_bars": 100,
        "first_wait_seconds": 0.001,
        "timeout_seconds": 2.0,
        **options,
    }
    return Ccxt("binance", told.pop("symbols", "BTC/USDT"), address=server.address, **told)


def ingest(lake, source, base):
    return lake.ingest("x", source, calendar=GRID, base=base)


def closes(lake) -> list[float]:
    return lake.panel("x")["close"][:, 0].tolist()


TRUTH = [float(cells[4]) for cells in rows(N_BARS - 1)]


def test_the_bars_are_those_of_the_exchange_without_the_one_that_goes_on(
    lake, server, write, tmp_path
):
    done = ingest(lake, source_of(server), tmp_path)
    assert done.quality.height == 0
    assert done.dataset.n_rows == N_BARS - 1
    write("BTCUSDT-5m-2020-03.csv", text(rows(N_BARS - 1)))
    prices = ("open", "high", "low", "close", "volume")
    lake.ingest("file", Binance("*.csv", fields=prices), calendar=GRID, base=tmp_path)
    fetched, read = lake.panel("x"), lake.panel("file")
    assert_array_equal(lake.dataset("x").closes(), lake.dataset("file").closes())
    for field in prices:
        assert_array_equal(fetched[field], read[field])


def test_whole_portions_are_fetched_once_and_the_last_one_again(lake, server, tmp_path):
    source = source_of(server, symbols=("BTC/USDT", "ETH/USDT"))
    ingest(lake, source, tmp_path)
    portion_ms = 100 * STEP_MS
    first = MARCH // portion_ms
    starts = [(first + i) * portion_ms for i in range(3)]
    assert server.asked == [(s, t) for s in ("BTCUSDT", "ETHUSDT") for t in starts]
    server.asked.clear()
    server.n_bars += 1
    assert ingest(lake, source, tmp_path).dataset.n_rows == 2 * N_BARS
    assert server.asked == [(symbol, starts[2]) for symbol in ("BTCUSDT", "ETHUSDT")]
    portions = [path.name for path in (lake.root / "fetched").rglob("*.portion")]
    assert len(portions) == 6, "the portion that went on is replaced"
    assert sum("-final-" in name for name in portions) == 4


def test_the_same_bars_are_recognised(lake, server, tmp_path):
    ingest(lake, source_of(server), tmp_path)
    again = lake.prepare("x", source_of(server), calendar=GRID, base=tmp_path)
    assert again.rows is None


def test_a_fetch_that_is_killed_goes_on_where_it_was(lake, server, tmp_path):
    """A process that dies at the third call leaves two portions; the next fetches the rest."""
    program = (
        "import os, sys\nfrom pathlib import Path\n"
        "from plumbline.lake.opening import open_lake\n"
        "from plumbline.lake.sources.ccxt import Ccxt\n"
        "import plumbline.lake.exchange as exchange\n"
        "whole, left = exchange.Exchange.rows, [2]\n"
        "def rows(self, *asked):\n"
        "    left[0] -= 1\n"
        "    if left[0] < 0:\n        os.kill(os.getpid(), 9)\n"
        "    return whole(self, *asked)\n"
        "exchange.Exchange.rows = rows\n"
        "told = {'address': sys.argv[2], 'portion_bars': 100}\n"
        "source = Ccxt('binance', 'BTC/USDT', '2020-03-01', **told)\n"
        f"open_lake(sys.argv[1]).ingest('x', source, calendar={GRID!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(lake.root), server.address], check=False
    )
    assert done.returncode == -9
    assert lake.datasets() == []
    assert len(server.asked) == 2
    server.asked.clear()
    ingest(lake, source_of(server), tmp_path)
    assert len(server.asked) == 1
    assert closes(lake) == TRUTH


def test_a_kept_portion_that_is_damaged_is_fetched_again(lake, server, tmp_path):
    ingest(lake, source_of(server), tmp_path)
    portion = min((lake.root / "fetched").rglob("*final*.portion"))
    portion.write_bytes(portion.read_bytes().replace(b"1", b"2"))
    server.asked.clear()
    ingest(lake, source_of(server), tmp_path)
    assert len(server.asked) == 2
    assert closes(lake) == TRUTH


UPSETS = [
    Answer(429, '{"code": -1003, "msg": "Too many requests."}', {"Retry-After": "0"}),
    Answer(418, '{"code": -1003, "msg": "Way too many requests; IP banned."}'),
    Answer(500, "oh"),
    Answer(502, "<html>bad gateway</html>"),
    Answer(503, "{}"),
    Answer(200, '[[1583020800000, "1'),
    Answer(200, ""),
    Answer(200, '{"strange": true}'),
    Answer(200, "<html>maintenance</html>"),
    Answer(200, '[[1583020800000, "1"]]'),
    Answer(200, '[[1583020800000, null, "2", "1", "1", "5"]]'),
    Answer(200, '[[1583020800001, "1", "2", "1", "1", "5"]]'),
    Answer(200, None),
    Answer(200, "[]", seconds=1.2),
]


@pytest.mark.parametrize("upset", UPSETS, ids=lambda answer: f"{answer.status} {answer.body}")
def test_an_answer_that_fails_once_is_asked_for_again(lake, server, tmp_path, upset):
    server.upsets = [upset]
    ingest(lake, source_of(server, timeout_seconds=1.0), tmp_path)
    assert closes(lake) == TRUTH
    assert len(server.asked) == 4


@pytest.mark.parametrize("upset", UPSETS[:10:3], ids=lambda answer: f"{answer.status}")
def test_an_exchange_that_keeps_failing_is_told_and_nothing_is_ingested(
    lake, server, tmp_path, upset
):
    server.upsets = [Answer(), Answer(), *[upset] * 9]
    before = state(lake)
    source = source_of(server, attempts=3)
    with pytest.raises(SourceError) as caught:
        ingest(lake, source, tmp_path)
    assert "failed 3 times in a row, the last time with: " in str(caught.value)
    assert caught.value.subject == f"ccxt binance at {server.address}"
    assert state(lake) == before


def test_rows_twice_and_out_of_order_are_put_right(lake, server, tmp_path):
    server.change = lambda found: [*reversed(found), *found[:3]]
    ingest(lake, source_of(server), tmp_path)
    assert closes(lake) == TRUTH


def test_two_bars_of_one_time_that_differ_are_not_believed(lake, server, tmp_path):
    def doubled(found):
        return [*found, [*found[0][:4], "1", *found[0][5:]]] if found else found

    server.change = doubled
    (problem,) = refused(lake, source_of(server, attempts=2), tmp_path, GRID)
    assert f"the answer holds two bars of {MARCH} that differ" in problem


def test_a_gap_of_the_exchange_stays_a_gap(lake, server, tmp_path):
    server.gaps = {*range(20, 60), *range(150, N_BARS - 5)}
    done = ingest(lake, source_of(server), tmp_path)
    assert done.dataset.n_rows == N_BARS - 1 - 40 - 50
    found = done.quality.filter(rule="gap")["value"].to_list()
    assert found == [40.0, 50.0]
    values = np.array(closes(lake))
    assert np.isnan(values[20:60]).all()
    assert_array_equal(values[60:150], TRUTH[60:150])


def test_a_limit_of_the_exchange_below_a_portion_is_no_gap(lake, server, tmp_path):
    server.most = 30
    ingest(lake, source_of(server), tmp_path)
    assert closes(lake) == TRUTH


def test_an_exchange_that_ignores_what_is_asked_is_cut_to_it(lake, server, tmp_path):
    server.change = lambda _: server.klines({"startTime": "0", "limit": "1000"})
    ingest(lake, source_of(server), tmp_path)
    assert closes(lake) == TRUTH


def test_days_bound_what_is_taken(lake, server, tmp_path):
    server.n_bars = 3 * 288
    source = source_of(server, since="2020-03-02", until="2020-03-03")
    done = ingest(lake, source, tmp_path)
    assert done.dataset.n_rows == 288
    first = int(row(288)[0]) + STEP_MS
    assert done.dataset.closes()[0].astype("datetime64[ms]").astype(int) == first


def test_markets_and_lengths_that_are_not_there_are_named(lake, server, tmp_path):
    problems = refused(lake, source_of(server, symbols=("BTC/USD", "ETH/USDT")), tmp_path, GRID)
    assert problems == ("no market 'BTC/USD'; did you mean 'BTC/USDT'?",)
    (problem,) = refused(lake, source_of(server), tmp_path, "XNYS")
    assert problem == "the exchange never closes: say calendar: '24/7 1h', not XNYS"
    (problem,) = refused(lake, Ccxt("binanc", "BTC/USDT", "2020-03-01"), tmp_path, GRID)
    assert problem == "ccxt knows no exchange 'binanc'; did you mean 'binance'?"


def test_wrong_parameters_are_told_all_at_once():
    with pytest.raises(ParameterError) as caught:
        Ccxt("", (), "yesterday", until="x", portion_bars=0, attempts=0, timeout_seconds=0.0)
    said = str(caught.value)
    for word in ("exchange", "symbols", "since=", "until=", "portion_bars", "attempts", "timeout"):
        assert word in said
    with pytest.raises(ParameterError, match="until=2020-01-01 must be later than since"):
        Ccxt("binance", "BTC/USDT", "2020-01-01", until="2020-01-01")


def test_the_source_writes_nothing_by_itself(server, tmp_path):
    source = source_of(server)
    assert source.files(tmp_path) == ()
    assert list(tmp_path.iterdir()) == []
    assert Path(source.exchange).exists() is False


def test_an_address_with_a_password_is_refused_as_it_would_stand_in_messages():
    with pytest.raises(ParameterError, match="must hold no user or password") as caught:
        Ccxt("binance", "BTC/USDT", since="2024-01-01", address="https://me:hunter2@proxy/x")
    assert "hunter2" not in str(caught.value)

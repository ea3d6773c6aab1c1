"""Keys change with whatever a portfolio-day depends on, and with nothing else."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from plumbline.risk.analytics.correlation import Correlation
from plumbline.risk.analytics.market_beta import MarketBeta
from plumbline.risk.analytics.sector import Sector
from plumbline.risk.analytics.tail import Tail
from plumbline.risk.book import Book
from plumbline.risk.measurement import measure
from plumbline.risk.portfolio_keys import key_texts, portfolio_keys
from tests.risk.made_books import HELD, among, made_book, made_history

KINDS = {"market_beta": MarketBeta(), "tail": Tail(), "correlation": Correlation()}
LAST = 12  # sessions that are measured


@pytest.fixture(scope="module")
def known():
    market = made_history(3)
    book = made_book(np.random.default_rng(5), among(market, HELD), 12)
    dates = market.dates[-LAST:].tolist()
    return market, book, dates, portfolio_keys(book, market, KINDS), _rows(book, market, dates)


def _rows(book, market, dates):
    result = measure(book, market, dates=dates, analytics=KINDS)
    keys = ["portfolio", "date"]
    return result.snapshots.join(result.measures, on=keys).sort(keys)


def _same(keys, again):
    return (keys.words == again.words)[:, -LAST:]


def _is_equal(rows, again, keys):
    """Return (P, D) whether a portfolio-day has the same figures in both."""
    out = np.ones((len(keys.portfolios), LAST), dtype=bool)
    hashes = [
        dict(zip(r.select("portfolio", "date").rows(), r.rows(), strict=True))
        for r in (rows, again)
    ]
    for p, name in enumerate(keys.portfolios):
        for d, date in enumerate(keys.dates[-LAST:].tolist()):
            out[p, d] = hashes[0].get((name, date)) == hashes[1].get((name, date))
    return out


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_equal_keys_mean_equal_figures_whatever_price_or_trade_is_corrected(known, seed):
    market, book, dates, keys, rows = known
    rng = np.random.default_rng(seed)
    symbol = int(rng.integers(len(market.symbols)))
    day = int(rng.integers(market.dates.size - 3 * LAST, market.dates.size))
    if rng.random() < 0.5:
        close = market.close.copy()
        close[symbol, day] = np.nan if rng.random() < 0.2 else close[symbol, day] * 1.01
        market = replace(market, close=close)
    else:
        at = int(rng.integers(book.trades.height))
        name = str(rng.choice(["quantity", "price", "fees"]))
        is_it = pl.int_range(pl.len()) == at
        moved = pl.when(is_it).then(pl.col(name) * 1.5 + 1.0).otherwise(name).alias(name)
        book = replace(book, trades=book.trades.with_columns(moved))
    again = portfolio_keys(book, market, KINDS)
    same = _same(keys, again)
    assert _is_equal(rows, _rows(book, market, dates), keys)[same].all()


def test_a_late_price_changes_the_days_of_those_that_hold_the_symbol_from_then_on(known):
    market, book, _, keys, _ = known
    result = measure(book, market, analytics=[])
    for symbol in HELD:
        day = market.dates.size - 5
        close = market.close.copy()
        close[market.place[symbol], day] *= 1.01
        again = portfolio_keys(book, replace(market, close=close), KINDS)
        changed = keys.words != again.words
        lines = result.exposures.filter(pl.col("symbol") == symbol, pl.col("quantity") != 0)
        held = set(lines.select("portfolio", "date").rows())
        for p, name in enumerate(keys.portfolios):
            is_held = [(name, date) in held for date in market.dates.tolist()]
            active = [a or b for a, b in zip(is_held, [False, *is_held[:-1]], strict=True)]
            first = next((t for t in range(day, len(active)) if active[t]), len(active))
            expected = np.arange(len(active)) >= first
            assert (changed[p] == expected).all(), (symbol, name)


def test_a_benchmark_changes_all_days_from_then_on_and_settings_change_all(known):
    market, book, _, keys, _ = known
    close = market.close.copy()
    close[market.place["SPY"], -3] *= 1.01
    again = portfolio_keys(book, replace(market, close=close), KINDS)
    assert (keys.words[:, :-3] == again.words[:, :-3]).all()
    assert (keys.words[:, -3:] != again.words[:, -3:]).all()
    other = portfolio_keys(book, market, KINDS | {"tail": Tail(window_bars=200)})
    is_open = np.arange(market.dates.size) >= keys.opened[:, None]
    assert ((keys.words != other.words) == is_open).all()
    assert 0 < is_open.mean() < 1


def test_keys_do_not_depend_on_other_portfolios_nor_on_later_prices(known):
    market, book, _, keys, _ = known
    names = keys.portfolios[2:5]
    alone = portfolio_keys(book.only(names), market, KINDS)
    assert (alone.words == keys.words[2:5]).all()
    cut = market.dates.size - 4
    tables = {n: getattr(market, n)[:, :cut] for n in ("close", "split", "dividend")}
    shorter = replace(market, dates=market.dates[:cut], **tables)
    early = replace(
        book,
        trades=book.trades.filter(pl.col("date") <= shorter.dates[-1].item()),
        cash_flows=book.cash_flows.filter(pl.col("date") <= shorter.dates[-1].item()),
    )
    assert (portfolio_keys(early, shorter, KINDS).words == keys.words[:, :cut]).all()


def test_shared_tables_change_with_the_symbols_that_are_held(known):
    market, book, _, keys, _ = known
    close = market.close.copy()
    close[market.place["AAA"], -1] *= 1.01
    again = portfolio_keys(book, replace(market, close=close), KINDS)
    assert (keys.shared[:-1] == again.shared[:-1]).all()
    assert keys.shared[-1] != again.shared[-1]


def test_a_symbol_that_nobody_holds_changes_no_key(known):
    market, book, _, keys, _ = known
    extra = {n: np.vstack([getattr(market, n)[:1], getattr(market, n)]) for n in ("close", "split")}
    paid = np.vstack([market.dividend[:1], market.dividend])
    more = replace(market, symbols=("A", *market.symbols), dividend=paid, **extra)
    again = portfolio_keys(book, more, KINDS)
    assert (again.words == keys.words).all()
    assert (again.shared == keys.shared).all()


def test_order_of_rows_changes_keys_within_a_symbol_alone():
    market = made_history(3)
    day = market.dates[-LAST].item()
    rows = [("AAA", 2.0, 50.0), ("BBB", 1.0, 40.0), ("AAA", -1.0, 55.0), ("CCC", 3.0, 30.0)]
    rows.append(("AAA", -2.0, 60.0))
    flows = [("fee", 1.0), ("interest", 2.0), ("fee", 0.1)]

    def words_of(places, flow_places=(0, 1, 2)):
        trades = pl.DataFrame(
            [rows[at] for at in places], schema=["symbol", "quantity", "price"], orient="row"
        )
        cash = pl.DataFrame(
            [flows[at] for at in flow_places], schema=["kind", "amount"], orient="row"
        )
        here = {"portfolio": pl.lit("p"), "date": pl.lit(day)}
        book = Book.from_frames(
            portfolios=pl.DataFrame({"portfolio": ["p"], "opened_on": [day]}),
            trades=trades.with_columns(**here),
            cash_flows=cash.with_columns(**here),
        )
        result = measure(book, market, dates=[day], analytics=[])
        return portfolio_keys(book, market, KINDS).words[0, -LAST:], result

    words, result = words_of((0, 1, 2, 3, 4))
    for others, flow_places in (((3, 0, 2, 1, 4), (0, 1, 2)), ((0, 1, 2, 3, 4), (1, 0, 2))):
        again, other = words_of(others, flow_places)
        assert (again == words).all()
        assert_frame_equal(other.snapshots, result.snapshots, check_exact=True)
    turned, other = words_of((0, 1, 4, 3, 2))  # another of the two sales opens a short holding
    assert (turned != words).all()
    assert other.snapshots["realised"][0] != result.snapshots["realised"][0]


def test_what_is_opened_and_gone_within_a_session_counts_with_its_terms_and_prices(known):
    market = known[0]
    day = market.dates[-LAST].item()
    trades = pl.DataFrame({"portfolio": "p", "date": [day], "symbol": "C", "quantity": 1.0})
    terms = {"class": "option", "underlying": "AAA", "expiry": day, "right": "call"}

    def keys_and_equity(strike=1.0, close=100.0):
        book = Book.from_frames(
            portfolios=pl.DataFrame({"portfolio": ["p"], "opened_on": [day]}),
            trades=trades.with_columns(price=pl.lit(2.0)),
            instruments=pl.DataFrame(
                [{"symbol": "AAA", "class": "equity"}, {"symbol": "C", "strike": strike} | terms],
                infer_schema_length=None,
            ),
        )
        table = market.close.copy()
        table[market.place["AAA"], -LAST] = close
        prices = replace(market, close=table)
        words = portfolio_keys(book, prices, KINDS).words[0, -LAST:]
        return words, measure(book, prices, dates=[day], analytics=[]).snapshots["equity"][0]

    words, equity = keys_and_equity()
    for change in ({"strike": 2.0}, {"close": 101.0}):
        others, other = keys_and_equity(**change)
        assert other != equity
        assert (others != words).all()


def test_keys_as_text_hold_inputs_and_code():
    words = np.array([1, 2**64 - 1], dtype=np.uint64)
    assert key_texts(words, "ab" * 16).to_list() == [
        "0000000000000001" + "ab" * 8,
        "f" * 16 + "ab" * 8,
    ]


def test_sectors_of_symbols_that_a_portfolio_does_not_hold_change_none_of_its_bits():
    market = made_history(4, gaps=0.0)
    rng = np.random.default_rng(2)
    held = [*HELD, *(fund for fund in market.symbols if fund not in HELD)]
    day = market.dates[-LAST].item()
    rows = [{"symbol": s, "sector": f"s{place:02d}"} for place, s in enumerate(held)]
    others = [{"symbol": f"z{place}", "sector": f"a{place}"} for place in range(5)]
    trades = pl.DataFrame({"symbol": held, "quantity": rng.uniform(1, 9, len(held))})
    trades = trades.with_columns(portfolio=pl.lit("p"), date=pl.lit(day), price=pl.lit(50.0))
    opened = pl.DataFrame({"portfolio": ["p"], "opened_on": [day], "opening_cash": [1e6]})

    def found(instruments):
        book = Book.from_frames(
            portfolios=opened, trades=trades, instruments=pl.DataFrame(instruments)
        )
        days = market.dates[-LAST:].tolist()
        result = measure(book, market, dates=days, analytics={"sector": Sector()})
        return portfolio_keys(book, market, {"sector": Sector()}).words, result

    words, result = found(rows)
    for n_others in range(1, len(others) + 1):
        again, other = found([*rows, *others[:n_others]])
        assert (again == words).all()
        assert_frame_equal(other.measures, result.measures, check_exact=True)
        assert_frame_equal(other.sectors, result.sectors, check_exact=True)

"""Holdings through time are what a bookkeeper writes down, and no gain is counted twice."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.kernels.position_accounting import (
    Holdings,
    Marks,
    Trades,
    hold,
    mark_held,
    mark_rows,
)
from tests.oracles.accounting import hold_slowly


def made(seed: int, n_lines: int, n_days: int, n_symbols: int = 5):
    """Return lines with trades both ways, gaps, splits, dividends, and a symbol that expires."""
    rng = np.random.default_rng(seed)
    price = np.exp(rng.normal(3, 0.4, (n_symbols, n_days)))
    price[rng.random(price.shape) < 0.3] = np.nan
    split = np.where(rng.random(price.shape) < 0.1, rng.choice([2.0, 3.0, 0.1, 1.5]), 1.0)
    dividend = np.where(rng.random(price.shape) < 0.2, rng.random(price.shape), 0.0)
    expiry = np.full(n_symbols, -1)
    settlement = np.full(n_symbols, np.nan)
    expiry[0], settlement[0] = n_days // 2, rng.choice([0.0, 3.0, np.nan])
    multiplier = rng.choice([1.0, 100.0], n_symbols)
    symbol = rng.integers(0, n_symbols, n_lines)
    counts = rng.integers(0, 7, n_lines)
    start = np.append(0, np.cumsum(counts))
    day = np.concatenate([np.sort(rng.integers(0, n_days, n)) for n in counts] or [[]])
    quantity = rng.choice([-1.0, 1.0], day.size) * rng.choice(
        [1.0, 2.0, 2.5, 1e-6, 1e7, 1 / 3], day.size
    )
    paid = np.exp(rng.normal(3, 0.4, day.size))
    trades = Trades(start, day.astype(np.int64), quantity, paid)
    return symbol, trades, Marks(price, split, dividend, expiry, settlement, multiplier)


@given(
    seed=st.integers(0, 2**32 - 1),
    n_lines=st.integers(0, 4),
    n_days=st.integers(1, 15),
    by_lots=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_holdings_are_those_of_a_bookkeeper(seed, n_lines, n_days, by_lots):
    symbol, trades, marks = made(seed, n_lines, n_days)
    pays = np.random.default_rng(seed).random(n_lines) < 0.5
    out = hold(symbol, trades, marks, pays, by_lots=by_lots)
    for line in range(n_lines):
        own = slice(trades.start[line], trades.start[line + 1])
        s = symbol[line]
        days = hold_slowly(
            list(zip(trades.day[own], trades.quantity[own], trades.price[own], strict=True)),
            marks.price[s],
            marks.split[s],
            marks.dividend[s],
            marks.multiplier[s],
            expiry=marks.expiry[s],
            settlement=marks.settlement[s],
            pays=pays[line],
            by_lots=by_lots,
        )
        scale = 1.0 + np.abs(trades.quantity[own]).sum() * 1e4 * marks.multiplier[s]
        for name in Holdings._fields:
            wanted = np.array([day[name] for day in days])
            assert_allclose(
                getattr(out, name)[line], wanted, rtol=1e-9, atol=1e-9 * scale, err_msg=name
            )


@given(seed=st.integers(0, 2**32 - 1), by_lots=st.booleans())
@settings(max_examples=60, deadline=None)
def test_what_is_gained_is_the_change_of_value_less_what_was_paid(seed, by_lots):
    symbol, trades, marks = made(seed, 6, 20)
    out = hold(symbol, trades, marks, np.ones(6, dtype=bool), by_lots=by_lots)
    before = np.hstack([np.zeros((6, 1)), out.value[:, :-1]])
    unrealised = out.value - out.cost
    gained = np.diff(unrealised, axis=1, prepend=0.0) + out.realised
    scale = np.abs(out.value).max() + np.abs(out.traded).max() + 1.0
    assert_allclose(out.value - before - out.traded, gained, rtol=0, atol=1e-12 * scale)


@given(seed=st.integers(0, 2**32 - 1), by_lots=st.booleans())
@settings(max_examples=40, deadline=None)
def test_tables_may_begin_with_the_first_trade_and_held_symbols_are_marked_without_them(
    seed, by_lots
):
    symbol, trades, marks = made(seed, 6, 20)
    pays = np.ones(6, dtype=bool)
    whole = hold(symbol, trades, marks, pays, by_lots=by_lots)
    first = int(trades.day.min(initial=19))
    late = hold(symbol, trades, marks, pays, by_lots=by_lots, first=first)
    for name in Holdings._fields:
        assert_array_equal(getattr(late, name), getattr(whole, name)[:, first:], err_msg=name)
    rng = np.random.default_rng(seed)
    days, row = np.sort(rng.choice(20, 5, replace=False)), rng.integers(0, 3, 5)
    found, wanted = np.zeros((3, 5), dtype=bool), np.zeros((3, 5), dtype=bool)
    mark_held(symbol, trades, marks, row[symbol], days, found)
    np.logical_or.at(wanted, row[symbol], whole.quantity[:, days] != 0)
    assert_array_equal(found, wanted)
    found[:] = False
    mark_rows(row[symbol], whole.quantity[:, days] != 0, found)
    assert_array_equal(found, wanted)

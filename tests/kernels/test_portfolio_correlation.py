"""Diversification of portfolios is what LAPACK gives for each by itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.kernels.pair_correlation import pair_correlation
from plumbline.kernels.portfolio_correlation import (
    Alikeness,
    _dates_at_once,
    held_matrix,
    portfolio_correlation,
)
from plumbline.kernels.weighted_series import Weights
from plumbline.kernels.window_levels import levels_of
from plumbline.kernels.window_pairs import Windows
from tests.oracles.alikeness import alikeness_of


def made(seed: int, n_symbols: int, gaps: float = 0.0):
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.5, 3, (n_symbols, 1))
    returns = rng.normal(size=(1, 110)) + rng.normal(size=(n_symbols, 110)) * scale
    returns[rng.random(returns.shape) < gaps] = np.nan
    return rng, Windows(returns, np.arange(80, 110), 80, 3, 48)


def weights_of(rng, n_symbols: int, n_portfolios: int, n_dates: int) -> Weights:
    held = [
        np.sort(rng.choice(n_symbols, rng.integers(0, n_symbols + 1), replace=False))
        for _ in range(n_portfolios)
    ]
    start = np.cumsum([0, *map(len, held)])
    symbol = np.concatenate([*held, []]).astype(np.int64)
    weight = rng.normal(size=(symbol.size, n_dates)) * (rng.random((symbol.size, n_dates)) < 0.8)
    return Weights(start, symbol, weight, np.ones((n_portfolios, n_dates)))


def measured(weights: Weights, windows: Windows) -> Alikeness:
    return portfolio_correlation(weights, windows, levels_of(windows))


@given(seed=st.integers(0, 2**32 - 1), n_symbols=st.integers(1, 25), n_portfolios=st.integers(0, 3))
@settings(max_examples=25, deadline=None)
def test_figures_are_those_of_each_portfolio_and_date_by_itself(seed, n_symbols, n_portfolios):
    rng, windows = made(seed, n_symbols)
    windows.returns[rng.random(n_symbols) < 0.1] = np.nan
    weights = weights_of(rng, n_symbols, n_portfolios, windows.ends.size)
    found = measured(weights, windows)
    for p, d in np.ndindex(n_portfolios, windows.ends.size):
        own = slice(weights.start[p], weights.start[p + 1])
        window = windows.returns[weights.symbol[own], d + 1 : d + 81]
        is_in = (weights.weight[own, d] != 0) & ~np.isnan(window).any(axis=1)
        assert found.n_symbols[p, d] == is_in.sum()
        if not is_in.any():
            assert np.isnan(found.effective_bets[p, d])
            continue
        kept = window[is_in]
        matrix = np.corrcoef(kept).reshape(len(kept), len(kept))
        wanted = alikeness_of(weights.weight[own, d][is_in], kept.std(axis=1, ddof=1), matrix)
        for name, value in wanted.items():
            assert_allclose(getattr(found, name)[p, d], value, 1e-9, 1e-12, err_msg=name)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_a_date_has_the_same_bits_beside_any_others_and_pairs_are_those_of_the_table(seed):
    rng, windows = made(seed, 14, gaps=0.02)
    weights = weights_of(rng, 14, 3, windows.ends.size)
    found = measured(weights, windows)
    some = np.sort(rng.choice(windows.ends.size, 4, replace=False))
    few = windows._replace(ends=windows.ends[some])
    part = weights._replace(weight=weights.weight[:, some].copy(), gross=weights.gross[:, some])
    for name, table in measured(part, few)._asdict().items():
        assert_array_equal(table, getattr(found, name)[:, some], err_msg=name)
    levels, held = levels_of(windows), np.ones((14, windows.ends.size), dtype=bool)
    pairs = pair_correlation(windows, levels, held, dtype=np.float64)
    square = np.eye(14)
    for p, d in np.ndindex(3, windows.ends.size):
        square[np.triu_indices(14, 1)] = pairs.values[pairs.start[d] : pairs.start[d + 1]]
        lines, matrix = held_matrix(weights, windows, levels, p, d)
        kept = weights.symbol[lines]
        assert_array_equal(np.triu(matrix), np.triu(square[np.ix_(kept, kept)]))


def returns_with(matrix: np.ndarray) -> np.ndarray:
    """Return 40 returns of symbols that have some correlations exactly, but for rounding."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, len(matrix)))
    basis, _ = np.linalg.qr(x - x.mean(axis=0))
    return np.ascontiguousarray((basis @ np.linalg.cholesky(matrix).T).T)


def one_date(returns: np.ndarray) -> Windows:
    return Windows(np.ascontiguousarray(returns), np.array([returns.shape[1] - 1]), 40, 0, 10)


def test_one_symbol_is_one_bet_and_two_that_move_as_one_are_one():
    own = returns_with(np.eye(2))
    windows = one_date(own[[0, 0, 1]])
    weights = Weights(
        np.array([0, 1, 3, 5]),
        np.array([0, 0, 1, 0, 2]),
        np.array([[0.3], [1], [1], [1], [1.0]]),
        np.ones((3, 1)),
    )
    found = measured(weights, windows)
    assert_allclose(found.effective_bets[:, 0], [1, 1, 2], rtol=1e-12)
    assert_allclose(found.diversification[:, 0], [1, 1, np.sqrt(2)], rtol=1e-12)
    assert np.isnan(found.mean[0, 0])


def test_a_hedge_that_cancels_all_has_no_figures_of_the_whole():
    own = returns_with(np.eye(1))
    weights = Weights(np.array([0, 2]), np.arange(2), np.array([[1.0], [-1.0]]), np.ones((1, 1)))
    found = measured(weights, one_date(own[[0, 0]]))
    assert np.isnan(found.diversification[0, 0])
    assert found.weighted_mean[0, 0] == pytest.approx(1.0)


@pytest.mark.parametrize("n_still", [1, 2])
def test_symbols_that_do_not_move_are_left_out_wherever_they_stand(n_still):
    moving = returns_with(np.eye(1))
    still = np.repeat([[0.0], [1e-4]], moving.shape[1], axis=1)[:n_still]
    weights = Weights(
        np.array([0, n_still + 1]),
        np.arange(n_still + 1),
        np.full((n_still + 1, 1), 0.5),
        np.ones((1, 1)),
    )
    for rows in ([still, moving], [moving, still]):
        found = measured(weights, one_date(np.vstack(rows)))
        assert (found.n_symbols[0, 0], found.covered[0, 0]) == (1, 0.5)
        assert_allclose((found.diversification[0, 0], found.effective_bets[0, 0]), 1.0, rtol=1e-12)
    alone = weights._replace(start=np.array([0, n_still]))
    none = measured(alone, one_date(still))
    assert (none.n_symbols[0, 0], none.covered[0, 0]) == (0, 0.0)
    assert np.isnan(none.effective_bets[0, 0])


def test_a_symbol_that_lacks_the_most_pairs_is_left_out():
    returns = np.random.default_rng(2).normal(size=(4, 40))
    returns[2, :25] = np.nan
    returns[:2, 33:] = np.nan  # 0-2 and 1-2 have eight returns, 2-3 have fifteen
    windows, levels = one_date(returns), levels_of(one_date(returns))
    weights = Weights(np.array([0, 4]), np.arange(4), np.ones((4, 1)), np.ones((1, 1)))
    lines, matrix = held_matrix(weights, windows, levels, 0, 0)
    assert lines.tolist() == [0, 1, 3]
    assert_allclose(matrix[:2, :2], np.corrcoef(returns[:2, :33]), rtol=1e-12)
    found = portfolio_correlation(weights, windows, levels)
    assert (found.n_symbols[0, 0], found.covered[0, 0]) == (3, 3.0)


def test_a_matrix_that_no_returns_have_is_named():
    a, b, c = np.random.default_rng(4).normal(size=(3, 12))
    none = np.full(12, np.nan)
    returns = np.array(
        [
            np.concatenate([a, none, c]),
            np.concatenate([a + 0.1 * b, b, none]),
            np.concatenate([none, b + 0.1 * a, -c]),
        ]
    )
    weights = Weights(np.array([0, 3]), np.arange(3), np.ones((3, 1)), np.ones((1, 1)))
    found = measured(weights, one_date(returns))
    assert found.is_indefinite[0, 0]
    assert np.isnan(found.effective_bets[0, 0])
    assert np.isfinite(found.mean[0, 0])


def some_of(weights: Weights, portfolios: list[int]) -> Weights:
    """Return some of the portfolios, in an order of their own."""
    lines = [np.arange(weights.start[p], weights.start[p + 1]) for p in portfolios]
    own = np.concatenate(lines)
    start = np.cumsum([0, *map(len, lines)])
    return Weights(start, weights.symbol[own], weights.weight[own], weights.gross[portfolios])


def test_bits_depend_on_no_other_portfolio_and_no_other_date():
    sizes = [40, 1, 2, 8, 9, 0, 17, 40]
    rng = np.random.default_rng(5)
    returns = rng.normal(size=(1, 320)) + rng.normal(size=(45, 320))
    some = rng.random(45) < 0.3
    returns[some] = np.where(rng.random((some.sum(), 320)) < 0.03, np.nan, returns[some])
    returns[3, :130], returns[4], returns[5, ::7] = np.nan, 0.5, 1e6  # late, flat, far from zero
    windows = Windows(returns, np.arange(70, 320, 2), 60, 7, 30)  # of five blocks
    held = [rng.choice(45, n, replace=False) for n in sizes]
    weight = rng.normal(size=(sum(sizes), 125)) * (rng.random((sum(sizes), 125)) < 0.95)
    weights = Weights(
        np.cumsum([0, *sizes]), np.concatenate(held), weight, np.ones((len(sizes), 125))
    )
    together = measured(weights, windows)
    assert together.is_indefinite.any()
    assert np.isfinite(together.effective_bets[[0, 1, 2, 3, 4, 6, 7]]).any(axis=1).all()
    for portfolios in ([4], [7, 2], [6, 5, 1, 0]):
        for name, table in measured(some_of(weights, portfolios), windows)._asdict().items():
            assert_array_equal(table, getattr(together, name)[portfolios], err_msg=name)
    for d in (0, 71, 124):
        few = windows._replace(ends=windows.ends[d : d + 1])
        part = weights._replace(weight=weight[:, [d]], gross=weights.gross[:, [d]])
        for name, table in measured(part, few)._asdict().items():
            assert_array_equal(table, getattr(together, name)[:, [d]], err_msg=name)


def test_more_dates_than_are_taken_at_once_have_the_same_bits():
    n = 150
    assert _dates_at_once(n) < 60 < _dates_at_once(40)
    rng = np.random.default_rng(6)
    returns = rng.normal(size=(1, 140)) + rng.normal(size=(n, 140))
    returns[:30][rng.random((30, 140)) < 0.02] = np.nan
    windows = Windows(returns, np.arange(80, 140), 80, 0, 40)
    weights = Weights(np.array([0, n]), np.arange(n), rng.normal(size=(n, 60)), np.ones((1, 60)))
    found = measured(weights, windows)
    for d in (0, 31, 32, 59):
        few = windows._replace(ends=windows.ends[d : d + 1])
        part = weights._replace(weight=weights.weight[:, [d]], gross=weights.gross[:, [d]])
        for name, table in measured(part, few)._asdict().items():
            assert_array_equal(table, getattr(found, name)[:, [d]], err_msg=name)


def test_nothing_held_and_no_portfolio_give_no_figures():
    windows = one_date(returns_with(np.eye(2)))
    none = Weights(np.array([0, 1, 1]), np.array([0]), np.array([[0.0]]), np.ones((2, 1)))
    found = measured(none, windows)
    assert found.n_symbols.tolist() == [[0], [0]]
    assert np.isnan(found.effective_bets).all()
    assert measured(some_of(none, [1]), windows).mean.shape == (1, 1)
    lines, matrix = held_matrix(none, windows, levels_of(windows), 1, 0)
    assert (lines.size, matrix.shape) == (0, (0, 0))

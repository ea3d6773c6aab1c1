"""Diversification of portfolios is what LAPACK gives for each by itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.kernels.pair_correlation import pair_correlation
from plumbline.kernels.portfolio_correlation import (
    Alikeness,
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

"""Diversification of portfolios is what LAPACK gives for each by itself."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.kernels.pair_correlation import pair_correlation
from plumbline.kernels.portfolio_correlation import Date, held_matrix, portfolio_correlation
from tests.oracles.alikeness import alikeness_of


def made(seed: int, n_symbols: int):
    rng = np.random.default_rng(seed)
    returns = rng.normal(size=(90, 1)) + rng.normal(size=(90, n_symbols)) * rng.uniform(
        0.5, 3, n_symbols
    )
    pairs, _ = pair_correlation(returns, 54)
    return rng, returns, Date(pairs, returns.std(axis=0, ddof=1))


@given(seed=st.integers(0, 2**32 - 1), n_symbols=st.integers(1, 25), n_portfolios=st.integers(0, 6))
@settings(max_examples=50, deadline=None)
def test_figures_are_those_of_each_portfolio_by_itself(seed, n_symbols, n_portfolios):
    rng, returns, date = made(seed, n_symbols)
    date.deviation[rng.random(n_symbols) < 0.1] = np.nan
    held = [
        np.sort(rng.choice(n_symbols, rng.integers(0, n_symbols + 1), replace=False))
        for _ in range(n_portfolios)
    ]
    start = np.cumsum([0, *map(len, held)])
    place = np.concatenate([*held, []]).astype(np.int64)
    weight = rng.normal(size=place.size) * (rng.random(place.size) < 0.8)
    found = portfolio_correlation(start, place, weight, date)
    matrix = np.corrcoef(returns.T).reshape(n_symbols, n_symbols)
    for p in range(n_portfolios):
        own = slice(start[p], start[p + 1])
        is_in = (weight[own] != 0) & ~np.isnan(date.deviation[place[own]])
        kept = place[own][is_in]
        assert found.n_symbols[p] == kept.size
        if not kept.size:
            assert np.isnan(found.effective_bets[p])
            continue
        wanted = alikeness_of(weight[own][is_in], date.deviation[kept], matrix[np.ix_(kept, kept)])
        for name, value in wanted.items():
            assert_allclose(getattr(found, name)[p], value, rtol=1e-9, atol=1e-12, err_msg=name)


def test_one_symbol_is_one_bet_and_two_that_move_as_one_are_one():
    _, _, date = made(1, 3)
    date.pairs[:] = [1.0, 0.0, 0.0]
    found = portfolio_correlation(
        np.array([0, 1, 3, 5]),
        np.array([0, 0, 1, 0, 2]),
        np.array([0.3, 1, 1, 1, 1.0]),
        Date(date.pairs, np.ones(3)),
    )
    assert_allclose(found.effective_bets, [1, 1, 2], rtol=1e-12)
    assert_allclose(found.diversification, [1, 1, np.sqrt(2)], rtol=1e-12)
    assert np.isnan(found.mean[0])


def test_a_hedge_that_cancels_all_has_no_figures_of_the_whole():
    found = portfolio_correlation(
        np.array([0, 2]), np.array([0, 1]), np.array([1.0, -1.0]), Date(np.array([1.0]), np.ones(2))
    )
    assert np.isnan(found.diversification[0])
    assert found.weighted_mean[0] == 1.0


def test_symbols_that_lack_pairs_are_left_out_and_impossible_matrices_are_named():
    date = Date(
        np.array([0.1, np.nan, 0.2, np.nan, 0.3, 0.4]), np.ones(4)
    )  # 0-2 and 1-2 are missing
    start, place, weight = np.array([0, 4]), np.arange(4), np.ones(4)
    kept, matrix = held_matrix(place, weight, date)
    assert kept.tolist() == [0, 1, 3]
    assert_array_equal(matrix, [[1, 0.1, 0.2], [0.1, 1, 0.3], [0.2, 0.3, 1]])
    found = portfolio_correlation(start, place, weight, date)
    assert (found.n_symbols[0], found.covered[0]) == (3, 3.0)
    impossible = Date(np.array([0.9, 0.9, -0.9]), np.ones(3))
    found = portfolio_correlation(np.array([0, 3]), np.arange(3), np.ones(3), impossible)
    assert found.is_indefinite[0]
    assert np.isnan(found.effective_bets[0])
    assert_allclose(found.mean[0], 0.3)

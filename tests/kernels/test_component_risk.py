"""Parts of risk are those of plain loops, and add up to the whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from plumbline.kernels.component_risk import Holding, component_quantile, component_volatility
from plumbline.kernels.series_tails import TAILS, series_tails
from plumbline.kernels.weighted_series import Weights, as_returns, weighted_series
from tests.oracles import component_risk as oracle

WINDOW = 40


def made(seed, scale=0.01):
    rng = np.random.default_rng(seed)
    n_symbols, n_sessions, n_portfolios = 6, 70, 3
    returns = rng.normal(0, scale, (n_symbols, n_sessions))
    returns[rng.random(returns.shape) < 0.05] = np.nan
    if rng.random() < 0.3:
        returns[0] = 0.0
    ends = np.sort(rng.choice(np.arange(5, n_sessions), 3, replace=False))
    counts = rng.integers(0, 5, n_portfolios)
    start = np.append(0, np.cumsum(counts))
    symbol = np.concatenate(
        [np.sort(rng.choice(n_symbols, n, replace=False)) for n in counts] or [[]]
    ).astype(np.int64)
    weight = rng.normal(0, 1, (symbol.size, 3)) * (rng.random((symbol.size, 3)) < 0.8)
    owner = np.repeat(np.arange(n_portfolios), counts)
    gross = np.zeros((n_portfolios, 3))
    np.add.at(gross, owner, np.abs(weight))
    known = as_returns(returns)
    series, _ = weighted_series(
        Weights(start, symbol, weight, gross), known, ends, WINDOW, least_share=0.6
    )
    return Holding(owner, symbol, weight), known, returns, ends, series


@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([1e-12, 0.01, 1e6]))
@settings(max_examples=25)
def test_parts_of_volatility_equal_covariances_and_add_up(seed, scale):
    holding, known, returns, ends, series = made(seed, scale)
    found = component_volatility(holding, known, ends, series)
    expected = oracle.component_volatility(
        holding.owner, holding.symbol, holding.weight, returns, ends, series
    )
    assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * scale)
    for p in range(series.shape[0]):
        for d in range(ends.size):
            own = found[holding.owner == p, d]
            if own.size and not np.isnan(own).any():
                assert_allclose(own.sum(), np.nanstd(series[p, d], ddof=1), rtol=1e-9)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_parts_of_value_at_risk_rest_on_its_two_days_and_add_up(seed):
    holding, known, returns, ends, series = made(seed)
    tails = series_tails(series.reshape(-1, WINDOW), 2)
    shape = series.shape[:2]
    for level, tail in enumerate(TAILS):
        back = ends - (WINDOW - 1)
        days = tails.days[:, level].reshape(*shape, 2)
        sessions = np.where(days >= 0, days + back[None, :, None], -1)
        share = tails.share[:, level].reshape(shape)
        found = component_quantile(holding, known, sessions[..., 0], sessions[..., 1], share)
        expected = oracle.component_quantile(
            holding.owner, holding.symbol, holding.weight, returns, ends, series, tail
        )
        assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
        loss = tails.value_at_risk[:, level].reshape(shape)
        for p in range(shape[0]):
            for d in range(shape[1]):
                own = found[holding.owner == p, d]
                if own.size and not np.isnan(loss[p, d]):
                    assert_allclose(own.sum(), loss[p, d], rtol=1e-9, atol=1e-15)


def test_a_series_that_does_not_move_has_no_parts():
    holding = Holding(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), np.ones((1, 1)))
    known = as_returns(np.full((1, 10), 0.01))
    found = component_volatility(holding, known, np.array([9]), np.full((1, 1, 5), 0.01))
    assert np.isnan(found).all()


@pytest.mark.parametrize("others", [0, 2])
def test_bits_do_not_depend_on_lines_beside(others):
    holding, known, _, ends, series = made(7)
    whole = component_volatility(holding, known, ends, series)
    part = slice(others, others + 2)
    some = Holding(*(np.ascontiguousarray(table[part]) for table in holding))
    np.testing.assert_array_equal(component_volatility(some, known, ends, series), whole[part])

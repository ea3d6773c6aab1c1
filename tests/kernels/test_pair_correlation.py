"""Correlations of pairs are those of pandas, and a pair's bits depend on its window alone."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.kernels.pair_correlation import Pairs, pair_correlation
from plumbline.kernels.window_levels import levels_of
from plumbline.kernels.window_pairs import Windows


def made(seed: int, n_rows: int, n: int, gaps: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n_rows, 1))
    values = (common + rng.normal(size=(n_rows, n))) * 10.0 ** rng.integers(-6, 6, n) + 1e-3
    values[:, rng.random(n) < 0.1] = 0.25
    holed = rng.random(n) < gaps
    values[(rng.random(values.shape) < 0.2) & holed] = np.nan
    return np.ascontiguousarray(values.T)


def correlated(windows: Windows, held: np.ndarray | None = None, over=map) -> Pairs:
    if held is None:
        held = np.ones((windows.returns.shape[0], windows.ends.size), dtype=bool)
    return pair_correlation(windows, levels_of(windows), held, over, dtype=np.float64)


def of_date(found: Pairs, at: int) -> tuple[np.ndarray, np.ndarray]:
    own = slice(found.start[at], found.start[at + 1])
    return found.values[own], found.counts[own]


@given(
    seed=st.integers(0, 2**32 - 1),
    n_rows=st.integers(2, 60),
    n=st.integers(1, 12),
    length=st.integers(2, 40),
    gaps=st.sampled_from([0.0, 0.3, 1.0]),
)
@settings(max_examples=60, deadline=None)
def test_correlations_are_those_of_pandas(seed, n_rows, n, length, gaps):
    returns = made(seed, n_rows, n, gaps)
    rng = np.random.default_rng(seed)
    ends = np.sort(rng.choice(n_rows, rng.integers(1, n_rows + 1), replace=False))
    held = rng.random((n, ends.size)) < 0.8
    found = correlated(Windows(returns, ends, length, int(rng.integers(0, 99)), 5), held)
    for at, end in enumerate(ends):
        rows = np.flatnonzero(held[:, at])
        window = returns[rows, max(end - length + 1, 0) : end + 1]
        values, counts = of_date(found, at)
        present = np.isfinite(window).astype(int)
        upper = np.triu_indices(rows.size, 1)
        assert_array_equal(counts, (present @ present.T)[upper])
        wanted = pd.DataFrame(window.T).corr(min_periods=5).to_numpy()[upper]
        flat = np.array([np.unique(own[np.isfinite(own)]).size < 2 for own in window], dtype=bool)
        is_flat = flat[upper[0]] | flat[upper[1]]
        assert np.isnan(values[is_flat]).all()
        assert_allclose(values[~is_flat], wanted[~is_flat], rtol=0, atol=1e-9)


@given(seed=st.integers(0, 2**32 - 1), gaps=st.sampled_from([0.0, 0.3]))
@settings(max_examples=10, deadline=None)
def test_a_pair_has_the_same_bits_among_any_others(seed, gaps):
    returns = made(seed, 120, 500, gaps)
    rng = np.random.default_rng(seed)
    some = np.sort(rng.choice(500, 37, replace=False))
    ends = np.array([80, 95, 119])
    whole = correlated(Windows(returns, ends, 90, 7, 54))
    few = correlated(Windows(returns[some], ends, 90, 7, 54))
    with ThreadPoolExecutor(2) as threads:
        abreast = correlated(Windows(returns, ends, 90, 7, 54), over=threads.map)
    assert_array_equal(whole.values, abreast.values)
    square = np.zeros((500, 500))
    for at in range(ends.size):
        square[np.triu_indices(500, 1)] = of_date(whole, at)[0]
        assert_array_equal(of_date(few, at)[0], square[np.ix_(some, some)][np.triu_indices(37, 1)])


@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 30))
@settings(max_examples=20, deadline=None)
def test_a_date_has_the_same_bits_beside_any_others_and_in_longer_returns(seed, cut):
    returns = made(seed, 130, 20, 0.4)
    ends = np.arange(60, 120)
    all_dates = correlated(Windows(returns, ends, 30, 100, 10))
    for at in (0, 17, 59):
        own = returns[:, cut : ends[at] + 1]
        alone = correlated(Windows(own.copy(), ends[at : at + 1] - cut, 30, 100 + cut, 10))
        assert_array_equal(alone.values, of_date(all_dates, at)[0])
        assert_array_equal(alone.counts, of_date(all_dates, at)[1])


def test_an_outlier_that_only_one_symbol_has_costs_no_digits():
    rng = np.random.default_rng(3)
    returns = 0.01 * rng.standard_normal((3, 60))
    returns[0, 40] = 1e9  # where the block begins, so it is what values are less
    returns[1:, 40] = np.nan
    found = correlated(Windows(returns, np.array([50]), 40, 0, 20))
    kept = np.delete(returns[:, 11:51], 29, axis=1)
    assert_allclose(found.values, np.corrcoef(kept)[np.triu_indices(3, 1)], rtol=0, atol=1e-12)

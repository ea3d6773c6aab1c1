"""Correlations of pairs are those of pandas, and a pair's bits do not depend on its neighbours."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.kernels.pair_correlation import pair_correlation


def made(seed: int, n_rows: int, n: int, gaps: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n_rows, 1))
    values = (common + rng.normal(size=(n_rows, n))) * 10.0 ** rng.integers(-6, 6, n) + 1e-3
    values[:, rng.random(n) < 0.1] = 0.25
    holed = rng.random(n) < gaps
    values[(rng.random(values.shape) < 0.2) & holed] = np.nan
    return values


@given(
    seed=st.integers(0, 2**32 - 1),
    n_rows=st.integers(1, 40),
    n=st.integers(1, 12),
    gaps=st.sampled_from([0.0, 0.3, 1.0]),
)
@settings(max_examples=60, deadline=None)
def test_correlations_are_those_of_pandas(seed, n_rows, n, gaps):
    values = made(seed, n_rows, n, gaps)
    found, counts = pair_correlation(values, 5)
    wanted = pd.DataFrame(values).corr(min_periods=5).to_numpy()
    present = np.isfinite(values).astype(int)
    upper = np.triu_indices(n, 1)
    assert_array_equal(counts, (present.T @ present)[upper])
    flat = np.array([np.unique(c[np.isfinite(c)]).size < 2 for c in values.T])
    is_flat = flat[upper[0]] | flat[upper[1]]
    assert np.isnan(found[is_flat]).all()
    assert_allclose(found[~is_flat], wanted[upper][~is_flat], rtol=0, atol=1e-9)


@given(seed=st.integers(0, 2**32 - 1), gaps=st.sampled_from([0.0, 0.3]))
@settings(max_examples=20, deadline=None)
def test_a_pair_has_the_same_bits_among_any_others(seed, gaps):
    values = made(seed, 90, 1100, gaps)
    rng = np.random.default_rng(seed)
    some = np.sort(rng.choice(1100, 37, replace=False))
    whole = np.zeros((1100, 1100))
    whole[np.triu_indices(1100, 1)], _ = pair_correlation(values, 54)
    few, _ = pair_correlation(values[:, some], 54)
    assert_array_equal(few, whole[np.ix_(some, some)][np.triu_indices(37, 1)])

"""What symbols have by themselves in windows is numpy's."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.kernels.window_levels import levels_of
from plumbline.kernels.window_pairs import Windows


@given(seed=st.integers(0, 2**32 - 1), length=st.integers(3, 30), gaps=st.sampled_from([0.0, 0.3]))
@settings(max_examples=40, deadline=None)
def test_deviations_are_numpys(seed, length, gaps):
    rng = np.random.default_rng(seed)
    returns = rng.normal(size=(9, 70)) * 10.0 ** rng.integers(-6, 6, (9, 1)) + 1e-3
    returns[0] = 0.25
    returns[rng.random(returns.shape) < gaps] = np.nan
    ends = np.sort(rng.choice(70, 12, replace=False))
    found = levels_of(Windows(returns, ends, length, int(rng.integers(0, 50)), 3))
    for at, end in enumerate(ends):
        window = returns[:, max(end - length + 1, 0) : end + 1]
        n_obs = np.isfinite(window).sum(axis=1)
        has_enough = n_obs >= 3
        assert_array_equal(np.isnan(found.deviation[:, at]), ~has_enough)
        wanted = np.array([np.nanstd(own, ddof=1) for own in window[has_enough]])
        assert_allclose(found.deviation[has_enough, at], wanted, rtol=1e-9, atol=1e-15)
        is_whole = has_enough & (n_obs == window.shape[1])
        assert not (found.is_plain[at] & ~is_whole).any()
    assert np.isnan(found.root[:, 0]).all()

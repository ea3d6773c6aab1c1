"""Quantiles and shortfalls of series are numpy's, and the days they come from are named."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from plumbline.kernels.series_tails import TAILS, series_tails
from tests.oracles.series_risk import tails_of


@given(
    seed=st.integers(0, 2**32 - 1),
    n_days=st.integers(1, 260),
    gaps=st.sampled_from([0.0, 0.1, 0.9]),
    digits=st.sampled_from([1, 2, 12]),
)
@settings(max_examples=80, deadline=None)
def test_tails_are_numpys(seed, n_days, gaps, digits):
    rng = np.random.default_rng(seed)
    series = np.round(rng.standard_t(3, (2, n_days)), digits)
    series[rng.random(series.shape) < gaps] = np.nan
    found = series_tails(series, 2)
    for s, days in enumerate(series):
        wanted = tails_of(days, 2)
        assert found.n_obs[s] == (~np.isnan(days)).sum()
        if wanted is None:
            assert np.isnan(found.value_at_risk[s]).all()
            assert (found.days[s] == -1).all()
            continue
        assert_allclose(found.mean[s], wanted["mean"], rtol=1e-12, atol=1e-13)
        assert_allclose(found.deviation[s], wanted["deviation"], rtol=1e-12, atol=1e-13)
        assert found.worst[s] == wanted["worst"]
        for i in range(len(TAILS)):
            loss, shortfall, places = wanted["levels"][i]
            assert_allclose(found.value_at_risk[s, i], loss, rtol=1e-12, atol=1e-13)
            assert found.days[s, i].tolist() == places
            share = found.share[s, i]
            between = (1 - share) * days[places[0]] + share * days[places[1]]
            assert_allclose(-between, loss, rtol=1e-12, atol=1e-13)
            if digits == 12:  # with ties, rounding of the quantile decides which days lie beyond
                assert_allclose(found.shortfall[s, i], shortfall, rtol=1e-12, atol=1e-13)


def test_a_loss_at_the_quantile_itself_counts_into_the_shortfall():
    days = np.append(np.full(20, 0.0), np.arange(-0.21, 0.0, 0.01))
    found = series_tails(days[None], 2)
    at = 0.05 * (days.size - 1)
    assert at == 2.0
    assert_allclose(found.shortfall[0, 0], (0.21 + 0.20 + 0.19) / 3)

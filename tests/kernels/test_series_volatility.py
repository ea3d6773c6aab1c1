"""Volatilities of series are those of pandas and of scipy's non-negative least squares."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from plumbline.kernels.series_volatility import SeriesVolatility, series_volatility
from tests.oracles.series_risk import volatility_of


def made(seed: int, scale: float, gaps: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    sizes = np.exp(np.cumsum(rng.normal(0, 0.05, 520))) * scale
    days = sizes * rng.standard_normal(520)
    days[rng.random(520) < gaps] = np.nan
    return days


@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([1e-6, 0.01, 10.0]),
    gaps=st.sampled_from([0.0, 0.01, 0.05, 0.5]),
)
@settings(max_examples=40, deadline=None)
def test_figures_are_those_of_textbooks(seed, scale, gaps):
    series = np.stack([made(seed + i, scale, gaps) for i in range(3)])
    found = series_volatility(series)
    for i, days in enumerate(series):
        wanted = volatility_of(days)
        for name in SeriesVolatility._fields:
            assert_allclose(getattr(found, name)[i], wanted[name], rtol=1e-8, err_msg=name)


def test_a_still_series_has_no_volatility_and_an_empty_one_no_figure():
    series = np.zeros((2, 504))
    series[1] = np.nan
    found = series_volatility(series)
    assert (found.month[0], found.year[0], found.decayed[0], found.forecast[0]) == (0, 0, 0, 0)
    assert np.isnan(found.trend[0])
    assert all(np.isnan(getattr(found, name)[1]) for name in SeriesVolatility._fields[:-1])
    assert found.n_obs.tolist() == [252, 0]

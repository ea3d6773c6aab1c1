import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.features.signals.residual_momentum import ResidualMomentum
from tests.contracts.made_panels import axis, names, ragged_panel
from tests.oracles import signals as oracle


@given(
    seed=st.integers(0, 2**32 - 1),
    skip=st.integers(0, 4),
    extra=st.integers(2, 12),
    n_bars=st.integers(0, 50),
    scale=st.sampled_from([1e-9, 1.0, 1e9]),
)
def test_matches_the_loop(seed, skip, extra, n_bars, scale):
    panel = ragged_panel(n_bars, 4, seed=seed)
    residual = panel["residual_return"] * scale
    residual[::7, 1] = np.inf
    panel = panel.with_fields({"residual_return": residual})
    signal = ResidualMomentum(lookback_bars=skip + extra, skip_bars=skip)
    needed = max(math.ceil(0.6 * extra), 2)
    expected = oracle.residual_momentum(residual, skip + extra, skip, needed)
    assert_allclose(signal.compute(panel), expected, rtol=1e-9, atol=1e-12)


def test_reads_the_window_from_lookback_to_skip_and_nothing_else():
    rng = np.random.default_rng(0)
    residual = rng.standard_normal((40, 1))
    panel = Panel({"residual_return": residual}, axis(40), names(1))
    signal = ResidualMomentum(lookback_bars=12, skip_bars=3)
    base = signal.compute(panel)[30, 0]
    for row in range(40):
        changed = residual.copy()
        changed[row] += 1.0
        value = signal.compute(panel.with_fields({"residual_return": changed}))[30, 0]
        assert (value != base) == (30 - 12 + 1 <= row <= 30 - 3)


def test_a_steady_gain_ranks_above_a_steady_loss():
    noise = 0.001 * np.random.default_rng(1).standard_normal((300, 1))
    residual = np.hstack([noise + 0.002, noise - 0.002])
    values = ResidualMomentum().compute(Panel({"residual_return": residual}, axis(300), names(2)))
    assert values[-1, 0] > 100 > -100 > values[-1, 1]


def test_residuals_without_deviation_have_no_signal():
    residual = np.full((300, 2), 0.1)
    residual[:, 1] = 0.0
    values = ResidualMomentum().compute(Panel({"residual_return": residual}, axis(300), names(2)))
    assert np.isnan(values).all()


def test_min_obs_is_how_many_residuals_a_value_needs():
    residual = np.random.default_rng(2).standard_normal((60, 1))
    residual[:50:2] = np.nan
    panel = Panel({"residual_return": residual}, axis(60), names(1))
    assert np.isfinite(ResidualMomentum(20, 0, 10).compute(panel)[40, 0])
    assert np.isnan(ResidualMomentum(20, 0, 11).compute(panel)[40, 0])


def test_parameters_out_of_range_are_refused():
    for parameters in ((21, 20), (5, -1), (252, 21, 1), (252, 21, 232)):
        with pytest.raises(ParameterError, match=r"need .*ResidualMomentum"):
            ResidualMomentum(*parameters)

"""Correlations between signals, against pandas bar by bar."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.core.errors import ParameterError
from plumbline.factors.signal_correlation import signal_correlation
from tests.oracles.signal_comparison import mean_rank_correlation


def ragged(seed: int, n_bars: int, n_assets: int) -> dict[str, np.ndarray]:
    """Return three signals with gaps, ties, a constant bar and infinite values."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, scale in (("a", 1e-12), ("b", 1.0), ("c", 1e12)):
        x = scale * np.round(rng.standard_normal((n_bars, n_assets)), 1)
        x[rng.random(x.shape) < 0.3] = np.nan
        x[rng.random(x.shape) < 0.05] = np.inf
        if n_bars:
            x[rng.integers(n_bars)] = 1.0
        found[name] = x
    return found


@given(
    seed=st.integers(0, 2**32 - 1),
    n_bars=st.sampled_from([0, 1, 2, 9]),
    n_assets=st.sampled_from([0, 1, 3, 12]),
)
def test_every_pair_is_the_mean_of_the_correlations_of_its_bars(seed, n_bars, n_assets):
    signals = ragged(seed, n_bars, n_assets)
    table = signal_correlation(signals)
    assert table.select("signal", "other").rows() == [(a, b) for a in "abc" for b in "abc"]
    for one, other, found in table.rows():
        expected = mean_rank_correlation(signals[one], signals[other])
        if expected is None:
            assert found is None
        else:
            assert found == pytest.approx(expected, abs=1e-12)


def test_a_signal_is_like_itself_and_unlike_its_negative():
    x = np.random.default_rng(3).standard_normal((20, 30))
    table = signal_correlation({"x": x, "minus": -x})
    assert table["mean_rank_correlation"].to_list() == pytest.approx([1.0, -1.0, -1.0, 1.0])


def test_no_signals_have_no_pairs():
    assert signal_correlation({}).height == 0


def test_every_signal_of_another_shape_is_named():
    signals = {"a": np.zeros((3, 2)), "b": np.zeros((3, 1)), "c": np.zeros((2, 2))}
    with pytest.raises(ParameterError, match=r"'b' has shape \(3, 1\).*'c' has shape"):
        signal_correlation(signals)

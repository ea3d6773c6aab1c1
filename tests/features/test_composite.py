import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.features.signals.composite import Composite
from tests.contracts.made_panels import axis, names
from tests.oracles import signals as oracle

LABELS = ("a", "b", "c")


def parts(n_bars, n_assets, seed):
    """Return three signals with gaps, ties, a row that is all alike and infinite values."""
    rng = np.random.default_rng(seed)
    found = []
    for scale in (1e-9, 1.0, 1e9):
        values = np.round(rng.standard_normal((n_bars, n_assets)), 1) * scale
        values[rng.random(values.shape) < 0.2] = np.nan
        values[3:4] = 2.0
        values[4:5, :1] = np.inf
        found.append(values)
    return found


def panel_of(arrays):
    fields = {f"signal:{label}": x for label, x in zip(LABELS, arrays, strict=False)}
    return Panel(fields, axis(len(arrays[0])), names(arrays[0].shape[1]))


@given(
    seed=st.integers(0, 2**32 - 1),
    n_bars=st.integers(0, 12),
    n_assets=st.integers(1, 12),
    scaling=st.sampled_from(["zscore", "rank", "gaussian_rank"]),
    min_parts=st.sampled_from([None, 1, 2, 3]),
    weights=st.sampled_from([None, (1.0, -2.0, 0.5)]),
)
def test_matches_the_loop(seed, n_bars, n_assets, scaling, min_parts, weights):
    arrays = parts(n_bars, n_assets, seed)
    signal = Composite(LABELS, weights, scaling, min_parts)
    expected = oracle.composite(arrays, weights or (1, 1, 1), scaling, min_parts or 3)
    assert_allclose(signal.compute(panel_of(arrays)), expected, rtol=1e-9, atol=1e-12)


def test_it_reads_the_signals_of_its_labels():
    assert Composite(("a", "x.y")).requires() == {"signal:a", "signal:x.y"}


@pytest.mark.parametrize("scaling", ["zscore", "rank", "gaussian_rank"])
def test_the_unit_of_a_part_does_not_matter(scaling):
    a, b, _ = parts(20, 9, 1)
    signal = Composite(("a", "b"), scaling=scaling)
    found = signal.compute(panel_of([a, b]))
    other = signal.compute(panel_of([a * 1e-6, b * 1e6]))
    assert_allclose(other, found, rtol=1e-9, atol=1e-12)


def test_a_negative_weight_turns_a_part_around():
    (a, *_) = parts(20, 9, 2)
    found = Composite(("a",), (-2.0,)).compute(panel_of([a]))
    assert_array_equal(found, -Composite(("a",)).compute(panel_of([a])))


def test_weights_are_shares():
    arrays = parts(20, 9, 3)
    once = Composite(LABELS, (1.0, 2.0, 1.0)).compute(panel_of(arrays))
    twice = Composite(LABELS, (2.0, 4.0, 2.0)).compute(panel_of(arrays))
    assert_array_equal(once, twice)


def test_an_asset_with_too_few_parts_has_no_value_and_stays_in_the_scale_of_those_it_has():
    a = np.array([[1.0, 2.0, 3.0, 4.0]])
    b = np.array([[1.0, 2.0, np.nan, 9.0]])
    panel = panel_of([a, b])
    assert_array_equal(
        np.isnan(Composite(("a", "b"), scaling="rank").compute(panel)),
        [[False, False, True, False]],
    )
    found = Composite(("a", "b"), scaling="rank", min_parts=1).compute(panel)
    assert_allclose(found[0, 2], 0.125)
    assert_allclose(found[0, 0], (-0.375 - 1 / 3) / 2)


def test_huge_values_never_come_out_as_infinite():
    a = np.array([[1e308, -1e308, 1.0, np.nan], [1e308, 1.0, 2.0, 3.0]])
    for scaling in ("zscore", "rank", "gaussian_rank"):
        found = Composite(("a",), (1e308,), scaling).compute(panel_of([a]))
        assert not np.isinf(found).any()


def test_parameters_out_of_range_are_refused_all_at_once():
    with pytest.raises(ParameterError, match=r"each once; weights .*; weights .*; min_parts"):
        Composite(("a", "a"), (0.0,), min_parts=3)
    for parameters in (((),), (("a",), (np.inf,))):
        with pytest.raises(ParameterError, match="Composite"):
            Composite(*parameters)

"""Residuals within groups against dummies, and signals made orthogonal one after the other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import ParameterError
from plumbline.kernels import neutralise, orthogonalise, unfitted_assets
from tests.kernels.test_neutralise import N_BARS, made
from tests.oracles import cross_section as oracle
from tests.oracles import neutralise as by_least_squares

grouped = given(
    seed=st.integers(0, 2**32 - 1),
    n_assets=st.sampled_from([1, 2, 3, 8, 37, 90]),
    n=st.integers(0, 5),
    weighted=st.booleans(),
    gappy=st.booleans(),
    n_groups=st.sampled_from([1, 2, 5, 11]),
)


def labels(seed: int, n_assets: int, n_groups: int) -> np.ndarray:
    """Return groups for all bars or for each, some assets without."""
    rng = np.random.default_rng(seed)
    shape = (N_BARS, n_assets) if seed % 2 else (n_assets,)
    found = rng.integers(0, n_groups, shape).astype(float)
    if seed % 3 == 0:
        found[rng.random(shape) < 0.1] = rng.choice([-1.0, np.nan])
    return found * 1000 if seed % 5 == 0 else found


@grouped
def test_residuals_within_groups_are_those_of_dummies(seed, n_assets, n, weighted, gappy, n_groups):
    signal, exposures, weights = made(seed, n_assets, n, weighted, gappy)
    groups = labels(seed, n_assets, n_groups)
    assert_allclose(
        neutralise(signal, exposures, weights, groups=groups),
        oracle.neutralised_within_groups(signal, exposures, groups, weights),
        rtol=0,
        atol=1e-11 if weighted else 1e-12,
    )


@grouped
def test_other_bars_and_missing_assets_change_no_bit_within_groups(
    seed, n_assets, n, weighted, gappy, n_groups
):
    signal, exposures, weights = made(seed, n_assets, n, weighted, gappy)
    groups = labels(seed, n_assets, n_groups)
    full = neutralise(signal, exposures, weights, groups=groups)
    wide = np.broadcast_to(groups, signal.shape)
    assert_array_equal(neutralise(signal, exposures, weights, groups=wide), full)
    for t in range(N_BARS):
        there = np.isfinite(full[t])
        part = None if weights is None else weights[t : t + 1, there]
        alone = neutralise(
            signal[t : t + 1, there], exposures[t : t + 1, there], part, groups=wide[t, there]
        )
        assert_array_equal(alone[0], full[t, there])


def test_one_group_for_all_has_the_bits_of_none():
    for gappy in (False, True):
        signal, exposures, weights = made(3, 37, 3, True, gappy)
        for weight in (None, weights):
            assert_array_equal(
                neutralise(signal, exposures, weight, groups=np.full(37, 4)),
                neutralise(signal, exposures, weight),
            )


@pytest.mark.parametrize("weighted", [False, True])
def test_every_group_has_mean_zero_and_effects_that_are_left_out(weighted):
    signal, exposures, weights = made(5, 90, 4, weighted, True)
    groups = np.random.default_rng(5).integers(0, 7, 90)
    values = neutralise(signal, exposures, weights, groups=groups)
    shifted = signal + np.array([3.0, -1.0, 2.0, 0.0, 5.0, -9.0, 4.0])[groups]
    assert_allclose(
        neutralise(shifted, exposures, weights, groups=groups), values, rtol=0, atol=1e-12
    )
    weight = np.ones(signal.shape) if weights is None else weights
    scale = np.nanmax(np.where(np.isfinite(weight), weight, 0.0))
    for g in range(7):
        inside = np.where(np.isfinite(values) & (groups == g), weight * values, 0.0)
        assert_allclose(inside.sum(axis=1), 0.0, rtol=0, atol=1e-11 * scale)


def test_an_asset_alone_in_its_group_gets_nothing_and_changes_no_bit_of_the_others():
    signal, exposures, _ = made(6, 37, 3, False, False)
    groups = np.arange(37) % 4
    without = neutralise(signal[:, :36], exposures[:, :36], groups=groups[:36])
    groups[36] = 9
    values = neutralise(signal, exposures, groups=groups)
    assert np.isnan(values[:, 36]).all()
    assert_array_equal(values[:, :36], without)
    counts = unfitted_assets(signal, exposures, groups=groups)
    assert (counts["alone_in_group"], counts["missing"]) == (N_BARS, 0)


def test_a_bar_needs_one_asset_more_than_exposures_and_groups():
    rng = np.random.default_rng(7)
    signal, exposures = rng.standard_normal((2, 7)), rng.standard_normal((2, 7, 3))
    groups = np.array([0, 0, 1, 1, 1, 2, -1])
    signal[1, 4] = np.nan
    values = neutralise(signal, exposures, groups=groups)
    assert np.isnan(values).all()
    assert np.isfinite(neutralise(signal, exposures[..., :2], groups=groups)).sum() == 5
    counts = unfitted_assets(signal, exposures[..., :2], groups=groups)
    assert dict(counts) == {
        "missing": 1,
        "alone_in_group": 1,
        "too_few_assets": 1,
        "too_large": 0,
        "rank_deficient": 0,
    }


@pytest.mark.parametrize("level", [0.0, 0.1, 1e9])
def test_an_exposure_that_is_constant_within_groups_explains_nothing(level):
    rng = np.random.default_rng(8)
    signal, exposures = rng.standard_normal((3, 40)), rng.standard_normal((3, 40, 2))
    groups = np.arange(40) % 5
    constant = level + 0.3 * groups + 2.0**-56 * rng.integers(0, 3, (3, 40))
    both = np.concatenate([exposures, constant[..., None]], axis=2)
    want = neutralise(signal, exposures, groups=groups)
    assert_allclose(neutralise(signal, both, groups=groups), want, rtol=0, atol=1e-14)
    assert unfitted_assets(signal, both, groups=groups)["rank_deficient"] == 3
    assert_array_equal(neutralise(constant, exposures, groups=groups), 0.0)


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e6])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("in_groups", [False, True])
def test_residuals_keep_nine_digits_up_to_a_condition_of_a_million(condition, weighted, in_groups):
    rng = np.random.default_rng(9)
    left, _ = np.linalg.qr(rng.standard_normal((120, 6)))
    right, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    exposures = (left * np.geomspace(1.0, 1.0 / condition, 6) @ right)[None]
    signal = rng.standard_normal((1, 120))
    weights = rng.random((1, 120)) + 0.1 if weighted else None
    groups = rng.integers(0, 8, 120)
    if in_groups:
        found = neutralise(signal, exposures, weights, groups=groups)
        want = oracle.neutralised_within_groups(signal, exposures, groups, weights)
    else:
        found = neutralise(signal, exposures, weights)
        weight = np.ones(120) if weights is None else weights[0]
        want = by_least_squares.exact_residuals(signal[0], exposures[0], weight)[None]
    assert np.linalg.norm(found - want) < 1e-9 * np.linalg.norm(want)


def test_masked_assets_are_left_out():
    signal, exposures, weights = made(10, 37, 3, True, True)
    mask = np.random.default_rng(10).random(signal.shape) < 0.8
    want = neutralise(np.where(mask, signal, np.nan), exposures, weights)
    assert_array_equal(neutralise(signal, exposures, weights, mask=mask), want)
    counts = unfitted_assets(signal, exposures, weights, mask=mask)
    assert counts["missing"] == np.isnan(want).sum()


def test_wrong_groups_are_refused():
    signal, exposures = np.zeros((4, 6)), np.zeros((4, 6, 1))
    with pytest.raises(ParameterError, match=r"groups have shape \(4,\), need \(6,\) or \(4, 6\)"):
        neutralise(signal, exposures, groups=np.zeros(4))
    with pytest.raises(ParameterError, match=r"whole numbers.*mask has shape"):
        neutralise(signal, exposures, groups=np.full(6, 0.5), mask=np.ones(3, bool))
    with pytest.raises(ParameterError, match="whole numbers"):
        neutralise(signal, exposures, groups=np.full(6, np.inf))
    assert np.isnan(neutralise(signal, exposures, groups=np.full(6, -1))).all()


def several(seed: int, n_signals: int, n_assets: int, gappy: bool) -> np.ndarray:
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((5, n_assets))
    signals = rng.standard_normal((n_signals, 5, n_assets)) + rng.choice([0.0, 1.0, 30.0]) * common
    signals *= 10.0 ** rng.integers(-5, 5, (n_signals, 1, 1))
    if gappy:
        signals[rng.random(signals.shape) < 0.1] = rng.choice([np.nan, np.inf])
    return signals


@given(
    seed=st.integers(0, 2**32 - 1),
    n_signals=st.integers(0, 5),
    n_assets=st.sampled_from([0, 1, 4, 6, 37, 90]),
    gappy=st.booleans(),
)
def test_signals_become_residuals_of_those_before_them(seed, n_signals, n_assets, gappy):
    signals = several(seed, n_signals, n_assets, gappy)
    found = orthogonalise(signals)
    if n_signals:
        want = oracle.sequentially_orthogonal(signals)
        scale = np.nanmax(np.abs(np.where(np.isfinite(signals), signals, 0.0)), initial=0.0, axis=2)
        gap = np.abs(found.signals - want)
        assert_array_equal(np.isnan(found.signals), np.isnan(want))
        assert not (gap > 1e-11 * scale[..., None]).any()
    for s in range(n_signals):
        for r in range(n_signals):
            before = oracle.mean_correlation(signals[s], signals[r])
            assert_allclose(found.correlation_before[s, r], before, rtol=0, atol=1e-11)
            if s != r and np.isfinite(found.correlation_after[s, r]):
                assert abs(found.correlation_after[s, r]) < 1e-9


def test_a_signal_that_those_before_it_explain_leaves_nothing():
    signals = several(11, 3, 37, True)
    signals[2] = 3.0 * signals[0] - signals[1] + 7.0
    found = orthogonalise(signals)
    assert np.isnan(found.signals[2]).all()
    assert np.isnan(found.correlation_after[2]).all()
    assert_allclose(found.correlation_after[:2, :2], np.eye(2), rtol=0, atol=1e-12)


def test_masked_assets_take_no_part_in_orthogonalisation():
    signals = several(12, 3, 37, True)
    mask = np.random.default_rng(12).random(signals.shape[1:]) < 0.7
    for found, want in zip(
        orthogonalise(signals, mask=mask),
        orthogonalise(np.where(mask, signals, np.nan)),
        strict=True,
    ):
        assert_array_equal(found, want)
    with pytest.raises(ParameterError, match=r"signals have shape \(5, 37\)"):
        orthogonalise(signals[0], mask=mask[0])

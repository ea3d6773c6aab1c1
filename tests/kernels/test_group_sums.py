"""Sums and members of groups and sums of trades, beside loops over bars and assets."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.kernels.group_sums import as_groups, fill_group_sums, fill_impact, fill_members
from plumbline.kernels.inputs import as_input

GROUPS = arrays(
    np.int8, st.tuples(st.integers(0, 9), st.integers(0, 7)), elements=st.integers(0, 3)
)


@given(groups=GROUPS, seed=st.integers(0, 2**32 - 1))
def test_sums_are_those_of_the_finite_values_of_a_group(groups, seed):
    rng = np.random.default_rng(seed)
    values = rng.choice([1.5, -2.0, 1e300, np.nan, np.inf, -np.inf], groups.shape)
    sums, counts = np.empty((2, len(groups), 3))
    fill_group_sums(as_groups(groups), values, sums, counts)
    for t in range(len(groups)):
        for q in (1, 2, 3):
            own = [v for g, v in zip(groups[t], values[t], strict=True) if g == q]
            there = [float(v) for v in own if math.isfinite(v)]
            assert counts[t, q - 1] == len(there)
            total = 0.0
            for value in there:
                total += value
            assert sums[t, q - 1] == total


@given(groups=GROUPS, lag=st.integers(0, 9))
def test_members_who_stayed_are_in_the_group_on_both_bars(groups, lag):
    stayed = np.full((len(groups), 3), np.nan)
    fill_members(as_groups(groups), min(lag, len(groups)), stayed)
    expected = np.zeros_like(stayed)
    for t in range(min(lag, len(groups)), len(groups)):
        for now, then in zip(groups[t], groups[t - lag], strict=True):
            if now == then and now > 0:
                expected[t, now - 1] += 1
    assert_array_equal(stayed, expected)


@given(seed=st.integers(0, 2**32 - 1), n_bars=st.integers(0, 6), n_assets=st.integers(0, 7))
def test_trades_in_assets_of_unknown_liquidity_are_in_no_sum(seed, n_bars, n_assets):
    rng = np.random.default_rng(seed)
    traded = rng.choice([0.0, 0.25, -0.5, 1e-9], (n_bars, n_assets))
    steepness = rng.choice([1e-6, 2e-6, np.nan], (n_bars, n_assets))
    value = np.where(np.isnan(steepness), np.nan, rng.uniform(1e5, 1e9, (n_bars, n_assets)))
    sums = np.full((4, n_bars), np.nan)
    fill_impact(*(as_input(x) for x in (traded, steepness, value)), sums)
    for t in range(n_bars):
        rows = zip(traded[t], steepness[t], value[t], strict=True)
        known = [(abs(q), y, v) for q, y, v in rows if q != 0 and y == y]
        expected = [
            sum(q**1.5 * y for q, y, _ in known),
            sum(q for q, _, _ in known),
            sum(q / v for q, _, v in known),
            len(known),
        ]
        assert_allclose(sums[:, t], expected, rtol=1e-12)

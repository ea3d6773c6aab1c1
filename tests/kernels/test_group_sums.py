"""Sums and members of groups, beside loops over bars and assets."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

from plumbline.kernels.group_sums import as_groups, fill_group_sums, fill_members

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

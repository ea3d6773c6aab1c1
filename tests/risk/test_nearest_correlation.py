"""The nearest matrix of correlations is Higham's, and nothing that is one is nearer."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from plumbline.core.errors import ParameterError
from plumbline.risk.nearest_correlation import nearest_correlation
from tests.oracles import nearest_correlation as oracle


def test_the_example_of_the_paper():
    near = nearest_correlation(np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]]))
    assert_allclose(near[0], [1.0, 0.7607, 0.1573], atol=5e-5)
    assert_allclose(near[1], [0.7607, 1.0, 0.7607], atol=5e-5)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_what_comes_out_is_one_and_nothing_is_nearer(seed, n):
    rng = np.random.default_rng(seed)
    given_one = np.triu(rng.uniform(-1, 1, (n, n)), 1)
    given_one = given_one + given_one.T + np.eye(n)
    near = nearest_correlation(given_one)
    assert_allclose(np.diag(near), 1.0, atol=1e-12)
    assert np.linalg.eigvalsh(near).min() > -1e-10
    assert_allclose(nearest_correlation(near), near, atol=1e-9)
    away = np.linalg.norm(near - given_one)
    for _ in range(20):
        other = np.corrcoef(rng.normal(size=(n, n + 2))).reshape(n, n)
        step = near + 0.2 * (other - near)
        assert np.linalg.norm(step - given_one) >= away - 1e-9


@pytest.mark.parametrize(("n", "seed"), [(2, 0), (5, 1), (12, 2), (30, 3), (60, 4)])
def test_it_is_that_of_alternating_projections(n, seed):
    rng = np.random.default_rng(seed)
    wild = np.triu(rng.uniform(-1, 1, (n, n)), 1)
    returns = rng.normal(size=(20, n)) + rng.normal(size=(20, 1))
    returns[rng.random(returns.shape) < 0.15] = np.nan
    for matrix in (wild + wild.T + np.eye(n), pd.DataFrame(returns).corr().to_numpy()):
        slow = oracle.nearest_correlation(matrix)
        assert_allclose(nearest_correlation(matrix), slow, atol=1e-8)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_matrices_at_the_edge_are_met(n):
    """All alike, all opposed, all zero, and far from any correlations."""
    ones = np.ones((n, n))
    assert_allclose(nearest_correlation(ones), ones, atol=1e-9)
    assert_allclose(nearest_correlation(np.eye(n)), np.eye(n), atol=1e-12)
    for matrix in (2.0 * np.eye(n) - ones, 100.0 * ones, -ones, np.zeros((n, n))):
        near = nearest_correlation(matrix)
        assert np.linalg.eigvalsh(near).min() > -1e-10
        assert_allclose(near, oracle.nearest_correlation(matrix), atol=1e-6)


def test_a_matrix_that_holds_nan_is_refused():
    with pytest.raises(ParameterError, match="must be finite"):
        nearest_correlation(np.array([[1.0, np.nan], [np.nan, 1.0]]))

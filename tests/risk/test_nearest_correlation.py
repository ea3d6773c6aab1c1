"""The nearest matrix of correlations is Higham's, and nothing that is one is nearer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from plumbline.core.errors import ParameterError
from plumbline.risk.nearest_correlation import nearest_correlation


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
    assert np.linalg.eigvalsh(near).min() > -1e-12
    assert_allclose(nearest_correlation(near), near, atol=1e-6)
    away = np.linalg.norm(near - given_one)
    for _ in range(20):
        other = np.corrcoef(rng.normal(size=(n, n + 2))).reshape(n, n)
        step = near + 0.2 * (other - near)
        assert np.linalg.norm(step - given_one) >= away - 1e-6


def test_alternating_projections_come_to_the_same_matrix():
    rng = np.random.default_rng(3)
    given_one = np.corrcoef(rng.normal(size=(30, 20))) + 0.1 * rng.normal(size=(30, 30))
    given_one = (given_one + given_one.T) / 2
    np.fill_diagonal(given_one, 1.0)
    near, correction = given_one, np.zeros_like(given_one)
    for _ in range(2_000):  # Higham's algorithm 3.3
        values, basis = np.linalg.eigh(near - correction)
        projected = (basis * np.maximum(values, 0)) @ basis.T
        correction = projected - (near - correction)
        near = projected.copy()
        np.fill_diagonal(near, 1.0)
    assert_allclose(nearest_correlation(given_one), near, atol=1e-9)


def test_a_matrix_that_holds_nan_is_refused():
    with pytest.raises(ParameterError, match="must be finite"):
        nearest_correlation(np.array([[1.0, np.nan], [np.nan, 1.0]]))

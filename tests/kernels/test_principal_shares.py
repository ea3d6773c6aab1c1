"""Eigenvalues and the parts of a vector along eigenvectors are those of LAPACK."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from plumbline.kernels.principal_shares import rotate_to_components


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 30),
    rank=st.integers(1, 30),
    scale=st.sampled_from([1e-8, 1.0, 1e8]),
)
@settings(max_examples=80, deadline=None)
def test_components_are_those_of_lapack(seed, n, rank, scale):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, rank))
    matrix = root @ root.T * scale
    vector = rng.normal(size=n)
    values, basis = np.linalg.eigh(matrix)
    room, turned = np.empty((3, n)), vector.copy()
    assert rotate_to_components(matrix.copy(), turned, room)
    order = np.argsort(room[0])
    top = np.abs(values).max()
    assert_allclose(room[0][order], values, rtol=0, atol=1e-12 * top)
    assert_allclose(turned @ turned, vector @ vector, rtol=1e-12)
    for power in (1, 2, 3):  # moments of the split, which do not hang on the signs of eigenvectors
        assert_allclose(
            (turned**2 * (room[0] / top) ** power).sum(),
            ((basis.T @ vector) ** 2 * (values / top) ** power).sum(),
            rtol=1e-10,
            atol=1e-12 * (vector @ vector),
        )


def test_a_matrix_that_holds_nan_is_refused():
    matrix = np.eye(3)
    matrix[2, 1] = np.nan
    assert not rotate_to_components(matrix, np.ones(3), np.empty((3, 3)))


def test_a_diagonal_matrix_turns_nothing():
    vector, room = np.array([1.0, 2.0, 3.0]), np.empty((3, 3))
    assert rotate_to_components(np.diag([4.0, 5.0, 6.0]), vector, room)
    assert room[0].tolist() == [4.0, 5.0, 6.0]
    assert vector.tolist() == [1.0, 2.0, 3.0]

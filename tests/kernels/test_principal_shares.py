"""Eigenvalues and the parts of a vector along eigenvectors are those of LAPACK."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.kernels.abreast import LANES
from plumbline.kernels.principal_shares import ABREAST, entry_of, rotate_to_components

HALVES = ABREAST // LANES


def turned(matrices: list[np.ndarray], vectors: list[np.ndarray], n_more: int = 0):
    """Return values and parts of matrices, each in a lane, and which of them are lost."""
    n = max(map(len, matrices)) + n_more
    triangles, parts = np.zeros((HALVES, entry_of(n, 0))), np.zeros((HALVES, n * LANES))
    for lane, (matrix, vector) in enumerate(zip(matrices, vectors, strict=True)):
        half, k = divmod(lane, LANES)
        own = matrix[np.tril_indices(len(matrix))]
        triangles[half, k : k + LANES * own.size : LANES] = own
        parts[half, k : k + LANES * len(vector) : LANES] = vector
    values, is_lost = np.empty((HALVES, n * LANES)), np.empty(ABREAST, dtype=bool)
    rotate_to_components(triangles, parts, values, is_lost)
    tables = (x.reshape(HALVES, n, LANES).swapaxes(1, 2) for x in (values, parts))
    return *(x.reshape(ABREAST, n) for x in tables), is_lost


@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=ABREAST),
    rank=st.integers(1, 30),
    scale=st.sampled_from([1e-8, 1.0, 1e8]),
)
@settings(max_examples=60, deadline=None)
def test_components_are_those_of_lapack_in_every_lane(seed, sizes, rank, scale):
    rng = np.random.default_rng(seed)
    roots = [rng.normal(size=(n, rank)) for n in sizes]
    matrices = [root @ root.T * scale for root in roots]
    vectors = [rng.normal(size=n) for n in sizes]
    all_values, all_parts, is_lost = turned(matrices, vectors)
    assert not is_lost.any()
    for lane, (matrix, vector) in enumerate(zip(matrices, vectors, strict=True)):
        found, parts = all_values[lane, : len(vector)], all_parts[lane, : len(vector)]
        values, basis = np.linalg.eigh(matrix)
        top = np.abs(values).max()
        assert_allclose(np.sort(found), values, rtol=0, atol=1e-12 * top)
        assert_allclose(parts @ parts, vector @ vector, rtol=1e-12)
        for power in (1, 2, 3):  # moments of the split: signs of eigenvectors are free
            assert_allclose(
                (parts**2 * (found / top) ** power).sum(),
                ((basis.T @ vector) ** 2 * (values / top) ** power).sum(),
                rtol=1e-10,
                atol=1e-12 * (vector @ vector),
            )
        for n_more in (0, 3):
            alone, alone_parts, _ = turned([matrix], [vector], n_more)
            assert_array_equal(alone[0, : len(vector)], found)
            assert_array_equal(alone_parts[0, : len(vector)], parts)


def test_a_matrix_that_holds_nan_is_lost_and_no_other():
    matrix = np.eye(3)
    matrix[2, 1] = matrix[1, 2] = np.nan
    values, _, is_lost = turned([matrix, np.eye(3)], [np.ones(3), np.ones(3)])
    assert is_lost.tolist() == [True] + [False] * (ABREAST - 1)
    assert values[1].tolist() == [1.0, 1.0, 1.0]


def test_a_diagonal_matrix_turns_nothing():
    values, parts, is_lost = turned([np.diag([4.0, 5.0, 6.0])], [np.array([1.0, 2.0, 3.0])])
    assert not is_lost.any()
    assert values[0].tolist() == [4.0, 5.0, 6.0]
    assert parts[0].tolist() == [1.0, 2.0, 3.0]

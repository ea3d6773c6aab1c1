"""Sums of products of spectra, beside numpy's einsum."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.kernels.spectral_sums import add_products


@given(
    seed=st.integers(0, 2**32 - 1),
    n_bars=st.integers(0, 6),
    n_frequencies=st.integers(0, 5),
    scale=st.sampled_from([1e-9, 1.0, 1e9]),
)
def test_products_are_added_to_what_is_there_bar_by_bar(seed, n_bars, n_frequencies, scale):
    rng = np.random.default_rng(seed)

    def spectra(*shape):
        return scale * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))

    signal, forwards = spectra(n_bars, n_frequencies), spectra(2, n_bars, n_frequencies)
    weight = rng.choice([0.0, 0.5, 2.0], (2, n_bars))
    before = spectra(2, n_frequencies)
    sums = before.copy()
    add_products(weight, signal, forwards, sums)
    expected = before + np.einsum("ht,tf,htf->hf", weight, signal, forwards)
    assert_allclose(sums, expected, rtol=1e-12, atol=1e-12 * scale**2)
    parts = before.copy()
    for rows in (slice(n_bars // 2), slice(n_bars // 2, None)):
        add_products(weight[:, rows].copy(), signal[rows], forwards[:, rows].copy(), parts)
    assert_array_equal(parts, sums)

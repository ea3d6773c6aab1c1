"""Sums over bars of products of spectra."""

import numpy as np
from jaxtyping import Complex, Float

from plumbline.kernels.compilation import compiled


@compiled
def add_products(
    weight: Float[np.ndarray, "horizons bars"],
    signal: Complex[np.ndarray, "bars frequencies"],
    forwards: Complex[np.ndarray, "horizons bars frequencies"],
    sums: Complex[np.ndarray, "horizons frequencies"],
) -> None:
    """Add each bar's product of two spectra times its weight, bars in their order; O(H·T·F).

    Parameters
    ----------
    weight : (H, T); a bar of weight 0 is passed over.
    signal, forwards : (T, F) and (H, T, F) spectra.
    sums : (H, F), added to.
    """
    for h in range(forwards.shape[0]):
        total = sums[h]
        for bar in range(signal.shape[0]):
            share = weight[h, bar]
            if share != 0.0:
                left, right = signal[bar], forwards[h, bar]
                for f in range(total.shape[0]):
                    total[f] += share * (left[f] * right[f])

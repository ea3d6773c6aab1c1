"""The exact fixed-b law of a Newey-West t, from the eigenvalues of its variance estimate.

Under fixed-b asymptotics the t of a mean is W(1)/√Q, with W(1) standard normal and, independent of
it, Q = Σ λᵢχ²ᵢ, where λᵢ are the eigenvalues of the Bartlett kernel 1 - |r - s|/b after the mean
is taken out. Craig's formula turns the tail probability into one smooth integral,

    P(|t| > c) = (2/π) ∫₀^{π/2} Πᵢ (1 + c²λᵢ/sin²θ)^(-1/2) dθ.

Running this file fits z/c (z: the normal score with the same two-sided probability) by Chebyshev
polynomials in the bandwidth share b and in c√b/(2 + c√b), and prints the coefficients that
``plumbline.inference.fixed_b`` holds.
"""

import numpy as np
from numpy.polynomial import chebyshev
from scipy.linalg import eigvalsh, toeplitz
from scipy.optimize import brentq
from scipy.special import logsumexp, ndtri_exp

NODES, WEIGHTS = np.polynomial.legendre.leggauss(200)
THETA, WEIGHTS = (NODES + 1) * np.pi / 4, WEIGHTS * np.pi / 4


def eigenvalues(bandwidth: int, n_obs: int) -> np.ndarray:
    """Return the λ of a sample of ``n_obs`` white-noise values and weights 1 - j/bandwidth."""
    kernel = toeplitz(np.maximum(0, 1 - np.arange(n_obs) / bandwidth))
    centred = kernel - kernel.mean(0)[None] - kernel.mean(1)[:, None] + kernel.mean()
    return np.maximum(eigvalsh(centred / n_obs), 0)


def log_p_value(t: float, lambdas: np.ndarray) -> float:
    scaled = t * t / np.sin(THETA) ** 2
    exponent = -0.5 * np.log1p(scaled[:, None] * lambdas[None]).sum(1)
    return float(np.log(2 / np.pi) + logsumexp(exponent, b=WEIGHTS))


def normal_score(t: float, lambdas: np.ndarray) -> float:
    return float(-ndtri_exp(log_p_value(t, lambdas) - np.log(2)))


def critical_value(lambdas: np.ndarray, level: float = 0.05) -> float:
    return float(brentq(lambda t: log_p_value(t, lambdas) - np.log(level), 0.5, 50))


def fitted_coefficients(n_obs: int = 1440, degrees: tuple[int, int] = (6, 8)) -> np.ndarray:
    """Return the (degree in b, degree in c) Chebyshev coefficients of z/c."""
    node = (np.cos((np.arange(20) + 0.5) * np.pi / 20) + 1) / 2
    bandwidths = np.unique(np.round(n_obs * np.r_[np.linspace(0.0085, 0.1, 12), node]))
    bandwidths = np.unique(bandwidths.astype(int) // 2 * 2)
    bandwidths = bandwidths[bandwidths >= 12]
    top = 10 / 12
    share = np.cos((np.arange(40) + 0.5) * np.pi / 40)
    share = share[top * (share + 1) / 2 > 0.015]
    x = 2 * (u := top * (share + 1) / 2) / (1 - u)
    ratio = np.empty((len(bandwidths), len(x)))
    for i, bandwidth in enumerate(bandwidths):
        fine = eigenvalues(bandwidth, n_obs)
        coarse = eigenvalues(bandwidth // 2, n_obs // 2)
        for j, c in enumerate(x / np.sqrt(bandwidth / n_obs)):
            # Richardson: the discretisation error falls with the square of the grid
            ratio[i, j] = (4 * normal_score(c, fine) - normal_score(c, coarse)) / 3 / c
    basis_b = chebyshev.chebvander(2 * bandwidths / n_obs - 1, degrees[0] - 1)
    basis_c = chebyshev.chebvander(share, degrees[1] - 1)
    design = np.einsum("ij,kl->ikjl", basis_b, basis_c).reshape(ratio.size, -1)
    solution = np.linalg.lstsq(design, ratio.ravel(), rcond=None)[0]
    print("largest error of z/c", np.abs(design @ solution - ratio.ravel()).max())
    return solution.reshape(degrees)


if __name__ == "__main__":
    for row in fitted_coefficients():
        print("    (" + ", ".join(f"{value:.7f}" for value in row) + "),")

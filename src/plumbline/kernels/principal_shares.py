"""How a vector's variance under a symmetric matrix splits over its principal components."""

import numpy as np
from jaxtyping import Float

from plumbline.kernels.compilation import compiled

_SWEEPS = 60  # of the QL iteration for one eigenvalue; two or three are usual


@compiled
def rotate_to_components(
    matrix: Float[np.ndarray, "size size"],
    vector: Float[np.ndarray, " size"],
    room: Float[np.ndarray, "three size"],
) -> bool:
    """Write the eigenvalues over the first row of ``room`` and e_k'v over ``vector``.

    The matrix is made tridiagonal by reflections, then diagonal by rotations; both turn the vector
    along, so no eigenvector is ever built. The matrix is overwritten; its lower triangle is read.
    The order of the pairs is the iteration's own. Cost: 4/3 size³.

    Returns
    -------
    False if the iteration does not end, as with a matrix that holds NaN.

    References
    ----------
    Golub and Welsch, "Calculation of Gauss quadrature rules", Mathematics of Computation 23 (1969)
    221-230. Wilkinson and Reinsch, "Linear algebra" (1971), contributions II/2 and II/4.
    """
    diagonal, beside = room[0], room[1]
    _reflect(matrix, vector, room)
    return _diagonalise(diagonal, beside, vector)


@compiled
def _reflect(
    a: Float[np.ndarray, "size size"],
    v: Float[np.ndarray, " size"],
    room: Float[np.ndarray, "three size"],
) -> None:
    """Make the matrix tridiagonal; write its diagonal and the entries beside it."""
    n = v.size
    diagonal, beside, p = room[0], room[1], room[2]
    for k in range(n - 2):
        square = 0.0
        for i in range(k + 2, n):
            square += a[i, k] * a[i, k]
        diagonal[k] = a[k, k]
        if square == 0.0:
            beside[k] = a[k + 1, k]
            continue
        head = a[k + 1, k]
        length = np.sqrt(square + head * head)
        if head > 0.0:
            length = -length
        beside[k] = length
        a[k + 1, k] = head - length  # the reflection's vector u stands below the diagonal
        scale = -1.0 / (length * a[k + 1, k])  # 2 / u'u
        turned = 0.0
        for i in range(k + 1, n):
            turned += a[i, k] * v[i]
        turned *= scale
        inner = 0.0
        for i in range(k + 1, n):
            v[i] -= turned * a[i, k]
            total = 0.0
            for j in range(k + 1, i + 1):
                total += a[i, j] * a[j, k]
            for j in range(i + 1, n):
                total += a[j, i] * a[j, k]
            p[i] = total * scale
            inner += p[i] * a[i, k]
        inner *= scale / 2.0
        for i in range(k + 1, n):
            p[i] -= inner * a[i, k]
        for i in range(k + 1, n):
            for j in range(k + 1, i + 1):
                a[i, j] -= a[i, k] * p[j] + p[i] * a[j, k]
    if n > 1:
        diagonal[n - 2] = a[n - 2, n - 2]
        beside[n - 2] = a[n - 1, n - 2]
    diagonal[n - 1] = a[n - 1, n - 1]
    beside[n - 1] = 0.0


@compiled
def _diagonalise(
    d: Float[np.ndarray, " size"], e: Float[np.ndarray, " size"], v: Float[np.ndarray, " size"]
) -> bool:
    """Turn a tridiagonal matrix diagonal by implicit QL steps."""
    n = d.size
    for left in range(n):
        for _ in range(_SWEEPS):
            m = left
            while m < n - 1:
                size = np.abs(d[m]) + np.abs(d[m + 1])
                if np.abs(e[m]) + size == size:
                    break
                m += 1
            if m == left:
                break
            g = (d[left + 1] - d[left]) / (2.0 * e[left])
            r = np.sqrt(g * g + 1.0)
            g = d[m] - d[left] + e[left] / (g + (r if g >= 0.0 else -r))
            s, c, p = 1.0, 1.0, 0.0
            is_split = False
            for i in range(m - 1, left - 1, -1):
                f, b = s * e[i], c * e[i]
                r = np.sqrt(f * f + g * g)
                e[i + 1] = r
                if r == 0.0:
                    d[i + 1] -= p
                    e[m] = 0.0
                    is_split = True
                    break
                s, c = f / r, g / r
                g = d[i + 1] - p
                r = (d[i] - g) * s + 2.0 * c * b
                p = s * r
                d[i + 1] = g + p
                g = c * r - b
                upper, lower = v[i], v[i + 1]
                v[i + 1] = s * upper + c * lower
                v[i] = c * upper - s * lower
            if is_split:
                continue
            d[left] -= p
            e[left] = g
            e[m] = 0.0
        else:
            return False
    return True

"""Least squares in a few unknowns, none of them negative, from products alone."""

import numpy as np
from jaxtyping import Float

from plumbline.kernels.compilation import compiled

_PIVOT = 1e-12  # share of its diagonal below which a pivot is rounding


@compiled
def nonnegative_solution(
    gram: Float[np.ndarray, "unknowns unknowns"],
    products: Float[np.ndarray, " unknowns"],
    out: Float[np.ndarray, " unknowns"],
) -> None:
    """Write the x of least |Ax - b| that has no negative entry, from A'A and A'b.

    All sets of unknowns are tried that may be above 0, so it is the solution itself. Columns are
    scaled to length 1 first; a column of zeros, or one that depends on those before it, gets 0.
    Cost: O(2^n n^3), for n of five at most.

    References
    ----------
    Lawson and Hanson, "Solving least squares problems" (1974), chapter 23.
    """
    n = products.size
    scale = np.empty(n)
    for i in range(n):
        scale[i] = np.sqrt(gram[i, i])
    chol, x, members = np.empty((n, n)), np.empty(n), np.empty(n, dtype=np.int64)
    best = 0.0
    out[:] = 0.0
    for chosen in range(1, 1 << n):
        m = 0
        for i in range(n):
            if chosen >> i & 1:
                members[m] = i
                m += 1
        if not _solve(gram, products, scale, members[:m], chol, x):
            continue
        explained = 0.0
        is_allowed = True
        for i in range(m):
            is_allowed &= x[i] >= 0.0
            explained += x[i] * products[members[i]] / scale[members[i]]
        if is_allowed and explained > best:
            best = explained
            out[:] = 0.0
            for i in range(m):
                out[members[i]] = x[i] / scale[members[i]]


@compiled
def _solve(
    gram: Float[np.ndarray, "unknowns unknowns"],
    products: Float[np.ndarray, " unknowns"],
    scale: Float[np.ndarray, " unknowns"],
    members: np.ndarray,
    chol: Float[np.ndarray, "unknowns unknowns"],
    x: Float[np.ndarray, " unknowns"],
) -> bool:
    """Solve for some unknowns, in units of scaled columns; return whether there is a solution."""
    m = members.size
    for j in range(m):
        a = members[j]
        if not scale[a] > 0.0:
            return False
        for i in range(j, m):
            b = members[i]
            total = gram[b, a] / (scale[a] * scale[b])
            for k in range(j):
                total -= chol[i, k] * chol[j, k]
            if i == j:
                if not total > _PIVOT:
                    return False
                chol[j, j] = np.sqrt(total)
            else:
                chol[i, j] = total / chol[j, j]
    for i in range(m):
        total = products[members[i]] / scale[members[i]]
        for k in range(i):
            total -= chol[i, k] * x[k]
        x[i] = total / chol[i, i]
    for i in range(m - 1, -1, -1):
        total = x[i]
        for k in range(i + 1, m):
            total -= chol[k, i] * x[k]
        x[i] = total / chol[i, i]
    return True

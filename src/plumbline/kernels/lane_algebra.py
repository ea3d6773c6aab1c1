"""Small symmetric systems solved for many lanes at once; a lane is one bar or one asset.

Entry ``e`` of lane ``j`` lies at ``[e, j]``, so that every inner loop runs over neighbours and
compiles to vector instructions. Bars of the shared path and assets of the masked path go through
the same functions, so a window gets the same bits wherever it is solved.
"""

import numpy as np
from jaxtyping import Float

from plumbline.kernels.compilation import compiled
from plumbline.kernels.fit_layout import SMALLEST_PIVOT, SMALLEST_VARIATION, Rules, facts_layout

_SWEEPS = 12
_NEGLIGIBLE = 4e-32  # squared share of the diagonal that an entry may keep


@compiled
def factorise(
    sums: Float[np.ndarray, "entries lanes"],
    facts: Float[np.ndarray, "n_facts lanes"],
    work: Float[np.ndarray, "n_work lanes"],
    shift: Float[np.ndarray, " factors"],
    rules: Rules,
    lanes: int,
) -> None:
    """Turn the window sums of the first ``lanes`` lanes into centred Gram matrices and inverses.

    ``sums`` holds n, Σw, Σwx, Σwxx' (upper triangle by rows) of factors shifted by ``shift``.
    A lane is marked unstable by a pivot below SMALLEST_PIVOT of its diagonal, by one that is not a
    number, and by a factor that hardly varies about its mean.
    ``work`` needs (K + 1)² + 2 rows.
    """
    n = shift.shape[0]
    at = facts_layout(n)
    weight, inverse_weight = sums[1], facts[at.weight]
    for j in range(lanes):
        inverse_weight[j] = 1.0 / weight[j]
    centring = float(rules.intercept)
    pair = 2 + n
    for k in range(n):
        mean, total = facts[at.mean + k], sums[2 + k]
        for j in range(lanes):
            mean[j] = centring * (total[j] * inverse_weight[j])
        for i in range(k, n):
            upper, lower = facts[at.inverse + k * n + i], facts[at.inverse + i * n + k]
            product, other = sums[pair], sums[2 + i]
            ridge = rules.ridge if i == k else 0.0
            if i == k:
                lower = facts[at.diagonal + k]
            for j in range(lanes):
                entry = product[j] - mean[j] * other[j] + ridge
                upper[j] = entry
                lower[j] = entry
            pair += 1
    _invert(facts, work[0], n, lanes)
    if rules.intercept:
        _mark_constants(sums, facts, shift, lanes)
    if rules.level == 2:
        _leave_spreads(facts, shift, rules, lanes)
        _leave_conditions(sums, facts, work, shift, rules, lanes)


@compiled
def _mark_constants(
    sums: Float[np.ndarray, "entries lanes"],
    facts: Float[np.ndarray, "n_facts lanes"],
    shift: Float[np.ndarray, " factors"],
    lanes: int,
) -> None:
    """Mark lanes where a factor's variation may be nothing but rounding of its values."""
    n = shift.shape[0]
    at = facts_layout(n)
    state, weight = facts[at.state], sums[1]
    for k in range(n):
        mean, diagonal, step = facts[at.mean + k], facts[at.diagonal + k], shift[k]
        for j in range(lanes):
            level = mean[j] + step
            varies = diagonal[j] > SMALLEST_VARIATION * (weight[j] * level * level)
            state[j] = state[j] if varies else 1.0


@compiled
def _invert(
    facts: Float[np.ndarray, "n_facts lanes"],
    scale: Float[np.ndarray, " lanes"],
    n: int,
    lanes: int,
) -> None:
    """Invert every lane's Gram matrix in place, pivot by pivot (Gauss-Jordan).

    Refinement would change nothing but rounding: the pivots that it is for go to QR.
    """
    at = facts_layout(n)
    state = facts[at.state]
    for k in range(n):
        pivot, diagonal = facts[at.inverse + k * n + k], facts[at.diagonal + k]
        for j in range(lanes):
            worst = state[j] if k else 0.0
            state[j] = worst if pivot[j] > SMALLEST_PIVOT * diagonal[j] else 1.0
        for j in range(lanes):
            scale[j] = 1.0 / pivot[j]
            pivot[j] = scale[j]
        for i in range(n):
            if i != k:
                scaled = facts[at.inverse + i * n + k]
                for j in range(lanes):
                    scaled[j] = -scaled[j] * scale[j]
                for m in range(n):
                    if m != k:
                        target, row = facts[at.inverse + i * n + m], facts[at.inverse + k * n + m]
                        for j in range(lanes):
                            target[j] += scaled[j] * row[j]
        for m in range(n):
            if m != k:
                row = facts[at.inverse + k * n + m]
                for j in range(lanes):
                    row[j] *= scale[j]


@compiled
def _leave_spreads(
    facts: Float[np.ndarray, "n_facts lanes"],
    shift: Float[np.ndarray, " factors"],
    rules: Rules,
    lanes: int,
) -> None:
    """Leave the standard errors for a residual variance of one, alpha first.

    With a ridge penalty the variance is M·S·M for M the inverse of S + penalty, which is
    M - penalty·M·M; without one it is M.
    """
    n = shift.shape[0]
    at = facts_layout(n)
    alpha, inverse_weight = facts[at.spread], facts[at.weight]
    for j in range(lanes):
        alpha[j] = inverse_weight[j] if rules.intercept else np.nan
    for k in range(n):
        mean_k, spread = facts[at.mean + k], facts[at.spread + 1 + k]
        for i in range(n):
            mean_i, entry = facts[at.mean + i], facts[at.inverse + k * n + i]
            for j in range(lanes):
                variance = entry[j]
                if rules.ridge > 0.0:
                    for m in range(n):
                        left = facts[at.inverse + k * n + m, j]
                        variance -= rules.ridge * left * facts[at.inverse + i * n + m, j]
                alpha[j] += (mean_k[j] + shift[k]) * (mean_i[j] + shift[i]) * variance
                if i == k:
                    spread[j] = np.sqrt(variance)
    for j in range(lanes):
        alpha[j] = np.sqrt(alpha[j])


@compiled
def _leave_conditions(
    sums: Float[np.ndarray, "entries lanes"],
    facts: Float[np.ndarray, "n_facts lanes"],
    work: Float[np.ndarray, "n_work lanes"],
    shift: Float[np.ndarray, " factors"],
    rules: Rules,
    lanes: int,
) -> None:
    """Leave the 2-norm condition number of each lane's design matrix, in the caller's units."""
    n = shift.shape[0]
    edge = rules.intercept
    size = n + edge
    weight = sums[1]
    if edge:
        for j in range(lanes):
            work[0, j] = weight[j]
    pair = 2 + n
    for k in range(n):
        mine = sums[2 + k]
        if edge:
            right, below = work[k + 1], work[(k + 1) * size]
            for j in range(lanes):
                right[j] = mine[j] + shift[k] * weight[j]
                below[j] = right[j]
        for i in range(k, n):
            other, product = sums[2 + i], sums[pair]
            upper, lower = work[(k + edge) * size + i + edge], work[(i + edge) * size + k + edge]
            ridge = rules.ridge if i == k else 0.0
            for j in range(lanes):
                cross = shift[k] * other[j] + shift[i] * mine[j]
                upper[j] = product[j] + cross + shift[k] * shift[i] * weight[j] + ridge
                lower[j] = upper[j]
            pair += 1
    _diagonalise(work, size, lanes)
    condition = facts[facts_layout(n).condition]
    for j in range(lanes):
        largest = work[0, j]
        smallest = work[0, j]
        for k in range(1, size):
            largest = max(largest, work[k * (size + 1), j])
            smallest = min(smallest, work[k * (size + 1), j])
        condition[j] = np.sqrt(largest / smallest) if smallest > 0.0 else np.inf


@compiled
def _diagonalise(work: Float[np.ndarray, "n_work lanes"], size: int, lanes: int) -> None:
    """Rotate every lane's symmetric matrix until its diagonal holds the eigenvalues (Jacobi).

    A lane whose entry is negligible beside its diagonal is rotated by nothing, so a lane that
    finishes early keeps its bits whatever its neighbours need.
    """
    cosine, sine = work[size * size], work[size * size + 1]
    for _ in range(_SWEEPS):
        turned = 0
        for k in range(size):
            for i in range(k + 1, size):
                off, mirror = work[k * size + i], work[i * size + k]
                upper, lower = work[k * size + k], work[i * size + i]
                turns = 0
                for j in range(lanes):
                    turns += off[j] * off[j] > _NEGLIGIBLE * np.abs(upper[j] * lower[j])
                if turns == 0:
                    continue
                turned += turns
                for j in range(lanes):
                    ratio = (lower[j] - upper[j]) / (2.0 * off[j])
                    tangent = 1.0 / (np.abs(ratio) + np.sqrt(ratio * ratio + 1.0))
                    tangent = tangent if ratio >= 0.0 else -tangent
                    c = 1.0 / np.sqrt(tangent * tangent + 1.0)
                    turn = off[j] * off[j] > _NEGLIGIBLE * np.abs(upper[j] * lower[j])
                    cosine[j] = c if turn else 1.0
                    sine[j] = tangent * c if turn else 0.0
                for m in range(size):
                    _rotate(work[m * size + k], work[m * size + i], cosine, sine, lanes)
                for m in range(size):
                    _rotate(work[k * size + m], work[i * size + m], cosine, sine, lanes)
                for j in range(lanes):
                    off[j] = 0.0 if sine[j] != 0.0 else off[j]
                    mirror[j] = off[j]
        if turned == 0:
            return


@compiled
def _rotate(
    left: Float[np.ndarray, " lanes"],
    right: Float[np.ndarray, " lanes"],
    cosine: Float[np.ndarray, " lanes"],
    sine: Float[np.ndarray, " lanes"],
    lanes: int,
) -> None:
    """Rotate two entries of every lane."""
    for j in range(lanes):
        a, b = left[j], right[j]
        left[j] = cosine[j] * a - sine[j] * b
        right[j] = sine[j] * a + cosine[j] * b

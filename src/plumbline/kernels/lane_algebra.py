"""Small symmetric systems solved for many lanes at once; a lane is one bar or one asset.

Entry ``e`` of lane ``j`` lies at ``[e, j]``, so that every inner loop runs over neighbours and
compiles to vector instructions. Bars of the shared path and assets of the masked path go through
the same functions, so a window gets the same bits wherever it is solved.
"""

import numpy as np
from jaxtyping import Float

from plumbline.kernels.compilation import compiled
from plumbline.kernels.fit_layout import (
    SMALLEST_PIVOT,
    SMALLEST_VARIATION,
    Rules,
    entry_of,
    facts_layout,
)

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
    """Turn the window sums of the first ``lanes`` lanes into factorised centred Gram matrices.

    ``sums`` holds n, Σw, Σwx, Σwxx' (upper triangle by rows) of factors shifted by ``shift``.
    A lane is marked unstable by a pivot below SMALLEST_PIVOT of its diagonal, by one that is not a
    number, and by a factor that hardly varies about its mean.
    ``work`` needs ``n_work`` rows.
    """
    n = shift.shape[0]
    at = facts_layout(n)
    weight, inverse_weight = sums[1], facts[at.weight]
    for j in range(lanes):
        inverse_weight[j] = 1.0 / weight[j]
    centring = float(rules.intercept)
    pair = 0
    for k in range(n):
        mean, total = facts[at.mean + k], sums[2 + k]
        for j in range(lanes):
            mean[j] = centring * (total[j] * inverse_weight[j])
        for i in range(k, n):
            entry, product, other = facts[at.factor + pair], sums[2 + n + pair], sums[2 + i]
            if i == k:
                diagonal = facts[at.diagonal + k]
                for j in range(lanes):
                    value = product[j] - mean[j] * other[j] + rules.ridge
                    entry[j] = value
                    diagonal[j] = value
            else:
                for j in range(lanes):
                    entry[j] = product[j] - mean[j] * other[j]
            pair += 1
    _decompose(facts, work[0], n, lanes)
    if rules.intercept:
        _mark_constants(sums, facts, shift, lanes)
    if rules.level == 2:
        _leave_spreads(facts, work, shift, rules, lanes)
        _leave_conditions(sums, facts, work, shift, rules, lanes)


@compiled
def _decompose(
    facts: Float[np.ndarray, "n_facts lanes"],
    scaled: Float[np.ndarray, " lanes"],
    n: int,
    lanes: int,
) -> None:
    """Factorise every lane's Gram matrix in place as L·D·L' and invert D.

    Refinement would change nothing but rounding: the pivots that it is for go to QR.
    """
    at = facts_layout(n)
    state = facts[at.state]
    for k in range(n):
        first = at.factor + entry_of(n, k, k) - k
        pivot, diagonal = facts[first + k], facts[at.diagonal + k]
        for j in range(lanes):
            worst = state[j] if k else 0.0
            state[j] = worst if pivot[j] > SMALLEST_PIVOT * diagonal[j] else 1.0
            pivot[j] = 1.0 / pivot[j]
        for i in range(k + 1, n):
            row = facts[first + i]
            for j in range(lanes):
                scaled[j] = row[j] * pivot[j]
            for m in range(i, n):
                target, other = facts[at.factor + entry_of(n, i, m)], facts[first + m]
                for j in range(lanes):
                    target[j] -= scaled[j] * other[j]
            for j in range(lanes):
                row[j] = scaled[j]


@compiled
def _mark_constants(
    sums: Float[np.ndarray, "entries lanes"],
    facts: Float[np.ndarray, "n_facts lanes"],
    shift: Float[np.ndarray, " factors"],
    lanes: int,
) -> None:
    """Mark lanes where a factor's variation may be nothing but rounding of its values.

    Where the head's first row is missing nothing was taken from the values beforehand, and
    centring their squares may cost as many digits as a small pivot does.
    """
    n = shift.shape[0]
    at = facts_layout(n)
    state, weight = facts[at.state], sums[1]
    for k in range(n):
        mean, diagonal, step = facts[at.mean + k], facts[at.diagonal + k], shift[k]
        square = sums[2 + n + entry_of(n, k, k)]
        for j in range(lanes):
            level = mean[j] + step
            varies = diagonal[j] > SMALLEST_VARIATION * (weight[j] * level * level)
            keeps = diagonal[j] > SMALLEST_PIVOT * square[j]
            state[j] = state[j] if varies & keeps else 1.0


@compiled
def _leave_spreads(
    facts: Float[np.ndarray, "n_facts lanes"],
    work: Float[np.ndarray, "n_work lanes"],
    shift: Float[np.ndarray, " factors"],
    rules: Rules,
    lanes: int,
) -> None:
    """Leave the standard errors for a residual variance of one, alpha first, and reciprocals.

    M is the inverse of the Gram matrix, E that of L. A slope's variance is its diagonal entry of
    M = E'·D⁻¹·E, the intercept's 1 / Σw + m'·M·m for means m. With a ridge penalty M·S·M takes
    the place of M, which is M - penalty·M·M.
    """
    n = shift.shape[0]
    at = facts_layout(n)
    _invert_triangle(facts, work, n, lanes)
    alpha, inverse_weight = facts[at.spread], facts[at.weight]
    entry, tilt = work[entry_of(n, n, n)], work[entry_of(n, n, n) + 1]
    for j in range(lanes):
        alpha[j] = inverse_weight[j] if rules.intercept else np.nan
    for k in range(n):
        variance = facts[at.spread + 1 + k]
        tilt[:lanes] = 0.0
        for i in range(n):
            _leave_entry(facts, work, entry, (n, k, i), lanes)
            mean_i = facts[at.mean + i]
            for j in range(lanes):
                tilt[j] += entry[j] * (mean_i[j] + shift[i])
            if i == k:
                for j in range(lanes):
                    variance[j] = entry[j]
        mean_k = facts[at.mean + k]
        for j in range(lanes):
            alpha[j] += (mean_k[j] + shift[k]) * tilt[j]
        if rules.ridge > 0.0:
            for i in range(n):
                _leave_entry(facts, work, entry, (n, k, i), lanes)
                for j in range(lanes):
                    variance[j] -= rules.ridge * (entry[j] * entry[j])
            for j in range(lanes):
                alpha[j] -= rules.ridge * (tilt[j] * tilt[j])
    for k in range(n + 1):
        spread, precision = facts[at.spread + k], facts[at.precision + k]
        for j in range(lanes):
            root = np.sqrt(spread[j])
            spread[j] = root
            precision[j] = 1.0 / root


@compiled
def _invert_triangle(
    facts: Float[np.ndarray, "n_facts lanes"],
    work: Float[np.ndarray, "n_work lanes"],
    n: int,
    lanes: int,
) -> None:
    """Leave the inverse of every lane's unit lower triangle L, kept as L is."""
    factor = facts_layout(n).factor
    for k in range(n):
        for i in range(k, n):
            target = work[entry_of(n, k, i)]
            if i == k:
                target[:lanes] = 1.0
                continue
            target[:lanes] = 0.0
            for m in range(k, i):
                left, right = facts[factor + entry_of(n, m, i)], work[entry_of(n, k, m)]
                for j in range(lanes):
                    target[j] -= left[j] * right[j]


@compiled
def _leave_entry(
    facts: Float[np.ndarray, "n_facts lanes"],
    work: Float[np.ndarray, "n_work lanes"],
    entry: Float[np.ndarray, " lanes"],
    place: tuple[int, int, int],
    lanes: int,
) -> None:
    """Leave one entry of every lane's inverse Gram matrix: Σ over m of E[m, k]·E[m, i] / d[m]."""
    n, k, i = place
    factor = facts_layout(n).factor
    entry[:lanes] = 0.0
    for m in range(max(k, i), n):
        left, right = work[entry_of(n, k, m)], work[entry_of(n, i, m)]
        pivot = facts[factor + entry_of(n, m, m)]
        for j in range(lanes):
            entry[j] += left[j] * right[j] * pivot[j]


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
            right = work[k + 1]
            for j in range(lanes):
                right[j] = mine[j] + shift[k] * weight[j]
        for i in range(k, n):
            other, product = sums[2 + i], sums[pair]
            entry = work[entry_of(size, k + edge, i + edge)]
            ridge = rules.ridge if i == k else 0.0
            for j in range(lanes):
                cross = shift[k] * other[j] + shift[i] * mine[j]
                entry[j] = product[j] + cross + shift[k] * shift[i] * weight[j] + ridge
            pair += 1
    _diagonalise(work, size, lanes)
    condition = facts[facts_layout(n).condition]
    for j in range(lanes):
        largest = work[0, j]
        smallest = work[0, j]
        for k in range(1, size):
            value = work[entry_of(size, k, k), j]
            largest = max(largest, value)
            smallest = min(smallest, value)
        condition[j] = np.sqrt(largest / smallest) if smallest > 0.0 else np.inf


@compiled
def _diagonalise(work: Float[np.ndarray, "n_work lanes"], size: int, lanes: int) -> None:
    """Rotate every lane's symmetric matrix until its diagonal holds the eigenvalues (Jacobi).

    Only the upper triangle is kept. A lane whose entry is negligible beside its diagonal is
    rotated by nothing, so a lane that finishes early keeps its bits whatever its neighbours need.
    """
    n_entries = entry_of(size, size, size)
    tangent, sine = work[n_entries], work[n_entries + 1]
    for _ in range(_SWEEPS):
        turned = 0
        for k in range(size):
            for i in range(k + 1, size):
                off = work[entry_of(size, k, i)]
                upper, lower = work[entry_of(size, k, k)], work[entry_of(size, i, i)]
                turns = 0
                for j in range(lanes):
                    turns += off[j] * off[j] > _NEGLIGIBLE * np.abs(upper[j] * lower[j])
                if turns == 0:
                    continue
                turned += turns
                for j in range(lanes):
                    turn = off[j] * off[j] > _NEGLIGIBLE * np.abs(upper[j] * lower[j])
                    ratio = (lower[j] - upper[j]) / (2.0 * off[j])
                    slope = 1.0 / (np.abs(ratio) + np.sqrt(ratio * ratio + 1.0))
                    tangent[j] = (slope if ratio >= 0.0 else -slope) if turn else 0.0
                for j in range(lanes):
                    step = tangent[j] * off[j]
                    upper[j] -= step
                    lower[j] += step
                    off[j] = 0.0 if tangent[j] != 0.0 else off[j]
                for j in range(lanes):
                    cosine = 1.0 / np.sqrt(tangent[j] * tangent[j] + 1.0)
                    sine[j] = tangent[j] * cosine
                    tangent[j] = cosine
                for m in range(size):
                    if m != k and m != i:
                        left = work[entry_of(size, min(m, k), max(m, k))]
                        right = work[entry_of(size, min(m, i), max(m, i))]
                        _rotate(left, right, tangent, sine, lanes)
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

"""How alike the holdings of portfolios move on a date, from the correlations of all pairs."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from plumbline.kernels.compilation import compiled
from plumbline.kernels.principal_shares import rotate_to_components

_NEGATIVE = -1e-10  # an eigenvalue per symbol below which a matrix is none of correlations


class Date(NamedTuple):
    """Symbols on a date.

    Parameters
    ----------
    pairs : upper triangle of their correlations, row by row; NaN for a pair without one.
    deviation : of each symbol's returns; NaN for a symbol that cannot be measured.
    """

    pairs: Float[np.ndarray, " pairs"]
    deviation: Float[np.ndarray, " symbols"]


class Alikeness(NamedTuple):
    """Figures of portfolios on a date; NaN where there is none.

    Parameters
    ----------
    mean : of the correlations of all pairs that are held.
    weighted_mean : of the same, weighted by the size of both weights.
    diversification : sum of sizes times deviations, over the deviation of the whole.
    effective_bets : exp of the entropy of the shares of variance of principal components.
    covered : size of the weights that are measured.
    n_symbols : that are measured.
    is_indefinite : whether gaps make the matrix one that no returns have; the figures that need
        it are NaN then.
    """

    mean: Float[np.ndarray, " portfolios"]
    weighted_mean: Float[np.ndarray, " portfolios"]
    diversification: Float[np.ndarray, " portfolios"]
    effective_bets: Float[np.ndarray, " portfolios"]
    covered: Float[np.ndarray, " portfolios"]
    n_symbols: Int[np.ndarray, " portfolios"]
    is_indefinite: Bool[np.ndarray, " portfolios"]


def portfolio_correlation(
    start: Int[np.ndarray, " portfolios_and_one"],
    place: Int[np.ndarray, " lines"],
    weight: Float[np.ndarray, " lines"],
    date: Date,
) -> Alikeness:
    """Measure portfolios on a date.

    Parameters
    ----------
    start : place of each portfolio's first line; a portfolio has a symbol once.
    place : of each line's symbol among those of the date, or -1.
    weight : signed; 0 or NaN for what is not held.
    date : the symbols.

    Returns
    -------
    A symbol without deviation, and one without a correlation to most of the others that are left,
    is left out, the last of those with the most such pairs first. One symbol alone has no mean, a
    diversification of 1 and one bet.

    Notes
    -----
    Cost: O(n³) a portfolio of n symbols.

    References
    ----------
    Choueifaty and Coignard, "Toward maximum diversification", Journal of Portfolio Management 35
    (2008) 40-51. Meucci, "Managing diversification", Risk 22 (2009) 74-79.
    """
    n = start.size - 1
    figures = {name: np.full(n, np.nan) for name in Alikeness._fields}
    counts = {"n_symbols": np.zeros(n, dtype=np.int64), "covered": np.zeros(n)}
    out = Alikeness(**figures | counts | {"is_indefinite": np.zeros(n, dtype=np.bool_)})
    longest = int(np.diff(start).max(initial=0))
    _measure(start, place, weight, date, longest, out)
    return out


def held_matrix(
    place: Int[np.ndarray, " lines"], weight: Float[np.ndarray, " lines"], date: Date
) -> tuple[Int[np.ndarray, " kept"], Float[np.ndarray, "kept kept"]]:
    """Return the lines of one portfolio that are measured, and their correlations."""
    kept = np.empty(place.size, dtype=np.int64)
    matrix = np.empty((place.size, place.size))
    n = _gather(place, weight, date, kept, matrix)
    return kept[:n], matrix[:n, :n]


@compiled
def _measure(
    start: Int[np.ndarray, " portfolios_and_one"],
    place: Int[np.ndarray, " lines"],
    weight: Float[np.ndarray, " lines"],
    date: Date,
    longest: int,
    out: Alikeness,
) -> None:
    kept = np.empty(longest, dtype=np.int64)
    square = np.empty(longest * longest)
    risk, room = np.empty(longest), np.empty(3 * longest)
    for p in range(start.size - 1):
        first, last = start[p], start[p + 1]
        own, sizes = place[first:last], weight[first:last]
        whole = square[: own.size * own.size].reshape((own.size, own.size))
        n = _gather(own, sizes, date, kept, whole)
        out.n_symbols[p] = n
        if n == 0:
            continue
        total = plain = both = weighted = variance = alone = 0.0
        for i in range(n):
            size = np.abs(sizes[kept[i]])
            risk[i] = sizes[kept[i]] * date.deviation[own[kept[i]]]
            total += size
            alone += np.abs(risk[i])
            for j in range(i):
                product = size * np.abs(sizes[kept[j]])
                plain += whole[i, j]
                both += product
                weighted += product * whole[i, j]
                variance += 2.0 * risk[i] * risk[j] * whole[i, j]
            variance += risk[i] * risk[i]
        out.covered[p] = total
        if n > 1:
            out.mean[p] = plain / (n * (n - 1) / 2)
            out.weighted_mean[p] = weighted / both
        matrix = square[: n * n].reshape((n, n))
        if n < own.size:
            for i in range(n):  # rows move up, never onto one that is still to be read
                for j in range(n):
                    matrix[i, j] = whole[i, j]
        space = room[: 3 * n].reshape((3, n))
        if not rotate_to_components(matrix, risk[:n], space):
            continue
        bets, is_indefinite = _bets(space[0], risk[:n])
        out.is_indefinite[p] = is_indefinite
        if not is_indefinite and variance > 0.0:
            out.diversification[p] = alone / np.sqrt(variance)
            out.effective_bets[p] = bets


@compiled
def _bets(
    values: Float[np.ndarray, " kept"], parts: Float[np.ndarray, " kept"]
) -> tuple[float, bool]:
    """Return the effective number of bets, and whether an eigenvalue is negative."""
    total, entropy = 0.0, 0.0
    for k in range(values.size):
        if values[k] < _NEGATIVE * values.size:
            return np.nan, True
        total += max(values[k], 0.0) * parts[k] * parts[k]
    if not total > 0.0:
        return np.nan, False
    for k in range(values.size):
        share = max(values[k], 0.0) * parts[k] * parts[k] / total
        if share > 0.0:
            entropy -= share * np.log(share)
    return float(np.exp(entropy)), False


@compiled
def _gather(
    place: Int[np.ndarray, " lines"],
    weight: Float[np.ndarray, " lines"],
    date: Date,
    kept: Int[np.ndarray, " room"],
    matrix: Float[np.ndarray, "lines lines"],
) -> int:
    """Write the lines that are measured and their correlations; return how many there are."""
    n_symbols, n = date.deviation.size, 0
    for line in range(place.size):
        is_held = weight[line] != 0.0 and not np.isnan(weight[line]) and place[line] >= 0
        if is_held and not np.isnan(date.deviation[place[line]]):
            kept[n] = line
            n += 1
    is_whole = True
    for i in range(n):
        matrix[i, i] = 1.0
        for j in range(i):
            a, b = place[kept[i]], place[kept[j]]
            low, high = min(a, b), max(a, b)
            value = date.pairs[low * n_symbols - low * (low + 1) // 2 + high - low - 1]
            matrix[i, j] = matrix[j, i] = value
            is_whole &= not np.isnan(value)
    while not is_whole:
        n = _drop_one(kept, matrix, n)
        is_whole = True
        for i in range(n):
            for j in range(i):
                is_whole &= not np.isnan(matrix[i, j])
    return n


@compiled
def _drop_one(
    kept: Int[np.ndarray, " room"], matrix: Float[np.ndarray, "lines lines"], n: int
) -> int:
    """Leave out the symbol that lacks the most pairs, the last of several."""
    most, worst = 0, 0
    for i in range(n):
        lacking = 0
        for j in range(n):
            lacking += np.isnan(matrix[i, j])
        if lacking >= most:
            most, worst = lacking, i
    for i in range(worst, n - 1):
        kept[i] = kept[i + 1]
    for i in range(n):
        for j in range(worst, n - 1):
            matrix[i, j] = matrix[i, j + 1]
    for i in range(worst, n - 1):
        for j in range(n - 1):
            matrix[i, j] = matrix[i + 1, j]
    return n - 1

"""How alike the holdings of portfolios move, from the correlations of their pairs."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from plumbline.kernels.compilation import compiled
from plumbline.kernels.portfolio_pairs import fill_matrix
from plumbline.kernels.principal_shares import LANES, rotate_to_components
from plumbline.kernels.weighted_series import Weights
from plumbline.kernels.window_levels import Levels
from plumbline.kernels.window_pairs import Windows, stop_of

_NEGATIVE = -1e-10  # an eigenvalue per symbol below which a matrix is none of correlations


class Alikeness(NamedTuple):
    """Figures of portfolios on dates; NaN where there is none.

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

    mean: Float[np.ndarray, "portfolios dates"]
    weighted_mean: Float[np.ndarray, "portfolios dates"]
    diversification: Float[np.ndarray, "portfolios dates"]
    effective_bets: Float[np.ndarray, "portfolios dates"]
    covered: Float[np.ndarray, "portfolios dates"]
    n_symbols: Int[np.ndarray, "portfolios dates"]
    is_indefinite: Bool[np.ndarray, "portfolios dates"]


class _Chunk(NamedTuple):
    """Some dates of a portfolio, a lane each.

    Parameters
    ----------
    lines : that are held on one of them.
    matrix : correlations of their symbols.
    kept : place among the lines of those that are measured on a date, in order.
    n : how many those are.
    """

    lines: Int[np.ndarray, " lines"]
    matrix: Float[np.ndarray, "lines lines lanes"]
    kept: Int[np.ndarray, "lanes lines"]
    n: Int[np.ndarray, " lanes"]


def portfolio_correlation(weights: Weights, windows: Windows, levels: Levels) -> Alikeness:
    """Measure portfolios on dates.

    Parameters
    ----------
    weights : of the dates; 0 or NaN for what is not held.
    windows : of the dates.
    levels : of the windows.

    Returns
    -------
    A symbol without deviation, and one without a correlation to most of the others that are left,
    is left out, the last of those with the most such pairs first. One symbol alone has no mean, a
    diversification of 1 and one bet.

    Notes
    -----
    A portfolio is measured on eight dates at once, and has the bits of each alone. Cost: O(n³) a
    portfolio of n symbols and date.

    References
    ----------
    Choueifaty and Coignard, "Toward maximum diversification", Journal of Portfolio Management 35
    (2008) 40-51. Meucci, "Managing diversification", Risk 22 (2009) 74-79.
    """
    shape = weights.gross.shape
    figures = {name: np.full(shape, np.nan) for name in Alikeness._fields}
    counts = {"n_symbols": np.zeros(shape, dtype=np.int64), "covered": np.zeros(shape)}
    out = Alikeness(**figures | counts | {"is_indefinite": np.zeros(shape, dtype=np.bool_)})
    _measure(weights, windows, levels, LANES, out)
    return out


def held_matrix(
    weights: Weights, windows: Windows, levels: Levels, portfolio: int, date: int
) -> tuple[Int[np.ndarray, " kept"], Float[np.ndarray, "kept kept"]]:
    """Return the lines of one portfolio that are measured on a date, and their correlations."""
    chunk = _gather(weights, windows, levels, portfolio, (date, date + 1), LANES)
    kept = chunk.kept[0, : chunk.n[0]]
    return chunk.lines[kept], chunk.matrix[kept[:, None], kept, 0]


@compiled
def _measure(
    weights: Weights, windows: Windows, levels: Levels, lanes: int, out: Alikeness
) -> None:
    n_dates = windows.ends.size
    for p in range(weights.start.size - 1):
        first = 0
        while first < n_dates:
            stop = min(stop_of(windows, first), first + LANES)
            chunk = _gather(weights, windows, levels, p, (first, stop), lanes)
            _fill(weights, levels, chunk, p, (first, stop), out)
            first = stop


@compiled
def _gather(
    weights: Weights,
    windows: Windows,
    levels: Levels,
    portfolio: int,
    dates: tuple[int, int],
    lanes: int,
) -> _Chunk:
    """Return the lines that are held on some dates, and the correlations of their symbols."""
    first, stop = dates
    begin, end = weights.start[portfolio], weights.start[portfolio + 1]
    lines, is_measured = np.empty(end - begin, np.int64), np.zeros((end - begin, LANES), np.bool_)
    n = 0
    for line in range(begin, end):
        own, deviation = weights.weight[line], levels.deviation[weights.symbol[line]]
        is_held = False
        for d in range(first, stop):
            is_there = (own[d] != 0.0) & ~np.isnan(own[d]) & ~np.isnan(deviation[d])
            is_measured[n, d - first] = is_there
            is_held |= is_there
        lines[n] = line
        n += is_held
    lines = lines[:n]
    chunk = _Chunk(
        lines, np.ones((n, n, LANES)), np.zeros((LANES, n), np.int64), np.zeros(LANES, np.int64)
    )
    lacks = n > 0 and fill_matrix(windows, weights.symbol[lines], dates, chunk.matrix, lanes)
    for lane in range(stop - first):
        kept = chunk.kept[lane]
        for i in range(n):
            kept[chunk.n[lane]] = i
            chunk.n[lane] += is_measured[i, lane]
        if lacks:
            chunk.n[lane] = _drop(chunk.matrix, lane, kept, chunk.n[lane])
    return chunk


@compiled
def _drop(
    matrix: Float[np.ndarray, "lines lines lanes"],
    lane: int,
    kept: Int[np.ndarray, " lines"],
    n: int,
) -> int:
    """Leave out the symbol that lacks the most pairs, the last of several, until none lacks any."""
    while True:
        most, worst = 0, 0
        for i in range(n):
            lacking = 0
            for j in range(n):
                lacking += np.isnan(matrix[kept[i], kept[j], lane])
            if lacking >= most:
                most, worst = lacking, i
        if most == 0:
            return n
        for i in range(worst, n - 1):
            kept[i] = kept[i + 1]
        n -= 1


@compiled
def _fill(
    weights: Weights,
    levels: Levels,
    chunk: _Chunk,
    portfolio: int,
    dates: tuple[int, int],
    out: Alikeness,
) -> None:
    """Write the figures of a portfolio on some dates."""
    n = chunk.n.max()
    if n == 0:
        return
    first, stop = dates
    size, risk = np.zeros((n, LANES)), np.zeros((n, LANES))
    matrix = np.zeros((n, n, LANES))
    for lane in range(stop - first):
        kept, d = chunk.kept[lane], first + lane
        for i in range(chunk.n[lane]):
            line = chunk.lines[kept[i]]
            size[i, lane] = np.abs(weights.weight[line, d])
            risk[i, lane] = weights.weight[line, d] * levels.deviation[weights.symbol[line], d]
            for j in range(chunk.n[lane]):
                matrix[i, j, lane] = chunk.matrix[kept[i], kept[j], lane]
    totals = np.zeros((6, LANES))
    _add_pairs(matrix, size, risk, totals)
    covered, plain, both, weighted, variance, alone = totals
    values, is_lost = np.empty((n, LANES)), np.empty(LANES, np.bool_)
    rotate_to_components(matrix, risk, values, is_lost)
    for lane in range(stop - first):
        d, count = first + lane, chunk.n[lane]
        out.n_symbols[portfolio, d] = count
        if count == 0:
            continue
        out.covered[portfolio, d] = covered[lane]
        if count > 1:
            out.mean[portfolio, d] = plain[lane] / (count * (count - 1) / 2)
            out.weighted_mean[portfolio, d] = weighted[lane] / both[lane]
        if is_lost[lane]:
            continue
        bets, is_indefinite = _bets(values[:, lane], risk[:, lane], count)
        out.is_indefinite[portfolio, d] = is_indefinite
        if not is_indefinite and variance[lane] > 0.0:
            out.diversification[portfolio, d] = alone[lane] / np.sqrt(variance[lane])
            out.effective_bets[portfolio, d] = bets


@compiled
def _add_pairs(
    matrix: Float[np.ndarray, "size size lanes"],
    size: Float[np.ndarray, "size lanes"],
    risk: Float[np.ndarray, "size lanes"],
    totals: Float[np.ndarray, "six lanes"],
) -> None:
    """Add up sizes, correlations, products of sizes, both, variance, and deviations alone."""
    covered, plain, both, weighted, variance, alone = totals
    for i in range(size.shape[0]):
        for lane in range(LANES):
            covered[lane] += size[i, lane]
            alone[lane] += np.abs(risk[i, lane])
        for j in range(i):
            for lane in range(LANES):
                product, value = size[i, lane] * size[j, lane], matrix[i, j, lane]
                plain[lane] += value
                both[lane] += product
                weighted[lane] += product * value
                variance[lane] += 2.0 * risk[i, lane] * risk[j, lane] * value
        for lane in range(LANES):
            variance[lane] += risk[i, lane] * risk[i, lane]


@compiled
def _bets(
    values: Float[np.ndarray, " room"], parts: Float[np.ndarray, " room"], n: int
) -> tuple[float, bool]:
    """Return the effective number of bets, and whether an eigenvalue is negative."""
    total, entropy = 0.0, 0.0
    for k in range(n):
        if values[k] < _NEGATIVE * n:
            return np.nan, True
        total += max(values[k], 0.0) * parts[k] * parts[k]
    if not total > 0.0:
        return np.nan, False
    for k in range(n):
        share = max(values[k], 0.0) * parts[k] * parts[k] / total
        if share > 0.0:
            entropy -= share * np.log(share)
    return float(np.exp(entropy)), False

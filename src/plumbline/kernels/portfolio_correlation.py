"""How alike the holdings of portfolios move, from the correlations of their pairs."""

import numpy as np
from jaxtyping import Bool, Float, Int

from plumbline.kernels.abreast import LANES
from plumbline.kernels.alikeness_lanes import (
    Alikeness,
    Lanes,
    Members,
    empty_lanes,
    take_lanes,
    write_figures,
)
from plumbline.kernels.compilation import compiled
from plumbline.kernels.portfolio_pairs import fill_pairs, pair_of
from plumbline.kernels.principal_shares import ABREAST
from plumbline.kernels.weighted_series import Weights
from plumbline.kernels.window_levels import Levels
from plumbline.kernels.window_pairs import Windows, stop_of

_ENTRIES = 2**18  # correlations of a portfolio at once, which stay in fast memory


def portfolio_correlation(weights: Weights, windows: Windows, levels: Levels) -> Alikeness:
    """Measure portfolios on dates.

    Parameters
    ----------
    weights : of the dates; 0 or NaN for what is not held.
    windows : of the dates.
    levels : of the windows.

    Returns
    -------
    A symbol that does not move, or has too few returns, is left out. So is one without a
    correlation to most of the others that are left, the last of those with the most such pairs
    first. One symbol alone has no mean, a
    diversification of 1 and one bet.

    Notes
    -----
    Sixteen portfolios and dates are measured at once, in order of size; each has the bits that it
    has alone. Cost: O(n³) a portfolio of n symbols and date.

    References
    ----------
    Choueifaty and Coignard, "Toward maximum diversification", Journal of Portfolio Management 35
    (2008) 40-51. Meucci, "Managing diversification", Risk 22 (2009) 74-79.
    """
    shape = weights.gross.shape
    figures = {name: np.full(shape, np.nan) for name in Alikeness._fields}
    counts = {"n_symbols": np.zeros(shape, dtype=np.int64), "covered": np.zeros(shape)}
    out = Alikeness(**figures | counts | {"is_indefinite": np.zeros(shape, dtype=np.bool_)})
    measured = _measured(weights, levels, (0, weights.symbol.size))
    most = _most_at_once(weights, measured)
    _measure(weights, windows, levels, measured, np.argsort(most), out)
    return out


def held_matrix(
    weights: Weights, windows: Windows, levels: Levels, portfolio: int, date: int
) -> tuple[Int[np.ndarray, " kept"], Float[np.ndarray, "kept kept"]]:
    """Return the lines of one portfolio that are measured on a date, and their correlations.

    Cost: O(n² x rows) for n symbols.
    """
    lines = (int(weights.start[portfolio]), int(weights.start[portfolio + 1]))
    measured = _measured(weights, levels, lines)
    members = _gather(weights, windows, levels, (lines[0], measured), (date, date + 1))
    kept = members.kept[0, : members.n[0]]
    return members.lines[kept], _square(members.pairs, kept)


@compiled
def _square(
    pairs: Float[np.ndarray, "pairs dates"], kept: Int[np.ndarray, " kept"]
) -> Float[np.ndarray, "kept kept"]:
    """Return the matrix of correlations on the first date."""
    matrix = np.eye(kept.size)
    for i in range(kept.size):
        for j in range(i):
            matrix[i, j] = matrix[j, i] = pairs[pair_of(kept[i], kept[j]), 0]
    return matrix


@compiled
def _measured(
    weights: Weights, levels: Levels, lines: tuple[int, int]
) -> Bool[np.ndarray, "lines dates"]:
    """Return what is held on each date and moves, of lines from one up to another."""
    begin, end = lines
    measured = np.empty((end - begin, weights.weight.shape[1]), np.bool_)
    for line in range(begin, end):
        own, root = weights.weight[line], levels.root[:, weights.symbol[line]]
        out = measured[line - begin]
        for d in range(out.size):
            out[d] = (own[d] != 0.0) & ~np.isnan(own[d]) & ~np.isnan(root[d])
    return measured


@compiled
def _most_at_once(
    weights: Weights, measured: Bool[np.ndarray, "lines dates"]
) -> Int[np.ndarray, " portfolios"]:
    """Return the most lines that each portfolio has on a date."""
    most = np.zeros(weights.start.size - 1, np.int64)
    for p in range(most.size):
        n = np.zeros(measured.shape[1], np.int64)
        for line in range(weights.start[p], weights.start[p + 1]):
            n += measured[line]
        most[p] = n.max() if n.size > 0 else 0
    return most


@compiled
def _measure(
    weights: Weights,
    windows: Windows,
    levels: Levels,
    measured: Bool[np.ndarray, "lines dates"],
    order: Int[np.ndarray, " portfolios"],
    out: Alikeness,
) -> None:
    n_dates = windows.ends.size
    n_lines = weights.start[1:] - weights.start[:-1]
    lanes = empty_lanes(n_lines.max() if n_lines.size > 0 else 0)
    lane = 0
    for p in order:
        begin, first = weights.start[p], 0
        own = measured[begin : weights.start[p + 1]]
        while first < n_dates:
            stop = min(stop_of(windows, first), first + _dates_at_once(n_lines[p]))
            members = _gather(weights, windows, levels, (begin, own), (first, stop))
            lane = _take(weights, levels, members, (p, first), (lanes, lane), out)
            first = stop
    if lane > 0:
        write_figures(lanes, out)


@compiled
def _dates_at_once(n_lines: int) -> int:
    """Return how many dates' pairs of a portfolio stay in fast memory, and fill all lanes."""
    return max(1, _ENTRIES // (ABREAST * max(1, pair_of(n_lines, 0)))) * ABREAST


@compiled
def _gather(
    weights: Weights,
    windows: Windows,
    levels: Levels,
    measured: tuple[int, Bool[np.ndarray, "lines dates"]],
    dates: tuple[int, int],
) -> Members:
    """Return the lines that are held on some dates, and the correlations of their symbols.

    Parameters
    ----------
    measured : the portfolio's first line, and which of its lines are measured.
    """
    begin, own = measured
    first, stop = dates
    is_held = np.zeros(own.shape[0], np.bool_)
    for k in range(own.shape[0]):
        is_held[k] = own[k, first:stop].any()
    places = np.flatnonzero(is_held)
    lines, n_dates, n = places + begin, stop - first, places.size
    pairs = np.empty((pair_of(n, 0), n_dates))
    members = Members(lines, pairs, np.zeros((n_dates, n), np.int64), np.zeros(n_dates, np.int64))
    lacks = n > 1 and fill_pairs(windows, levels, weights.symbol[lines], dates, pairs)
    for at in range(n_dates):
        kept, count = members.kept[at], 0
        for i in range(n):
            kept[count] = i
            count += own[places[i], first + at]
        members.n[at] = _drop(pairs, at, kept, count) if lacks else count
    return members


@compiled
def _drop(
    pairs: Float[np.ndarray, "pairs dates"], at: int, kept: Int[np.ndarray, " lines"], n: int
) -> int:
    """Leave out the symbol that lacks the most pairs, the last of several, until none lacks any."""
    lacking = np.zeros(n, np.int64)
    for i in range(n):
        for j in range(i):
            lacks = np.isnan(pairs[pair_of(kept[i], kept[j]), at])
            lacking[i] += lacks
            lacking[j] += lacks
    while True:
        most, worst = 0, 0
        for i in range(n):
            if lacking[i] >= most:
                most, worst = lacking[i], i
        if most == 0:
            return n
        gone = kept[worst]
        for i in range(worst, n - 1):
            kept[i], lacking[i] = kept[i + 1], lacking[i + 1]
        n -= 1
        for i in range(n):
            pair = pair_of(max(kept[i], gone), min(kept[i], gone))
            lacking[i] -= np.isnan(pairs[pair, at])


@compiled
def _take(
    weights: Weights,
    levels: Levels,
    members: Members,
    where: tuple[int, int],
    taken: tuple[Lanes, int],
    out: Alikeness,
) -> int:
    """Give lanes to the dates of a portfolio, and measure when all are taken.

    Parameters
    ----------
    where : portfolio, first date.
    taken : lanes, and how many of them are taken.

    Returns
    -------
    How many lanes are taken in the end.
    """
    p, first = where
    lanes, lane = taken
    at, n_dates = 0, members.n.size
    while at < n_dates:
        room = min(LANES - lane % LANES, n_dates - at)
        count = 1
        while count < room and _is_same(members, at, at + count):
            count += 1
        if members.n[at] > 0:
            for c in range(count):
                lanes.portfolio[lane + c], lanes.date[lane + c] = p, first + at + c
            take_lanes(lanes, lane, (weights, levels), members, (first, at, count))
            lane += count
        if lane == ABREAST:
            write_figures(lanes, out)
            lane = 0
        at += count
    return lane


@compiled
def _is_same(members: Members, one: int, other: int) -> bool:
    """Return whether a portfolio's lines that are measured are the same on two dates."""
    n = members.n[one]
    if members.n[other] != n:
        return False
    is_same = True
    for i in range(n):
        is_same &= members.kept[one, i] == members.kept[other, i]
    return is_same

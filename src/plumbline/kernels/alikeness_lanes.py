"""Figures of portfolios from the correlations of their symbols, a portfolio and date a lane.

Lanes are of any portfolios and dates: each has the bits that it has beside any others.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from plumbline.kernels.abreast import LANES, absolute, load, room_for, spread, store
from plumbline.kernels.compilation import compiled
from plumbline.kernels.portfolio_pairs import pair_of
from plumbline.kernels.principal_shares import ABREAST, entry_of, rotate_to_components
from plumbline.kernels.weighted_series import Weights
from plumbline.kernels.window_levels import Levels

NEGATIVE = -1e-10
"""Eigenvalue per symbol below which a matrix is none of correlations."""
ROUNDING = 1e-15
"""Variance per symbol, of that of all in a line, that is rounding: the portfolio is hedged."""


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
    is_indefinite : whether gaps make the matrix one that no returns have, or its eigenvalues were
        not found; the figures that need them are NaN then.
    """

    mean: Float[np.ndarray, "portfolios dates"]
    weighted_mean: Float[np.ndarray, "portfolios dates"]
    diversification: Float[np.ndarray, "portfolios dates"]
    effective_bets: Float[np.ndarray, "portfolios dates"]
    covered: Float[np.ndarray, "portfolios dates"]
    n_symbols: Int[np.ndarray, "portfolios dates"]
    is_indefinite: Bool[np.ndarray, "portfolios dates"]


class Lanes(NamedTuple):
    """Portfolios and dates that wait until all lanes are taken.

    Parameters
    ----------
    triangles : correlations, as :func:`~plumbline.kernels.principal_shares.rotate_to_components`
        takes them.
    weights, risks : of the symbols, and times their deviations; eight lanes a row.
    portfolio, date, n : of each lane, and how many symbols it has.
    """

    triangles: Float[np.ndarray, "halves entries"]
    weights: Float[np.ndarray, "halves size_times_lanes"]
    risks: Float[np.ndarray, "halves size_times_lanes"]
    portfolio: Int[np.ndarray, " lanes"]
    date: Int[np.ndarray, " lanes"]
    n: Int[np.ndarray, " lanes"]


class Members(NamedTuple):
    """A portfolio on some dates.

    Parameters
    ----------
    lines : that are held on one of them.
    pairs : correlations of their symbols.
    kept : place among the lines of those that are measured on a date, in order.
    n : how many those are.
    """

    lines: Int[np.ndarray, " lines"]
    pairs: Float[np.ndarray, "pairs dates"]
    kept: Int[np.ndarray, "dates lines"]
    n: Int[np.ndarray, " dates"]


@compiled
def empty_lanes(n: int) -> Lanes:
    """Return lanes for as many symbols, none of them taken."""
    halves, none = ABREAST // LANES, np.zeros(ABREAST, np.int64)
    return Lanes(
        room_for(halves * entry_of(n, 0)).reshape(halves, -1),
        room_for(halves * n * LANES).reshape(halves, -1),
        room_for(halves * n * LANES).reshape(halves, -1),
        none,
        none.copy(),
        none.copy(),
    )


@compiled
def take_lanes(
    lanes: Lanes,
    lane: int,
    beside: tuple[Weights, Levels],
    members: Members,
    dates: tuple[int, int, int],
) -> None:
    """Give lanes of one half to dates on which the same of a portfolio is measured, one each.

    Parameters
    ----------
    lane : the first of them.
    beside : weights, and levels of the symbols.
    dates : first of the members', first of the lanes counted from there, how many.
    """
    weights, levels = beside
    begin, at, count = dates
    half, left = lane // LANES, lane % LANES
    triangle, pairs = lanes.triangles[half], members.pairs.reshape(-1)
    n, n_dates = members.n[at], members.pairs.shape[1]
    lanes.n[lane : lane + count] = n
    for i in range(n):
        line, k = members.lines[members.kept[at, i]], i * LANES + left
        symbol, d = weights.symbol[line], begin + at
        for c in range(count):
            weight = weights.weight[line, d + c]
            lanes.weights[half, k + c] = weight
            lanes.risks[half, k + c] = weight * levels.deviation[symbol, d + c]
        k = entry_of(i, 0) + left
        for j in range(i):
            pair = pair_of(members.kept[at, i], members.kept[at, j])
            if count == LANES:
                store(triangle, k, load(pairs, pair * n_dates + at))
            else:
                for c in range(count):
                    triangle[k + c] = pairs[pair * n_dates + at + c]
            k += LANES
        for c in range(count):
            triangle[k + c] = 1.0


@compiled
def write_figures(lanes: Lanes, out: Alikeness) -> None:
    """Write the figures of the lanes that are taken, and let go of them.

    Cost: O(n³) a lane, of the most symbols that a lane has.
    """
    n = lanes.n.max()
    width = n * LANES
    _fill_up(lanes, n)
    totals = np.empty((6, ABREAST))
    for half in range(ABREAST // LANES):
        own = (lanes.triangles[half], lanes.weights[half, :width], lanes.risks[half, :width])
        _add_pairs(own, totals[:, half * LANES : (half + 1) * LANES])
    covered, plain, both, weighted, variance, alone = totals
    values, is_lost = np.empty((lanes.n.size // LANES, width)), np.empty(ABREAST, np.bool_)
    parts = lanes.risks[:, :width]
    rotate_to_components(lanes.triangles, parts, values, is_lost)
    for lane in range(ABREAST):
        p, d, count = lanes.portfolio[lane], lanes.date[lane], lanes.n[lane]
        if count == 0:
            continue
        out.n_symbols[p, d] = count
        out.covered[p, d] = covered[lane]
        if count > 1:
            out.mean[p, d] = plain[lane] / (count * (count - 1) / 2)
            out.weighted_mean[p, d] = weighted[lane] / both[lane]
        if is_lost[lane]:
            out.is_indefinite[p, d] = True
            continue
        half, k = lane // LANES, lane % LANES
        bets, is_indefinite = _bets(values[half, k::LANES], parts[half, k::LANES], count)
        out.is_indefinite[p, d] = is_indefinite
        if not is_indefinite and variance[lane] > ROUNDING * count * alone[lane] * alone[lane]:
            out.diversification[p, d] = alone[lane] / np.sqrt(variance[lane])
            out.effective_bets[p, d] = bets
    lanes.n[:] = 0


@compiled
def _fill_up(lanes: Lanes, n: int) -> None:
    """Fill smaller matrices up with zeros, which changes no bit of theirs."""
    for lane in range(ABREAST):
        half, k = lane // LANES, lane % LANES
        for i in range(lanes.n[lane], n):
            lanes.weights[half, i * LANES + k] = 0.0
            lanes.risks[half, i * LANES + k] = 0.0
            for j in range(i + 1):
                lanes.triangles[half, entry_of(i, j) + k] = 0.0


@compiled
def _add_pairs(
    own: tuple[
        Float[np.ndarray, " entries"],
        Float[np.ndarray, " size_times_lanes"],
        Float[np.ndarray, " size_times_lanes"],
    ],
    totals: Float[np.ndarray, "six lanes"],
) -> None:
    """Add up sizes, correlations, products of sizes, both, variance, and deviations alone."""
    triangle, weights, risks = own
    zero: Any = spread(0.0)
    covered, plain, both, weighted, variance, alone = zero, zero, zero, zero, zero, zero
    for at in range(0, weights.size, LANES):
        size, risk = absolute(load(weights, at)), load(risks, at)
        covered, alone = covered + size, alone + absolute(risk)
        twice, entry = 2.0 * risk, entry_of(at // LANES, 0)
        for other in range(0, at, LANES):
            value, product = load(triangle, entry + other), size * absolute(load(weights, other))
            plain, both = plain + value, both + product
            weighted = weighted + product * value
            variance = variance + twice * load(risks, other) * value
        variance = variance + risk * risk
    store(totals[0], 0, covered)
    store(totals[1], 0, plain)
    store(totals[2], 0, both)
    store(totals[3], 0, weighted)
    store(totals[4], 0, variance)
    store(totals[5], 0, alone)


@compiled
def _bets(
    values: Float[np.ndarray, " room"], parts: Float[np.ndarray, " room"], n: int
) -> tuple[float, bool]:
    """Return the effective number of bets, and whether an eigenvalue is negative."""
    total, entropy = 0.0, 0.0
    for k in range(n):
        if values[k] < NEGATIVE * n:
            return np.nan, True
        total += max(values[k], 0.0) * parts[k] * parts[k]
    if not total > 0.0:
        return np.nan, False
    for k in range(n):
        share = max(values[k], 0.0) * parts[k] * parts[k] / total
        if share > 0.0:
            entropy -= share * np.log(share)
    return float(np.exp(entropy)), False

"""What the kernels of a rolling fit hand to each other: inputs, rules, outputs, scratch."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.compilation import compiled

# States of a window; the middle three are positions in the counts of windows without a fit.
FITTED, TOO_FEW, MISSING, DEFICIENT, UNSTABLE = 0, 1, 2, 3, 4

# Below this share of its diagonal a pivot costs the normal equations more digits than a result
# may lose (eps / 1e-6 is 2e-10); such windows are solved by QR.
SMALLEST_PIVOT = 1e-6

# A factor whose squared variation about its mean is below this share of its squares may be a
# constant with rounding errors; QR decides.
SMALLEST_VARIATION = 1e-18

# A residual sum of squares below this share of that of the values, less their block's first, lost
# too many digits to cancellation.
SMALLEST_RESIDUAL = 1e-6


class Rules(NamedTuple):
    """What a rolling fit does, as the kernels read it; flags are 0 or 1.

    ``offset`` is the place of row 0 in its block, ``level`` 0 for coefficients, 1 with residual
    and R2, 2 with inference.
    """

    window: int
    offset: int
    min_obs: int
    intercept: int
    propagate: int
    minimum_norm: int
    level: int
    lag: int
    ridge: float


class Panels(NamedTuple):
    """Inputs of a rolling fit, checked; a row weight of 0 marks a row that no asset may use.

    ``decay[i]`` is the weight of a row i bars before the end of its window. ``cell_weight`` is
    empty unless weights differ between assets.
    """

    y: Float[np.ndarray, "bars assets"]
    x: Float[np.ndarray, "bars factors"]
    row_weight: Float[np.ndarray, " bars"]
    cell_weight: Float[np.ndarray, "cell_bars cells"]
    decay: Float[np.ndarray, " ages"]


class Results(NamedTuple):
    """Outputs of a rolling fit; one that was not asked for has no rows.

    A window that is left to QR has the negative of its count in ``n_obs`` until then.
    """

    coefficients: Float[np.ndarray, "coefficients bars assets"]
    n_obs: Int[np.ndarray, "bars assets"]
    residual: Float[np.ndarray, "fit_bars fit_assets"]
    r2: Float[np.ndarray, "fit_bars fit_assets"]
    stderr: Float[np.ndarray, "inferred inference_bars inference_assets"]
    tstat: Float[np.ndarray, "inferred inference_bars inference_assets"]
    condition: Float[np.ndarray, "inference_bars inference_assets"]
    reasons: Int[np.ndarray, " reasons"]


class Shared(NamedTuple):
    """What all assets share over the blocks of one group, by block and by row of the group.

    ``tail`` holds a row's products as seen from the block after it, ``head`` from its own, both
    n, w, wx, wxx'; ``counts`` and ``facts`` belong to the window that ends in the row.
    """

    shift: Float[np.ndarray, "blocks factors"]
    tail: Float[np.ndarray, "rows entries"]
    head: Float[np.ndarray, "rows entries"]
    counts: Float[np.ndarray, " rows"]
    facts: Float[np.ndarray, "rows n_facts"]


class Group(NamedTuple):
    """A run of blocks worked on together: first block's start (may lie before row 0) and rows."""

    start: int
    stop: int


class Block(NamedTuple):
    """One head block and the tail before it, cut to rows that exist; anchor is the head's first."""

    number: int
    tail: int
    head: int
    stop: int


class Facts(NamedTuple):
    """Where each fact of a factorised window lies, in order of use.

    ``weight`` is 1 / Σw, ``mean`` the shifted factors' means, ``diagonal`` the centred Gram
    matrix's, ``factor`` its L·D·L' (``entry_of`` says where; a diagonal entry is 1 / d), ``state``
    0 where that is sound, ``spread`` the standard errors for a residual variance of one, alpha
    first, ``precision`` their reciprocals, ``condition`` the design's.
    """

    weight: int
    mean: int
    diagonal: int
    factor: int
    state: int
    spread: int
    precision: int
    condition: int
    size: int


@compiled
def facts_layout(n_factors: int) -> Facts:
    """Return where each fact lies for a number of factors."""
    diagonal = 1 + n_factors
    factor = diagonal + n_factors
    state = factor + n_factors * (n_factors + 1) // 2
    spread = state + 1
    precision = spread + n_factors + 1
    condition = precision + n_factors + 1
    return Facts(0, 1, diagonal, factor, state, spread, precision, condition, condition + 1)


@compiled
def entry_of(size: int, row: int, column: int) -> int:
    """Return the place of an entry on or above the diagonal of a matrix kept by rows."""
    return row * size - row * (row - 1) // 2 + column - row


@compiled
def block_at(group: Group, number: int, window: int) -> Block:
    """Return a block of a group."""
    start = group.start + number * window
    return Block(number, max(start - window, 0), max(start, 0), min(start + window, group.stop))


@compiled
def n_blocks(group: Group, window: int) -> int:
    """Return the number of blocks of a group."""
    return (group.stop - group.start + window - 1) // window


class Places(NamedTuple):
    """Rows of a tile's scratch: what each lane holds while one bar is read and solved.

    ``usable`` to ``square`` describe a row of y, shifted by ``shift``: 1 where usable; weight, 0
    where missing; weight times value; weight times value squared. ``total`` to ``certainty``
    belong to the fit: sums of squares, residual standard deviation and its reciprocal; ``freedom``
    is the reciprocal of the degrees of freedom. The last places, one a factor, hold the centred
    Σwxy.
    """

    usable: int
    weight: int
    product: int
    square: int
    shift: int
    freedom: int
    state: int
    total: int
    rest: int
    sigma: int
    certainty: int
    centred: int


PLACES = Places(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)


class Scratch(NamedTuple):
    """Working memory of one tile of assets.

    The sums of a window are those of ``Shared.sums``, weighted by the asset, followed by Σwy,
    Σwxy and, when asked for, Σwy²; assets without gaps keep only the latter, so their first sum
    is number ``base``. ``sums`` holds prefixes of the head, then windows.
    """

    room: Float[np.ndarray, "places lanes"]
    facts: Float[np.ndarray, "n_facts lanes"]
    suffix: Float[np.ndarray, "ends kept lanes"]
    sums: Float[np.ndarray, "two kept lanes"]
    work: Float[np.ndarray, "n_work lanes"]
    base: int


class Tile(NamedTuple):
    """Assets ``first`` to ``stop`` over one block; ``begin`` is the first row of the tables."""

    block: Block
    begin: int
    first: int
    stop: int


@compiled
def n_own_sums(n_factors: int) -> int:
    """Return how many sums the Gram matrix of a window needs: n, Σw, Σwx, Σwxx'."""
    return 2 + n_factors + n_factors * (n_factors + 1) // 2


@compiled
def n_work(n_factors: int) -> int:
    """Return the working rows of ``factorise``: the design's Gram matrix and two more."""
    return entry_of(n_factors + 1, n_factors + 1, n_factors + 1) + 2


@compiled
def new_scratch(rules: Rules, n_factors: int, rows: int, lanes: int, base: int) -> Scratch:
    """Return working memory for tiles of a width, with tails of ``rows`` rows."""
    kept = n_own_sums(n_factors) + n_factors + (2 if rules.level else 1) - base
    return Scratch(
        np.zeros((PLACES.centred + n_factors, lanes)),
        np.zeros((facts_layout(n_factors).size, lanes)),
        np.empty((rows + 1, kept, lanes)),
        np.zeros((2, kept, lanes)),
        np.empty((n_work(n_factors), lanes)),
        base,
    )

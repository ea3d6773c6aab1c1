"""Window sums of a tile of assets, read row by row: suffixes of a tail, prefixes of a head.

The sums of a window are n, Σw, Σwx, Σwxx' of the asset's own rows, then Σwy, Σwxy and, when asked
for, Σwy². Assets without gaps share the former and keep only the latter, from number ``base`` on.
Functions called once a bar take plain arrays: unpacking a record there costs more than the work.
"""

import numpy as np
from jaxtyping import Float

from plumbline.kernels.compilation import compiled
from plumbline.kernels.fit_layout import PLACES, Panels, Rules, Scratch, Shared, Tile


@compiled
def sum_tail(panels: Panels, rules: Rules, shared: Shared, tile: Tile, scratch: Scratch) -> None:
    """Shift every lane by its value in the head's first row and leave the tail's suffix sums."""
    room, suffix, tail = scratch.room, scratch.suffix, shared.tail
    y, cell_weight, base = panels.y, panels.cell_weight, scratch.base
    first, stop, anchor = tile.first, tile.stop, tile.block.head
    shifts = panels.row_weight[anchor] > 0.0 and rules.intercept == 1
    for j in range(stop - first):
        value = y[anchor, first + j]
        room[PLACES.shift, j] = value if shifts and np.abs(value) < np.inf else 0.0
    n_tail = anchor - tile.block.tail
    suffix[n_tail] = 0.0
    for row in range(n_tail - 1, -1, -1):
        bar = tile.block.tail + row
        if base:
            load_row(room, y[bar], first, stop, rules.level)
        else:
            load_weighted_row(room, y[bar], cell_weight, bar, first, stop)
        add_tail_row(suffix[row], suffix[row + 1], room, tail[bar - tile.begin], base)


@compiled
def load_row(
    room: Float[np.ndarray, "places lanes"],
    y: Float[np.ndarray, " assets"],
    first: int,
    stop: int,
    level: int,
) -> None:
    """Bring a row of assets without gaps into the lanes; an unusable row may hold anything."""
    shift = room[PLACES.shift]
    product = room[PLACES.product]
    source = y[first:stop]
    for j in range(stop - first):
        value = source[j]
        product[j] = value - shift[j] if np.abs(value) < np.inf else 0.0
    if level:
        square = room[PLACES.square]
        for j in range(stop - first):
            square[j] = product[j] * product[j]


@compiled
def load_weighted_row(
    room: Float[np.ndarray, "places lanes"],
    y: Float[np.ndarray, " assets"],
    cell_weight: Float[np.ndarray, "cell_bars cells"],
    bar: int,
    first: int,
    stop: int,
) -> None:
    """Bring a row of assets with gaps into the lanes, with weight 0 where missing."""
    shift, product, square = room[PLACES.shift], room[PLACES.product], room[PLACES.square]
    weight, usable = room[PLACES.weight], room[PLACES.usable]
    source = y[first:stop]
    if cell_weight.shape[0]:
        given = cell_weight[bar, first:stop]
        for j in range(stop - first):
            weight[j] = given[j] if np.abs(source[j]) < np.inf else 0.0
    else:
        for j in range(stop - first):
            weight[j] = 1.0 if np.abs(source[j]) < np.inf else 0.0
    for j in range(stop - first):
        shifted = source[j] - shift[j] if weight[j] > 0.0 else 0.0
        product[j] = weight[j] * shifted
        square[j] = weight[j] * shifted * shifted
    for j in range(stop - first):
        usable[j] = 1.0 if weight[j] > 0.0 else 0.0


@compiled
def add_tail_row(
    target: Float[np.ndarray, "kept lanes"],
    source: Float[np.ndarray, "kept lanes"],
    room: Float[np.ndarray, "places lanes"],
    products: Float[np.ndarray, " entries"],
    base: int,
) -> None:
    """Add one row of the tail to the suffix sums of the row after it."""
    n_factors = room.shape[0] - PLACES.centred
    for e in range(target.shape[0]):
        column, place = _term(e + base, products.shape[0], n_factors)
        entry = products[column]
        lane = room[place]
        out = target[e]
        total = source[e]
        for j in range(lane.shape[0]):
            out[j] = total[j] + entry * lane[j]


@compiled
def add_head_row(
    sums: Float[np.ndarray, "two kept lanes"],
    ends: Float[np.ndarray, "kept lanes"],
    room: Float[np.ndarray, "places lanes"],
    products: Float[np.ndarray, " entries"],
    fades: tuple[float, float],
    base: int,
) -> None:
    """Add one row of the head to its prefix sums and leave the sums of the window it ends.

    ``sums`` holds prefixes, then windows; ``fades`` are the weights of the prefix and of the tail
    in it. Counts do not fade.
    """
    n_factors = room.shape[0] - PLACES.centred
    for e in range(ends.shape[0]):
        column, place = _term(e + base, products.shape[0], n_factors)
        entry = products[column]
        keep = fades[0] if column else 1.0
        faded = fades[1] if column else 1.0
        lane = room[place]
        prefix = sums[0, e]
        window = sums[1, e]
        end = ends[e]
        for j in range(lane.shape[0]):
            total = keep * prefix[j] + entry * lane[j]
            prefix[j] = total
            window[j] = total + faded * end[j]


@compiled
def _term(number: int, n_own: int, n_factors: int) -> tuple[int, int]:
    """Return the factors' product and the lanes whose product is a sum's term."""
    if number == 0:
        return 0, PLACES.usable
    if number < n_own:
        return number, PLACES.weight
    if number <= n_own + n_factors:
        return 1 + number - n_own, PLACES.product
    return 1, PLACES.square

"""Window sums of a tile of assets, read row by row: suffixes of a tail, prefixes of a head."""

import numpy as np
from jaxtyping import Float

from plumbline.kernels.compilation import compiled
from plumbline.kernels.fit_layout import PLACES, Panels, Rules, Scratch, Shared, Tile, n_own_sums


@compiled
def anchor(
    panels: Panels, rules: Rules, tile: Tile, room: Float[np.ndarray, "places lanes"]
) -> None:
    """Set every lane's shift: its value in the head's first row, or 0 where that is missing."""
    row = tile.block.head
    shifts = panels.row_weight[row] > 0.0 and rules.intercept == 1
    y, shift = panels.y[row, tile.first : tile.stop], room[PLACES.shift]
    for j in range(tile.stop - tile.first):
        shift[j] = y[j] if shifts and np.abs(y[j]) < np.inf else 0.0


@compiled
def sum_tail(panels: Panels, shared: Shared, tile: Tile, scratch: Scratch) -> None:
    """Leave the suffix sums of the tail, last row first."""
    n = shared.shift.shape[1]
    lanes = tile.stop - tile.first
    suffix, room = scratch.suffix, scratch.room
    last = tile.block.head - tile.block.tail - 1
    for row in range(last, -1, -1):
        place = tile.block.tail + row - tile.begin
        _load(panels, tile.block.tail + row, tile, scratch)
        for e in range(suffix.shape[1]):
            column, source = _source(e + scratch.base, n)
            entry, lane = shared.tail[column, place], room[source]
            target = suffix[row, e]
            if row == last:
                for j in range(lanes):
                    target[j] = entry * lane[j]
            else:
                total = suffix[row + 1, e]
                for j in range(lanes):
                    target[j] = total[j] + entry * lane[j]


@compiled
def sum_head(panels: Panels, shared: Shared, tile: Tile, scratch: Scratch, bar: int) -> None:
    """Add a bar to the prefix sums of the head and leave the sums of its window."""
    n = shared.shift.shape[1]
    lanes = tile.stop - tile.first
    block = tile.block
    window = panels.decay.shape[0] - 1
    first = max(bar - window + 1, block.tail) - block.tail
    _load(panels, bar, tile, scratch)
    for e in range(scratch.prefix.shape[0]):
        column, source = _source(e + scratch.base, n)
        entry, lane = shared.head[column, bar - tile.begin], scratch.room[source]
        fade = panels.decay[1] if column else 1.0
        faded = panels.decay[bar - block.head + 1] if column else 1.0
        prefix, sums = scratch.prefix[e], scratch.sums[e]
        if bar == block.head:
            for j in range(lanes):
                prefix[j] = entry * lane[j]
        else:
            for j in range(lanes):
                prefix[j] = fade * prefix[j] + entry * lane[j]
        if first < block.head - block.tail:
            ends = scratch.suffix[first, e]
            for j in range(lanes):
                sums[j] = prefix[j] + faded * ends[j]
        else:
            for j in range(lanes):
                sums[j] = prefix[j]


@compiled
def _source(number: int, n: int) -> tuple[int, int]:
    """Return the factors' product and the lanes that a sum's terms are made of."""
    own = n_own_sums(n)
    if number == 0:
        return 0, PLACES.usable
    if number < own:
        return number, PLACES.weight
    if number <= own + n:
        return 1 + number - own, PLACES.product
    return 1, PLACES.square


@compiled
def _load(panels: Panels, row: int, tile: Tile, scratch: Scratch) -> None:
    """Bring one row of a tile into the lanes; assets without gaps need no weights."""
    room = scratch.room
    lanes = tile.stop - tile.first
    value, shift = room[PLACES.value], room[PLACES.shift]
    product, square = room[PLACES.product], room[PLACES.square]
    y = panels.y[row, tile.first : tile.stop]
    for j in range(lanes):
        value[j] = y[j] - shift[j] if np.abs(y[j]) < np.inf else 0.0
    if scratch.base:
        for j in range(lanes):
            product[j] = value[j]
    else:
        usable, weight = room[PLACES.usable], room[PLACES.weight]
        for j in range(lanes):
            weight[j] = 1.0 if np.abs(y[j]) < np.inf else 0.0
        if panels.cell_weight.shape[0]:
            given = panels.cell_weight[row, tile.first : tile.stop]
            for j in range(lanes):
                weight[j] *= given[j]
        for j in range(lanes):
            usable[j] = 1.0 if weight[j] > 0.0 else 0.0
            product[j] = weight[j] * value[j]
    if (
        scratch.prefix.shape[0] + scratch.base
        > n_own_sums(panels.x.shape[1]) + panels.x.shape[1] + 1
    ):
        for j in range(lanes):
            square[j] = product[j] * value[j]

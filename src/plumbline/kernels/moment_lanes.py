"""Moments of eight assets side by side, over windows that lack no value.

The operations of :mod:`plumbline.kernels.window_moments` in their order, on rows of a panel as they
lie: an asset's bits are the same, and no column is picked out. Loops run over the values of eight
assets in one line, so that what they add to lies eight places away.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from plumbline.kernels.column_tiles import TILE
from plumbline.kernels.compilation import compiled, compiled_sums


class Lanes(NamedTuple):
    """Sums of deviations and of their squares over ends of a tail and beginnings of a head."""

    shift: Float[np.ndarray, " lanes"]
    work: Float[np.ndarray, " cells"]
    ends: Float[np.ndarray, " cells_and_lanes"]
    square_ends: Float[np.ndarray, " cells_and_lanes"]
    sums: Float[np.ndarray, " cells"]
    squares: Float[np.ndarray, " cells"]


@compiled
def make_lanes(n_rows: int) -> Lanes:
    """Return room for blocks of a length."""
    n = n_rows * TILE
    return Lanes(
        np.empty(TILE),
        np.empty(n),
        np.empty(n + TILE),
        np.empty(n + TILE),
        np.empty(n),
        np.empty(n),
    )


@compiled_sums
def are_whole(x: Float[np.ndarray, "bars assets"], first: int, stop: int, asset: int) -> bool:
    """Return whether eight assets lack no value on some rows."""
    check = 0.0
    for row in range(first, stop):
        values = x[row, asset : asset + TILE]
        for j in range(TILE):
            check += values[j] * 0.0
    return check == 0.0


@compiled
def fill_whole_block(
    x: Float[np.ndarray, "bars assets"],
    rows: tuple[int, int],
    asset: int,
    window: int,
    lanes: Lanes,
    out: Float[np.ndarray, "figures bars assets"],
) -> None:
    """Write mean and, if asked for, deviation of the windows that end in some rows, 8 assets.

    Parameters
    ----------
    x : values.
    rows : the first row of a block and the one past its last; a whole block lies before it.
    asset : the first of the eight.
    window : length of a block.
    lanes : room.
    out : one figure or two.
    """
    head, stop = rows
    n_tail, n = window * TILE, (stop - head) * TILE
    shift, share = lanes.shift, 1.0 / window
    sums, ends = lanes.sums[:n], lanes.ends[: n_tail + TILE]
    squares, square_ends = lanes.squares[:n], lanes.square_ends[: n_tail + TILE]
    tail_work, head_work = lanes.work[:n_tail], lanes.work[:n]
    shift[:] = x[head, asset : asset + TILE]
    _deviations(x, head - window, asset, shift, tail_work)
    _add_back(tail_work, ends)
    if out.shape[0] > 1:
        _add_squares_back(tail_work, square_ends)
    _deviations(x, head, asset, shift, head_work)
    _add_on(head_work, sums)
    _add(sums, ends[TILE:])
    _leave_means(sums, shift, share, out[0], head, asset)
    if out.shape[0] > 1:
        _add_squares_on(head_work, squares)
        _add(squares, square_ends[TILE:])
        _leave_deviations(sums, squares, share, 1.0 / (window - 1.0))
        _write(squares, out[1], head, asset)


@compiled
def _deviations(
    x: Float[np.ndarray, "bars assets"],
    first: int,
    asset: int,
    shift: Float[np.ndarray, " lanes"],
    work: Float[np.ndarray, " cells"],
) -> None:
    for i in range(work.shape[0] // TILE):
        values = x[first + i, asset : asset + TILE]
        for j in range(TILE):
            work[i * TILE + j] = values[j] - shift[j]


@compiled
def _add_back(work: Float[np.ndarray, " cells"], sums: Float[np.ndarray, " cells"]) -> None:
    n = work.shape[0]
    sums[n:] = 0.0
    for p in range(n - 1, -1, -1):
        sums[p] = sums[p + TILE] + work[p]


@compiled
def _add_squares_back(work: Float[np.ndarray, " cells"], sums: Float[np.ndarray, " cells"]) -> None:
    n = work.shape[0]
    sums[n:] = 0.0
    for p in range(n - 1, -1, -1):
        sums[p] = sums[p + TILE] + work[p] * work[p]


@compiled
def _add_on(work: Float[np.ndarray, " cells"], sums: Float[np.ndarray, " cells"]) -> None:
    sums[:TILE] = work[:TILE]
    for p in range(TILE, work.shape[0]):
        sums[p] = sums[p - TILE] + work[p]


@compiled
def _add_squares_on(work: Float[np.ndarray, " cells"], sums: Float[np.ndarray, " cells"]) -> None:
    for p in range(TILE):
        sums[p] = work[p] * work[p]
    for p in range(TILE, work.shape[0]):
        sums[p] = sums[p - TILE] + work[p] * work[p]


@compiled
def _add(target: Float[np.ndarray, " cells"], values: Float[np.ndarray, " more_cells"]) -> None:
    for p in range(target.shape[0]):
        target[p] += values[p]


@compiled
def _leave_means(
    sums: Float[np.ndarray, " cells"],
    shift: Float[np.ndarray, " lanes"],
    share: float,
    out: Float[np.ndarray, "bars assets"],
    first: int,
    asset: int,
) -> None:
    for i in range(sums.shape[0] // TILE):
        total, target = sums[i * TILE : (i + 1) * TILE], out[first + i, asset : asset + TILE]
        for j in range(TILE):
            mean = shift[j] + total[j] * share
            target[j] = mean if np.abs(mean) < np.inf else np.nan


@compiled
def _leave_deviations(
    sums: Float[np.ndarray, " cells"],
    squares: Float[np.ndarray, " cells"],
    share: float,
    freedom: float,
) -> None:
    """Turn sums of squares into standard deviations."""
    for p in range(sums.shape[0]):
        square = squares[p] - sums[p] * share * sums[p]
        square = 0.0 if square < 0.0 else square
        deviation = np.sqrt(square * freedom)
        squares[p] = deviation if deviation < np.inf else np.nan


@compiled
def _write(
    cells: Float[np.ndarray, " cells"],
    out: Float[np.ndarray, "bars assets"],
    first: int,
    asset: int,
) -> None:
    for i in range(cells.shape[0] // TILE):
        values, target = cells[i * TILE : (i + 1) * TILE], out[first + i, asset : asset + TILE]
        for j in range(TILE):
            target[j] = values[j]

"""Rolling regressions of assets with gaps: every asset on its own Gram matrix.

Operations and their order are those of the shared path, so a window without gaps has the same
bits on both.
"""

from plumbline.kernels.asset_sums import add_head_row, load_weighted_row
from plumbline.kernels.compilation import compiled
from plumbline.kernels.fit_layout import (
    Panels,
    Results,
    Rules,
    Scratch,
    Shared,
    Tile,
    n_own_sums,
)
from plumbline.kernels.lane_algebra import factorise
from plumbline.kernels.lane_results import (
    leave_quality,
    leave_residual,
    leave_states,
    leave_unfitted,
)
from plumbline.kernels.lane_solution import solve_row


@compiled
def fit_masked(
    panels: Panels, rules: Rules, shared: Shared, results: Results, tile: Tile, scratch: Scratch
) -> int:
    """Fit every bar of a tile's head, O(A·K³) a bar; return how many are left to QR."""
    y, decay, cell_weight = panels.y, panels.decay, panels.cell_weight
    head, shift = shared.head, shared.shift[tile.block.number]
    room, suffix, sums = scratch.room, scratch.suffix, scratch.sums
    facts, work = scratch.facts, scratch.work
    coefficients = results.coefficients
    first, stop = tile.first, tile.stop
    n_tail = tile.block.head - tile.block.tail
    own = n_own_sums(shift.shape[0])
    n_left = 0
    sums[:] = 0.0
    for bar in range(tile.block.head, tile.block.stop):
        place, row = bar - tile.begin, bar - tile.block.head
        load_weighted_row(room, y[bar], cell_weight, bar, first, stop)
        end = min(max(bar - rules.window + 1 - tile.block.tail, 0), n_tail)
        fades = (decay[1], decay[row + 1])
        add_head_row(sums, suffix[end], room, head[place], fades, 0)
        factorise(sums[1], facts, work, shift, rules, stop - first)
        where = (bar, first, stop, rules.intercept)
        solve_row(coefficients, sums[1, own:], room, facts, shift, where)
        unfitted = leave_states(rules, results, scratch, bar, tile)
        if rules.level:
            n_left += leave_quality(rules, results, scratch, bar, tile)
        if unfitted:
            n_left += leave_unfitted(rules, results, room, bar, tile)
        if rules.level:
            leave_residual(panels, rules, results, bar, tile)
    return n_left

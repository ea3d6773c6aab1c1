"""Rolling regressions, group of blocks by group of blocks: which kernel fits which assets."""

import numpy as np
from jaxtyping import Bool

from plumbline.kernels.asset_sums import sum_tail
from plumbline.kernels.compilation import compiled
from plumbline.kernels.exact_window import fit_exactly
from plumbline.kernels.fit_layout import (
    Group,
    Panels,
    Results,
    Rules,
    Shared,
    Tile,
    block_at,
    facts_layout,
    n_own_sums,
    new_scratch,
)
from plumbline.kernels.masked_fit import fit_masked
from plumbline.kernels.shared_fit import fit_shared
from plumbline.kernels.window_sums import find_gaps, share_windows

# Working memory of the factors' tables, bytes: the third level of a processor's cache.
_TABLE_BYTES = 4 << 20


# Assets are worked on together, within these bounds, while their suffix sums take so many bytes.
# Wide tiles save loop overhead, narrow ones keep the sums in cache; no result depends on it.
_SUFFIX_BYTES, _FEWEST_LANES, _MOST_LANES = 16 << 20, 128, 256


def fit_groups(panels: Panels, rules: Rules, results: Results) -> None:
    """Fit every window of every asset into ``results``."""
    n_bars, n_assets = panels.y.shape
    n = panels.x.shape[1]
    if panels.y.size == 0:
        return
    results.residual[: rules.lag] = np.nan
    rows = min(rules.window, n_bars)
    wide = _tile_width(rows * (n + 1), n_assets)
    narrow = _tile_width(rows * (n_own_sums(n) + n + 1), n_assets)
    row_bytes = 8 * (3 * n_own_sums(n) + facts_layout(n).size)
    blocks = max(1, _TABLE_BYTES // row_bytes // rules.window)
    for start in range(-rules.offset, n_bars, blocks * rules.window):
        group = Group(start, min(start + blocks * rules.window, n_bars))
        shared = _tables(group, rules, n, blocks)
        share_windows(panels, rules, group, shared)
        gaps = find_gaps(panels, rules, group, wide)
        if gaps.any():
            gaps = find_gaps(panels, rules, group, narrow)
        if _fit_tiles(panels, rules, group, shared, results, gaps):
            fit_exactly(panels, rules, results, (max(start, 0), group.stop))


@compiled
def _fit_tiles(
    panels: Panels,
    rules: Rules,
    group: Group,
    shared: Shared,
    results: Results,
    gaps: Bool[np.ndarray, "blocks tiles"],
) -> int:
    """Fit every tile of every block; return how many windows are left to QR."""
    n, n_assets = shared.shift.shape[1], panels.y.shape[1]
    n_tiles = gaps.shape[1]
    lanes = (n_assets + n_tiles - 1) // n_tiles
    rows = min(rules.window, group.stop)
    for_shared = new_scratch(rules, n, rows, 0 if gaps.all() else lanes, n_own_sums(n))
    for_masked = new_scratch(rules, n, rows, lanes if gaps.any() else 0, 0)
    begin = max(group.start - rules.window, 0)
    n_left = 0
    for number in range(gaps.shape[0]):
        block = block_at(group, number, rules.window)
        for index in range(n_tiles):
            tile = Tile(block, begin, index * lanes, min((index + 1) * lanes, n_assets))
            if gaps[number, index]:
                sum_tail(panels, rules, shared, tile, for_masked)
                n_left += fit_masked(panels, rules, shared, results, tile, for_masked)
            else:
                sum_tail(panels, rules, shared, tile, for_shared)
                n_left += fit_shared(panels, rules, shared, results, tile, for_shared)
    return n_left


def _tile_width(sums: int, n_assets: int) -> int:
    """Return the width of equal tiles, for an asset that keeps a number of suffix sums."""
    lanes = min(max(_SUFFIX_BYTES // (8 * sums), _FEWEST_LANES), _MOST_LANES)
    n_tiles = -(-n_assets // lanes)
    return -(-n_assets // n_tiles)


def _tables(group: Group, rules: Rules, n_factors: int, blocks: int) -> Shared:
    """Return room for what all assets share over a group and the tail before it."""
    rows = group.stop - max(group.start - rules.window, 0)
    entries = n_own_sums(n_factors)
    return Shared(
        shift=np.empty((blocks, n_factors)),
        tail=np.empty((rows, entries)),
        head=np.empty((rows, entries)),
        counts=np.empty(rows),
        facts=np.empty((rows, facts_layout(n_factors).size)),
    )

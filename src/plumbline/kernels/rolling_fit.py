"""Rolling regressions, group of blocks by group of blocks: which kernel fits which assets."""

from typing import NamedTuple

import numpy as np

from plumbline.kernels.exact_window import fit_exactly, leave_residuals
from plumbline.kernels.fit_layout import (
    Group,
    Panels,
    Results,
    Rules,
    Shared,
    facts_layout,
    n_own_sums,
)
from plumbline.kernels.masked_fit import fit_masked
from plumbline.kernels.shared_fit import fit_shared
from plumbline.kernels.window_sums import find_gaps, share_windows

# Working memory of the factors' tables, bytes: the third level of a processor's cache.
_TABLE_BYTES = 4 << 20


class _Tile(NamedTuple):
    """How many assets to work on together: suffix sums of so many bytes, within bounds.

    Wide tiles save loop overhead, narrow ones keep the sums in the second level of the cache;
    results do not depend on it.
    """

    suffix_bytes: int
    fewest: int
    most: int


_SHARED_TILE = _Tile(4 << 20, 64, 256)
_MASKED_TILE = _Tile(2 << 20, 64, 256)


def fit_groups(panels: Panels, rules: Rules, results: Results) -> None:
    """Fit every window of every asset into ``results``."""
    n_bars, n_assets = panels.y.shape
    n = panels.x.shape[1]
    if panels.y.size == 0:
        return
    rows = min(rules.window, n_bars)
    wide = _tile_width(rows * (n + 1), n_assets, _SHARED_TILE)
    narrow = _tile_width(rows * (n_own_sums(n) + n + 1), n_assets, _MASKED_TILE)
    row_bytes = 8 * (3 * n_own_sums(n) + facts_layout(n).size)
    blocks = max(1, _TABLE_BYTES // row_bytes // rules.window)
    for start in range(-rules.offset, n_bars, blocks * rules.window):
        group = Group(start, min(start + blocks * rules.window, n_bars))
        shared = _tables(group, rules, n, blocks)
        share_windows(panels, rules, group, shared)
        gaps = find_gaps(panels, rules, group, wide)
        if gaps.any():
            gaps = find_gaps(panels, rules, group, narrow)
        n_left = 0
        if not gaps.all():
            n_left += fit_shared(panels, rules, group, shared, results, gaps)
        if gaps.any():
            n_left += fit_masked(panels, rules, group, shared, results, gaps)
        rows = (max(start, 0), group.stop)
        if n_left:
            fit_exactly(panels, rules, results, rows)
        if rules.level > 0:
            leave_residuals(panels, rules, results, rows)


def _tile_width(sums: int, n_assets: int, tile: _Tile) -> int:
    """Return the width of equal tiles, for an asset that keeps a number of suffix sums."""
    lanes = min(max(tile.suffix_bytes // (8 * sums), tile.fewest), tile.most)
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

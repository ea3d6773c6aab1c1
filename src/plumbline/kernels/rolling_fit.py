"""Rolling regressions, group of blocks by group of blocks: which kernel fits which assets."""

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

# Working memory of the factors' tables and of one tile's suffix sums, bytes: the second and
# third level of a processor's cache. Results do not depend on them.
_TABLE_BYTES = 4 << 20
_SUFFIX_BYTES = 4 << 20
_LANES = (64, 256)


def fit_groups(panels: Panels, rules: Rules, results: Results) -> None:
    """Fit every window of every asset into ``results``."""
    n_bars, n_assets = panels.y.shape
    n = panels.x.shape[1]
    if panels.y.size == 0:
        return
    lanes = _tile_width(min(rules.window, n_bars), n_assets, n)
    row_bytes = 8 * (3 * n_own_sums(n) + facts_layout(n).size)
    blocks = max(1, _TABLE_BYTES // row_bytes // rules.window)
    for start in range(-rules.offset, n_bars, blocks * rules.window):
        group = Group(start, min(start + blocks * rules.window, n_bars))
        shared = _tables(group, rules, n, blocks)
        share_windows(panels, rules, group, shared)
        gaps = find_gaps(panels, rules, group, lanes)
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


def _tile_width(rows: int, n_assets: int, n_factors: int) -> int:
    """Return how many assets to work on together: their suffix sums fit the cache."""
    narrow, wide = _LANES
    lanes = _SUFFIX_BYTES // (8 * rows * (n_factors + 1))
    lanes = min(max(lanes, narrow), wide)
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

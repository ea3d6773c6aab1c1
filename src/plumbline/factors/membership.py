"""Who belongs to a universe, and who was kept out of it, when and why, in one table."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Int

from plumbline.core.panel import Panel
from plumbline.features.universe import REASONS

_TIME = pl.Datetime("us", "UTC")
_SCHEMA: dict[str, Any] = {
    "asset": pl.String,
    "n_bars_priced": pl.Int64,
    "n_bars_member": pl.Int64,
    "first_member": _TIME,
    "last_member": _TIME,
    "reason": pl.String,
    "n_bars_excluded": pl.Int64,
    "first_excluded": _TIME,
    "last_excluded": _TIME,
}
_NO_PRICE = REASONS.index("no_price")


def membership(universe: Panel) -> pl.DataFrame:
    """Return a row for each asset and reason for which it was kept out on a bar with a price.

    Parameters
    ----------
    universe : field ``reason``, codes of :func:`plumbline.features.universe.universe_reasons`.

    Returns
    -------
    asset, n_bars_priced, n_bars_member, first_member, last_member (closes), reason,
    n_bars_excluded for that reason, first_excluded, last_excluded (closes); in the order of assets,
    then of ``REASONS``. An asset that no rule ever kept out has one row with the reason "" and 0
    bars. A bar without a price is nobody's exclusion. O(T·A).
    """
    codes = universe["reason"].astype(np.int64)
    rows = [
        row for a, name in enumerate(universe.assets) for row in _rows(name, codes[:, a], universe)
    ]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _rows(
    asset: str, codes: Int[np.ndarray, " bars"], universe: Panel
) -> Iterator[tuple[object, ...]]:
    n_priced = int((codes != _NO_PRICE).sum())
    inside = codes == 0
    about = (asset, n_priced, int(inside.sum()), *_ends(universe, inside))
    kept_out = [code for code in np.unique(codes) if code not in (0, _NO_PRICE)]
    for code in kept_out:
        outside = codes == code
        yield *about, REASONS[code], int(outside.sum()), *_ends(universe, outside)
    if not kept_out:
        yield *about, "", 0, None, None


def _ends(universe: Panel, holds: np.ndarray) -> tuple[Any, Any]:
    """Return the closes of the first and the last bar on which something holds."""
    closes = universe.bars[holds]
    return (closes[0].item(), closes[-1].item()) if closes.size else (None, None)

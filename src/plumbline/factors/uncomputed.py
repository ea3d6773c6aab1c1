"""Counts of what an evaluation could not compute, by reason, in one table."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, final

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

_SCHEMA: dict[str, Any] = {
    "part": pl.String,
    "signal": pl.String,
    "horizon_bars": pl.Int64,
    "reason": pl.String,
    "n": pl.Int64,
    "of": pl.Int64,
    "unit": pl.String,
}
_LEAST_ASSETS = 3  # of a rank correlation


@final
class Lost(NamedTuple):
    """What one part could not compute.

    Parameters
    ----------
    part : ``factor_model``, ``neutralisation``, ``rank_ic`` or ``spread``.
    counts : reason -> number.
    of : how many were tried.
    unit : what is counted: ``windows``, ``values`` or ``bars``.
    signal, horizon_bars : whose part it is; None where it belongs to none.
    """

    part: str
    counts: Mapping[str, int]
    of: int
    unit: str
    signal: str | None = None
    horizon_bars: int | None = None


def uncomputed(parts: Sequence[Lost]) -> pl.DataFrame:
    """Return a row for each part and reason, also with 0.

    Returns
    -------
    part, signal, horizon_bars, reason, n, of, unit.
    """
    rows = [
        (p.part, p.signal, p.horizon_bars, reason, n, p.of, p.unit)
        for p in parts
        for reason, n in p.counts.items()
    ]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def unranked(
    n_values: Float[np.ndarray, " bars"],
    n_pairs: Float[np.ndarray, " bars"],
    ic: Float[np.ndarray, " bars"],
    is_read: Bool[np.ndarray, " bars"],
) -> dict[str, int]:
    """Count the bars that are read and have no rank IC, by the first reason that holds.

    Parameters
    ----------
    n_values : (T,) assets with a value of the signal that can be traded.
    n_pairs : (T,) those that also have a return over one horizon.
    ic : (T,) their rank IC.
    is_read : (T,) the bars that are read at all.

    Returns
    -------
    ``no_signal``: no asset has a value. ``no_return``: no asset with a value has a return.
    ``too_few_assets``: fewer than 3 have both. ``constant``: the signal, or the returns, of those
    are all equal.
    """
    left = is_read & ~np.isfinite(ic)
    counts = {}
    for reason, holds in (
        ("no_signal", n_values == 0),
        ("no_return", n_pairs == 0),
        ("too_few_assets", n_pairs < _LEAST_ASSETS),
        ("constant", np.ones(len(left), dtype=bool)),
    ):
        counts[reason] = int((left & holds).sum())
        left = left & ~holds
    return counts


def without_book(
    n_values: Float[np.ndarray, " bars"], has_book: Bool[np.ndarray, " bars"], n_quantiles: int
) -> dict[str, int]:
    """Count the bars on which no spread can be formed, by reason.

    Parameters
    ----------
    n_values : (T,) assets with a value of the signal that can be traded.
    has_book : (T,) whether both the top group and the bottom group hold an asset.
    n_quantiles : number of groups.

    Returns
    -------
    ``no_signal``: no asset has a value. ``fewer_values_than_groups``. ``ties``: so many values are
    equal that the top group is empty.
    """
    is_few = n_values < n_quantiles
    return {
        "no_signal": int((n_values == 0).sum()),
        "fewer_values_than_groups": int((is_few & (n_values > 0)).sum()),
        "ties": int((~has_book & ~is_few).sum()),
    }

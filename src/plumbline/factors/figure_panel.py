"""Figures of a signal on each bar, and the panel that holds them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from plumbline.core.panel import Panel
from plumbline.factors.options import EvaluationOptions

FIELD = "figure"
"""The field of a panel of figures; its assets are their names."""


class BarFigures(NamedTuple):
    """Figures of one signal on T bars, H horizons, Q groups and G sectors.

    Parameters
    ----------
    n_priced : (T,) assets with a close.
    n_values : (T,) assets with a value of the signal that can be traded.
    ic, linear : (H, T) rank IC and linear IC; NaN where there is none.
    n_pairs : (H, T) assets with both a signal and a return, on bars that are read.
    autocorrelation : (H, T) correlation of ranks with those h bars before.
    sector_ic, sector_pairs : (G, H, T) the same within sectors.
    group_sums, group_counts : (H, T, Q) of forward returns by group, on bars that are read.
    n_members, stayed : (T, Q) and (H, T, Q) members of groups, and those who were in h bars before.
    relative : (T, Q) what each group earns on a bar, less the mean of groups.
    gross, turnover, has_book : (T,) of the spread; see
        :class:`plumbline.factors.spread.SpreadBars`.
    paid, known, taken, n_known : (T,) of its trades; see
        :class:`plumbline.factors.capacity.ImpactBars`. 0 without liquidity.
    """

    n_priced: Float[np.ndarray, " bars"]
    n_values: Float[np.ndarray, " bars"]
    ic: Float[np.ndarray, "horizons bars"]
    linear: Float[np.ndarray, "horizons bars"]
    n_pairs: Float[np.ndarray, "horizons bars"]
    autocorrelation: Float[np.ndarray, "horizons bars"]
    sector_ic: Float[np.ndarray, "sectors horizons bars"]
    sector_pairs: Float[np.ndarray, "sectors horizons bars"]
    group_sums: Float[np.ndarray, "horizons bars quantiles"]
    group_counts: Float[np.ndarray, "horizons bars quantiles"]
    n_members: Float[np.ndarray, "bars quantiles"]
    stayed: Float[np.ndarray, "horizons bars quantiles"]
    relative: Float[np.ndarray, "bars quantiles"]
    gross: Float[np.ndarray, " bars"]
    turnover: Float[np.ndarray, " bars"]
    has_book: Float[np.ndarray, " bars"]
    paid: Float[np.ndarray, " bars"]
    known: Float[np.ndarray, " bars"]
    taken: Float[np.ndarray, " bars"]
    n_known: Float[np.ndarray, " bars"]


_AXES = {
    **dict.fromkeys(("ic", "linear", "n_pairs", "autocorrelation"), "ht"),
    **dict.fromkeys(("sector_ic", "sector_pairs"), "ght"),
    **dict.fromkeys(("group_sums", "group_counts", "stayed"), "htq"),
    **dict.fromkeys(("n_members", "relative"), "tq"),
}  # of the fields of BarFigures; the others have bars alone


def read_bars(first_bar: int, n_bars: int, every_bars: int) -> Bool[np.ndarray, " bars"]:
    """Return which bars information coefficients and quantile returns read, by calendar number."""
    is_read: Bool[np.ndarray, " bars"] = (first_bar + np.arange(n_bars)) % every_bars == 0
    return is_read


def known_sectors(sectors: Sequence[str | None]) -> list[str]:
    """Return the sectors that some asset has, sorted."""
    return sorted({name for name in sectors if name is not None})


def figure_names(options: EvaluationOptions, sectors: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the figures of a signal, sorted, as the assets of their panel.

    ``sectors`` are those of :func:`known_sectors`, here and below.
    """
    return tuple(name for name, _, _ in _columns(options, len(sectors)))


def as_panel(
    figures: BarFigures, like: Panel, options: EvaluationOptions, sectors: Sequence[str]
) -> Panel:
    """Return figures as a panel of the field ``figure``, on the bars of another panel."""
    columns = _columns(options, len(sectors))
    flat = {field: _by_bar(field, values) for field, values in figures._asdict().items()}
    values = np.empty((like.n_bars, len(columns)))
    for place, (_, field, column) in enumerate(columns):
        values[:, place] = flat[field][:, column]
    names = [name for name, _, _ in columns]
    return Panel(
        {FIELD: values}, like.bars, names, known_at=like.known_at, first_bar=like.first_bar
    )


def from_panel(panel: Panel, options: EvaluationOptions, sectors: Sequence[str]) -> BarFigures:
    """Return the figures that :func:`as_panel` laid out, with the options it was given."""
    values = np.ascontiguousarray(panel[FIELD].T)
    n_sectors = len(sectors)
    places: dict[str, list[int]] = {field: [] for field in BarFigures._fields}
    for place, (_, field, column) in enumerate(_columns(options, n_sectors)):
        places[field].insert(column, place)
    found = {}
    for field, chosen in places.items():
        axes = _AXES.get(field, "t")
        others = axes.replace("t", "")
        shape = [_size(axis, options, n_sectors) for axis in others]
        by_figure = values[chosen].reshape(*shape, panel.n_bars)
        found[field] = np.ascontiguousarray(np.moveaxis(by_figure, -1, axes.index("t")))
    return BarFigures(**found)


def coefficients(
    panel: Panel, n_horizons: int
) -> tuple[Float[np.ndarray, "horizons bars"], Float[np.ndarray, "horizons bars"]]:
    """Return the fields ``ic`` and ``n_pairs`` of a panel of figures alone."""
    ic, n_pairs = (
        panel.columns_of([_name(field, h) for h in range(n_horizons)]) for field in _OF_NULLS
    )
    rank_ics, counts = (np.ascontiguousarray(panel[FIELD][:, c].T) for c in (ic, n_pairs))
    return rank_ics, counts


_OF_NULLS = ("ic", "n_pairs")


def _name(field: str, column: int) -> str:
    return f"{field} {column:06d}"


def _by_bar(field: str, values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "bars figures"]:
    axis = _AXES.get(field, "t").index("t")
    return np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)


def _size(axis: str, options: EvaluationOptions, n_sectors: int) -> int:
    return {"g": n_sectors, "h": len(options.horizons), "q": options.n_quantiles}[axis]


def _columns(options: EvaluationOptions, n_sectors: int) -> list[tuple[str, str, int]]:
    """Return name, field and column within the field of each figure, sorted by name."""
    columns = []
    for field in BarFigures._fields:
        sizes = [_size(a, options, n_sectors) for a in _AXES.get(field, "t").replace("t", "")]
        count = int(np.prod(sizes)) if sizes else 1
        columns += [(_name(field, i), field, i) for i in range(count)]
    return sorted(columns)

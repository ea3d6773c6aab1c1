"""Bars to coarser bars: labelled by their close, whole or not at all."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Int64

from plumbline.core.calendar import ALWAYS_OPEN, Calendar, Sessions, grid_of
from plumbline.core.errors import CalendarError, ParameterError, nearest_names
from plumbline.core.panel import Panel

Join: TypeAlias = Callable[..., Any]
_JOINS: Mapping[str, Join | None] = {
    "first": None,
    "highest": np.maximum,
    "lowest": np.minimum,
    "last": None,
    "sum": np.add,
}
USUAL: Mapping[str, str] = {
    "open": "first",
    "high": "highest",
    "low": "lowest",
    "close": "last",
    "adj_close": "last",
    "price": "last",
    "volume": "sum",
    "quote_volume": "sum",
    "count": "sum",
    "taker_buy_volume": "sum",
    "taker_buy_quote_volume": "sum",
}


class _Groups(NamedTuple):
    """The base rows of coarse bars, which follow each other from the one numbered ``first``.

    Parameters
    ----------
    first : calendar number of the first coarse bar.
    closes : (G,) closes of the coarse bars.
    rows : base rows, one coarse bar after the other.
    starts : (G,) place in ``rows`` where each begins.
    lengths : (G,) number of its rows.
    """

    first: int
    closes: np.ndarray
    rows: Int64[np.ndarray, " members"]
    starts: Int64[np.ndarray, " groups"]
    lengths: Int64[np.ndarray, " groups"]

    def members(self) -> Iterator[tuple[Any, Any]]:
        """Yield the places of the coarse bars that have a next row, and that row of each.

        Where all are as long, both are slices: views, which spare copies.
        """
        if not self.lengths.size:
            return
        length = int(self.lengths[0])
        if self.rows[-1] - self.rows[0] + 1 == self.rows.size and (self.lengths == length).all():
            start, stop = int(self.rows[0]), int(self.rows[-1]) + 1
            for i in range(length):
                yield slice(None), slice(start + i, stop, length)
            return
        for i in range(int(self.lengths.max())):
            has_one = np.flatnonzero(self.lengths > i)
            yield has_one, self.rows[self.starts[has_one] + i]


def resample(
    panel: Panel,
    base: Calendar | str,
    targets: Sequence[Calendar | str],
    how: Mapping[str, str] | None = None,
) -> dict[str, Panel]:
    """Put bars together to coarser ones, for several frequencies at once.

    Parameters
    ----------
    panel : bars of the base calendar.
    base : 24/7 with a frequency, such as ``24/7 5m``.
    targets : calendars of coarser bars: ``24/7 1h``, or an exchange, such as ``XNYS``, whose
        sessions are put together from the bars within them; breaks between their halves are left
        out.
    how : field -> ``first highest lowest last sum``; default: :data:`USUAL`, by the field's name.

    Returns
    -------
    Target, as text, -> panel. A coarse bar of an asset is there if all its base bars are: bars of
    which some field has a value. Else, and where a value that it is made of is missing, it is NaN.
    Its ``known_at`` is that of its last base bar. Bars that begin before the first base bar or end
    after the last are not emitted.

    Raises
    ------
    ParameterError
        If a field is not usual and ``how`` does not name it; every such is named.
    CalendarError
        If a target is no coarser grid, or base bars are cut by its bars.

    Notes
    -----
    Cost: O(bars · assets · fields · targets). Sums are taken in order of time from the base bars,
    so that no target depends on another.
    """
    grid = Calendar(*grid_of(base))
    ways = _ways(panel, how or {})
    if grid.name != ALWAYS_OPEN:
        raise CalendarError(f"base bars are those of 24/7, not of {grid.name}")
    is_there = np.zeros(panel.shape, dtype=bool)
    for name in panel:
        is_there |= ~np.isnan(panel[name])
    made = {}
    for target in targets:
        calendar = Calendar(*grid_of(target))
        groups = _groups(panel, grid, calendar)
        is_partial = ~_joined(is_there, groups, np.logical_and)
        ends = groups.rows[groups.starts + groups.lengths - 1]
        fields = {}
        for name in panel:
            join = _JOINS[ways[name]]
            if join is None:
                fields[name] = panel[name][
                    groups.rows[groups.starts] if ways[name] == "first" else ends
                ]
            else:
                fields[name] = _joined(panel[name], groups, join)
            fields[name][is_partial] = np.nan
        known_at = np.maximum(panel.known_at[ends], groups.closes)
        label = f"{calendar.name} {calendar.frequency}"
        made[label] = Panel(
            fields, groups.closes, panel.assets, known_at=known_at, first_bar=groups.first
        )
    return made


def _joined(values: np.ndarray, groups: _Groups, join: Join) -> np.ndarray:
    """Return the values of each coarse bar joined, in order of time."""
    out = np.empty((groups.closes.size, values.shape[1]), dtype=values.dtype)
    for i, (bars, rows) in enumerate(groups.members()):
        if i == 0:
            out[bars] = values[rows]
        elif isinstance(bars, slice):
            join(out, values[rows], out=out)
        else:
            out[bars] = join(out[bars], values[rows])
    return out


def _ways(panel: Panel, how: Mapping[str, str]) -> dict[str, str]:
    problems = [
        f"how[{name!r}]={way!r}: {nearest_names(str(way), _JOINS)}"
        for name, way in how.items()
        if way not in _JOINS
    ]
    chosen = {**USUAL, **how}
    problems += [
        f"field {name!r} is none whose meaning is known: say how, as {{{name!r}: 'last'}}; "
        f"allowed: {', '.join(_JOINS)}"
        for name in panel
        if name not in chosen
    ]
    if problems:
        raise ParameterError("; ".join(problems))
    return {name: chosen[name] for name in panel}


def _groups(panel: Panel, base: Calendar, target: Calendar) -> _Groups:
    if not panel.n_bars:
        return _nothing()
    if target.name == ALWAYS_OPEN:
        return _even_groups(panel, base, target)
    return _session_groups(panel, base, target)


def _even_groups(panel: Panel, base: Calendar, target: Calendar) -> _Groups:
    ratio, rest = divmod(int(target.step.astype("int64")), int(base.step.astype("int64")))
    if rest or ratio < 2:
        raise CalendarError(
            f"bars of {target.frequency} are not made of bars of {base.frequency}: name a "
            "frequency that is a multiple of it"
        )
    first = -(-(panel.first_bar - 1) // ratio) + 1  # the first that begins with a base bar
    last = (panel.first_bar + panel.n_bars - 1) // ratio
    n_groups = max(last - first + 1, 0)
    start = ratio * (first - 1) + 1 - panel.first_bar
    rows = np.arange(start, start + n_groups * ratio, dtype=np.int64)
    starts = np.arange(n_groups, dtype=np.int64) * ratio
    closes = target.closes(first, first + n_groups - 1)
    return _Groups(first, closes, rows, starts, np.full(n_groups, ratio))


def _session_groups(panel: Panel, base: Calendar, target: Calendar) -> _Groups:
    start = panel.bars[0] - base.step
    numbers, _ = target.locate(panel.bars[[0, -1]])
    first, last = int(numbers[0]), int(numbers[1])
    if last < 0:
        return _nothing()
    sessions = target.sessions(max(first, 0), last)
    is_inside = sessions.opens >= start
    if not is_inside.any():
        return _nothing()
    chosen = Sessions(*(part[is_inside] for part in sessions))
    halves = np.stack([chosen.opens, chosen.break_starts, chosen.break_ends, chosen.closes])
    no_break = np.isnat(chosen.break_starts)
    halves[1:3, no_break] = chosen.closes[no_break]
    places, rest = np.divmod((halves - start).astype(np.int64), int(base.step.astype(np.int64)))
    if rest.any():
        at = halves[:, rest.any(axis=0)][0, 0]
        raise CalendarError(
            f"bars of {base.frequency} are cut by sessions of {target.name}, such as the one that "
            f"opens at {at} UTC: take shorter bars"
        )
    spans = [np.arange(a, b) for a, b in places.reshape(2, 2, -1).transpose(2, 0, 1).reshape(-1, 2)]
    lengths = (places[1] - places[0]) + (places[3] - places[2])
    rows = np.concatenate(spans).astype(np.int64)
    number = max(first, 0) + int(np.argmax(is_inside))
    return _Groups(number, chosen.closes, rows, np.cumsum(lengths) - lengths, lengths)


def _nothing() -> _Groups:
    none = np.zeros(0, dtype=np.int64)
    return _Groups(0, none.astype("datetime64[us]"), none, none, none)

"""The panel: named fields of float64 arrays over one axis of bars and one of assets."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np

from plumbline.core.digest import digest
from plumbline.core.errors import MissingDataError, ParameterError, UnknownAssetError, nearest_names
from plumbline.core.moments import moment_of

if TYPE_CHECKING:
    from plumbline.core.calendar import Calendar

_SHOWN = 3  # assets that a panel names when it shows itself


@final
class Panel(Mapping[str, np.ndarray]):
    """Named fields of dense, read-only ``(bars, assets)`` float64 arrays with shared axes.

    A panel maps field names to arrays. Its rows are consecutive bars of one trading calendar; a
    bar without data is a row of NaN, so the number of row ``i`` is ``first_bar + i``. Slicing
    bars gives views of the same memory, mapped files included.

    Parameters
    ----------
    fields : name -> (T, A) array; NaN means missing. The panel keeps a read-only view: the
        caller hands the array over.
    bars : (T,) close times, UTC, strictly increasing.
    assets : A names, sorted, unique.
    known_at : (T,) times from which a row may be used, UTC, at or after the close and
        non-decreasing; default: the close.
    first_bar : calendar number of row 0 (see :class:`plumbline.core.calendar.Calendar`).

    Raises
    ------
    ParameterError
        If axes and arrays do not fit; every problem is named.

    Examples
    --------
    >>> import numpy as np
    >>> bars = np.array(["2024-01-02T21:00", "2024-01-03T21:00"], dtype="datetime64[us]")
    >>> panel = Panel({"close": [[10.0, 20.0], [11.0, 19.0]]}, bars, ["AAA", "BBB"])
    >>> panel["close"][1, 0]
    np.float64(11.0)
    >>> panel.select(["BBB"]).shape
    (2, 1)
    """

    __slots__ = ("_fields", "assets", "bars", "first_bar", "known_at")

    def __init__(
        self,
        fields: Mapping[str, Any],
        bars: Any,
        assets: Sequence[str],
        *,
        known_at: Any = None,
        first_bar: int = 0,
    ) -> None:
        self.bars = _frozen(_times(bars))
        self.assets = tuple(assets)
        self.known_at = self.bars if known_at is None else _frozen(_times(known_at))
        self.first_bar = int(first_bar)
        self._fields = {name: _frozen(_floats(name, array)) for name, array in fields.items()}
        problems = [*_axis_problems(self), *_field_problems(self)]
        if problems:
            raise ParameterError("; ".join(problems))

    def __getitem__(self, name: str) -> np.ndarray:
        try:
            return self._fields[name]
        except KeyError:
            hint = nearest_names(str(name), self._fields)
            raise MissingDataError(f"the panel has no field {name!r}; {hint}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        """Return whether axes, fields and every value, bit for bit but NaN alike, are equal."""
        return isinstance(other, Panel) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __reduce__(self) -> tuple[Any, ...]:
        fields = {name: np.asarray(array) for name, array in self._fields.items()}
        return _rebuilt, (fields, self.bars, self.assets, self.known_at, self.first_bar)

    @property
    def shape(self) -> tuple[int, int]:
        """Return (number of bars, number of assets)."""
        return len(self.bars), len(self.assets)

    @property
    def n_bars(self) -> int:
        """Return the number of bars."""
        return len(self.bars)

    @property
    def n_assets(self) -> int:
        """Return the number of assets."""
        return len(self.assets)

    @property
    def fingerprint(self) -> str:
        """Return the digest of axes and fields, in the order of the fields' names."""
        axes = (self.bars, self.known_at, self.assets, self.first_bar)
        return digest(("panel", axes, [(name, self._fields[name]) for name in sorted(self)]))

    def rows(self, start: int | None = None, stop: int | None = None) -> "Panel":
        """Return rows ``start`` … ``stop - 1``, counted as Python slices are, as views."""
        chosen = slice(*slice(start, stop).indices(self.n_bars))
        return self._build({k: v[chosen] for k, v in self._fields.items()}, chosen, self.assets)

    def head(self, n_bars: int) -> "Panel":
        """Return the first rows, as views."""
        return self.rows(0, n_bars)

    def tail(self, n_bars: int) -> "Panel":
        """Return the last rows, as views."""
        return self.rows(max(self.n_bars - n_bars, 0))

    def between(self, first: Any = None, last: Any = None) -> "Panel":
        """Return the rows whose close lies from ``first`` to ``last``, both included, as views.

        Parameters
        ----------
        first, last : ISO text, datetime or datetime64 (UTC), or None for no limit. A date without
            a time means its first moment as ``first`` and its last as ``last``.
        """
        start = (
            0 if first is None else int(np.searchsorted(self.bars, moment_of(first, late=False)))
        )
        stop = (
            self.n_bars
            if last is None
            else int(np.searchsorted(self.bars, moment_of(last, late=True), side="right"))
        )
        return self.rows(start, max(start, stop))

    def select(self, assets: Sequence[str]) -> "Panel":
        """Return some of the assets, in sorted order: views if they are adjacent, else copies.

        Raises
        ------
        UnknownAssetError
            If the panel lacks an asset; all such are named.
        """
        columns = self.columns_of(sorted(set(assets)))
        adjacent = columns.size > 0 and columns[-1] - columns[0] + 1 == columns.size
        chosen: Any = slice(columns[0], columns[-1] + 1) if adjacent else columns
        names = tuple(self.assets[i] for i in columns)
        return self._build({k: v[:, chosen] for k, v in self._fields.items()}, slice(None), names)

    def columns_of(self, assets: Sequence[str]) -> np.ndarray:
        """Return the column number of each asset."""
        place = {name: i for i, name in enumerate(self.assets)}
        unknown = [name for name in assets if name not in place]
        if unknown:
            raise UnknownAssetError(unknown, self.assets)
        return np.array([place[name] for name in assets], dtype=np.int64)

    def only(self, fields: Iterable[str]) -> "Panel":
        """Return some of the fields."""
        return self._build({name: self[name] for name in fields}, slice(None), self.assets)

    def with_fields(self, fields: Mapping[str, Any]) -> "Panel":
        """Return the panel with fields added or replaced."""
        return self._build({**self._fields, **fields}, slice(None), self.assets)

    def to_frame(self, backend: str = "polars") -> Any:
        """Return a long table: bar_close, asset, then one column a field.

        Parameters
        ----------
        backend : ``polars``, ``pandas`` or ``pyarrow``.
        """
        from plumbline.core.frames import frame_from_panel

        return frame_from_panel(self, backend)

    @staticmethod
    def from_frame(
        frame: Any,
        *,
        bar: str = "bar_close",
        asset: str | None = "asset",
        fields: Sequence[str] | None = None,
        calendar: "Calendar | str | None" = None,
        form: str = "long",
    ) -> "Panel":
        """Build a panel from a polars, pandas or Arrow table.

        Parameters
        ----------
        frame : the table; the index of a pandas table is not read: ``frame.reset_index()``.
        bar : column of close times or dates; default: the one with a usual name (``date`` …).
        asset : column of assets; default: the one with a usual name (``symbol`` …). None says, as
            ``form`` does, that every column but the times is an asset.
        fields : columns to take, default all; of a wide table, the name of its one field.
        calendar : ``XNYS``, ``24/7 1h`` …: missing bars of its grid become rows of NaN.
        form : ``long``, a row a bar and asset, or ``wide``, a column an asset.

        See :func:`plumbline.core.frames.panel_from_frame`, for errors too.
        """
        from plumbline.core.frames import panel_from_frame

        return panel_from_frame(
            frame, bar=bar, asset=asset, fields=fields, calendar=calendar, form=form
        )

    def __repr__(self) -> str:
        span = f"{self.bars[0]} … {self.bars[-1]}" if self.n_bars else "no bars"
        more = ", …" if self.n_assets > _SHOWN else ""
        named = f" ({', '.join(self.assets[:_SHOWN])}{more})" if self.assets else ""
        return (
            f"Panel({self.n_bars} bars × {self.n_assets} assets{named}, {span}, "
            f"fields: {', '.join(self) or 'none'})"
        )

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{np.isfinite(array).mean() * 100:.1f} %</td></tr>"
            for name, array in self._fields.items()
            if array.size
        )
        table = f"<table><tr><th>field</th><th>filled</th></tr>{rows}</table>"
        return f"<p>{escape(repr(self))}</p>{table}"

    def _build(self, fields: Mapping[str, Any], rows: slice, assets: Sequence[str]) -> "Panel":
        return Panel(
            fields,
            self.bars[rows],
            assets,
            known_at=self.known_at[rows],
            first_bar=self.first_bar + int(rows.start or 0),
        )


def concat_bars(panels: Sequence[Panel]) -> Panel:
    """Join panels of the same assets and fields whose bars follow each other.

    One panel is returned as it is; more are copied into new arrays.
    """
    if len(panels) == 1:
        return panels[0]
    _require_alike(panels, "assets", [p.assets for p in panels])
    _require_alike(panels, "fields", [sorted(p) for p in panels])
    for before, after in itertools.pairwise(panels):
        if before.first_bar + before.n_bars != after.first_bar:
            raise ParameterError(
                f"bars do not follow each other: a panel ends with bar "
                f"{before.first_bar + before.n_bars - 1}, the next begins with {after.first_bar}"
            )
    return Panel(
        {name: np.concatenate([p[name] for p in panels]) for name in panels[0]},
        np.concatenate([p.bars for p in panels]),
        panels[0].assets,
        known_at=np.concatenate([p.known_at for p in panels]),
        first_bar=panels[0].first_bar,
    )


def concat_assets(panels: Sequence[Panel]) -> Panel:
    """Join panels of the same bars and fields whose assets differ, sorted by asset."""
    if len(panels) == 1:
        return panels[0]
    _require_alike(panels, "bars", [p.bars.tobytes() for p in panels])
    _require_alike(panels, "fields", [sorted(p) for p in panels])
    names = [name for p in panels for name in p.assets]
    order = np.argsort(np.array(names, dtype=str), kind="stable")
    return Panel(
        {name: np.concatenate([p[name] for p in panels], axis=1)[:, order] for name in panels[0]},
        panels[0].bars,
        [names[i] for i in order],
        known_at=np.max([p.known_at for p in panels], axis=0),
        first_bar=panels[0].first_bar,
    )


def _require_alike(panels: Sequence[Panel], what: str, values: Sequence[Any]) -> None:
    if not panels:
        raise ParameterError("no panels to join")
    if any(value != values[0] for value in values):
        raise ParameterError(f"panels to join differ in their {what}: {list(panels)}")


def _rebuilt(
    fields: dict[str, np.ndarray],
    bars: np.ndarray,
    assets: tuple[str, ...],
    known_at: np.ndarray,
    first_bar: int,
) -> Panel:
    return Panel(fields, bars, assets, known_at=known_at, first_bar=first_bar)


def _times(values: Any) -> np.ndarray:
    times = np.asarray(values)
    if times.dtype.kind != "M":
        raise ParameterError(f"times must be datetime64 (UTC), got dtype {times.dtype}")
    return times.astype("datetime64[us]", copy=False)


def _floats(name: str, values: Any) -> np.ndarray:
    array = np.asarray(values)
    if isinstance(values, np.ma.MaskedArray) and values.mask.any():
        array = np.where(values.mask, np.nan, values.data)  # what is hidden is missing
    exact = (
        array.dtype.kind == "b"
        or (array.dtype.kind == "f" and array.dtype.itemsize <= 8)
        or (array.dtype.kind in "iu" and not np.any((array > 2**53) | (array < -(2**53))))
    )
    if not exact:
        raise ParameterError(
            f"field {name!r} has dtype {array.dtype}, which does not become float64 exactly; "
            "convert it to float64 first"
        )
    return array.astype(np.float64, copy=False)


def _frozen(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


def _axis_problems(panel: Panel) -> list[str]:
    problems = []
    bars, known_at, assets = panel.bars, panel.known_at, panel.assets
    if bars.ndim != 1 or known_at.shape != bars.shape:
        return [f"bars and known_at must be (T,), got {bars.shape} and {known_at.shape}"]
    if np.isnat(bars).any() or np.any(bars[1:] <= bars[:-1]):
        problems.append("bars must be strictly increasing, without NaT; sort and deduplicate them")
    elif np.isnat(known_at).any():
        problems.append("known_at must not hold NaT")
    elif np.any(known_at < bars) or np.any(known_at[1:] < known_at[:-1]):
        problems.append("known_at must be non-decreasing and never before the close")
    if not all(isinstance(name, str) and name for name in assets):
        problems.append("assets must be non-empty text")
    elif any(b <= a for a, b in itertools.pairwise(assets)):
        problems.append("assets must be sorted and unique")
    return problems


def _field_problems(panel: Panel) -> list[str]:
    unnamed = [name for name in panel if not (isinstance(name, str) and name)]
    return [
        *(f"fields must be named by non-empty text, got {name!r}" for name in unnamed),
        *(
            f"field {name!r} has shape {panel[name].shape}, expected {panel.shape}"
            for name in panel
            if panel[name].shape != panel.shape
        ),
    ]

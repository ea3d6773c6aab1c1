"""A dataset: what it holds, under which digest, and how two of them differ."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np

from plumbline.core.calendar import ALWAYS_OPEN, Calendar
from plumbline.core.errors import CalendarError, MissingDataError, ParameterError
from plumbline.lake.patches import Patches

if TYPE_CHECKING:
    import polars


LARGE_HOLES = 0.1  # share of bars without any asset above which the calendar may be wrong


@final
@dataclass(frozen=True)
class Dataset:
    """An immutable set of bars, named by the digest of its content.

    Parameters
    ----------
    dataset_id : 64 hex digits, the Merkle root over all logical patches, their names, and the
        calendar. Equal content has an equal id, whatever files it came from.
    name : name it was asked for by; empty if by its id.
    version : number of this content under the name, from 1; 0 before it is committed.
    calendar_name, frequency : the grid.
    first_bar, last_bar : calendar numbers of the first and last bar that hold a value.
    n_rows : number of (bar, asset) pairs that hold a value.
    patches : digests of the logical patches.
    session_closes : (T,) closes of the grid from the first to the last bar; None on 24/7.
    """

    dataset_id: str
    name: str
    version: int
    calendar_name: str
    frequency: str
    first_bar: int
    last_bar: int
    n_rows: int
    patches: Patches = field(compare=False, repr=False)
    session_closes: np.ndarray | None = field(compare=False, repr=False)

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the names of the fields, sorted."""
        return self.patches.fields

    @property
    def assets(self) -> tuple[str, ...]:
        """Return the names of the assets, sorted."""
        return self.patches.assets

    @property
    def calendar(self) -> Calendar:
        """Return the calendar; an exchange's takes half a second to load at first."""
        return Calendar(self.calendar_name, self.frequency)

    @property
    def n_bars(self) -> int:
        """Return the number of grid bars from the first to the last."""
        return self.last_bar - self.first_bar + 1

    @property
    def may_have_holes(self) -> bool:
        """Return whether, as far as counts tell, many bars may hold no asset."""
        return self.n_rows < (1 - LARGE_HOLES) * self.n_bars * len(self.assets)

    def closes(self, first_bar: int | None = None, last_bar: int | None = None) -> np.ndarray:
        """Return the UTC close times of bars of the dataset, both ends included.

        Raises
        ------
        CalendarError
            If a bar lies outside the dataset.
        """
        first = self.first_bar if first_bar is None else first_bar
        last = self.last_bar if last_bar is None else last_bar
        if first < self.first_bar or last > self.last_bar:
            raise CalendarError(
                f"the dataset has bars {self.first_bar} … {self.last_bar}, not {first} … {last}"
            )
        if self.session_closes is None:
            return Calendar(ALWAYS_OPEN, self.frequency).closes(first, last)
        return self.session_closes[first - self.first_bar : last - self.first_bar + 1].copy()

    def span(self, first_bar: int | None = None, last_bar: int | None = None) -> tuple[int, int]:
        """Return the first and the last bar of a span, cut to the dataset's own.

        Raises
        ------
        MissingDataError
            If the dataset has no bar of it.
        """
        first = max(self.first_bar, self.first_bar if first_bar is None else first_bar)
        last = min(self.last_bar, self.last_bar if last_bar is None else last_bar)
        if first > last:
            raise MissingDataError(
                f"dataset {self.name or self.dataset_id[:12]} has bars {self.first_bar} … "
                f"{self.last_bar}, none of {first_bar} … {last_bar}"
            )
        return first, last

    def digest_of(
        self,
        fields: Sequence[str] | None = None,
        assets: Sequence[str] | None = None,
        first_bar: int | None = None,
        last_bar: int | None = None,
    ) -> str:
        """Return the digest of the patches that a reader touches; see :meth:`Patches.digest_of`."""
        return self.patches.digest_of(fields, assets, first_bar, last_bar)


def diff(a: Dataset, b: Dataset) -> "polars.DataFrame":
    """Return the patches in which two datasets differ.

    Parameters
    ----------
    a, b : datasets on one calendar, ``a`` the earlier.

    Returns
    -------
    ``field asset month change``, sorted; month is the first day of a UTC month, change is
    ``added``, ``removed`` or ``changed``, as seen from ``a``.

    Raises
    ------
    ParameterError
        If the calendars differ.
    """
    import polars as pl

    if a.patches.grid != b.patches.grid:
        raise ParameterError(
            f"datasets on {a.patches.grid} and {b.patches.grid} have no common patches"
        )
    fields = sorted({*a.fields, *b.fields})
    assets = sorted({*a.assets, *b.assets})
    first = min(a.patches.first_month, b.patches.first_month)
    ends = [d.patches.first_month + d.patches.digests.shape[1] for d in (a, b)]
    shape = (len(fields), max(ends) - first, len(assets))
    before, after = (_laid_out(d.patches, fields, assets, first, shape) for d in (a, b))
    where = np.nonzero((before != after).any(axis=3))
    had, has = before[where].any(axis=1), after[where].any(axis=1)
    months = (first + where[1]).astype("datetime64[M]").astype("datetime64[D]")
    change = np.where(~had, "added", np.where(~has, "removed", "changed"))
    table = {
        "field": pl.Series([fields[i] for i in where[0]], dtype=pl.String),
        "asset": pl.Series([assets[i] for i in where[2]], dtype=pl.String),
        "month": pl.Series(months, dtype=pl.Date),
        "change": pl.Series(change.tolist(), dtype=pl.String),
    }
    return pl.DataFrame(table).sort("field", "asset", "month")


def _laid_out(
    patches: Patches,
    fields: Sequence[str],
    assets: Sequence[str],
    first_month: int,
    shape: tuple[int, int, int],
) -> np.ndarray:
    out = np.zeros((*shape, patches.digests.shape[3]), dtype=np.uint8)
    rows = [fields.index(name) for name in patches.fields]
    place = {name: i for i, name in enumerate(assets)}
    columns = [place[name] for name in patches.assets]
    start = patches.first_month - first_month
    months = range(start, start + patches.digests.shape[1])
    out[np.ix_(rows, months, columns)] = patches.digests
    return out

"""A dataset: what it holds, and under which digest."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import final

import numpy as np

from plumbline.core.calendar import ALWAYS_OPEN, Calendar
from plumbline.core.digest import digest
from plumbline.core.errors import (
    CalendarError,
    MissingDataError,
    UnknownAssetError,
    nearest_names,
)
from plumbline.lake.parts import DigestsOf, Part, joined_patches
from plumbline.lake.patches import Patches

LARGE_HOLES = 0.1  # share of bars without any asset above which the calendar may be wrong


@final
@dataclass(frozen=True)
class Dataset:
    """An immutable set of bars, named by the digest of its content.

    Parameters
    ----------
    dataset_id : 64 hex digits, the Merkle root over calendar, names, parts and their patches.
        Equal content has an equal id, whatever files it came from.
    name : name it was asked for by; empty if by its id.
    version : number of this content under the name, from 1; 0 before it is committed.
    calendar_name, frequency : the grid.
    fields, assets : sorted names.
    parts : its bars in runs of calendar numbers, in order of time, at least one.
    session_closes : (T,) closes of the grid from the first to the last bar; None on 24/7.
    digests_of : returns the digests of the patches of parts, by their ids.
    """

    dataset_id: str
    name: str
    version: int
    calendar_name: str
    frequency: str
    fields: tuple[str, ...]
    assets: tuple[str, ...]
    parts: tuple[Part, ...] = field(repr=False)
    session_closes: np.ndarray | None = field(compare=False, repr=False)
    digests_of: DigestsOf = field(compare=False, repr=False)

    @property
    def first_bar(self) -> int:
        """Return the calendar number of the first bar that holds a value."""
        return self.parts[0].first_bar

    @property
    def last_bar(self) -> int:
        """Return the calendar number of the last bar that holds a value."""
        return self.parts[-1].last_bar

    @property
    def n_rows(self) -> int:
        """Return the number of (bar, asset) pairs that hold a value."""
        return sum(part.n_rows for part in self.parts)

    @property
    def grid(self) -> tuple[str, str]:
        """Return name and frequency of the calendar."""
        return self.calendar_name, self.frequency

    @cached_property
    def patches(self) -> Patches:
        """Return the digests of all patches."""
        digests = self.digests_of([part.part_id for part in self.parts])
        return joined_patches(self.grid, (self.fields, self.assets), self.parts, digests)

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

    def require(self, fields: Sequence[str], assets: Sequence[str]) -> None:
        """Refuse names that the dataset lacks.

        Raises
        ------
        UnknownAssetError, MissingDataError
            If an asset or a field is not there; all such are named, and the nearest.
        """
        missing = [name for name in fields if name not in self.fields]
        if missing:
            hints = "; ".join(f"{name!r} ({nearest_names(name, self.fields)})" for name in missing)
            raise MissingDataError(f"the dataset has no field {hints}")
        unknown = sorted(set(assets).difference(self.assets))
        if unknown:
            raise UnknownAssetError([name for name in assets if name in unknown], self.assets)

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
        """Return the digest of the patches that a reader touches; see :meth:`Patches.digest_of`.

        Raises
        ------
        UnknownAssetError, MissingDataError
            If an asset or a field is not there.
        """
        self.require(fields or (), assets or ())
        return self.patches.digest_of(fields, assets, first_bar, last_bar)


def dataset_id_of(
    grid: tuple[str, str], fields: Sequence[str], assets: Sequence[str], parts: Sequence[Part]
) -> str:
    """Return the digest that names a dataset: over calendar, names, and the ids of its parts."""
    return digest(("dataset", grid, tuple(fields), tuple(assets), [part.part_id for part in parts]))

"""Digests of logical patches: one for each field, calendar month and asset of a dataset.

A patch's content is its sequence of 16-byte records, sorted by time: the close as a 64-bit count of
microseconds since 1970, UTC, then the float64's bits, both little-endian. A missing value has no
record, and a patch without records is sixteen zero bytes. So a patch depends on its own values and
times only: not on the order of rows, the files, their names, or how segments are cut.
"""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np
from blake3 import blake3
from jaxtyping import Int, UInt8

from plumbline.core.digest import digest
from plumbline.core.errors import MissingDataError, UnknownAssetError, nearest_names

if TYPE_CHECKING:
    import polars

DIGEST_BYTES = 16  # 128 bits: among 1e9 patches two alike by chance in one case of 1e20


@final
@dataclass(frozen=True, eq=False)
class Patches:
    """The digest matrix of a dataset.

    Parameters
    ----------
    grid : name and frequency of the calendar.
    fields, assets : sorted names.
    first_month : month of the first bar, counted from January 1970; months are UTC.
    month_bars : (M + 1,) number of the first bar of each month, then the one after the last bar.
    digests : (F, M, A, 16) digests, zero where a patch is empty.
    """

    grid: tuple[str, str]
    fields: tuple[str, ...]
    assets: tuple[str, ...]
    first_month: int
    month_bars: Int[np.ndarray, " months_and_one"]
    digests: UInt8[np.ndarray, "fields months assets 16"]

    def digest_of(
        self,
        fields: Sequence[str] | None = None,
        assets: Sequence[str] | None = None,
        first_bar: int | None = None,
        last_bar: int | None = None,
    ) -> str:
        """Return the digest of the patches that a reader of these fields, assets and bars touches.

        Parameters
        ----------
        fields, assets : names in any order; default: all.
        first_bar, last_bar : calendar numbers, both included; default: all. Patches are whole
            months, so a change in a month that the range only touches changes the digest.

        Returns
        -------
        64 hex digits: the root over calendar, names, and the digests from the first month with
        data to the last; their times are in the patches.

        Raises
        ------
        UnknownAssetError, MissingDataError
            If an asset or a field is not there.

        Notes
        -----
        Cost: one pass over the 16-byte digests chosen; no data are read.
        """
        names = self.fields if fields is None else tuple(sorted(set(fields)))
        rows = self.field_rows(names)
        months = self._months(first_bar, last_bar)
        chosen = (
            self.digests[rows, months] if len(rows) != len(self.fields) else self.digests[:, months]
        )
        label = self._all_assets
        if assets is not None:
            assets = tuple(sorted(set(assets)))
            chosen = chosen[:, :, self.asset_columns(assets)]
            label = json.dumps(assets)
        present = np.flatnonzero(chosen.any(axis=(0, 2, 3)))
        start, stop = (int(present[0]), int(present[-1]) + 1) if present.size else (0, 0)
        return digest(("blocks", self.grid, names, label, chosen[:, start:stop]))

    @cached_property
    def _all_assets(self) -> str:
        return json.dumps(self.assets)

    def field_rows(self, fields: Sequence[str]) -> list[int]:
        """Return the place of each field."""
        missing = [name for name in fields if name not in self.fields]
        if missing:
            hints = "; ".join(f"{name!r} ({nearest_names(name, self.fields)})" for name in missing)
            raise MissingDataError(f"the dataset has no field {hints}")
        return [self.fields.index(name) for name in fields]

    def asset_columns(self, assets: Sequence[str]) -> list[int]:
        """Return the place of each asset."""
        unknown = [name for name in assets if name not in self._asset_place]
        if unknown:
            raise UnknownAssetError(unknown, self.assets)
        return [self._asset_place[name] for name in assets]

    @cached_property
    def _asset_place(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.assets)}

    def _months(self, first_bar: int | None, last_bar: int | None) -> slice:
        n_months = len(self.month_bars) - 1
        lowest, highest = int(self.month_bars[0]), int(self.month_bars[-1]) - 1
        first = lowest if first_bar is None else max(first_bar, lowest)
        last = highest if last_bar is None else min(last_bar, highest)
        if first > last:
            return slice(0, 0)
        start, stop = np.searchsorted(self.month_bars, [first, last], side="right")
        return slice(int(start) - 1, min(int(stop), n_months))


def month_numbers(closes: np.ndarray) -> Int[np.ndarray, " bars"]:
    """Return the UTC month of each time, counted from January 1970."""
    return closes.astype("datetime64[M]").astype(np.int64)


def make_patches(
    bars: "polars.DataFrame", grid: tuple[str, str], first_bar: int, closes: np.ndarray
) -> Patches:
    """Digest every patch of clean bars.

    Parameters
    ----------
    bars : bar_close, asset and float64 fields, sorted by asset, then bar; null for missing.
    grid : name and frequency of the calendar.
    first_bar : number of the first bar.
    closes : (T,) closes of all grid bars from the first to the last one.

    Notes
    -----
    Cost: about a microsecond a patch.
    """
    import polars as pl

    fields = tuple(sorted(set(bars.columns) - {"bar_close", "asset"}))
    assets = tuple(sorted(bars["asset"].unique().to_list()))
    months = month_numbers(closes)
    n_months = int(months[-1] - months[0]) + 1
    month_starts = np.searchsorted(months, np.arange(months[0], months[-1] + 2))
    times = bars["bar_close"].dt.replace_time_zone(None).to_numpy().astype("datetime64[us]")
    codes = bars["asset"].cast(pl.Enum(assets)).to_physical().to_numpy().astype(np.int64)
    patch = (month_numbers(times) - months[0]) * len(assets) + codes
    digests = np.zeros((len(fields), n_months * len(assets), DIGEST_BYTES), dtype=np.uint8)
    matrix = digests.reshape(len(fields), n_months, len(assets), DIGEST_BYTES)
    stamps = times.astype(np.int64)
    for row, name in enumerate(fields):
        values = bars[name].to_numpy()
        is_said = ~np.isnan(values)
        _digest_field(digests[row], stamps[is_said], values[is_said], patch[is_said])
    return Patches(grid, fields, assets, int(months[0]), first_bar + month_starts, matrix)


def _digest_field(
    out: UInt8[np.ndarray, "patches 16"],
    stamps: Int[np.ndarray, " values"],
    values: np.ndarray,
    patch: Int[np.ndarray, " values"],
) -> None:
    if not values.size:
        return
    records = np.empty((values.size, 2), dtype="<i8")
    records[:, 0] = stamps
    records[:, 1] = values.astype("<f8").view("<i8")
    starts = np.append(0, np.flatnonzero(np.diff(patch)) + 1)
    edges = (np.append(starts, values.size) * 16).tolist()
    content = memoryview(records.tobytes())
    joined = b"".join(
        blake3(content[a:b]).digest(DIGEST_BYTES) for a, b in itertools.pairwise(edges)
    )
    out[patch[starts]] = np.frombuffer(joined, dtype=np.uint8).reshape(-1, DIGEST_BYTES)

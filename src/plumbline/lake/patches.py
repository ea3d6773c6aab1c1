"""Digests of logical patches: one for each field, asset and run of calendar numbers of a dataset.

A patch holds the bars whose numbers share a multiple of its length: 32 sessions, or 256 shorter
bars. Its content is its sequence of 16-byte records, sorted by time: the close as a 64-bit count of
microseconds since 1970, UTC, then the float64's bits, both little-endian. A missing value has no
record, and a patch without records is sixteen zero bytes. So a patch depends on its own values and
times only: not on the order of rows, the files, their names, or how segments are cut; and a day
appended changes no patch but those of its own bars.
"""

import itertools
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np
from blake3 import blake3
from jaxtyping import Int, UInt8

from plumbline.core.digest import digest

if TYPE_CHECKING:
    import polars

_THREADS = 2  # each holds the records of one field
DIGEST_BYTES = 16  # 128 bits: among 1e9 patches two alike by chance in one case of 1e20


def patch_bars(frequency: str) -> int:
    """Return how many bars a patch spans."""
    return 32 if frequency == "1d" else 256


def part_patches(frequency: str) -> int:
    """Return how many patches a part spans: 256 sessions, about a year, or 8,192 shorter bars."""
    return 8 if frequency == "1d" else 32


@final
@dataclass(frozen=True, eq=False)
class Patches:
    """The digest matrix of a dataset.

    Parameters
    ----------
    grid : name and frequency of the calendar.
    fields, assets : sorted names.
    first_patch : number of the first patch: that of its first bar over the bars a patch spans.
    digests : (F, P, A, 16) digests, zero where a patch is empty.
    """

    grid: tuple[str, str]
    fields: tuple[str, ...]
    assets: tuple[str, ...]
    first_patch: int
    digests: UInt8[np.ndarray, "fields patches assets 16"]

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
        first_bar, last_bar : calendar numbers, both included; default: all. A change of any bar
            of a patch that the range touches changes the digest.

        Returns
        -------
        64 hex digits: the root over calendar, names, and the digests from the first patch with
        data to the last; their times are in the patches.

        Notes
        -----
        Cost: one pass over the 16-byte digests chosen; no data are read.
        """
        names = self.fields if fields is None else tuple(sorted(set(fields)))
        rows = [self.fields.index(name) for name in names]
        touched = self._touched(first_bar, last_bar)
        whole = len(rows) == len(self.fields)
        chosen = self.digests[:, touched] if whole else self.digests[rows, touched]
        label = self._all_assets
        if assets is not None:
            assets = tuple(sorted(set(assets)))
            chosen = chosen[:, :, [self._asset_place[name] for name in assets]]
            label = json.dumps(assets)
        present = np.flatnonzero(chosen.any(axis=(0, 2, 3)))
        start, stop = (int(present[0]), int(present[-1]) + 1) if present.size else (0, 0)
        return digest(("blocks", self.grid, names, label, chosen[:, start:stop]))

    @cached_property
    def _all_assets(self) -> str:
        return json.dumps(self.assets)

    @cached_property
    def _asset_place(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.assets)}

    def _touched(self, first_bar: int | None, last_bar: int | None) -> slice:
        length, n_patches = patch_bars(self.grid[1]), self.digests.shape[1]
        first = 0 if first_bar is None else first_bar // length - self.first_patch
        last = n_patches - 1 if last_bar is None else last_bar // length - self.first_patch
        return slice(max(first, 0), max(last + 1, 0))


def make_patches(
    bars: "polars.DataFrame", grid: tuple[str, str], numbers: Int[np.ndarray, " rows"]
) -> Patches:
    """Digest every patch of clean bars.

    Parameters
    ----------
    bars : bar_close, asset and float64 fields, sorted by asset, then bar; null for missing; at
        least one row.
    grid : name and frequency of the calendar.
    numbers : calendar number of each row.

    Notes
    -----
    Cost: about two microseconds a patch.
    """
    import polars as pl

    fields = tuple(sorted(set(bars.columns) - {"bar_close", "asset"}))
    assets = tuple(sorted(bars["asset"].unique().to_list()))
    place = numbers // patch_bars(grid[1])
    first, last = int(place.min()), int(place.max())
    codes = bars["asset"].cast(pl.Enum(assets)).to_physical().to_numpy().astype(np.int64)
    patch = (place - first) * len(assets) + codes
    shape = (len(fields), last - first + 1, len(assets), DIGEST_BYTES)
    digests = np.zeros(shape, dtype=np.uint8)
    flat = digests.reshape(shape[0], -1, DIGEST_BYTES)
    stamps = bars["bar_close"].dt.epoch("us").to_numpy()

    def digest_field(row: int) -> None:
        values = bars[fields[row]].to_numpy()
        records = np.empty((values.size, 2), dtype="<i8")
        records[:, 0] = stamps
        records[:, 1] = values.astype("<f8", copy=False).view("<i8")
        is_missing = np.isnan(values)
        if is_missing.any():
            _digest_records(flat[row], records[~is_missing], patch[~is_missing])
        else:
            _digest_records(flat[row], records, patch)

    with ThreadPoolExecutor(_THREADS) as threads:  # copying and hashing give up the lock
        list(threads.map(digest_field, range(len(fields))))
    return Patches(grid, fields, assets, first, digests)


def _digest_records(
    out: UInt8[np.ndarray, "patches 16"],
    records: Int[np.ndarray, "values 2"],
    patch: Int[np.ndarray, " values"],
) -> None:
    if not patch.size:
        return
    starts = np.append(0, np.flatnonzero(patch[1:] != patch[:-1]) + 1)
    edges = (np.append(starts, patch.size) * 16).tolist()
    content = records.data.cast("B")
    joined = b"".join(
        blake3(content[a:b]).digest(DIGEST_BYTES) for a, b in itertools.pairwise(edges)
    )
    out[patch[starts]] = np.frombuffer(joined, dtype=np.uint8).reshape(-1, DIGEST_BYTES)

"""Parts: the bars of a dataset in runs of calendar numbers, each named by its content.

Versions of a dataset share the parts in which they agree, rows of the catalogue and files alike, so
that a day appended costs its own part only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, final

import numpy as np
from jaxtyping import Int, UInt8

from plumbline.core.digest import digest
from plumbline.lake.patches import DIGEST_BYTES, Patches, make_patches, part_patches, patch_bars

if TYPE_CHECKING:
    import polars

Digests: TypeAlias = UInt8[np.ndarray, "fields patches assets 16"]
DigestsOf: TypeAlias = Callable[[Sequence[str]], Mapping[str, Digests]]


@final
@dataclass(frozen=True)
class Part:
    """Bars whose calendar numbers share a multiple of the length of a part.

    Parameters
    ----------
    part_id : digest over calendar, place, names and the digests of its patches.
    number : calendar number of a bar over the bars of a part.
    fields, assets : sorted names of those that have a value in it.
    first_bar, last_bar : calendar numbers of the first and last bar that hold a value.
    n_rows : number of (bar, asset) pairs that hold a value.
    """

    part_id: str
    number: int
    fields: tuple[str, ...]
    assets: tuple[str, ...]
    first_bar: int
    last_bar: int
    n_rows: int


def part_bars(frequency: str) -> int:
    """Return how many bars a part spans."""
    return part_patches(frequency) * patch_bars(frequency)


def named_part(
    grid: tuple[str, str], number: int, patches: Patches, extent: tuple[int, int, int]
) -> tuple[Part, Digests]:
    """Return a part and the digests of its patches, reduced to the names that have a value.

    Parameters
    ----------
    grid : name and frequency of the calendar.
    number : of the part.
    patches : those of its bars, as far as there are any.
    extent : first bar, last bar, number of rows.
    """
    per_part = part_patches(grid[1])
    shape = (len(patches.fields), per_part, len(patches.assets), DIGEST_BYTES)
    digests = np.zeros(shape, dtype=np.uint8)
    start = patches.first_patch - number * per_part
    digests[:, start : start + patches.digests.shape[1]] = patches.digests
    rows = np.flatnonzero(digests.any(axis=(1, 2, 3)))
    columns = np.flatnonzero(digests.any(axis=(0, 1, 3)))
    digests = np.ascontiguousarray(digests[rows][:, :, columns])
    fields = tuple(patches.fields[i] for i in rows)
    assets = tuple(patches.assets[i] for i in columns)
    part_id = digest(("part", grid, number, fields, assets, digests))
    return Part(part_id, number, fields, assets, *extent), digests


def make_parts(
    bars: "polars.DataFrame", grid: tuple[str, str], numbers: Int[np.ndarray, " rows"]
) -> dict[Part, Digests]:
    """Return the parts of clean bars in order of time; arguments as for :func:`make_patches`."""
    patches = make_patches(bars, grid, numbers)
    length, per_part = part_bars(grid[1]), part_patches(grid[1])
    places = numbers // length
    first = int(places.min())
    counts = np.bincount(places - first)
    starts, ends = np.full(counts.size, np.iinfo(np.int64).max), np.full(counts.size, -1)
    np.minimum.at(starts, places - first, numbers)
    np.maximum.at(ends, places - first, numbers)
    made: dict[Part, Digests] = {}
    for i in np.flatnonzero(counts):
        number = first + int(i)
        extent = (int(starts[i]), int(ends[i]), int(counts[i]))
        own = _patches_of_part(patches, number, per_part)
        part, digests = named_part(grid, number, own, extent)
        made[part] = digests
    return made


def _patches_of_part(patches: Patches, number: int, per_part: int) -> Patches:
    start = max(number * per_part, patches.first_patch)
    own = slice(start - patches.first_patch, (number + 1) * per_part - patches.first_patch)
    chosen = patches.digests[:, own]
    return Patches(patches.grid, patches.fields, patches.assets, start, chosen)


def joined_patches(
    grid: tuple[str, str],
    names: tuple[tuple[str, ...], tuple[str, ...]],
    parts: Sequence[Part],
    digests: Mapping[str, Digests],
) -> Patches:
    """Return the patches of a dataset from those of its parts.

    Parameters
    ----------
    grid : name and frequency of the calendar.
    names : fields and assets of the dataset.
    parts : in order of time, at least one.
    digests : part_id -> digests.
    """
    fields, assets = names
    per_part = part_patches(grid[1])
    first = parts[0].first_bar // patch_bars(grid[1])
    last = parts[-1].last_bar // patch_bars(grid[1])
    matrix = np.zeros((len(fields), last - first + 1, len(assets), DIGEST_BYTES), dtype=np.uint8)
    place = {name: i for i, name in enumerate(assets)}
    for part in parts:
        start = part.number * per_part - first
        cut = slice(max(0, -start), min(per_part, last + 1 - first - start))
        rows = [fields.index(name) for name in part.fields]
        columns = [place[name] for name in part.assets]
        target = matrix[:, start + cut.start : start + cut.stop]
        own = digests[part.part_id][:, cut]
        if len(columns) == len(assets):
            target[rows] = own
        else:
            target[np.ix_(rows, range(own.shape[1]), columns)] = own
    return Patches(grid, fields, assets, first, matrix)

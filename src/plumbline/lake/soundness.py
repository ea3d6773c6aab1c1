"""Versions of data sets that lack files, and taking away those that nothing can restore."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, final

from plumbline.core.errors import ParameterError
from plumbline.lake import catalogue, versions
from plumbline.lake.fetched import FOLDER
from plumbline.lake.lake import Lake
from plumbline.lake.segments import lacking, segment_path, set_aside


@final
class Lacking(NamedTuple):
    """A version of a data set that is not whole.

    Parameters
    ----------
    name, version : which.
    n_lacking, n_files : how many of its files are missing or damaged, and how many it has.
    is_newest : whether it is what its name means.
    """

    name: str
    version: int
    n_lacking: int
    n_files: int
    is_newest: bool


def lacking_versions(lake: Lake, *, deep: bool) -> list[Lacking]:
    """Return the versions whose files are missing or of another length, by name and number.

    ``deep`` reads every file and sets those aside whose bytes differ from their digest.
    """
    rows = lake.datasets()
    newest = {row["name"]: row["version"] for row in rows}
    found = []
    seen: dict[str, bool] = {}  # a file is looked at once, however many versions share it
    for row in rows:
        name, version = row["name"], row["version"]
        with lake.database.read() as connection:
            segments = catalogue.get_segments(connection, row["dataset_id"])
        fresh = [segment for segment in segments if segment.digest not in seen]
        folder = lake.segment_folder
        wrong = set_aside(folder, fresh) if deep else lacking(folder, fresh, read=False)
        seen |= {segment.digest: segment in wrong for segment in fresh}
        n_wrong = sum(seen[segment.digest] for segment in segments)
        if n_wrong:
            is_newest = version == newest[name]
            found.append(Lacking(name, version, n_wrong, len(segments), is_newest))
    return found


def unnamed_segments(lake: Lake) -> list[Path]:
    """Return the segment files that no version of a data set names: a killed ingest leaves them.

    One that is being written is named only when all of its data set are there, so that a young
    file may be about to be named.
    """
    found = list(lake.segment_folder.glob("*.parquet"))  # before names: what is named later counts
    with lake.database.read() as connection:
        named = catalogue.all_segments(connection)
    return [path for path in found if path.stem not in named]


def kept_portions(lake: Lake) -> list[Path]:
    """Return the folders in which what remote sources gave is kept, one a source."""
    return sorted(path for path in (lake.root / FOLDER).glob("*") if path.is_dir())


def forget_version(lake: Lake, name: str, version: int) -> int:
    """Take an earlier version of a data set away; return how many files, held by no other, went.

    Results that were computed from it stay, and what their keys say of it.

    Raises
    ------
    UnknownNameError
        If there is no such version.
    ParameterError
        If it is the newest: its name would mean an earlier one, or nothing, without a word.
    """
    lake.dataset(name, version)
    numbers = _versions_of(lake, name)
    if version == max(numbers):
        earlier = ", ".join(str(number) for number in numbers if number != version)
        raise ParameterError(
            f"version {version} is the newest of {name!r}, the one in use, and is not taken away "
            f"alone; earlier ones that can be: {earlier or 'none'}; to take the whole data set "
            f"away: plumbline data {name} --forget all"
        )
    return _forget(lake, name, [version])


def forget_dataset(lake: Lake, name: str) -> int:
    """Take all versions of a data set away; return how many files, held by no other, went.

    Results that were computed from it stay, and what their keys say of it.

    Raises
    ------
    UnknownNameError
        If there is no such data set.
    """
    lake.dataset(name)
    return _forget(lake, name, _versions_of(lake, name))


def _versions_of(lake: Lake, name: str) -> list[int]:
    return [row["version"] for row in lake.datasets() if row["name"] == name]


def _forget(lake: Lake, name: str, numbers: Sequence[int]) -> int:
    with lake.database.begin() as connection:
        unused = [
            digest
            for number in numbers
            for digest in versions.remove_version(connection, name, number)
        ]
    with lake.database.begin() as connection:  # who is about to name one again waits for this
        named = catalogue.all_segments(connection)
        paths = [segment_path(lake.segment_folder, digest) for digest in unused]
        held = [path for path in paths if path.stem not in named and path.exists()]
        for path in held:
            path.unlink(missing_ok=True)
    return len(held)

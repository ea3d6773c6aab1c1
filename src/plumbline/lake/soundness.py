"""Versions of data sets that lack files, and taking away those that nothing can restore."""

from typing import NamedTuple, final

from plumbline.core.errors import ParameterError
from plumbline.lake import catalogue
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
    for row in rows:
        name, version = row["name"], row["version"]
        with lake.database.read() as connection:
            segments = catalogue.get_segments(connection, row["dataset_id"])
        folder = lake.segment_folder
        wrong = set_aside(folder, segments) if deep else lacking(folder, segments, read=False)
        if wrong:
            is_newest = version == newest[name]
            found.append(Lacking(name, version, len(wrong), len(segments), is_newest))
    return found


def forget_version(lake: Lake, name: str, version: int) -> int:
    """Take a version of a data set away; return how many files, held by no other, went with it.

    Results that were computed from it stay, and what their keys say of it.

    Raises
    ------
    UnknownNameError
        If there is no such version.
    ParameterError
        If it is the newest of several: its name would mean an earlier one without a word.
    """
    lake.dataset(name, version)
    numbers = [row["version"] for row in lake.datasets() if row["name"] == name]
    if version == max(numbers) and len(numbers) > 1:
        others = ", ".join(str(number) for number in numbers if number != version)
        raise ParameterError(
            f"version {version} is what {name!r} means and is forgotten last: forget {others} "
            "before, or ingest the data set again"
        )
    with lake.database.begin() as connection:
        unused = catalogue.remove_version(connection, name, version)
    paths = [segment_path(lake.segment_folder, digest) for digest in unused]
    held = [path for path in paths if path.exists()]
    for path in held:
        path.unlink(missing_ok=True)
    return len(held)

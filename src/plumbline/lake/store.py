"""The store below a lake: a folder of segments, and the catalogue that says what they hold."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import final

from sqlalchemy import Connection

from plumbline.core.errors import CorruptEntryError, MissingDataError, ProjectError
from plumbline.lake import catalogue, versions
from plumbline.lake.dataset import Dataset
from plumbline.lake.fingerprint import Listing, list_files
from plumbline.lake.parts import part_bars
from plumbline.lake.room import Room
from plumbline.lake.segments import Segment, lacking, restorable, set_aside, verified_paths
from plumbline.lake.source import Source
from plumbline.ledger.database import Database, open_database

DATABASE = "plumbline.db"
DIGEST = re.compile(r"[0-9a-f]{64}")


def _is_text(name: str) -> bool:
    """Return whether a database takes a file's name: not one whose bytes are no UTF-8."""
    return not any("\udc80" <= character <= "\udcff" for character in name)


@final
class Store:
    """A folder of segments and its catalogue.

    Parameters
    ----------
    root : folder; segments lie in ``root/segments``.
    database : metadata database with the catalogue's tables; None if there is no lake yet.
    code : digest of the code that reads and cleans, if the caller knows it.
    room : memory that work on it may take.
    """

    def __init__(
        self, root: Path, database: Database | None, code: str = "", room: Room | None = None
    ) -> None:
        self.root = Path(root)
        self._database = database
        self.code = code
        self.room = room or Room()

    def within(self, room: Room) -> "Store":
        """Return the same whose work keeps to another limit of memory."""
        return Store(self.root, self._database, self.code, room)

    @property
    def exists(self) -> bool:
        """Return whether anything was ever stored here."""
        return self._database is not None

    @property
    def database(self) -> Database:
        """Return the metadata database.

        Raises
        ------
        MissingDataError
            If nothing was ever stored here.
        """
        if self._database is None:
            store = self.root / ".plumbline"
            hint = f"; did you mean {store}?" if store.is_dir() else ""
            raise MissingDataError(
                f"there is no lake in {self.root}; the first ingest makes it{hint}"
            )
        return self._database

    @property
    def segment_folder(self) -> Path:
        """Return the folder of the Parquet files."""
        return self.root / "segments"

    def make(self) -> None:
        """Make the lake if it is not there.

        Raises
        ------
        ProjectError
            If its folder cannot be made.
        """
        if self._database is not None:
            return
        try:
            self.segment_folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProjectError(f"the lake {self.root} cannot be made: {error.strerror}") from error
        database = open_database(self.root / DATABASE)
        catalogue.create_missing(database)
        self._database = database

    def dataset(
        self, name_or_id: str, version: int | None = None, as_of: datetime | None = None
    ) -> Dataset:
        """Return a dataset by its name or its id; see :meth:`plumbline.lake.lake.Lake.dataset`."""
        with self.database.read() as connection:
            if DIGEST.fullmatch(name_or_id):
                found = catalogue.get_dataset(connection, self.database, name_or_id, ("", 0))
                if found is not None:
                    return found
            if as_of is not None:
                version = versions.version_as_of(connection, name_or_id, as_of)
            if version is None:
                return self._newest_version(connection, name_or_id)
            return versions.named_dataset(connection, self.database, name_or_id, version)

    def _newest_version(self, connection: Connection, name: str) -> Dataset:
        """Return what a name means; one that is taken away meanwhile has another after it."""
        tried = None
        while True:
            newest = versions.find_version(connection, name)
            try:
                return versions.named_dataset(connection, self.database, name, None)
            except MissingDataError:
                if newest is None or newest == tried:
                    raise
                tried = newest

    def newest(self, name: str) -> Dataset | None:
        """Return what a name means, or None if it means nothing."""
        if self._database is None:
            return None
        with self.database.read() as connection:
            place = versions.find_version(connection, name)
            if place is None:
                return None
            return catalogue.get_dataset(connection, self.database, place[0], (name, place[1]))

    def source_listing(self, source: Source, base: Path) -> Listing:
        """Return a source's files and their digest; files known from before are not read."""
        paths = source.files(base)
        if self._database is None:
            return list_files(paths, base, {})
        with self.database.read() as connection:
            names = [str(path.absolute()) for path in paths]
            known = versions.get_files(connection, [name for name in names if _is_text(name)])
        listing = list_files(paths, base, known)
        settled = {
            name: state
            for name, state in listing.fresh.items()
            if state.is_settled and known.get(name) != state and _is_text(name)
        }
        if settled and not self._database.is_read_only:
            with self.database.begin() as connection:
                versions.put_files(connection, settled)
        return listing

    def segments(self, dataset_id: str) -> list[Segment]:
        """Return the segments of a dataset in order of time."""
        if self._database is None:
            return []
        with self.database.read() as connection:
            return catalogue.get_segments(connection, dataset_id)

    def held(self, part_ids: Sequence[str], *, whole: bool) -> Mapping[str, tuple[Segment, ...]]:
        """Return the segments of the parts that the lake holds.

        Parameters
        ----------
        whole : whether parts are left out whose files are not there, or are damaged; all of them
            are then read.
        """
        with self.database.read() as connection:
            found = catalogue.segments_of_parts(connection, part_ids)
        if not whole:
            return found
        folder = self.segment_folder
        return {k: held for k, held in found.items() if not lacking(folder, held, read=True)}

    def n_lacking(self, dataset_id: str) -> int:
        """Return how many segments of a dataset are not there, at full length."""
        return len(lacking(self.segment_folder, self.segments(dataset_id), read=False))

    def set_damaged_aside(self, dataset_id: str) -> int:
        """Rename damaged segments of a dataset, if there are any; return how many it lacks.

        What lacks a segment is read from its source by the next ingest, or run of a recipe.
        """
        return len(set_aside(self.segment_folder, self.segments(dataset_id)))

    def paths(self, dataset: Dataset, bars: tuple[int, int] | None = None) -> list[Path]:
        """Return the Parquet files of a dataset, or of a span of its bars, checked.

        Raises
        ------
        CorruptEntryError
            If a file is missing or damaged; says what restores it.
        """
        numbers = None
        if bars is not None:
            length = part_bars(dataset.frequency)
            numbers = (bars[0] // length, bars[1] // length)
        with self.database.read() as connection:
            found = catalogue.get_segments(connection, dataset.dataset_id, numbers)
        if bars is not None:
            start, stop = (int(dataset.closes(b, b)[0].astype("int64")) for b in bars)
            found = [s for s in found if s.last_close >= start and s.first_close <= stop]
        return self._verified(dataset, found)

    def part_paths(self, dataset: Dataset, number: int) -> list[Path]:
        """Return the Parquet files of one part of a dataset, checked as by :meth:`paths`."""
        with self.database.read() as connection:
            span = (number, number)
            found = catalogue.get_segments(connection, dataset.dataset_id, span)
        return self._verified(dataset, found)

    def _verified(self, dataset: Dataset, found: Sequence[Segment]) -> list[Path]:
        try:
            return verified_paths(self.segment_folder, [segment.digest for segment in found])
        except CorruptEntryError as error:
            raise restorable(error, self._name_of(dataset)) from None

    def _name_of(self, dataset: Dataset) -> str:
        with self.database.read() as connection:
            names = versions.names_of(connection, dataset.dataset_id)
        return " or ".join(names) or dataset.dataset_id[:12]

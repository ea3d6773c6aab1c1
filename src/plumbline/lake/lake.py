"""The lake of a project: ingest sources, name datasets, read panels."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from plumbline.core.calendar import Calendar, grid_of
from plumbline.core.errors import MissingDataError, ParameterError
from plumbline.core.moments import moment_of
from plumbline.core.panel import Panel
from plumbline.lake import ingesting, versions
from plumbline.lake.cleaning_rules import CleaningRules
from plumbline.lake.dataset import Dataset
from plumbline.lake.ingesting import Request
from plumbline.lake.prepared import Ingested, PreparedDataset, Progress, named, report_of
from plumbline.lake.room import Room
from plumbline.lake.selection import names_in, refuse_wrong
from plumbline.lake.source import Source
from plumbline.lake.store import Store
from plumbline.ledger.database import Database

if TYPE_CHECKING:
    import polars

    from plumbline.lake.compaction import Compacted


@final
class Lake:
    r"""A folder of segments and its catalogue.

    Parameters
    ----------
    root : folder; segments lie in ``root/segments``.
    database : metadata database with the catalogue's tables; None if there is no lake yet, which
        the first ingest then makes in ``root``.
    code : digest of the code that reads and cleans, if the caller knows it. What a source gave
        under another code is not taken for what it gives under this one.
    room : memory that work on the lake may take; default: what ``PLUMBLINE_MEMORY`` says, else the
        memory of the machine. Work that would take more is refused before it starts.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from plumbline.lake import open_lake
    >>> from plumbline.lake.source import sources
    >>> with TemporaryDirectory() as folder:
    ...     text = "date,symbol,close\n2024-01-02,AAA,10\n2024-01-03,AAA,11\n"
    ...     _ = Path(folder, "prices.csv").write_text(text)
    ...     lake = open_lake(Path(folder, "lake"))
    ...     csv = sources["csv"]("prices.csv")
    ...     done = lake.ingest("demo", csv, calendar="24/7", base=Path(folder))
    ...     lake.panel(done.dataset)["close"]
    array([[10.],
           [11.]])
    """

    def __init__(
        self, root: Path, database: Database | None, code: str = "", room: Room | None = None
    ) -> None:
        self.store = Store(root, database, code, room)

    def within(self, room: Room) -> "Lake":
        """Return the same lake, whose work keeps to another limit of memory."""
        found = Lake(self.root, None)
        found.store = self.store.within(room)
        return found

    def __repr__(self) -> str:
        return f"Lake({str(self.root)!r})"

    @property
    def root(self) -> Path:
        """Return the folder."""
        return self.store.root

    @property
    def code(self) -> str:
        """Return the digest of the code that reads and cleans."""
        return self.store.code

    @property
    def database(self) -> Database:
        """Return the metadata database; MissingDataError if nothing was ever stored here."""
        return self.store.database

    @property
    def segment_folder(self) -> Path:
        """Return the folder of the Parquet files."""
        return self.store.segment_folder

    def make(self) -> None:
        """Make the lake if it is not there."""
        self.store.make()

    def ingest(
        self,
        name: str,
        source: Source,
        *,
        calendar: Calendar | str,
        rules: CleaningRules | None = None,
        base: Path | None = None,
        progress: Progress | None = None,
    ) -> Ingested:
        """Read, clean and store a source under a name.

        Parameters
        ----------
        name : letters, digits, ``_ . -``.
        source : where the bars are.
        calendar : the grid; as text ``XNYS``, ``24/7`` or with a frequency, ``24/7 1h``.
        rules : cleaning rules; default: ``CleaningRules()``.
        base : folder that the source's paths start from; default: the working folder.
        progress : called with what is being done and the name, as in ``read stocks``, how much of
            it is done, and how much there is.

        Returns
        -------
        The dataset and its quality report. Content that the name already has, from whatever
        files, gives the same dataset_id and no new version. Segments of it that are damaged or
        missing are written again, and counted as ``healed``.

        Raises
        ------
        SourceError
            If anything in the files is wrong; every problem is listed and nothing is stored.

        Notes
        -----
        Files that lie beside those of the newest version, and hold what came after them, are read
        alone, and their rows are added; what comes of it is what reading all files gives.
        """
        request = Request(
            name, source, grid_of(calendar), rules or CleaningRules(), Path(base or ""), progress
        )
        return ingesting.ingest(self.store, request)

    def append(
        self,
        name: str,
        source: Source,
        *,
        corrects: bool = False,
        base: Path | None = None,
        progress: Progress | None = None,
    ) -> Ingested:
        """Add the rows of a source to a data set, on its calendar and by its cleaning rules.

        The data set is then what cleaning all its rows together gives. Rows that are there
        already change nothing; without any other there is no new version.

        Parameters
        ----------
        name : data set that is there.
        source, base, progress : as for :meth:`ingest`.
        corrects : whether a value takes the place of another that is there of its bar and asset;
            else they conflict, and nothing is stored.

        Raises
        ------
        SourceError
            If anything in the files is wrong, or rows conflict; every problem is listed.
        UnknownNameError
            If there is no such data set.
        StaleVersionError
            If another process changed the data set meanwhile; nothing is stored.

        Notes
        -----
        Cost: that of the parts of the data set around the new rows, whatever its size.
        """
        from plumbline.lake.appending import append, request_like

        request = request_like(self.store, name, source, Path(base or ""), progress)
        return append(self.store, request, corrects=corrects)

    def prepare(
        self,
        name: str,
        source: Source,
        *,
        calendar: Calendar | str,
        rules: CleaningRules | None = None,
        base: Path | None = None,
        progress: Progress | None = None,
    ) -> PreparedDataset:
        """Do all of :meth:`ingest` but the writing; files that are recognised are not read."""
        request = Request(
            name, source, grid_of(calendar), rules or CleaningRules(), Path(base or ""), progress
        )
        return ingesting.prepare(self.store, request)

    def commit(self, prepared: PreparedDataset, progress: Progress | None = None) -> Ingested:
        """Store what was prepared, all at once."""
        return ingesting.commit(self.store, prepared, progress)

    def source_digest(self, source: Source, base: Path | None = None) -> str:
        """Return the digest over the sorted pairs of a source's file names and contents."""
        return self.store.source_listing(source, Path(base or "")).digest

    def dataset(
        self,
        name_or_id: str,
        version: int | None = None,
        as_of: str | datetime | np.datetime64 | None = None,
    ) -> Dataset:
        """Return a dataset by its name or by its id.

        Parameters
        ----------
        name_or_id : name, or 64 hex digits.
        version : of a name; default: the latest.
        as_of : moment, UTC, as ISO text or a time: the version that the name meant then; a day
            or a second alone means its end.

        Raises
        ------
        UnknownNameError
            If there is none; the nearest name is given.
        ParameterError
            If both a version and a moment are given, or one of them is none.
        """
        refuse_wrong(name_or_id)
        if as_of is None:
            return self.store.dataset(name_or_id, version)
        if version is not None:
            raise ParameterError(f"version={version} and as_of={as_of}: give one of them")
        moment = moment_of(as_of, late=True)
        if isinstance(as_of, str) and ":" in as_of and "." not in as_of:  # a second means its end
            moment = moment + np.timedelta64(999_999, "us")
        moment = moment.astype(datetime)
        return self.store.dataset(name_or_id, as_of=moment)

    def datasets(self, name: str | None = None) -> list[dict[str, Any]]:
        """Return all versions of all names, or of one.

        Each has name, version, dataset_id, created, source, calendar and extent.
        """
        with self.database.read() as connection:
            return versions.list_versions(connection, name)

    def quality(self, dataset: Dataset | str, version: int | None = None) -> "polars.DataFrame":
        """Return what cleaning found in the newest ingest that gave a dataset.

        Parameters
        ----------
        dataset : the dataset, its name, or its id, which stands for its content under any name.
        version : of a name; default: the latest.
        """
        found = self._dataset_of(dataset, version)
        with self.database.read() as connection:
            content = versions.get_quality(connection, found)
        if content is None:
            raise MissingDataError(
                f"dataset {found.name or found.dataset_id[:12]!r} has no quality report"
            )
        return report_of(content)

    def diff(self, a: Dataset | str, b: "Dataset | str | PreparedDataset") -> "polars.DataFrame":
        """Return the values in which two datasets differ.

        Parameters
        ----------
        a : the earlier dataset, its name, or its id.
        b : the later one; also one that is prepared and not stored.

        Returns
        -------
        ``asset bar_close field before after change``, sorted by bar, asset and field; null is
        missing, and ``change`` is added, removed or changed, as seen from ``a``.

        Raises
        ------
        ParameterError
            If their calendars differ.

        Notes
        -----
        Cost: reading and joining the parts that they do not share.
        """
        from plumbline.lake.differences import differences, prepared_rows, stored_rows
        from plumbline.lake.peaks import of_difference

        before = self._dataset_of(a)
        if isinstance(b, PreparedDataset):
            after, read = b.dataset, prepared_rows(self.store, b)
        else:
            after = self._dataset_of(b)
            read = stored_rows(self.store, after)
        self.store.room.require(of_difference(before, after))
        return differences(before, after, stored_rows(self.store, before), read)

    def compact(self, dataset: Dataset | str, progress: Progress | None = None) -> "Compacted":
        """Write the parts of a dataset that lie in several files as one each; no id changes.

        See :func:`plumbline.lake.compaction.compact`.
        """
        from plumbline.lake.compaction import compact

        found = self._dataset_of(dataset)
        return compact(self.store, found, named(progress, found.name))

    def resample(
        self,
        dataset: Dataset | str,
        targets: Mapping[str, Calendar | str],
        how: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Ingested]:
        """Store coarser bars of a data set, from one scan of it, one data set a target.

        Parameters
        ----------
        dataset : base bars of 24/7, its name, or its id.
        targets : name of a data set -> its calendar, such as ``24/7 1h`` or ``XNYS``.
        how, progress : see :func:`plumbline.lake.derived.store_resampled`.
        """
        from plumbline.lake.derived import store_resampled

        found = self._dataset_of(dataset)
        return store_resampled(self.store, found, targets, how or {}, progress)

    def export_delta(
        self, dataset: Dataset | str, folder: Path | str, progress: Progress | None = None
    ) -> int | None:
        """Write a dataset as the newest version of a Delta Lake table; return its number.

        See :func:`plumbline.lake.delta.export_delta`.
        """
        from plumbline.lake.delta import export_delta

        found = self._dataset_of(dataset)
        return export_delta(self.store, found, Path(folder), named(progress, found.name))

    def panel(
        self,
        dataset: Dataset | str,
        fields: str | Sequence[str] | None = None,
        assets: str | Sequence[str] | None = None,
        first_bar: int | None = None,
        last_bar: int | None = None,
    ) -> Panel:
        """Return bars as dense arrays on the grid.

        Parameters
        ----------
        dataset : the dataset, its name, or its id.
        fields, assets : names, or one name; default: all. The columns of a panel are its assets in
            sorted order, whatever the order here; ``Panel.columns_of`` finds theirs.
        first_bar, last_bar : calendar numbers, both included, cut to the dataset's own span;
            default: all of it.

        Returns
        -------
        Panel with one row for every grid bar of the span, NaN where nothing is known; its
        ``first_bar`` is a calendar number.

        Raises
        ------
        ParameterError, UnknownAssetError, MissingDataError
            If an argument is of the wrong kind; if an asset, a field, or any bar is not there.
        CorruptEntryError
            If a segment's bytes differ from its digest.
        """
        from plumbline.lake.panels import load_panel
        from plumbline.lake.peaks import of_panel

        bars = {"first_bar": first_bar, "last_bar": last_bar}
        refuse_wrong(dataset, {"fields": fields, "assets": assets}, bars)
        found = self._dataset_of(dataset)
        names = found.fields if fields is None else tuple(dict.fromkeys(names_in(fields)))
        chosen = found.assets if assets is None else tuple(sorted(set(names_in(assets))))
        found.require(names, chosen)
        span = found.span(first_bar, last_bar)
        self.store.room.require(of_panel(found, len(names), len(chosen), span))
        return load_panel(self.store.paths(found, span), found, names, chosen, span)

    def scan(self, dataset: Dataset | str) -> "polars.LazyFrame":
        """Return a polars query over the segments: bar_close, asset, then one column a field."""
        from plumbline.lake.scan import scan_segments

        found = self._dataset_of(dataset)
        return scan_segments(self.store.paths(found), found.fields)

    def segment_paths(self, dataset: Dataset | str) -> list[Path]:
        """Return the Parquet files of a dataset in order of time, checked."""
        return self.store.paths(self._dataset_of(dataset))

    def duckdb(self, dataset: Dataset | str, connection: Any = None) -> Any:
        """Return a DuckDB relation over the segments."""
        from plumbline.lake.scan import duckdb_relation

        return duckdb_relation(self.segment_paths(dataset), connection)

    def _dataset_of(self, dataset: Dataset | str, version: int | None = None) -> Dataset:
        return dataset if isinstance(dataset, Dataset) else self.dataset(dataset, version)

"""The lake of a project: ingest sources, name datasets, read panels."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from plumbline.core.arguments import Argument, require
from plumbline.core.calendar import Calendar, grid_of
from plumbline.core.errors import CorruptEntryError, MissingDataError, ParameterError, ProjectError
from plumbline.core.panel import Panel
from plumbline.core.settings import current_time
from plumbline.lake import catalogue
from plumbline.lake.cleaning_rules import CleaningRules
from plumbline.lake.dataset import Dataset
from plumbline.lake.fetched import fetched
from plumbline.lake.fingerprint import Listing, describe, ingest_key, list_files, refuse_moved_files
from plumbline.lake.prepared import Ingested, PreparedDataset, Progress, named, report_of
from plumbline.lake.segments import lacking, restorable, set_aside, verified_paths, write_segments
from plumbline.lake.selection import names_in, refuse_wrong
from plumbline.lake.source import Source
from plumbline.ledger.database import Database, open_database

if TYPE_CHECKING:
    import polars

DATABASE = "plumbline.db"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


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

    def __init__(self, root: Path, database: Database | None, code: str = "") -> None:
        self.root = Path(root)
        self._database = database
        self.code = code

    def __repr__(self) -> str:
        return f"Lake({str(self.root)!r})"

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
        """
        prepared = self.prepare(
            name, source, calendar=calendar, rules=rules, base=base, progress=progress
        )
        damaged = self.set_damaged_aside(prepared.dataset.dataset_id)
        if damaged and prepared.bars is None:
            prepared = self.prepare(
                name, source, calendar=calendar, rules=rules, base=base, progress=progress
            )
        return replace(self.commit(prepared, progress), healed=damaged)

    def set_damaged_aside(self, dataset_id: str) -> int:
        """Rename damaged segments of a dataset, if there are any; return how many it lacks.

        What lacks a segment is read from its source by the next ingest, or run of a recipe.
        """
        if self._database is None:
            return 0
        with self.database.read() as connection:
            segments = catalogue.get_segments(connection, dataset_id)
        return len(set_aside(self.segment_folder, segments))

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
        example = "a source, such as plumbline.lake.source.sources['csv']('prices.csv')"
        require(
            Argument("name", name, isinstance(name, str), "text"),
            Argument("source", source, isinstance(source, Source), example),
        )
        if not _NAME.fullmatch(name) or _DIGEST.fullmatch(name):
            raise ParameterError(
                f"name {name!r} must be 1 … 100 letters, digits, '_', '.' or '-', and no digest"
            )
        base, rules, grid = Path(base or ""), rules or CleaningRules(), grid_of(calendar)
        with fetched(source, base, grid, self.root, self._database) as base:
            listing = self.source_listing(source, base)
            key = ingest_key(listing.digest, source, rules, grid, self.code)
            note = describe(source, base, listing)
            known = self._recall(name, key)
            if known is not None:
                return PreparedDataset(known[0], note, key, known[1], None)
            from plumbline.lake.preparation import read_clean

            made = read_clean(source, base, Calendar(*grid), rules, named(progress, name))
            refuse_moved_files(listing)
        dataset = replace(made.dataset, name=name, version=self._version_of(name, made.dataset))
        n_lacking = self._n_lacking(dataset.dataset_id, read=False)
        return PreparedDataset(dataset, note, key, made.quality, made.bars, n_lacking)

    def commit(self, prepared: PreparedDataset, progress: Progress | None = None) -> Ingested:
        """Store what was prepared.

        Segments become durable first; then one transaction writes all rows. A crash before it
        ends leaves the catalogue as it was, and at most files that nothing refers to.
        """
        self.make()
        dataset = prepared.dataset
        segments = None
        if prepared.bars is not None and not self._is_stored(dataset.dataset_id):
            told = named(progress, dataset.name)
            segments = write_segments(self.segment_folder, prepared.bars, dataset.frequency, told)
        created = current_time()
        with self.database.begin() as connection:
            if segments is not None:
                catalogue.add_dataset(connection, dataset, segments)
            version, is_new = catalogue.name_dataset(connection, dataset, prepared.source, created)
            ingest = catalogue.Ingest(
                dataset.name,
                version,
                prepared.key,
                dataset.dataset_id,
                prepared.source,
                prepared.quality_bytes,
            )
            catalogue.remember_ingest(connection, ingest, created)
        return Ingested(replace(dataset, version=version), is_new, prepared.quality_bytes)

    def source_listing(self, source: Source, base: Path) -> Listing:
        """Return a source's files and their digest; files known from before are not read."""
        paths = source.files(base)
        if self._database is None:
            return list_files(paths, base, {})
        with self.database.read() as connection:
            known = catalogue.get_files(connection, [str(path.absolute()) for path in paths])
        listing = list_files(paths, base, known)
        settled = {k: s for k, s in listing.fresh.items() if s.is_settled and known.get(k) != s}
        if settled and not self._database.is_read_only:
            with self.database.begin() as connection:
                catalogue.put_files(connection, settled)
        return listing

    def source_digest(self, source: Source, base: Path | None = None) -> str:
        """Return the digest over the sorted pairs of a source's file names and contents."""
        return self.source_listing(source, Path(base or "")).digest

    def dataset(self, name_or_id: str, version: int | None = None) -> Dataset:
        """Return a dataset by its name, the latest version unless one is given, or by its id.

        Raises
        ------
        UnknownNameError
            If there is none; the nearest name is given.
        """
        refuse_wrong(name_or_id)
        with self.database.read() as connection:
            if _DIGEST.fullmatch(name_or_id):
                found = catalogue.get_dataset(connection, name_or_id, "", 0)
                if found is not None:
                    return found
            return catalogue.named_dataset(connection, name_or_id, version)

    def datasets(self) -> list[dict[str, Any]]:
        """Return all versions of all names: name, version, dataset_id, created, source, span."""
        with self.database.read() as connection:
            return catalogue.list_versions(connection)

    def quality(self, dataset: Dataset | str, version: int | None = None) -> "polars.DataFrame":
        """Return what cleaning found in the newest ingest that gave a dataset.

        Parameters
        ----------
        dataset : the dataset, its name, or its id, which stands for its content under any name.
        version : of a name; default: the latest.
        """
        found = self._dataset_of(dataset, version)
        with self.database.read() as connection:
            content = catalogue.get_quality(connection, found)
        if content is None:
            raise MissingDataError(
                f"dataset {found.name or found.dataset_id[:12]!r} has no quality report"
            )
        return report_of(content)

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

        bars = {"first_bar": first_bar, "last_bar": last_bar}
        refuse_wrong(dataset, {"fields": fields, "assets": assets}, bars)
        found = self._dataset_of(dataset)
        names = found.fields if fields is None else tuple(dict.fromkeys(names_in(fields)))
        chosen = found.assets if assets is None else tuple(sorted(set(names_in(assets))))
        found.patches.field_rows(names)
        found.patches.asset_columns(chosen)
        first, last = found.span(first_bar, last_bar)
        start, stop = found.closes(first, first)[0], found.closes(last, last)[0]
        paths = self._paths(found, int(start.astype("int64")), int(stop.astype("int64")))
        return load_panel(paths, found, names, chosen, (first, last))

    def scan(self, dataset: Dataset | str) -> "polars.LazyFrame":
        """Return a polars query over the segments: bar_close, asset, then one column a field."""
        import polars as pl

        return pl.scan_parquet(self.segment_paths(dataset), glob=False)

    def segment_paths(self, dataset: Dataset | str) -> list[Path]:
        """Return the Parquet files of a dataset in order of time, checked."""
        return self._paths(self._dataset_of(dataset))

    def duckdb(self, dataset: Dataset | str, connection: Any = None) -> Any:
        """Return a DuckDB relation over the segments."""
        from plumbline.lake.scan import duckdb_relation

        return duckdb_relation(self.segment_paths(dataset), connection)

    def _dataset_of(self, dataset: Dataset | str, version: int | None = None) -> Dataset:
        return dataset if isinstance(dataset, Dataset) else self.dataset(dataset, version)

    def _paths(
        self, dataset: Dataset, start: int | None = None, stop: int | None = None
    ) -> list[Path]:
        with self.database.read() as connection:
            segments = catalogue.get_segments(connection, dataset.dataset_id)
        chosen = [
            segment.digest
            for segment in segments
            if (start is None or segment.last_close >= start)
            and (stop is None or segment.first_close <= stop)
        ]
        try:
            return verified_paths(self.segment_folder, chosen)
        except CorruptEntryError as error:
            names = {v["name"] for v in self.datasets() if v["dataset_id"] == dataset.dataset_id}
            known = " or ".join(sorted(names)) or dataset.dataset_id[:12]
            raise restorable(error, known) from None

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

    def _recall(self, name: str, key: str) -> tuple[Dataset, bytes] | None:
        if self._database is None:
            return None
        with self.database.read() as connection:
            known = catalogue.recall_ingest(connection, key)
            if known is None:
                return None
            segments = catalogue.get_segments(connection, known[0])
            if lacking(self.segment_folder, segments, read=False):
                return None
            latest = catalogue.find_version(connection, name)
            version = latest[1] if latest is not None and latest[0] == known[0] else 0
            dataset = catalogue.get_dataset(connection, known[0], name, version)
        return None if dataset is None else (dataset, known[1])

    def _version_of(self, name: str, dataset: Dataset) -> int:
        if self._database is None:
            return 0
        with self.database.read() as connection:
            latest = catalogue.find_version(connection, name)
        return latest[1] if latest is not None and latest[0] == dataset.dataset_id else 0

    def _is_stored(self, dataset_id: str) -> bool:
        with self.database.read() as connection:
            is_known = catalogue.has_dataset(connection, dataset_id)
        return is_known and not self._n_lacking(dataset_id, read=True)

    def _n_lacking(self, dataset_id: str, *, read: bool) -> int:
        if self._database is None:
            return 0
        with self.database.read() as connection:
            segments = catalogue.get_segments(connection, dataset_id)
        return len(lacking(self.segment_folder, segments, read=read))

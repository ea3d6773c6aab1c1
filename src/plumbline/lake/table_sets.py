"""Named sets of tables, such as the books of portfolios, each version whole and for ever.

A table is a Parquet file named by the digest of its bytes; a version names its files in one row of
the metadata database. A killed writer leaves files at most, which ``plumbline gc`` clears away.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

from sqlalchemy import Connection, delete, insert, select

from plumbline.core.digest import digest, digest_bytes
from plumbline.core.errors import UnknownNameError, nearest_names
from plumbline.core.settings import clock_time
from plumbline.lake.durable import make_folder, sync_folder
from plumbline.lake.segments import put_segment, segment_path, verified_paths
from plumbline.lake.tables import table_sets
from plumbline.ledger.database import Database

if TYPE_CHECKING:
    import polars as pl

FOLDER: Final = "tables"


@final
@dataclass(frozen=True)
class TableSet:
    """A version of a set of tables.

    Parameters
    ----------
    name, version : which.
    digest : of all tables; equal sets have one.
    created : UTC.
    files : table -> digest of its file.
    note : what the writer said of it.
    """

    name: str
    version: int
    digest: str
    created: datetime
    files: Mapping[str, str]
    note: str


@final
class TableSets:
    """The sets of tables of a project.

    Parameters
    ----------
    store : folder of what a project keeps; files lie in ``store/tables``.
    database : metadata database.
    """

    def __init__(self, store: Path, database: Database) -> None:
        self.folder = store / FOLDER
        self._database = database

    def names(self) -> list[str]:
        """Return the names of all sets, sorted."""
        query = select(table_sets.c.name).distinct().order_by(table_sets.c.name)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def versions(self, name: str) -> list[TableSet]:
        """Return all versions of a set, the newest first; none of an unknown one."""
        query = select(table_sets).where(table_sets.c.name == name)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(table_sets.c.version.desc())).all()
        return [_table_set(row) for row in rows]

    def find(self, name: str, version: int | None = None) -> TableSet:
        """Return a version of a set; default: the newest.

        Raises
        ------
        UnknownNameError
            If there is no such set or version.
        """
        known = self.versions(name)
        if not known:
            raise UnknownNameError(f"there is no {name!r}; {nearest_names(name, self.names())}")
        found = [one for one in known if version in (None, one.version)]
        if not found:
            numbers = ", ".join(str(one.version) for one in reversed(known))
            raise UnknownNameError(f"{name!r} has no version {version}; it has {numbers}")
        return found[0]

    def read(
        self, found: TableSet, tables: Sequence[str] | None = None
    ) -> "dict[str, pl.DataFrame]":
        """Return tables of a version, default all, checked against their digests.

        Raises
        ------
        CorruptEntryError
            If a file is missing or damaged.
        """
        import polars as pl

        names = list(found.files) if tables is None else list(tables)
        paths = verified_paths(self.folder, [found.files[name] for name in names])
        return {table: pl.read_parquet(p) for table, p in zip(names, paths, strict=True)}

    def store(self, name: str, tables: "Mapping[str, pl.DataFrame]", note: str) -> TableSet:
        """Store tables as the newest version of a name; those that it means already make none.

        Parameters
        ----------
        name : of the set.
        tables : table -> its rows.
        note : what is said of the version.
        """
        contents = {table: parquet_bytes(frame) for table, frame in tables.items()}
        files = {table: digest_bytes(content) for table, content in contents.items()}
        whole = digest([(table, digest(frame)) for table, frame in sorted(tables.items())])
        make_folder(self.folder)
        for table, content in contents.items():
            put_segment(self.folder, files[table], content)
        sync_folder(self.folder)
        with self._database.begin() as connection:
            newest = _newest(connection, name)
            if newest is not None and newest.digest == whole:
                return newest
            version = 1 if newest is None else newest.version + 1
            created = clock_time().replace(tzinfo=UTC)
            made = TableSet(name, version, whole, created, files, note)
            row = {**vars(made), "files": json.dumps(files)}
            connection.execute(insert(table_sets), row)
        return made

    def forget(self, name: str) -> int:
        """Take all versions of a set away; return how many. Their files go with ``plumbline gc``.

        Raises
        ------
        UnknownNameError
            If there is no such set.
        """
        self.find(name)
        with self._database.begin() as connection:
            gone = connection.execute(delete(table_sets).where(table_sets.c.name == name))
        return int(gone.rowcount)

    def unnamed(self) -> list[Path]:
        """Return the files that no version names."""
        found = list(self.folder.glob("*.parquet"))  # before names: what is named later counts
        with self._database.read() as connection:
            rows = connection.execute(select(table_sets.c.files)).scalars()
            named = {name for text in rows for name in json.loads(text).values()}
        return [path for path in found if path.stem not in named]

    def path(self, found: TableSet, table: str) -> Path:
        """Return the file of a table."""
        return segment_path(self.folder, found.files[table])


def parquet_bytes(frame: "pl.DataFrame") -> bytes:
    """Return a table as the bytes of a Parquet file; equal tables give equal bytes."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", compression_level=1)
    return buffer.getvalue()


def _newest(connection: Connection, name: str) -> TableSet | None:
    query = select(table_sets).where(table_sets.c.name == name)
    row = connection.execute(query.order_by(table_sets.c.version.desc()).limit(1)).one_or_none()
    return None if row is None else _table_set(row)


def _table_set(row: Any) -> TableSet:
    created = row.created if row.created.tzinfo else row.created.replace(tzinfo=UTC)
    files = json.loads(row.files)
    return TableSet(row.name, row.version, row.digest, created, files, row.note)

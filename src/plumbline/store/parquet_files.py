"""Immutable Parquet files of packed rows, named by the digest of their bytes."""

import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from blake3 import blake3
from jaxtyping import Int

from plumbline.core.errors import CorruptEntryError, StoreError
from plumbline.lake.durable import DurableStream, make_folder, sync_folder
from plumbline.store.packed import Packed
from plumbline.store.soundness import file_path

_GROUP_ROWS: Final = {"days": 1024, "dates": 4}  # which are read as a whole: some 4 MB, and 20
_IS_TEXT: Final = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_RENEW_SECONDS = 600.0
_BUFFER_BYTES = 4 << 20  # that are written together
_Mark = tuple[int, int, int]

T = TypeVar("T")


@final
class StoredFile(NamedTuple):
    """A file that readers see; of several that hold a portfolio-day, the last number's is it."""

    number: int
    digest: str
    n_rows: int
    first_date: date
    last_date: date
    n_bytes: int


def _texts(schema: Any) -> Iterator[str]:
    """Yield the columns of texts, as Parquet names them: numbers gain nothing by a dictionary."""
    for field in schema:
        is_list = pa.types.is_list(field.type) or pa.types.is_large_list(field.type)
        kind = field.type.value_type if is_list else field.type
        if any(is_text(kind) for is_text in _IS_TEXT):
            yield f"{field.name}.list.element" if is_list else field.name


@final
class ParquetFiles:
    """A folder of files, ``ab/abcdef….parquet``; many processes may write and read at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._checked: dict[str, _Mark] = {}

    def path(self, digest: str) -> Path:
        """Return where a file lies or would lie."""
        return file_path(self.folder, digest)

    def put(self, kind: str, table: Any) -> tuple[str, int]:
        """Write a table of Arrow, so that it lasts; return the digest and the bytes of its file.

        Parameters
        ----------
        kind : days or dates.
        table : rows.

        Raises
        ------
        StoreError
            If the folder cannot be written.
        """
        size = _GROUP_ROWS[kind]
        texts = list(_texts(table.schema))
        options = {"row_group_size": size, "compression": "lz4", "use_dictionary": texts}
        try:
            make_folder(self.folder)
            with closing(DurableStream(self.folder)) as stream:
                buffer = io.BufferedWriter(stream, _BUFFER_BYTES)
                pq.write_table(table, buffer, **options)
                buffer.flush()
                digest, n_bytes = stream.digest, stream.n_bytes
                path = self.path(digest)
                if not self._renewed(path, n_bytes):
                    make_folder(path.parent)
                    stream.place(path)
            sync_folder(path.parent)  # another process may have renamed it, and not come so far
            sync_folder(self.folder)
        except OSError as error:
            raise StoreError(
                f"portfolios cannot be stored below {self.folder}: {error.strerror}; see that the "
                "folder is there, can be written and has room, and give the command again: what "
                "was finished is stored"
            ) from error
        return digest, n_bytes

    def rows(
        self, file: StoredFile, columns: Sequence[str], rows: Int[np.ndarray, "rows"] | None
    ) -> pl.DataFrame:
        """Return columns of a file; only the row groups that are asked for are read.

        Parameters
        ----------
        file : which.
        columns : names.
        rows : numbers of rows, ascending; None for all.

        Raises
        ------
        FileNotFoundError
            If it is not there.
        CorruptEntryError
            If its bytes differ from its digest.
        """
        self._check(file)
        with pq.ParquetFile(self.path(file.digest)) as opened:
            if rows is None or rows.size == file.n_rows:
                return _frame(opened.read(columns=list(columns)))
            size = opened.metadata.row_group(0).num_rows
            groups = np.unique(rows // size)
            found = _frame(opened.read_row_groups(groups.tolist(), columns=list(columns)))
        place = np.searchsorted(groups, rows // size) * size + rows % size
        return found.select(pl.all().gather(place))

    def make_young(self, digests: Sequence[str]) -> None:
        """Have clearing leave files alone for a while, as readers may be at them."""
        for digest in digests:
            path = self.path(digest)
            if path.exists():
                os.utime(path)

    def _renewed(self, path: Path, n_bytes: int) -> bool:
        """Return whether a file is there; an old one is made young, so that it is not cleared."""
        try:
            found = path.stat()
            if time.time() - found.st_mtime > _RENEW_SECONDS:
                os.utime(path)
        except FileNotFoundError:
            return False
        return found.st_size == n_bytes and self._is_whole(path)

    def _is_whole(self, path: Path) -> bool:
        found = path.stat()
        mark = found.st_ino, found.st_size, found.st_mtime_ns
        if self._checked.get(path.stem) != mark:
            hasher = blake3()
            hasher.update_mmap(path)
            if hasher.hexdigest() != path.stem:
                return False
            self._checked[path.stem] = mark
        return True

    def _check(self, file: StoredFile) -> None:
        path = self.path(file.digest)
        if not self._is_whole(path):
            raise CorruptEntryError(
                file.digest, str(path), "its bytes differ from its digest", "file of portfolios"
            )


def arrow_of(packed: Packed) -> Any:
    """Return packed rows as a table of Arrow."""
    scalars = packed.scalars.to_arrow(compat_level=pl.CompatLevel.oldest())
    columns = {name: scalars[name] for name in packed.scalars.columns}
    columns |= {name: found.arrow() for name, found in packed.lists.items()}
    return pa.table(columns)


def _frame(table: Any) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(table))


def patiently(act: Callable[[], T], attempts: int = 5) -> T:
    """Return what reading gives, begun again if a file went meanwhile: others took its place.

    Raises
    ------
    StoreError
        If files go again and again, or are gone for good.
    """
    for _ in range(attempts - 1):
        try:
            return act()
        except FileNotFoundError:
            continue
    try:
        return act()
    except FileNotFoundError as error:
        raise StoreError(
            f"{error.filename} is not there, though the project names it: restore it from a "
            "backup; or type `plumbline doctor --deep`, which forgets it, and "
            "measure its portfolios again"
        ) from error

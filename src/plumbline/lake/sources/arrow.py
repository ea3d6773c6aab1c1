"""Bars in folders of Parquet and Arrow files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, final
from urllib.parse import unquote

from plumbline.core.column_names import ASSET_NAMES, field_name
from plumbline.lake.table_source import TableSource

if TYPE_CHECKING:
    import polars

    from plumbline.lake.raw_table import RawTable

_HEAD_BYTES = 4096  # enough to tell text from Arrow and Parquet
_PARQUET, _FILE, _STREAM, _OLD = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff", b"FEA1"
_NULL = "__HIVE_DEFAULT_PARTITION__"


@final
@dataclass(frozen=True)
class Arrow(TableSource):
    """Parquet and Arrow IPC (feather) files, and folders of them; null and NaN are missing values.

    A file's first bytes tell what it is. A folder stands for all files in it and below it that
    end in ``.parquet .pq .arrow .feather .ipc``. A folder named ``symbol=BTC`` is a column
    ``symbol`` of the files below it, if that is a usual name of assets or ``columns`` names it;
    others, as of years and months, say where files lie and nothing of their bars.

    Whole numbers and decimals become float64 if they come back from it as they were, else the
    file is refused; float32 is exact.

    References
    ----------
    Apache Arrow columnar format, version 1; Apache Parquet format specification, version 2.
    """

    endings: ClassVar[tuple[str, ...]] = (".parquet", ".pq", ".arrow", ".feather", ".ipc")

    def table(self, path: Path, name: str, problems: list[str]) -> "RawTable | None":
        """Return the columns of one file as typed there; see :meth:`TableSource.table`."""
        from plumbline.lake.raw_table import RawTable

        frame = _frame(path, name, problems)
        if frame is None:
            return None
        partition = self._partition(name)
        twice = [column for column in partition if column in frame.columns]
        if twice:
            told = ", ".join(map(repr, twice))
            problems.append(f"{name}: columns stand in the file and in its folder's name: {told}")
            return None
        return RawTable(name, _with_constants(frame, partition))

    def _partition(self, name: str) -> dict[str, str]:
        """Return the columns that the names of a file's folders say: column -> value."""
        named = set(self.columns.values())
        pairs = [part.split("=", 1) for part in PurePosixPath(name).parts[:-1] if "=" in part]
        return {
            key: "" if value == _NULL else unquote(value)
            for key, value in pairs
            if key in named or (field_name(key) in ASSET_NAMES and self.form == "long")
        }


def _frame(path: Path, name: str, problems: list[str]) -> "polars.DataFrame | None":
    import polars as pl

    from plumbline.lake.content import as_polars_reads, why_no_parquet

    head = b""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        if head.startswith(_FILE):
            return pl.read_ipc(path.read_bytes())
        if head.startswith(_STREAM):
            return pl.read_ipc_stream(path.read_bytes())
        if head.startswith(_OLD):
            problems.append(f"{name}: holds feather of version 1; write it again, as version 2")
            return None
        return pl.read_parquet(as_polars_reads(path), glob=False, hive_partitioning=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        why = f"it {other}" if (other := why_no_parquet(head)) else error
        problems.append(f"{name}: cannot be read as Parquet or Arrow: {why}")
        return None


def _with_constants(frame: "polars.DataFrame", values: Mapping[str, str]) -> "polars.DataFrame":
    import polars as pl

    return frame.with_columns(pl.lit(value).alias(column) for column, value in values.items())

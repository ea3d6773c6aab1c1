"""Bars in Parquet files."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

from plumbline.lake.table_source import TableSource

if TYPE_CHECKING:
    from plumbline.lake.raw_table import RawTable

_HEAD_BYTES = 4096  # enough to tell text from Parquet


@final
@dataclass(frozen=True)
class Parquet(TableSource):
    """Parquet files; null and NaN are missing values.

    Whole numbers and decimals become float64 if they come back from it as they were, else the
    file is refused; float32 is exact.

    References
    ----------
    Apache Parquet format specification, version 2.
    """

    def table(self, path: Path, name: str, problems: list[str]) -> "RawTable | None":
        """Return the columns of one file as typed there; see :meth:`TableSource.table`."""
        import polars as pl

        from plumbline.lake.content import as_polars_reads, why_no_parquet
        from plumbline.lake.raw_table import RawTable

        head = b""
        try:
            with path.open("rb") as file:
                head = file.read(_HEAD_BYTES)
            return RawTable(name, pl.read_parquet(as_polars_reads(path), glob=False))
        except (OSError, pl.exceptions.PolarsError) as error:
            why = f"it {other}" if (other := why_no_parquet(head)) else error
            problems.append(f"{name}: cannot be read as Parquet: {why}")
            return None

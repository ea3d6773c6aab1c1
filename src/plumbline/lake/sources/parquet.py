"""Bars in Parquet files."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

from plumbline.lake.table_source import TableSource

if TYPE_CHECKING:
    from plumbline.lake.raw_table import RawTable


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

        from plumbline.lake.raw_table import RawTable

        try:
            return RawTable(name, pl.read_parquet(path, glob=False))
        except (OSError, pl.exceptions.PolarsError) as error:
            problems.append(f"{name}: cannot be read as Parquet: {error}")
            return None

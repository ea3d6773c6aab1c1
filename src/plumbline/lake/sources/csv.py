"""Bars in delimited text files."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, final

from plumbline.core.errors import ParameterError
from plumbline.lake.table_source import TableSource

if TYPE_CHECKING:
    from plumbline.lake.raw_table import RawTable


@final
@dataclass(frozen=True)
class Csv(TableSource):
    """Delimited text, UTF-8, plain or ``.gz``, with a header line.

    A number becomes the nearest float64; nothing, ``NA``, ``NaN``, ``null``, ``none`` and ``-``
    are missing values.

    Parameters
    ----------
    delimiter : mark between cells; default: the one of ``, ; tab |`` most frequent in the header.
    decimal : decimal mark of numbers.

    References
    ----------
    RFC 4180, "Common Format and MIME Type for Comma-Separated Values (CSV) Files".
    """

    delimiter: str | None = None
    decimal: Literal[".", ","] = "."

    def __post_init__(self) -> None:
        if self.delimiter is not None and (
            len(self.delimiter.encode()) != 1 or self.delimiter in '"\r\n'
        ):
            raise ParameterError(f"delimiter={self.delimiter!r} must be one character, such as ';'")
        if self.decimal not in (".", ",") or self.decimal == self.delimiter:
            raise ParameterError(
                f"decimal={self.decimal!r} must be '.' or ',' and differ from the delimiter"
            )
        TableSource.__post_init__(self)

    def table(self, path: Path, name: str, problems: list[str]) -> "RawTable | None":
        """Return the cells of one file as text; see :meth:`TableSource.table`."""
        from plumbline.lake.delimited import read_delimited

        return read_delimited(path, name, self.delimiter, self.decimal, problems)

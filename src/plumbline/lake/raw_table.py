"""A file's table as it is written, and messages that name its cells."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import numpy as np
import polars as pl
from jaxtyping import Bool, Int

_SHOWN = 20  # cells named one by one for each column and kind of problem


@final
@dataclass(frozen=True)
class RawTable:
    """Cells of one file, unconverted.

    Parameters
    ----------
    name : file name in messages.
    frame : the columns under the file's own names.
    lines : (rows,) line of the file that each row starts on; None counts rows from 1.
    decimal : decimal mark of numbers that are text.
    """

    name: str
    frame: pl.DataFrame
    lines: Int[np.ndarray, "rows"] | None = None
    decimal: str = "."

    def where(self, row: int) -> str:
        """Return ``file, line n`` of a row counted from 0."""
        if self.lines is None:
            return f"{self.name}, row {row + 1}"
        return f"{self.name}, line {int(self.lines[row])}"

    def cell_problems(
        self, column: str, is_bad: Bool[np.ndarray, "rows"], what: str
    ) -> Iterable[str]:
        """Yield one message for each bad cell of a column; beyond 20, say how many more.

        Parameters
        ----------
        column : name of the column in the file.
        is_bad : rows whose cell is wrong.
        what : what is wrong and what is allowed, as in ``is no number; allowed: 12.5``.
        """
        rows = np.flatnonzero(is_bad)
        values = self.frame[column]
        for row in rows[:_SHOWN]:
            value = values[int(row)]
            shown = "" if value is None else str(value)
            yield f"{self.where(int(row))}, column {column!r}: {shown!r} {what}"
        if rows.size > _SHOWN:
            yield (
                f"{self.name}, column {column!r}: {rows.size - _SHOWN} more cells like these, "
                f"the last on {self.where(int(rows[-1])).rsplit(', ', 1)[1]}"
            )

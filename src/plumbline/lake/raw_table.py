"""A file's table as it is written, and messages that name its cells."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import final

import numpy as np
import polars as pl
from jaxtyping import Bool, Int

from plumbline.lake.problem_text import FileProblem

_SHOWN = 20  # cells named one by one for each column and kind of problem
_FEW = 3  # bad cells that are named one by one, even if the column holds no others


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
    written : column -> its name in the file, where white space around it was taken off.
    """

    name: str
    frame: pl.DataFrame
    lines: Int[np.ndarray, " rows"] | None = None
    decimal: str = "."
    written: Mapping[str, str] = field(default_factory=dict)

    def where(self, row: int) -> str:
        """Return ``file, line n`` of a row counted from 0."""
        return f"{self.name}, {self._line(row)}"

    def _line(self, row: int) -> str:
        return f"row {row + 1}" if self.lines is None else f"line {int(self.lines[row])}"

    def counts_rows(self, column: str) -> bool:
        """Return whether a column numbers two rows or more, from 0 or from 1."""
        numbers = self.frame[column].cast(pl.Int64, strict=False)
        if numbers.len() < 2 or numbers.null_count() or numbers[0] not in (0, 1):
            return False
        return bool((numbers.diff().drop_nulls() == 1).all())

    def cell_problems(
        self, column: str, is_bad: Bool[np.ndarray, " rows"], what: str, *, in_one: bool = False
    ) -> Iterable[str]:
        """Yield one message for each bad cell of a column; beyond 20, say how many more.

        If most cells of the column are bad, it is the column that is wrong: then there is one
        message, with the number of bad cells and three examples.

        Parameters
        ----------
        column : name of the column in the file.
        is_bad : rows whose cell is wrong.
        what : what is wrong and what is allowed, as in ``is no number; allowed: 12.5``.
        in_one : one message also if most cells are right.
        """
        rows = [int(row) for row in np.flatnonzero(is_bad)]
        if len(rows) > (_FEW if in_one else max(_FEW, self.frame.height // 2)):
            examples = ", ".join(self.cell(column, row) for row in rows[:3])
            count = f"{len(rows)} of {self.frame.height} cells, such as {examples}"
            yield FileProblem(f"{self.name}, column {column!r}, ", count, f": each {what}")
            return
        for row in rows[:_SHOWN]:
            yield f"{self.where(row)}, column {column!r}: {self._shown(column, row)} {what}"
        if len(rows) > _SHOWN:
            yield (
                f"{self.name}, column {column!r}: {len(rows) - _SHOWN} more cells like these, "
                f"the last on {self._line(rows[-1])}"
            )

    def cell(self, column: str, row: int) -> str:
        """Return what a cell holds and where it stands, as in ``'x' (line 2)``."""
        return f"{self._shown(column, row)} ({self._line(row)})"

    def _shown(self, column: str, row: int) -> str:
        value = self.frame[column][row]
        return repr("" if value is None else str(value))

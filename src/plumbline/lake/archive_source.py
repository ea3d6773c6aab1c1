"""Sources that are an exchange's archives: many files, each of one asset that its name tells."""

import os
import re
from abc import abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, NamedTuple, final

from plumbline.core.calendar import ALWAYS_OPEN, Calendar
from plumbline.core.errors import ParameterError, SourceError
from plumbline.lake.problem_text import listed, told_once
from plumbline.lake.selection import names_in
from plumbline.lake.source import Source, find_files, path_name

if TYPE_CHECKING:
    import polars

    from plumbline.lake.raw_table import RawTable

_PACKED = re.compile(r"\.csv(\.gz)?$|\.zip$", re.IGNORECASE)
_THREADS = 8  # unpacking and parsing give up the interpreter's lock


@final
@dataclass
class Told:
    """What is said of one file.

    Parameters
    ----------
    problems : why it cannot be read.
    findings : rows of the quality report.
    """

    problems: list[str] = field(default_factory=list)
    findings: "list[polars.DataFrame]" = field(default_factory=list)


class Rows(NamedTuple):
    """The rows of a file.

    Parameters
    ----------
    bars : bar_close, asset and float64 fields, in the order of the file.
    table : as they are written there, row by row.
    """

    bars: "polars.DataFrame"
    table: "RawTable"


@dataclass(frozen=True)
class ArchiveSource(Source):
    """Files of an exchange's archive: ``.csv``, ``.csv.gz``, or a ``.zip`` that holds one ``.csv``.

    Parameters
    ----------
    paths : files, folders, or glob patterns, relative to the base folder; one text or several. A
        folder stands for all such files in it and in the folders below it.
    asset : the asset of all files; default: what their names begin with.

    Raises
    ------
    ParameterError
        If a value is none of these.
    """

    paths: str | Sequence[str]
    asset: str | None = None

    endings: ClassVar[tuple[str, ...]] = (".csv", ".csv.gz", ".zip")
    example: ClassVar[str]  # the name of a file, for messages

    def __post_init__(self) -> None:
        object.__setattr__(self, "paths", names_in(self.paths))
        problems = self._parameter_problems()
        if not self.paths or not all(self.paths):
            problems.insert(0, "paths must name at least one file, folder or pattern")
        if self.asset is not None and not self.asset.strip():
            problems.append(f"asset={self.asset!r} must be a name")
        if problems:
            raise ParameterError("; ".join(problems))

    def files(self, base: Path) -> tuple[Path, ...]:
        """Return the files that the paths find, those in folders included."""
        return find_files(self.paths, base, self.endings)

    def only(self, files: Sequence[Path]) -> "ArchiveSource":
        """Return the source that reads some of its files alone."""
        return replace(self, paths=[str(path.absolute()) for path in files])

    def bars(
        self, base: Path, calendar: Calendar, findings: "list[polars.DataFrame]"
    ) -> "list[polars.DataFrame]":
        """Read all files, several at a time; see :meth:`Source.bars`."""
        if calendar.name != ALWAYS_OPEN:
            raise SourceError(
                f"{type(self).__name__} files below {base}",
                [f"the exchange never closes: say calendar: '24/7 1h', not {calendar.name}"],
            )
        paths = {path_name(path, base): path for path in self.files(base)}
        read = self._read(paths, calendar)
        told = [(name, problem) for name, (_, said) in read.items() for problem in said.problems]
        told = [*self._name_problems(list(paths)), *told]
        if told:
            raise SourceError(f"{type(self).__name__} files below {base}", told_once(told))
        for _, said in read.values():
            findings.extend(said.findings)
        return [rows.bars for rows, _ in read.values() if rows is not None]

    def places(self, base: Path, calendar: Calendar, wanted: "polars.DataFrame") -> list[list[str]]:
        """Return the file and line of each value; see :meth:`Source.places`."""
        import polars as pl

        found: list[list[str]] = [[] for _ in range(wanted.height)]
        asked = wanted.with_row_index("place").select(
            "place", pl.col("asset").cast(pl.String), "bar_close"
        )
        for path in self.files(base):
            ((rows, _),) = self._read({path_name(path, base): path}, calendar).values()
            if rows is None:
                continue
            keys = rows.bars.select("bar_close", "asset").with_row_index("row")
            pairs = keys.join(asked, on=["asset", "bar_close"]).sort("row", "place")
            for row, place in pairs.select("row", "place").iter_rows():
                found[place].append(rows.table.where(row))
        return found

    @abstractmethod
    def rows(self, path: Path, name: str, calendar: Calendar, told: Told) -> Rows | None:
        """Return the rows of one file, or None; append what is wrong with it.

        Parameters
        ----------
        path : file to read.
        name : how messages call it.
        calendar : the grid of the bars.
        told : what is said of the file is appended to it.
        """

    @abstractmethod
    def asset_in(self, stem: str) -> str | None:
        """Return the asset that a file's name tells, or None.

        Parameters
        ----------
        stem : the name without folders and without ``.csv``, ``.csv.gz`` or ``.zip``.
        """

    @abstractmethod
    def _parameter_problems(self) -> list[str]:
        """Return what is wrong with the parameters of its own."""

    def asset_of(self, name: str, problems: list[str]) -> str:
        """Return the asset of a file; append that neither its name nor ``asset`` tells it."""
        told = self.asset or self.asset_in(stem_of(name))
        if told is None:
            problems.append(
                f"{name}: its name does not tell an asset as in {self.example}; say asset"
            )
        return told or ""

    def _read(
        self, paths: dict[str, Path], calendar: Calendar
    ) -> dict[str, tuple[Rows | None, Told]]:
        def read(name: str, path: Path) -> tuple[Rows | None, Told]:
            told = Told()
            return self.rows(path, name, calendar, told), told

        n_threads = max(1, min(_THREADS, os.cpu_count() or 1, len(paths)))
        with ThreadPoolExecutor(n_threads) as pool:
            jobs = {name: pool.submit(partial(read, name, path)) for name, path in paths.items()}
            return {name: job.result() for name, job in jobs.items()}

    def _name_problems(self, names: Sequence[str]) -> list[tuple[str, str]]:
        """Return that one asset was stated for files whose names tell several."""
        assets = sorted({a for name in names if (a := self.asset_in(stem_of(name))) is not None})
        if self.asset is None or len(assets) < 2:
            return []
        problem = (
            f"asset: {self.asset} is said of files of {len(assets)} assets: {listed(assets, 5)}; "
            "take those of one asset"
        )
        return [("", problem)]


def stem_of(name: str) -> str:
    """Return the name of a file without folders and without the endings of an archive's files."""
    return _PACKED.sub("", PurePosixPath(name).name)

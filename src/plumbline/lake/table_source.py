"""Sources that are files of tables: what CSV, Parquet and Arrow share."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from plumbline.lake.selection import names_in
from plumbline.lake.source import find_files, path_name
from plumbline.lake.tabular_source import TabularSource

if TYPE_CHECKING:
    from plumbline.lake.raw_table import RawTable


@dataclass(frozen=True)
class TableSource(TabularSource):
    """Files of tables.

    Parameters
    ----------
    paths : files or glob patterns, relative to the base folder; one text or several.

    Raises
    ------
    ParameterError
        If a value is none of these.
    """

    paths: str | Sequence[str]

    endings: ClassVar[tuple[str, ...]] = ()  # of the files that a folder stands for, if it may

    def __post_init__(self) -> None:
        object.__setattr__(self, "paths", names_in(self.paths))
        TabularSource.__post_init__(self)

    def files(self, base: Path) -> tuple[Path, ...]:
        """Return the files that the paths find."""
        return find_files(self.paths, base, self.endings)

    def only(self, files: Sequence[Path]) -> "TableSource":
        """Return the source that reads some of its files alone."""
        return replace(self, paths=[str(path.absolute()) for path in files])

    def tables(self, base: Path) -> "Iterator[tuple[str, RawTable | None, list[str]]]":
        """Yield the table of each file; see :meth:`TabularSource.tables`."""
        for path in self.files(base):
            name, problems = path_name(path, base), list[str]()
            yield name, self.table(path, name, problems), problems

    def subject(self, base: Path) -> str:
        """Return what messages call all of it."""
        return f"{type(self).__name__} files below {base}"

    @abstractmethod
    def table(self, path: Path, name: str, problems: list[str]) -> "RawTable | None":
        """Return a file's table as it is written, or None; append what is wrong with it.

        Parameters
        ----------
        path : file to read.
        name : how messages call it.
        problems : list that problems are appended to.
        """

    def _place_problems(self) -> list[str]:
        if not self.paths or not all(self.paths):
            return ["paths must name at least one file or pattern"]
        return []

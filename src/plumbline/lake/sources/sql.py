"""Bars that a query of a database gives."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from plumbline.core.settings import named_variable
from plumbline.lake.remote_source import Fetch, Portion, RemoteSource, portion_name
from plumbline.lake.tabular_source import TabularSource

if TYPE_CHECKING:
    from sqlalchemy import URL

    from plumbline.lake.raw_table import RawTable

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_WRITTEN = "cannot be read: it is written dialect://user:${VARIABLE}@host/database"
_SECRET = re.compile(r"pass|pwd|secret|token", re.IGNORECASE)


@final
@dataclass(frozen=True)
class Sql(RemoteSource, TabularSource):
    """Rows of a query, in long or wide form, by any driver of SQLAlchemy that is installed.

    The query runs in a transaction that can only read, and its rows are streamed. What was read
    is known by a digest of its rows: let the query order them, and rows that are the same are
    recognised.

    Parameters
    ----------
    url : SQLAlchemy URL, such as ``postgresql+psycopg://reader:${PASSWORD}@host/prices`` or
        ``sqlite:///prices.db``, whose file is relative to the base folder. ``${PASSWORD}`` is an
        environment variable; a password in plain letters is refused, since URLs are kept. One
        that the driver finds by itself, as in ``~/.pgpass``, is left out.
    query : SQL that gives the rows.

    Raises
    ------
    ParameterError
        If a value is none of these.

    References
    ----------
    SQLAlchemy 2.0, "Engine configuration: database URLs".
    """

    url: str
    query: str

    @property
    def label(self) -> str:
        """Return kind, host and name of the database, without user and password."""
        url = self._url()
        return f"{url.get_backend_name()} {'/'.join(filter(None, (url.host, url.database)))}"

    def portions(self, fetch: Fetch) -> Iterator[Portion]:
        """Yield the rows of the query; see :meth:`RemoteSource.portions`."""
        from plumbline.lake.query import rows_of

        url = self._url(reveal=True)
        asked = rows_of(url, self.query, fetch, self.timeout_seconds)
        for number, frame in enumerate(asked):
            buffer = io.BytesIO()
            frame.write_ipc(buffer, compression="zstd")
            yield Portion(f"{number:06}", buffer.getvalue(), is_final=False)

    def tables(self, base: Path) -> "Iterator[tuple[str, RawTable | None, list[str]]]":
        """Yield the kept portions of rows; see :meth:`TabularSource.tables`."""
        import polars as pl

        from plumbline.lake.query import PORTION_ROWS
        from plumbline.lake.raw_table import RawTable

        for path in self.files(base):
            first = int(portion_name(path)) * PORTION_ROWS
            name = "query" if not first else f"query, rows behind {first}"
            yield name, RawTable(name, pl.read_ipc(path.read_bytes())), []

    def subject(self, _base: Path) -> str:
        """Return what messages call all of it."""
        return f"rows of {self.label}"

    def _url(self, *, reveal: bool = False) -> "URL":
        """Return the URL; if it is to be revealed, with variables in the place of their names."""
        from sqlalchemy import make_url

        url = make_url(self.url)
        if not reveal:
            return url

        def filled(text: str) -> str:
            return _VARIABLE.sub(lambda found: named_variable(found[1]), text)

        if url.password is not None:
            url = url.set(password=filled(str(url.password)))
        return url.set(query={key: _each(filled, value) for key, value in url.query.items()})

    def _place_problems(self) -> list[str]:
        from sqlalchemy.exc import ArgumentError

        problems = self._patience_problems()
        if not self.query.strip():
            problems.append("query must be SQL that gives rows")
        try:
            url = self._url()
        except (ArgumentError, ValueError):
            problems.append(f"the URL {_WRITTEN}")
            return problems
        words = {
            "password": url.password,
            **{key: value for key, value in url.query.items() if _SECRET.search(key)},
        }
        plain = [key for key, value in words.items() if value and not _VARIABLE.search(str(value))]
        if plain:  # whoever shows a problem shows the value of a parameter that it names
            problems.append(
                f"the URL holds a {plain[0]} in plain letters, which the ledger would keep: put it "
                "into an environment variable and write ${VARIABLE} in its place"
            )
        return problems


def _each(function: Any, value: Any) -> Any:
    return function(value) if isinstance(value, str) else tuple(map(function, value))

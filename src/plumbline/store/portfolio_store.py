"""What a store of portfolios can do, wherever it keeps them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import final

import polars as pl


@final
@dataclass(frozen=True, eq=False)
class Chunk:
    """Portfolio-days that are written together, in one transaction.

    Parameters
    ----------
    days : ``portfolio date owner key``, a row a portfolio-day, in any order; the key has 32 hex
        digits.
    frames : snapshots, exposures, measures, sectors, stress and failures: rows of these days alone,
        sorted by portfolio and date; what is left out has no rows.
    """

    days: pl.DataFrame
    frames: Mapping[str, pl.DataFrame]


@final
@dataclass(frozen=True)
class Written:
    """What a call wrote.

    Parameters
    ----------
    rows : packed rows: portfolio-days, or dates.
    statements : that the database executed, commits included, tries that failed included.
    seconds : wall clock.
    n_bytes : of the file, or of what was sent to the server.
    """

    rows: int
    statements: int
    seconds: float
    n_bytes: int


class PortfolioStore(ABC):
    """Results of portfolios on every date.

    A portfolio-day is there whole or not at all, for every reader at every moment. What is read
    equals what was written bit for bit, types included; null stands for what is missing. Calls
    that fail leave what was there.

    All calls raise :class:`~plumbline.core.errors.StoreError` if the disk or the server refuses,
    with what to do, and :class:`~plumbline.core.errors.ParameterError` for what cannot be stored.
    """

    @property
    @abstractmethod
    def label(self) -> str:
        """Return where it is, as people know it, without a password."""

    @property
    @abstractmethod
    def statements(self) -> int:
        """Return how many statements it has executed since it was opened, commits included."""

    @abstractmethod
    def keys(self) -> pl.DataFrame:
        """Return ``portfolio date key n_failures`` of all portfolio-days, sorted."""

    @abstractmethod
    def write(self, chunk: Chunk, run_id: str) -> Written:
        """Write portfolio-days in place of what is there of them; the same again changes nothing.

        Parameters
        ----------
        chunk : what; all of it is seen from one moment on.
        run_id : who.
        """

    @abstractmethod
    def remove(self, days: pl.DataFrame, run_id: str) -> Written:
        """Remove portfolio-days; those that are not there stay so.

        Parameters
        ----------
        days : ``portfolio date``.
        run_id : who.
        """

    @abstractmethod
    def date_keys(self) -> pl.DataFrame:
        """Return ``date key`` of the tables of dates, sorted."""

    @abstractmethod
    def write_dates(
        self, tables: Mapping[str, pl.DataFrame], keys: pl.DataFrame, run_id: str
    ) -> Written:
        """Write the tables of dates that belong to no portfolio, in place of what is there of them.

        Parameters
        ----------
        tables : ``correlations``, a row a date; ``symbols`` and ``options``, rows by date. What is
            left out is not there then.
        keys : ``date key``, of the same dates; the key has 32 hex digits.
        run_id : who.
        """

    @abstractmethod
    def remove_dates(self, dates: Sequence[date], run_id: str) -> Written:
        """Remove the tables of dates that belong to no portfolio; those not there stay so.

        Parameters
        ----------
        dates : each once.
        run_id : who.
        """

    @abstractmethod
    def writers(self) -> list[str]:
        """Return which runs wrote the newest day of each portfolio, sorted; files may name more."""

    @abstractmethod
    def read(
        self,
        table: str,
        *,
        portfolios: Sequence[str] | None = None,
        first: date | None = None,
        last: date | None = None,
    ) -> pl.DataFrame:
        """Return rows of a table, sorted by portfolio and date, within a day as they were written.

        Parameters
        ----------
        table : snapshots, exposures, measures, sectors, stress, failures, correlations, symbols or
            options. Measures have the columns of all layouts among the rows, null where a layout
            lacks one.
        portfolios : whose; None for all, an empty one for none. Correlations, symbols and options
            have no portfolio.
        first, last : dates, both included.
        """

    @abstractmethod
    def latest(self, table: str = "snapshots") -> pl.DataFrame:
        """Return the rows of each portfolio's newest date, sorted by portfolio.

        Parameters
        ----------
        table : as in :meth:`read`, without those of dates.
        """

    @abstractmethod
    def sql(self, query: str) -> pl.DataFrame:
        """Return the rows of a query over the views snapshots, measures, exposures, … of SQL.

        It can only read. Beside the tables there is ``days``: ``portfolio date owner key
        n_failures``.
        """

    @abstractmethod
    def compact(self) -> int:
        """Let go of what was replaced and merge small files; return how many files there are less.

        Readers are not disturbed.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of connections."""

"""A circuit breaker for each remote source: after failures in a row it stops asking for a while.

Its last state lies in the metadata database, so that the next process, and ``plumbline doctor``,
know of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, final

from sqlalchemy import delete, insert, select

from plumbline.core.settings import clock_time
from plumbline.lake.tables import breakers
from plumbline.ledger.database import Database

FAILURES = 5
"""Failures in a row after which a breaker opens."""
COOLDOWN = timedelta(seconds=60)
"""How long an open breaker lets no call pass."""


@final
@dataclass(frozen=True)
class BreakerState:
    """What a breaker knows.

    Parameters
    ----------
    source : what it guards.
    state : ``closed`` lets calls pass, ``open`` none, ``half_open`` one to see how it goes.
    failures : failures in a row.
    last_error : what the last of them said; empty if there was none.
    since : when the state began, UTC.
    """

    source: str
    state: Literal["closed", "open", "half_open"]
    failures: int
    last_error: str
    since: datetime


@final
class Breaker:
    """The breaker of one remote source.

    Parameters
    ----------
    source : name of what it guards, without any secret.
    database : where its state is kept; None keeps it in this process alone.
    clock : tells the time in UTC, without a zone.
    """

    def __init__(
        self,
        source: str,
        database: Database | None,
        clock: Callable[[], datetime] = clock_time,
    ) -> None:
        self._database = database
        self._clock = clock
        self.state = BreakerState(source, "closed", 0, "", clock())
        for known in breaker_states(database):
            if known.source == source:
                self.state = known

    def refusal(self) -> str | None:
        """Return why no call may pass, or None; an open breaker becomes half open in time."""
        if self.state.state != "open":
            return None
        until = self.state.since + COOLDOWN
        if self._clock() < until:
            return (
                f"is not asked before {until:%Y-%m-%d %H:%M:%S} UTC, because it failed "
                f"{self.state.failures} times in a row, the last time with: "
                f"{self.state.last_error}"
            )
        self._become(replace(self.state, state="half_open", since=self._clock()))
        return None

    def succeeded(self) -> None:
        """Close: a call went well."""
        if self.state.state != "closed":
            self._become(replace(self.state, state="closed", failures=0, since=self._clock()))
        elif self.state.failures:
            self._become(replace(self.state, failures=0))

    def failed(self, error: str) -> None:
        """Count a failure; open at the fifth in a row, so at the first of a half-open breaker."""
        counted = replace(self.state, failures=self.state.failures + 1, last_error=error)
        if counted.failures >= FAILURES:
            counted = replace(counted, state="open", since=self._clock())
        self._become(counted)

    def _become(self, state: BreakerState) -> None:
        self.state = state
        if self._database is None or self._database.is_read_only:
            return
        with self._database.begin() as connection:
            connection.execute(delete(breakers).where(breakers.c.source == state.source))
            row = {**vars(state), "since": state.since.replace(tzinfo=UTC)}
            connection.execute(insert(breakers), [row])


def breaker_states(database: Database | None) -> list[BreakerState]:
    """Return the last state of every breaker that a database knows, by name of its source."""
    if database is None:
        return []
    with database.read() as connection:
        rows = connection.execute(select(breakers).order_by(breakers.c.source)).all()
    return [
        BreakerState(row.source, row.state, row.failures, row.last_error, _naive(row.since))
        for row in rows
    ]


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment

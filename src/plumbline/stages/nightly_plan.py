"""Which portfolio-days are missing, out of date or failed, and what computes them together."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Final, final

import numpy as np
import polars as pl
from jaxtyping import Bool, UInt8

from plumbline.core.errors import ParameterError
from plumbline.risk.portfolio_keys import key_texts
from plumbline.stages.nightly_inputs import NightlyInputs
from plumbline.stages.portfolio_books import portfolios_of_books
from plumbline.store.portfolio_store import PortfolioStore

Places = tuple[np.ndarray, np.ndarray, pl.DataFrame]
_HEX: Final = 16
_EXTRA_DAYS: Final = 1_000  # portfolio-days that take as long as preparing symbols once more
_PATTERNS: Final = 256  # sets of dates that are looked at one by one, to be joined
_GROUPS: Final = 6  # sets of dates that are measured one by one; with more, all dates at once


class State(IntEnum):
    """What a plan says of a portfolio-day."""

    NOT_ASKED = 0
    CURRENT = 1
    KEPT = 2
    MISSING = 3
    CHANGED = 4
    CODE = 5
    FAILED = 6
    FORCED = 7

    @property
    def words(self) -> str:
        """Return why it is in this state."""
        return _WORDS[self]


_WORDS: Final = {
    State.NOT_ASKED: "not asked for",
    State.CURRENT: "up to date",
    State.KEPT: "kept, though made by other code",
    State.MISSING: "not there yet",
    State.CHANGED: "prices, trades or settings changed",
    State.CODE: "code changed",
    State.FAILED: "an analytic failed",
    State.FORCED: "to be computed again, as asked",
}


@final
@dataclass(frozen=True)
class Choice:
    """Which portfolio-days a plan may touch, and how.

    Parameters
    ----------
    portfolios : names; None for all.
    is_forced : whether those that are up to date are computed again.
    only_failed : whether those alone are computed of which an analytic failed.
    """

    portfolios: tuple[str, ...] | None = None
    is_forced: bool = False
    only_failed: bool = False


@final
@dataclass(frozen=True, eq=False)
class Group:
    """Portfolios that are measured together on the same dates.

    Parameters
    ----------
    portfolios : names, sorted.
    dates : sorted.
    is_all : whether they are all portfolios of the book.
    """

    portfolios: tuple[str, ...]
    dates: tuple[date, ...]
    is_all: bool


@final
@dataclass(frozen=True, eq=False)
class NightlyPlan:
    """What a nightly run would compute.

    Parameters
    ----------
    inputs : that it reads.
    states : (P, T) of each portfolio-day.
    gone : ``portfolio date`` of portfolio-days that the store holds from before a portfolio opens.
    dates : whose shared tables are missing or out of date.
    others : portfolios that the store holds and the book lacks.
    """

    inputs: NightlyInputs
    states: UInt8[np.ndarray, "portfolios sessions"]
    gone: pl.DataFrame
    dates: tuple[date, ...]
    others: tuple[str, ...] = ()

    @property
    def is_due(self) -> Bool[np.ndarray, "portfolios sessions"]:
        """Return which portfolio-days are computed."""
        return np.asarray(self.states >= State.MISSING)

    @property
    def counts(self) -> dict[str, int]:
        """Return state -> number of portfolio-days; those that are not asked for left out."""
        found = np.bincount(self.states.ravel(), minlength=len(State))
        return {s.name.lower(): int(found[s]) for s in State if s and found[s]}

    @property
    def span(self) -> tuple[date, date] | None:
        """Return the first and last date that is asked for; None if no portfolio is open on any."""
        asked = np.flatnonzero((self.states != State.NOT_ASKED).any(axis=0))
        if not asked.size:
            return None
        first, last = self.inputs.keys.dates[asked[[0, -1]]].astype("datetime64[D]").tolist()
        return first, last

    @property
    def is_done(self) -> bool:
        """Return whether there is nothing to do."""
        return not (self.is_due.any() or self.gone.height or self.dates)

    def listed(self) -> pl.DataFrame:
        """Return ``portfolio reason days first last`` of what is computed, sorted."""
        rows, columns = np.nonzero(self.is_due)
        keys = self.inputs.keys
        words = pl.Series([state.words for state in State])
        frame = pl.DataFrame(
            {
                "portfolio": pl.Series(list(keys.portfolios), dtype=pl.String).gather(rows),
                "reason": words.gather(self.states[rows, columns]),
                "date": keys.dates[columns].astype("datetime64[D]"),
            }
        )
        return (
            frame.group_by("portfolio", "reason")
            .agg(
                pl.len().alias("days"),
                pl.col("date").min().alias("first"),
                pl.col("date").max().alias("last"),
            )
            .sort("portfolio", "first")
        )

    def reasons(self) -> pl.DataFrame:
        """Return ``reason days portfolios first last`` of what is computed, most days first."""
        listed = self.listed().group_by("reason", maintain_order=True)
        return listed.agg(
            pl.col("days").sum(),
            pl.len().alias("portfolios"),
            pl.col("first").min(),
            pl.col("last").max(),
        ).sort("days", descending=True, maintain_order=True)

    def groups(self) -> Iterator[Group]:
        """Yield what is measured together: portfolios that lack the same dates.

        Where few lack some of the dates of others, they are measured on all of these; if there are
        many sets, all that lack any date on all that any lacks. What is not due is not written.
        """
        due = self.is_due
        alike: dict[bytes, list[int]] = {}
        for row in np.flatnonzero(due.any(axis=1)).tolist():
            alike.setdefault(due[row].tobytes(), []).append(row)
        sets = []
        if len(alike) <= _PATTERNS:
            every = np.arange(due.shape[0])
            sets = _merged([(np.isin(every, rows), due[rows[0]]) for rows in alike.values()])
        if len(alike) > _PATTERNS or len(sets) > _GROUPS:
            sets = [(np.asarray(due.any(axis=1)), np.asarray(due.any(axis=0)))]
        keys = self.inputs.keys
        for members, days in sets:
            names = tuple(np.array(keys.portfolios, dtype=object)[members])
            dates = tuple(keys.dates[days].astype("datetime64[D]").tolist())
            yield Group(names, dates, bool(members.all()))


def _merged(
    sets: list[tuple[np.ndarray, np.ndarray]],
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return sets of portfolios and dates, those joined to a wider one that add little to it."""
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for members, days in sorted(sets, key=lambda one: -int(one[1].sum())):  # stable
        for at, (others, wider) in enumerate(found):
            extra = int(members.sum()) * int(wider.sum() - days.sum())
            if not (days & ~wider).any() and extra <= _EXTRA_DAYS:
                found[at] = (others | members, wider)
                break
        else:
            found.append((members, days))
    return found


def nightly_plan(
    inputs: NightlyInputs, store: PortfolioStore, choice: Choice | None = None
) -> NightlyPlan:
    """Return what a run would compute; nothing is computed or written.

    Parameters
    ----------
    inputs : of the run.
    store : that holds what there is.
    choice : which portfolio-days may be touched.

    Raises
    ------
    ParameterError
        If a portfolio is chosen that the book lacks, or the store serves another book.

    Notes
    -----
    Cost: a pass over lines x sessions for the keys, and one over the keys of the store.
    """
    choice = choice or Choice()
    with ThreadPoolExecutor(1) as thread:  # the store answers while the keys are made
        answer = thread.submit(store.keys)
        keys = inputs.keys
        known = answer.result()
    asked = np.broadcast_to(inputs.wanted, keys.words.shape) & (
        np.arange(keys.dates.size) >= keys.opened[:, None]
    )
    if choice.portfolios is not None:
        names = set(inputs.book.only(choice.portfolios).portfolios["portfolio"])
        asked = asked & np.array([name in names for name in keys.portfolios])[:, None]
    held = known["portfolio"].unique(maintain_order=True)
    others = tuple(held.filter(~held.is_in(list(keys.portfolios))).to_list())
    _refuse_other_books(inputs, others)
    places = _places(inputs, known)
    states = _states(inputs, places, choice)
    states[~asked] = State.NOT_ASKED
    gone, dates = _gone(inputs, places), _dates(inputs, store, choice)
    return NightlyPlan(inputs, states, gone, dates, others)


def _refuse_other_books(inputs: NightlyInputs, others: Sequence[str]) -> None:
    """Refuse a book beside another one of the project: a store holds each portfolio once."""
    own, stored = set(inputs.keys.portfolios), set(others)
    name = str(inputs.recipe.document["book"])
    for book, portfolios in portfolios_of_books(inputs.project).items():
        shared = sorted(own.intersection(portfolios)) if book != name else []
        served = sorted(stored.intersection(portfolios)) if book != name else []
        advice = (
            "a store serves one book, for a portfolio stands in it once; take the other book away "
            f"with: plumbline portfolios forget {book}, or give this one a store of its own, such "
            "as --store postgresql://…?schema=NAME, or a project of its own"
        )
        if served:
            raise ParameterError(
                f"the store holds {served[0]!r}, a portfolio of book {book!r}: {advice}"
            )
        if shared:
            raise ParameterError(
                f"portfolio {shared[0]!r} stands in the books {name!r} and {book!r}: {advice}"
            )


def _states(
    inputs: NightlyInputs, places: Places, choice: Choice
) -> UInt8[np.ndarray, "portfolios sessions"]:
    keys = inputs.keys
    states = np.full(keys.words.shape, State.MISSING, dtype=np.uint8)
    rows, columns, known = places
    words = known["key"].str.slice(0, _HEX).str.to_integer(base=16, dtype=pl.UInt64).to_numpy()
    is_same = words == keys.words[rows, columns]
    is_own_code = (known["key"].str.slice(_HEX) == inputs.code[:_HEX]).to_numpy()
    of_code = State.KEPT if inputs.keeps_code else State.CODE
    found = np.where(is_same, np.where(is_own_code, State.CURRENT, of_code), State.CHANGED)
    has_failed = (known["n_failures"] > 0).to_numpy() & is_same
    found = np.where(has_failed, State.FAILED, found)
    states[rows, columns] = found
    if choice.is_forced:
        states[(states == State.CURRENT) | (states == State.KEPT)] = State.FORCED
    if choice.only_failed:
        states[(states != State.FAILED) & (states >= State.MISSING)] = State.NOT_ASKED
    return states


def _places(inputs: NightlyInputs, known: pl.DataFrame) -> Places:
    """Return row and column of the stored portfolio-days that the book and the prices have."""
    keys = inputs.keys
    rows = known["portfolio"].cast(pl.Enum(keys.portfolios), strict=False).to_physical()
    dates = known["date"].to_numpy().astype("datetime64[D]")
    columns = np.searchsorted(keys.dates, dates)
    is_session = keys.dates[np.minimum(columns, keys.dates.size - 1)] == dates
    is_there = rows.is_not_null() & pl.Series(is_session)
    own = known.filter(is_there)
    return rows.filter(is_there).to_numpy().astype(np.int64), columns[is_there.to_numpy()], own


def _gone(inputs: NightlyInputs, places: Places) -> pl.DataFrame:
    """Return the stored portfolio-days from before their portfolio opens."""
    rows, columns, own = places
    is_before = columns < inputs.keys.opened[rows]
    return own.filter(pl.Series(is_before)).select("portfolio", "date")


def _dates(inputs: NightlyInputs, store: PortfolioStore, choice: Choice) -> tuple[date, ...]:
    """Return the dates whose shared tables are to be made."""
    if choice.only_failed:
        return ()
    keys = inputs.keys
    stored = dict(store.date_keys().iter_rows())
    asked = inputs.wanted & (np.arange(keys.dates.size) >= keys.opened.min(initial=keys.dates.size))
    texts = shared_keys(inputs, np.flatnonzero(asked))
    return tuple(
        day for day, text in texts.items() if not _holds(stored.get(day), text, inputs.keeps_code)
    )


def _holds(stored: str | None, key: str, keeps_code: bool) -> bool:
    if stored is None:
        return False
    return stored == key or (keeps_code and stored[:_HEX] == key[:_HEX])


def shared_keys(inputs: NightlyInputs, sessions: Sequence[int] | np.ndarray) -> Mapping[date, str]:
    """Return date -> key of the tables of a session that belong to no portfolio."""
    keys = inputs.keys
    texts = key_texts(keys.shared[sessions], inputs.code)
    dates = keys.dates[sessions].astype("datetime64[D]").tolist()
    return dict(zip(dates, texts, strict=True))

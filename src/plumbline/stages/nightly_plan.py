"""Which portfolio-days are missing, out of date or failed, and what computes them together."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Final, final

import numpy as np
import polars as pl
import yaml
from jaxtyping import Bool, UInt8

from plumbline.core.errors import ParameterError
from plumbline.ledger.queries import recipes_of_runs
from plumbline.risk.portfolio_keys import key_texts
from plumbline.stages.nightly_inputs import NightlyInputs
from plumbline.stages.portfolio_books import book_names
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
    gone : ``portfolio date`` of portfolio-days that the store holds from before a portfolio opens,
        or of dates that are no session of the prices any more.
    dates : whose shared tables are missing or out of date.
    gone_dates : of shared tables that the store holds and no portfolio is open on.
    others : portfolios that the store holds and the book lacks.
    """

    inputs: NightlyInputs
    states: UInt8[np.ndarray, "portfolios sessions"]
    gone: pl.DataFrame
    dates: tuple[date, ...]
    gone_dates: tuple[date, ...] = ()
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
        return not (self.is_due.any() or self.gone.height or self.dates or self.gone_dates)

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
        If a portfolio is chosen that the book lacks, or the store is another book's or project's.

    Notes
    -----
    Cost: a pass over lines x sessions for the keys, and one over the keys of the store.
    """
    choice = choice or Choice()
    with ThreadPoolExecutor(1) as thread:  # the store answers while the keys are made
        answer = thread.submit(_stored, store)
        keys = inputs.keys
        known, known_dates, writers = answer.result()
    _refuse_other_books(inputs, store.label, writers)
    asked = np.broadcast_to(inputs.wanted, keys.words.shape) & (
        np.arange(keys.dates.size) >= keys.opened[:, None]
    )
    chosen = inputs.book.portfolios["portfolio"]
    if choice.portfolios is not None:
        chosen = inputs.book.only(choice.portfolios).portfolios["portfolio"]
        names = set(chosen)
        asked = asked & np.array([name in names for name in keys.portfolios])[:, None]
    held = known["portfolio"].unique(maintain_order=True)
    others = tuple(held.filter(~held.is_in(list(keys.portfolios))).to_list())
    known = known.filter(pl.col("portfolio").is_in(keys.portfolios))
    is_session = known["date"].is_in(pl.Series(keys.dates.astype("datetime64[D]")).implode())
    places = _places(inputs, known.filter(is_session))
    states = _states(inputs, places, choice)
    states[~asked] = State.NOT_ASKED
    early = _before_opening(inputs, places)
    gone = pl.concat([early, known.filter(~is_session).select(early.columns)]).sort(early.columns)
    gone = gone.filter(pl.col("portfolio").is_in(chosen.implode()))
    stored = dict(known_dates.iter_rows())
    dates, gone_dates = _dates(inputs, stored), _gone_dates(inputs, stored)
    if choice.only_failed:
        gone, dates, gone_dates = gone.clear(), (), ()
    elif choice.portfolios is not None:  # the others may hold days of such dates
        gone_dates = ()
    return NightlyPlan(inputs, states, gone, dates, gone_dates, others)


def _stored(store: PortfolioStore) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    return store.keys(), store.date_keys(), store.writers()


def _refuse_other_books(inputs: NightlyInputs, label: str, writers: Sequence[str]) -> None:
    """Refuse a store that another project or book writes to: it holds each portfolio once."""
    recipes = recipes_of_runs(inputs.project.database, writers)
    own, known = str(inputs.recipe.document["book"]), book_names(inputs.project)
    apart = (
        "give this one a store of its own, such as --store postgresql://…?schema=NAME, or a "
        "project of its own"
    )
    for run_id in writers:
        if run_id not in recipes:
            raise ParameterError(
                f"the store {label} holds portfolios by run {run_id}, which this project does not "
                f"know: another project writes there, and each would replace what the other made; "
                f"{apart}. To take its portfolios over: plumbline risk forget --all"
            )
        book = str(yaml.safe_load(recipes[run_id])["book"])
        if book != own and book in known:
            raise ParameterError(
                f"the store {label} holds portfolios of book {book!r}, by run {run_id}, and a "
                f"store serves one book, for a portfolio stands in it once; take that book away "
                f"with: plumbline portfolios forget {book}, or {apart}"
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
    """Return row and column of stored portfolio-days, which the book and the prices have."""
    keys = inputs.keys
    rows = known["portfolio"].cast(pl.Enum(keys.portfolios)).to_physical().to_numpy()
    columns = np.searchsorted(keys.dates, known["date"].to_numpy().astype("datetime64[D]"))
    return rows.astype(np.int64), columns, known


def _before_opening(inputs: NightlyInputs, places: Places) -> pl.DataFrame:
    """Return the stored portfolio-days from before their portfolio opens."""
    rows, columns, own = places
    is_before = columns < inputs.keys.opened[rows]
    return own.filter(pl.Series(is_before)).select("portfolio", "date")


def _dates(inputs: NightlyInputs, stored: Mapping[date, str]) -> tuple[date, ...]:
    """Return the dates whose shared tables are to be made."""
    texts = shared_keys(inputs, np.flatnonzero(inputs.wanted & _is_open(inputs)))
    return tuple(
        day for day, text in texts.items() if not _holds(stored.get(day), text, inputs.keeps_code)
    )


def _gone_dates(inputs: NightlyInputs, stored: Mapping[date, str]) -> tuple[date, ...]:
    """Return the dates of stored shared tables on which no portfolio is open."""
    known = set(inputs.keys.dates[_is_open(inputs)].astype("datetime64[D]").tolist())
    return tuple(sorted(stored.keys() - known))


def _is_open(inputs: NightlyInputs) -> Bool[np.ndarray, " sessions"]:
    """Return on which sessions any portfolio is open."""
    keys = inputs.keys
    return np.asarray(np.arange(keys.dates.size) >= keys.opened.min(initial=keys.dates.size))


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

"""What a regime is: a market's states, told bar by bar from its past alone; and their room."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.core.plugin import Plugin, Room

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Regime(Plugin, ABC):
    """A way to tell in which of a few states a market is, from its returns up to the bar.

    A regime is a frozen dataclass in a file of its own in ``factors/regimes``; its fields are its
    parameters and its docstring is its page, with its source under ``References``. It filters and
    never smooths: a state that later bars have corrected was known to nobody at its bar.
    """

    @property
    @abstractmethod
    def labels(self) -> tuple[str, ...]:
        """Return the names of the states, in their order."""

    @property
    @abstractmethod
    def warm_up(self) -> int:
        """Return how many bars before a row that row may depend on.

        Rows computed from returns that begin this many bars earlier have the same bits as rows of
        the whole series.
        """

    @property
    def least_bars(self) -> int:
        """Return the fewest bars after which a state can exist.

        A plan compares it with the data, so it must not be too many; 1, the default, promises
        nothing.
        """
        return 1

    @abstractmethod
    def probabilities(
        self, returns: Float[np.ndarray, " bars"], *, first_bar: int = 0
    ) -> Float[np.ndarray, "bars states"]:
        """Return the probability of each state at each bar, given the bars up to it.

        Parameters
        ----------
        returns : (T,) returns of the market, decimal per bar; what is not finite is missing.
        first_bar : calendar number of the first of them.

        Returns
        -------
        (T, S) in the order of ``labels``, rows of sum 1, or NaN where the data do not suffice. Row
        t reads rows t - ``warm_up`` … t.
        """

    def states(self, market: Panel) -> Panel:
        """Return the most probable state of each bar, and the probabilities of all.

        Parameters
        ----------
        market : holds ``return`` of one asset or factor, decimal per bar.

        Returns
        -------
        A panel with the axes of ``market``: ``state``, the place in ``labels`` of the most probable
        state, the first of equals; ``probability_<label>`` of each. NaN where there is none.

        Raises
        ------
        MissingDataError
            If the panel lacks ``return``.
        ParameterError
            If it does not have one column.
        """
        values = market["return"]
        if market.n_assets != 1:
            raise ParameterError(
                f"a regime reads one series, got {market.n_assets} columns: choose one with "
                "Panel.select, or take their mean with equal_weight_return"
            )
        found = self.probabilities(values[:, 0], first_bar=market.first_bar)
        has_state = np.isfinite(found).all(axis=1)
        state = np.where(has_state, np.where(has_state[:, None], found, 0.0).argmax(axis=1), np.nan)
        fields = {f"probability_{label}": found[:, [s]] for s, label in enumerate(self.labels)}
        return market.only([]).with_fields({"state": state[:, None], **fields})


regimes: Room[Regime] = Room("plumbline.factors.regimes", Regime)


def equal_weight_return(returns: Panel, members: Panel | None = None) -> Panel:
    """Return the mean return of all assets, or of the members of a universe, as one series.

    Parameters
    ----------
    returns : holds ``return``, decimal per bar.
    members : holds ``member``, 1 or 0, on the same axes.

    Returns
    -------
    A panel with the field ``return`` of the one asset ``equal_weight``; NaN on a bar on which no
    asset has a return. A bar's mean is over its own members: it is known at the bar's close.
    """
    values = returns["return"]
    is_there = np.isfinite(values)
    if members is not None:
        is_there &= members["member"] == 1
    n_assets = is_there.sum(axis=1)
    total = np.where(is_there, values, 0.0).sum(axis=1)
    mean = np.divide(total, n_assets, out=np.full(len(total), np.nan), where=n_assets > 0)
    return Panel(
        {"return": mean[:, None]},
        returns.bars,
        ("equal_weight",),
        known_at=returns.known_at,
        first_bar=returns.first_bar,
    )


def state_labels(states: Float[np.ndarray, " bars"], labels: Sequence[str]) -> list[str | None]:
    """Return the label of each bar's state, or None where it has none.

    Parameters
    ----------
    states : (T,) places in ``labels``; NaN where there is none.
    labels : those of the regime.
    """
    return [None if np.isnan(place) else labels[int(place)] for place in states]


def state_table(name: str, market: Panel, labels: Sequence[str]) -> "pl.DataFrame":
    """Return the state of each bar that has one.

    Parameters
    ----------
    name : of the regime.
    market : one asset; field ``<name>`` is the place of the state in ``labels``, field
        ``<name>:<label>`` the probability of a state.
    labels : of its states.

    Returns
    -------
    bar_close, regime, state (its label), probability (of that state).
    """
    import polars as pl

    highest = np.max([market[f"{name}:{label}"][:, 0] for label in labels], axis=0)
    columns = {
        "bar_close": pl.Series(market.bars).dt.replace_time_zone("UTC"),
        "regime": pl.Series([name] * market.n_bars, dtype=pl.String),
        "state": pl.Series(state_labels(market[name][:, 0], labels), dtype=pl.String),
        "probability": pl.Series(highest),
    }
    return pl.DataFrame(columns).drop_nulls("state")


def state_summary(name: str, market: Panel, labels: Sequence[str]) -> "pl.DataFrame":
    """Return how often and for how long a market is in each state of a regime.

    A stay is an unbroken run of bars in one state; a bar without a state ends it. Stays that the
    first or the last bar cuts off count with the bars that they have.

    Parameters
    ----------
    name, market, labels : as for :func:`state_table`.

    Returns
    -------
    regime, state, n_bars (in the state), share (of the bars with any state, decimal), n_stays,
    mean_stay_bars, longest_stay_bars; a row for each label, in their order. Share and stays are
    null where there is none.
    """
    import polars as pl

    states = market[name][:, 0]
    padded = np.concatenate([[np.nan], states, [np.nan]])
    n_all = int(np.isfinite(states).sum())
    rows = []
    for place, label in enumerate(labels):
        change = np.diff((padded == place).astype(np.int64))
        stays = np.flatnonzero(change == -1) - np.flatnonzero(change == 1)
        n_bars, n_stays = int(stays.sum()), len(stays)
        share = n_bars / n_all if n_all else None
        mean, longest = (n_bars / n_stays, int(stays.max())) if n_stays else (None, None)
        rows.append((name, label, n_bars, share, n_stays, mean, longest))
    schema = {
        **dict.fromkeys(("regime", "state"), pl.String),
        "n_bars": pl.Int64,
        "share": pl.Float64,
        "n_stays": pl.Int64,
        "mean_stay_bars": pl.Float64,
        "longest_stay_bars": pl.Int64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")

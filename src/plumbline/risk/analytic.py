"""What a risk analytic is, and the room that holds them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from dataclasses import fields as dataclass_fields
from functools import cached_property
from threading import Lock
from typing import Any, ClassVar, Final, TypeVar, final

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from plumbline.core.errors import ParameterError, nearest_names
from plumbline.core.parameters import require_kinds, shown
from plumbline.core.plugin import Plugin, Room
from plumbline.kernels.component_risk import Holding
from plumbline.kernels.series_volatility import HAR_DAYS
from plumbline.kernels.weighted_series import Returns, Weights, as_returns, weighted_series
from plumbline.risk.accounts import Accounts
from plumbline.risk.exposures import Exposures, expose
from plumbline.risk.market import Market
from plumbline.risk.valuation import Valuation

Figures = Float[np.ndarray, "portfolios dates"]
Prepared = Mapping[str, Any]

T = TypeVar("T")

LEAST_SHARE: Final = 0.95
"""Share of gross exposure that must have a return on a day of a portfolio's series."""


@final
@dataclass(frozen=True, eq=False)
class MarketDays:
    """The market as it is read on some dates.

    Parameters
    ----------
    valuation : of all symbols; nothing behind a date is read for it.
    days : (D,) session of each date.
    held : (S, D) symbols that any portfolio is exposed to.
    held_options : (O, D) options of the valuation that any portfolio holds.
    sectors : of each symbol; None without one.
    """

    valuation: Valuation
    days: Int[np.ndarray, " dates"]
    held: Bool[np.ndarray, "symbols dates"]
    held_options: Bool[np.ndarray, "options dates"]
    sectors: tuple[str | None, ...]
    _made: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)
    _turn: Lock = field(default_factory=Lock, init=False, repr=False)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what several analytics share; the first that asks makes it, others wait."""
        with self._turn:
            if key not in self._made:
                self._made[key] = make()
            made: T = self._made[key]
        return made

    def part(self, dates: slice) -> "MarketDays":
        """Return the market on some of the dates."""
        held = self.held[:, dates], self.held_options[:, dates]
        return MarketDays(self.valuation, self.days[dates], *held, self.sectors)

    @property
    def market(self) -> Market:
        """Return the prices of all symbols."""
        return self.valuation.market

    def rows_of(self, window_bars: int) -> slice:
        """Return the sessions of the windows that end on the dates."""
        first = max(0, int(self.days.min()) - window_bars + 1)
        return slice(first, int(self.days.max()) + 1)

    def returns_of(self, symbol: str) -> Float[np.ndarray, " sessions"]:
        """Return the returns of a symbol on all sessions; NaN on all if there is none."""
        place = self.market.place.get(symbol)
        if place is None:
            return np.full(self.market.dates.size, np.nan)
        return np.asarray(self.market.returns[place])

    @cached_property
    def returns(self) -> Returns:
        """Return the returns of all symbols, as weighted series are added up from them."""
        return as_returns(self.market.returns)


@final
@dataclass(frozen=True, eq=False)
class PortfolioDays:
    """Portfolios as they are measured on some dates.

    Parameters
    ----------
    days : the market on the dates.
    accounts : of the portfolios on all sessions.
    exposures : of the portfolios on the dates.
    pnl_returns : (P, T) realised returns of the portfolios on all sessions.
    """

    days: MarketDays
    accounts: Accounts
    exposures: Exposures
    pnl_returns: Float[np.ndarray, "portfolios sessions"]

    @property
    def weights(self) -> Weights:
        """Return the weights of what is measured."""
        return self.exposures.weights

    @cached_property
    def before(self) -> Exposures:
        """Return the exposures at the close of the session before each date; first, its own."""
        earlier = np.maximum(self.days.days - 1, 0)
        return expose(self.accounts, self.days.valuation, earlier)

    @cached_property
    def holding(self) -> Holding:
        """Return the weight of each line by itself; NaN of what is not measured."""
        own = self.exposures
        equity = own.positive_equity[own.owner]
        is_known = own.is_measured | (own.exposure == 0)
        weight = np.where(is_known, own.exposure / equity, np.nan)
        return Holding(own.owner, own.symbol, weight)

    @cached_property
    def series(self) -> tuple[Float[np.ndarray, "portfolios dates window"], Figures]:
        """Return the returns that today's weights would have had over two years, and coverage."""
        series, coverage = weighted_series(
            self.weights, self.days.returns, self.days.days, HAR_DAYS, least_share=LEAST_SHARE
        )
        has_none = np.isnan(coverage) & (self.weights.gross > 0)  # no day has enough of it
        return series, np.where(has_none, 0.0, coverage)


@final
@dataclass(frozen=True, eq=False)
class Measures:
    """What an analytic gives.

    Parameters
    ----------
    values : name -> (P, D) figure, NaN where it is missing.
    coverage : share of gross exposure that had the data.
    n_obs : observations that the figures rest on.
    tables : name -> columns of further tables.
    lines : name -> (L, D) figure of each line, NaN where it is missing.
    """

    values: Mapping[str, Figures]
    coverage: Figures
    n_obs: Int[np.ndarray, "portfolios dates"]
    tables: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    lines: Mapping[str, Float[np.ndarray, "lines dates"]] = field(default_factory=dict)


@dataclass(frozen=True)
class Analytic(Plugin, ABC):
    """Figures of every portfolio on every date.

    What belongs to symbols is computed once for all portfolios by :meth:`prepare`; portfolios are
    then measured in blocks, each by itself.
    """

    units: ClassVar[Mapping[str, str]]
    shares: ClassVar[tuple[str, ...]] = ()
    """Names of the tables that it gives of symbols, beside those of portfolios."""

    @property
    @abstractmethod
    def sessions(self) -> int:
        """Return how many sessions up to a date, itself included, its figures may depend on."""

    @property
    def symbols(self) -> frozenset[str]:
        """Return the symbols whose prices it reads beside those that are held."""
        return frozenset()

    def prepare(self, days: MarketDays) -> Prepared:
        """Return what does not depend on portfolios, as arrays."""
        del days
        return {}

    def shared_tables(
        self, prepared: Prepared, days: MarketDays, dates: slice
    ) -> Mapping[str, pl.DataFrame]:
        """Return tables that belong to no portfolio, those of ``shares``, of some of the dates."""
        del prepared, days, dates
        return {}

    @abstractmethod
    def compute(self, prepared: Prepared, portfolios: PortfolioDays) -> Measures:
        """Return the figures of some portfolios."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of its figures."""
        return tuple(self.units)


analytics: Room[Analytic] = Room("plumbline.risk.analytics", Analytic)
"""All analytics by name."""


def all_analytics(**fields: Any) -> dict[str, Analytic]:
    """Return every analytic of the room; each takes of ``fields`` those that it has."""
    chosen = {}
    for name in analytics:
        kind = analytics[name]
        own = {key: value for key, value in fields.items() if key in kind.__dataclass_fields__}
        chosen[name] = kind(**own)
    return chosen


def chosen_analytics(chosen: object, **fields: Any) -> dict[str, Analytic]:
    """Return analytics by name.

    Parameters
    ----------
    chosen : ``all``, a name, names, or by name its parameters, None for its defaults, or an
        analytic, which may have any name.
    fields : of those that are made here, where they have them and their parameters do not say
        them.

    Raises
    ------
    ParameterError
        If there is no analytic of a name, one does not take a parameter, or this is none of these
        forms; all that is wrong is named.
    """
    if isinstance(chosen, str) and chosen == "all":
        return all_analytics(**fields)
    made: dict[str, Analytic] = {}
    problems: list[str] = []
    for name, given in _asked(chosen).items():
        if isinstance(name, str) and isinstance(given, Analytic):
            made[name] = given  # under any name
        elif not isinstance(name, str) or name not in analytics:
            problems.append(f"no analytic {name!r}; {nearest_names(str(name), analytics)}")
        elif given is None or isinstance(given, Mapping):
            try:
                made[name] = _made(analytics[name], given or {}, fields)
            except ParameterError as error:
                problems.append(f"{name}: {error}")
        else:
            problems.append(f"{name}: {shown(given)} must be an Analytic, its parameters or None")
    if problems:
        raise ParameterError("; ".join(problems))
    return made


def _asked(chosen: object) -> Mapping[Any, object]:
    """Return what is said of each analytic that is named."""
    if isinstance(chosen, Mapping):
        return chosen
    names = [chosen] if isinstance(chosen, str) else chosen
    listed = list(names) if isinstance(names, Iterable) else [None]
    if not all(isinstance(name, str) for name in listed):
        raise ParameterError(
            f"analytics={shown(chosen)} must be 'all', names, or a mapping of all that are chosen "
            "to an Analytic, its parameters, or None, such as {'market_beta': {'window_bars': "
            "120}, 'tail': None}; a row of names holds no parameters"
        )
    return dict.fromkeys(listed)


def _made(
    kind: type[Analytic], given: Mapping[Any, object], fields: Mapping[str, object]
) -> Analytic:
    known = [parameter.name for parameter in dataclass_fields(kind)]
    unknown = [
        f"no parameter {name!r}; {nearest_names(str(name), known)}"
        for name in given
        if name not in known
    ]
    if unknown:
        raise ParameterError("; ".join(unknown))
    own = {name: value for name, value in fields.items() if name in known}
    made = kind(**{**own, **given})
    require_kinds(made)
    return made

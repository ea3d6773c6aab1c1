"""Scenarios: what markets do at once, and what of it each factor does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, final

import numpy as np
from jaxtyping import Bool, Float

from plumbline.core.errors import nearest_names
from plumbline.core.parameters import refuse, require_kinds
from plumbline.risk.joint_model import FACTORS, JointFit

_COVARIANCE_DAYS: Final = 252
_LEAST_DAYS: Final = 152  # 60 % of them
_POINT: Final = 1e-4
_RETURN: Final = "it is a return, -0.1 is a fall of 10 %"


@final
@dataclass(frozen=True)
class Scenario:
    """A shock of some factors, or a stretch of history that comes again.

    Parameters
    ----------
    name : of the scenario.
    shocks : factor -> return, such as ``{"market": -0.1}``, finite and above -1; ``rates`` is given
        by ``rates_bp``.
    rates_bp : change of long yields, basis points; bonds return minus duration times it.
    volatility : points that the volatilities of options move, 0.1 is ten.
    is_correlated : whether factors without a shock move as they usually do with those that have
        one; else they stand still.
    replay : first and last date of the returns that come again, all factors at once.

    Raises
    ------
    ParameterError
        If a shock, a number or a date is none of these; every problem is named.
    """

    name: str
    shocks: Mapping[str, float] = field(default_factory=dict)
    rates_bp: float = 0.0
    volatility: float = 0.0
    is_correlated: bool = False
    replay: tuple[date, date] | None = None

    def __post_init__(self) -> None:
        require_kinds(self)
        problems = [*_shock_problems(self.shocks), *_replay_problems(self.replay)]
        problems += [
            f"{name}={value} must be finite"
            for name, value in (("rates_bp", self.rates_bp), ("volatility", self.volatility))
            if not np.isfinite(value)
        ]
        if self.replay is not None and (self.shocks or self.rates_bp or self.is_correlated):
            problems.append("replay and shocks exclude each other: give two scenarios")
        if self.replay is None and not (self.shocks or self.rates_bp or self.volatility):
            problems.append("a scenario needs shocks, rates_bp, volatility or replay")
        refuse(self, problems)


def _shock_problems(shocks: object) -> list[str]:
    """Return what is wrong with shocks, a sentence each."""
    if not isinstance(shocks, Mapping):
        return ["shocks must be a mapping of factor -> return, such as {'market': -0.1}"]
    known = [factor for factor in FACTORS if factor != "rates"]
    problems = []
    for name, value in shocks.items():
        if name == "rates":
            problems.append("rates are shocked by rates_bp, in basis points of yield")
        elif name not in known:
            problems.append(f"no factor {name!r}: {nearest_names(str(name), known)}")
        elif isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            problems.append(f"the shock of {name} is {value!r} and must be a number: {_RETURN}")
        elif not (np.isfinite(value) and value > -1):
            problems.append(
                f"the shock of {name} is {value:g} and must be finite and above -1, which loses "
                f"all: {_RETURN}"
            )
    return problems


def _replay_problems(replay: object) -> list[str]:
    """Return what is wrong with the dates of a replay, a sentence each."""
    if replay is None:
        return []
    if (
        not isinstance(replay, tuple)
        or len(replay) != 2
        or not all(isinstance(moment, date) for moment in replay)
    ):
        return ["replay must be two dates, the first and the last"]
    first, last = replay
    return [] if first <= last else [f"the replay ends on {last}, before it begins on {first}"]


DEFAULT_SCENARIOS: Final = (
    Scenario("market_down_10", {"market": -0.10}),
    Scenario("market_down_20_correlated", {"market": -0.20}, is_correlated=True),
    Scenario("rates_up_100", rates_bp=100.0),
    Scenario("rates_down_100_correlated", rates_bp=-100.0, is_correlated=True),
    Scenario("momentum_down_10", {"momentum": -0.10}),
    Scenario("small_caps_down_10", {"size": -0.10}),
    Scenario("market_down_10_volatility_up_10", {"market": -0.10}, volatility=0.10),
)


def factor_moves(
    scenarios: Sequence[Scenario], fit: JointFit, dates: np.ndarray, duration: float
) -> Float[np.ndarray, "dates scenarios factors"]:
    """Return what each factor of the joint model does in each scenario, as of each date.

    Rates and styles are taken less what the market explains of them, so a factor that is shocked
    moves by its shock less that, and each is counted once.

    Parameters
    ----------
    scenarios : at least one.
    fit : of the joint model.
    dates : of all sessions.
    duration : years, of the bonds.

    Returns
    -------
    NaN where a replay lacks a return, lies before the data or behind the date, or where
    correlations lack 60 % of 252 returns.

    References
    ----------
    Kupiec, "Stress testing in a value at risk framework", Journal of Derivatives 6 (1998) 7-24.
    """
    out = np.zeros((fit.days.size, len(scenarios), len(FACTORS)))
    for at, day in enumerate(fit.days):
        line = fit.line[at]
        past = fit.raw[max(0, int(day) - _COVARIANCE_DAYS) : int(day)]
        past = past - line[:, 0] - line[:, 1] * past[:, :1]
        for j, scenario in enumerate(scenarios):
            if scenario.replay is not None:
                total = _replayed(scenario.replay, fit.raw, dates, int(day))
                out[at, j] = total - line[:, 1] * total[0]
                continue
            shock, is_shocked = _shock(scenario, duration)
            moved = shock - line[:, 1] * shock[0]
            if scenario.is_correlated and is_shocked.any():
                out[at, j] = _with_others(moved, is_shocked, past)
            else:
                out[at, j] = np.where(is_shocked, moved, 0.0)
    return out


def bond_return(scenario: Scenario, duration: float) -> float:
    """Return what long bonds return if yields change as a scenario says: minus duration times it.

    Parameters
    ----------
    duration : years.
    """
    return -duration * scenario.rates_bp * _POINT


def _shock(
    scenario: Scenario, duration: float
) -> tuple[Float[np.ndarray, " factors"], Bool[np.ndarray, " factors"]]:
    shock = np.array([scenario.shocks.get(name, 0.0) for name in FACTORS])
    is_shocked = np.array([name in scenario.shocks for name in FACTORS])
    if scenario.rates_bp:
        at = FACTORS.index("rates")
        shock[at], is_shocked[at] = bond_return(scenario, duration), True
    return shock, is_shocked


def _with_others(
    moved: Float[np.ndarray, " factors"],
    is_shocked: Bool[np.ndarray, " factors"],
    past: Float[np.ndarray, "days factors"],
) -> Float[np.ndarray, " factors"]:
    """Return the mean of all factors given those that are shocked."""
    rows = past[np.isfinite(past).all(axis=1)]
    if rows.shape[0] < _LEAST_DAYS:
        return np.full(moved.size, np.nan)
    covariance = np.cov(rows.T)
    known = covariance[np.ix_(is_shocked, is_shocked)]
    others = covariance[np.ix_(~is_shocked, is_shocked)]
    out = moved.copy()
    out[~is_shocked] = others @ np.linalg.pinv(known, hermitian=True) @ moved[is_shocked]
    return out


def _replayed(
    replay: tuple[date, date],
    raw: Float[np.ndarray, "sessions factors"],
    dates: np.ndarray,
    day: int,
) -> Float[np.ndarray, " factors"]:
    """Return what raw factors returned over a stretch; NaN where it is not all there by a day."""
    first, last = (np.datetime64(moment, "D") for moment in replay)
    own = (dates >= first) & (dates <= last)
    if first < dates[0] or last > dates[day] or not own.any():
        return np.full(raw.shape[1], np.nan)
    return np.asarray(np.prod(1.0 + raw[own], axis=0) - 1.0)

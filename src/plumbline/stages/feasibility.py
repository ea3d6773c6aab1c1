"""What of a factor study its data cannot give, known before anything is computed."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, final

from plumbline.core.calendar import Calendar
from plumbline.engine.pipeline import DataSet
from plumbline.factors.model import FactorModel, LeastBars
from plumbline.features.signal import PART, Signal
from plumbline.features.universe import UniverseRules
from plumbline.stages.derived_fields import BETA, derived_fields, in_order
from plumbline.stages.kind import Problem
from plumbline.stages.label_regimes import MarketRegime
from plumbline.stages.study_parts import factors_of

_LEAST_ASSETS = 3  # of a rank correlation


class Findings(NamedTuple):
    """What is known of a study before it runs.

    Parameters
    ----------
    problems : why no rank IC at all can be computed, without which there is no study, and what else
        cannot be; empty if a rank IC can.
    warnings : which parts cannot be computed, and why; empty if there are problems.
    """

    problems: list[Problem]
    warnings: list[Problem]


@final
@dataclass(frozen=True)
class Ask:
    """A study and the axes of its data.

    Parameters
    ----------
    full : the resolved document.
    model : its factor model.
    signals : its signals by label.
    stocks, legs : the data of its universe and of its factors; the same if the model makes its
        factors of the universe.
    universe : assets.
    sectors : asset -> sector; empty takes no sector out.
    rules : what members of the universe must keep; None keeps every asset.
    regimes : states of the market that are told.
    """

    full: Mapping[str, Any]
    model: FactorModel
    signals: Mapping[str, Signal]
    stocks: DataSet
    legs: DataSet
    universe: tuple[str, ...]
    sectors: Mapping[str, str]
    rules: UniverseRules | None = None
    regimes: tuple[MarketRegime, ...] = ()

    @property
    def n_factors(self) -> int:
        """Return the number of factors."""
        return len(factors_of(self.full))

    @property
    def first_common(self) -> int:
        """Return the first bar of both data sets."""
        return max(self.stocks.first_bar, self.legs.first_bar)

    @property
    def last_common(self) -> int:
        """Return the last bar of both data sets, before the first one if they share none."""
        return min(self.stocks.last_bar, self.legs.last_bar)

    @property
    def n_common(self) -> int:
        """Return the number of bars from the first to the last of both."""
        return self.last_common - self.first_common + 1

    @property
    def n_bars(self) -> int:
        """Return the number of bars of the universe."""
        return self.stocks.last_bar - self.stocks.first_bar + 1

    @property
    def least_members(self) -> int:
        """Return the fewest bars after which an asset can be a member of the universe."""
        return 1 if self.rules is None else self.rules.least_bars

    @property
    def told_common(self) -> str:
        """Return whose bars the model is fitted on, and how many they are."""
        if self.model.own_factors:
            return f"universe.prices has {_count(self.n_common, 'bar')}"
        both = "universe.prices and factors.data have"
        return f"{both} {_count(self.n_common, 'bar')} in common"

    @cached_property
    def least(self) -> LeastBars:
        """Return the returns that the model needs."""
        return self.model.least_bars(self.n_factors)

    @cached_property
    def alone(self) -> list[str]:
        """Return the assets that no other shares a sector with."""
        counts = Counter(self.sectors.values())
        return sorted(name for name, sector in self.sectors.items() if counts[sector] == 1)

    def first_of(self, label: str) -> int:
        """Return the first bar that can have a value of a signal; it may lie after the last bar."""
        first = self._first_raw[label]
        if self.full["neutralise"]["betas"]:
            first = max(first, self._after(self.least.fit))
        return max(first, self.stocks.first_bar + self.least_members - 1)

    @cached_property
    def derived(self) -> frozenset[str]:
        """Return the fields that the study makes itself."""
        return frozenset(derived_fields(factors_of(self.full), self.signals))

    @cached_property
    def _first_raw(self) -> dict[str, int]:
        """Return label -> first bar that can have a value before anything is neutralised."""
        found: dict[str, int] = {}
        for label in in_order(self.signals):
            signal = self.signals[label]
            firsts = sorted(
                self._first_of_field(field, found) + signal.least_bars_of(field) - 1
                for field in signal.requires()
            )
            found[label] = max(firsts[: signal.least_fields], default=self.stocks.first_bar)
        return found

    def _first_of_field(self, field: str, found: Mapping[str, int]) -> int:
        start = self.stocks.first_bar
        if field not in self.derived:
            return start
        if field == "return":
            return start + 1
        if field.startswith(PART):
            return found[field.removeprefix(PART)]
        return self._after(self.least.fit if field.startswith(BETA) else self.least.residual)

    def _after(self, n_returns: int) -> int:
        """Return the bar with so many returns of both data sets, one beyond all bars if none."""
        bar = self.first_common + n_returns
        return bar if bar <= self.last_common else max(bar, self.stocks.last_bar + 1)


def feasibility(ask: Ask) -> Findings:
    """Compare what a study needs with the bars and assets that there are.

    Missing values inside the data are not looked at: what is said here holds whatever they are,
    and what they cost besides is told by the run.
    """
    refusals = [*_axis_problems(ask), *_neutralise_problems(ask)]
    lost = _lost_horizons(ask)
    reasons = [*_rule_reasons(ask), *_model_reasons(ask), *_signal_reasons(ask, lost)]
    is_lost = all(len(horizons) == len(_horizons(ask)) for horizons in lost.values())
    if refusals or is_lost:
        return Findings([*refusals, *reasons, *_quantile_reasons(ask, len(ask.universe))], [])
    n_ranked = len(ask.universe) - len(ask.alone)
    lonely = _lonely_reasons(ask)
    short = [*_short_windows(ask), *_short_history(ask, lost), *_regime_reasons(ask)]
    return Findings([], [*reasons, *short, *lonely, *_quantile_reasons(ask, n_ranked)])


def _axis_problems(ask: Ask) -> list[Problem]:
    problems = []
    n_assets = len(ask.universe)
    if n_assets < _LEAST_ASSETS:
        text = f"a rank correlation over assets needs at least {_LEAST_ASSETS}"
        problems.append(Problem(("universe",), f"{_count(n_assets, 'asset')}; {text}"))
    if ask.n_common < 1:
        problems.append(
            Problem(
                ("universe", "prices"),
                f"has bars from {_span(ask.stocks)}, factors.data from {_span(ask.legs)}: no bar "
                "in common, so no factor model can be fitted; give both the same dates",
            )
        )
    return problems


def _neutralise_problems(ask: Ask) -> list[Problem]:
    n_betas = ask.n_factors if ask.full["neutralise"]["betas"] else 0
    n_dummies = max(len(set(ask.sectors.values())) - 1, 0)
    n_assets, needed = len(ask.universe), n_betas + n_dummies + 2
    if (n_betas or ask.sectors) and n_assets < needed:
        taken = f"{n_betas} betas and {n_dummies + bool(ask.sectors)} sectors"
        least = f"at least {needed} assets; the universe has {n_assets}"
        return [Problem(("neutralise",), f"{taken} need {least}")]
    n_together = n_assets - len(ask.alone)
    if ask.alone and n_together < _LEAST_ASSETS:
        shared = f"only {_count(n_together, 'asset')} in a sector with another"
        text = f"{shared}; a rank correlation needs at least {_LEAST_ASSETS}"
        return [Problem(("neutralise", "sectors"), text)]
    return []


def _lost_horizons(ask: Ask) -> dict[str, list[int]]:
    """Return for each signal the horizons over which no value of it has a return."""
    every = ask.full["evaluation"]["every_bars"]
    found = {}
    for label in ask.signals:
        first = ask.first_of(label)
        found[label] = [
            h
            for h in _horizons(ask)
            if max(ask.stocks.last_bar - h, first - 1) // every == (first - 1) // every
        ]
    return found


def _rule_reasons(ask: Ask) -> list[Problem]:
    if ask.least_members <= ask.n_bars:
        return []
    needed = f"the first member needs {ask.least_members} bars, the data have {ask.n_bars}"
    return [Problem(("universe", "rules"), f"{needed}: no asset is ever a member")]


def _model_reasons(ask: Ask) -> list[Problem]:
    if ask.n_common < 1:
        return []  # no bar in common says it
    n_own, n_assets = len(ask.model.own_factors), len(ask.universe)
    if n_own >= n_assets:
        needed = f"{_count(n_own, 'factor')} of their own returns need more than {n_own} assets"
        text = f"{needed}, the universe has {n_assets}: there is no fit"
        return [Problem(("model", "n_factors"), text)]
    needs = (("fit", ask.least.fit), ("residual return", ask.least.residual))
    for what, n_returns in needs:
        if n_returns >= ask.n_common:
            needed = f"the first {what} needs {n_returns} bars with returns"
            there = f"{ask.told_common}, {ask.n_common - 1} with returns"
            text = f"{needed}; {there}: there is no {what}"
            return [Problem(("model",), text)]
    return []


def _signal_reasons(ask: Ask, lost: Mapping[str, list[int]]) -> list[Problem]:
    reasons = []
    every = ask.full["evaluation"]["every_bars"]
    read = f" on a bar that every_bars={every} reads" if every > 1 else ""
    for label, horizons in lost.items():
        nth = ask.first_of(label) - ask.stocks.first_bar + 1
        text = ""
        if ask.first_of(label) > ask.stocks.last_bar:
            text = f"its first value needs {_needs(ask, label, nth)}: it has no value"
        elif horizons:
            shown = ", ".join(str(h) for h in horizons)
            text = (
                f"its first value can be at bar {nth} of {ask.n_bars}, so none{read} has a return "
                f"over the next {shown} bars (evaluation.horizons): no rank IC"
            )
        if text and not (ask.n_common < 1 and _waits_for_model(ask, label)):
            reasons.append(Problem(("signals", label), text))
    return reasons


def _needs(ask: Ask, label: str, nth: int) -> str:
    if _waits_for_model(ask, label):
        return "what the model cannot give"
    return f"{nth} bars, the data have {ask.n_bars}"


def _waits_for_model(ask: Ask, label: str) -> bool:
    """Return whether a signal needs of the model what it cannot give."""
    lacks_fit = ask.least.fit >= ask.n_common
    return label in _without_model(ask) or (ask.full["neutralise"]["betas"] and lacks_fit)


def _without_model(ask: Ask) -> set[str]:
    """Return the labels of signals with too few fields, as the model cannot give the others."""
    lacking = {"residual_return"} if ask.least.residual >= ask.n_common else set()
    if ask.least.fit >= ask.n_common:
        lacking |= {field for field in ask.derived if field.startswith(BETA)}
    found: set[str] = set()
    for label in in_order(ask.signals):
        requires = ask.signals[label].requires()
        if len(requires - lacking) < ask.signals[label].least_fields:
            found.add(label)
            lacking.add(f"{PART}{label}")
    return found


def _short_windows(ask: Ask) -> list[Problem]:
    """Return what looks back over more bars than there are; it may have no value besides."""
    found = []
    if ask.least.fit < ask.n_common <= ask.model.warm_up:
        text = (
            f"it looks back over {ask.model.warm_up + 1} bars; {ask.told_common}: no fit can use "
            "as many as asked for"
        )
        found.append(Problem(("model",), text))
    for label, signal in ask.signals.items():
        if ask.first_of(label) <= ask.stocks.last_bar and signal.warm_up >= ask.n_bars:
            text = (
                f"it looks back over {signal.warm_up + 1} bars, the data have {ask.n_bars}: no "
                "value can use as many as asked for"
            )
            found.append(Problem(("signals", label), text))
    return found


def _short_history(ask: Ask, lost: Mapping[str, list[int]]) -> list[Problem]:
    """Return what needs more bars with a rank IC or with a signal than there can be."""
    found = []
    values = {label: ask.stocks.last_bar - ask.first_of(label) + 1 for label in ask.signals}
    left = [values[k] - h for k in ask.signals for h in _horizons(ask) if h not in lost[k]]
    window = ask.full["rolling_bars"]
    if window > max(left):
        there = f"at most {_count(max(left), 'bar')} can have a rank IC"
        text = f"{there}, too few for rolling_bars={window}: there is no trailing mean"
        found.append(Problem(("rolling_bars",), text))
    held = ask.full["evaluation"]["spread_horizon"]
    if held > max(values.values()):
        there = f"at most {_count(max(values.values()), 'bar')} can have a signal"
        text = f"{there}, too few for spread_horizon={held}: no book is held to its end"
        found.append(Problem(("evaluation", "spread_horizon"), text))
    return found


def _regime_reasons(ask: Ask) -> list[Problem]:
    found = []
    for told in ask.regimes:
        data = ask.stocks if told.factor is None else ask.legs
        n_bars, needed = data.last_bar - data.first_bar, told.regime.least_bars
        if needed > n_bars:
            there = f"the data have {n_bars}"
            text = f"its first state needs {needed} bars with returns, {there}: it has no state"
            found.append(Problem(("regimes", told.name), text))
    return found


def _lonely_reasons(ask: Ask) -> list[Problem]:
    if not ask.alone:
        return []
    shown = ", ".join(ask.alone[:10]) + (", …" if len(ask.alone) > 10 else "")
    alone = f"{_count(len(ask.alone), 'asset')} alone in a sector ({shown})"
    text = f"{alone}: nothing is left of a signal there, so no value"
    return [Problem(("neutralise", "sectors"), text)]


def _quantile_reasons(ask: Ask, n_ranked: int) -> list[Problem]:
    n_quantiles = ask.full["evaluation"]["n_quantiles"]
    if n_quantiles <= n_ranked:
        return []
    text = (
        f"a bar has values of at most {_count(n_ranked, 'asset')}, too few for "
        f"n_quantiles={n_quantiles}: there are no quantile returns and no spread"
    )
    return [Problem(("evaluation", "n_quantiles"), text)]


def _horizons(ask: Ask) -> list[int]:
    return list(ask.full["evaluation"]["horizons"])


def _span(dataset: DataSet) -> str:
    calendar = Calendar(dataset.calendar_name, dataset.frequency)
    ends = (calendar.closes(n, n)[0] for n in (dataset.first_bar, dataset.last_bar))
    return " to ".join(str(end.astype("datetime64[D]")) for end in ends)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("" if n == 1 else "s")

"""What is said of a study before it runs holds when it runs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plumbline.core.panel import Panel
from plumbline.factors.evaluation import evaluate
from plumbline.factors.models.rolling_regression import RollingRegression
from plumbline.factors.neutralisation import neutralised_signal
from plumbline.factors.options import EvaluationOptions
from plumbline.features.returns import simple_returns
from plumbline.features.signal import Signal
from plumbline.features.signals.beta_compression import BetaCompression
from plumbline.features.signals.composite import Composite
from plumbline.features.signals.low_volatility import LowVolatility
from plumbline.features.signals.momentum import Momentum
from plumbline.features.signals.residual_momentum import ResidualMomentum
from plumbline.features.signals.value_against_beta import ValueAgainstBeta
from plumbline.stages.feasibility import Ask, Findings, feasibility
from plumbline.stages.kind import Problem

DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Bars:
    """Axes of a data set on days that never close."""

    first_bar: int = 18_000
    last_bar: int = 18_119
    assets: tuple[str, ...] = tuple("ABCDEFGH")
    calendar_name: str = "24/7"
    frequency: str = "1d"
    dataset_id: str = ""
    fields: tuple[str, ...] = ("close",)

    def closes(self, *_: Any) -> np.ndarray:
        raise AssertionError("axes alone decide")

    def digest_of(self, *_: Any) -> str:
        return ""


def ask(
    stocks: Bars | None = None, legs: Bars | None = None, sectors: str = "", **changes: Any
) -> Ask:
    model = changes.pop("model", RollingRegression(window=20))
    signals = changes.pop(
        "signals", {"m": Momentum(20, 2), "r": ResidualMomentum(20, 2), "late": Momentum(60, 2)}
    )
    evaluation = {"horizons": [1, 5], "n_quantiles": 3, "every_bars": 1, "spread_horizon": 5}
    full = {
        "factors": {"definitions": {"market": "SPY", "size": "IWM - SPY"}},
        "neutralise": {"betas": changes.pop("betas", False)},
        "rolling_bars": changes.pop("rolling_bars", 20),
        "evaluation": evaluation | changes,
    }
    found = stocks or Bars()
    own = dict(zip(found.assets, sectors, strict=bool(sectors)))
    return Ask(full, model, signals, found, legs or Bars(), found.assets, own)


def only(found: list[Problem], *words: str) -> None:
    assert len(found) == 1, found
    assert all(word in str(found[0]) for word in words), found


def said(findings: Findings) -> list[str]:
    return [str(problem) for problem in [*findings.problems, *findings.warnings]]


def test_a_study_that_can_be_computed_is_passed_in_silence():
    assert feasibility(ask()) == ([], [])


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (ask(Bars(assets=("A",)), n_quantiles=1), ("1 asset", "at least 3")),
        (ask(Bars(assets=("A", "B")), n_quantiles=2), ("2 assets",)),
        (
            ask(legs=Bars(18_200, 18_300)),
            ("2019-04-14 to 2019-08-11", "2019-10-31 to 2020-02-08", "no bar in common"),
        ),
        (ask(legs=Bars(18_120, 18_300)), ("no bar in common",)),
        (ask(Bars(assets=tuple("ABC")), betas=True), ("2 betas and 0 sectors", "4 assets")),
        (ask(sectors="ABCDEFGH"), ("8 sectors", "9 assets", "has 8")),
        (ask(Bars(assets=tuple("ABCD")), sectors="XXYZ"), ("2 assets in a sector with another",)),
    ],
)
def test_what_cannot_be_computed_at_all_is_a_problem(asked, words):
    only(feasibility(asked).problems, *words)


def test_a_window_that_the_data_never_fill_says_how_many_bars_there_are():
    findings = feasibility(ask(model=RollingRegression(window=500)))
    assert findings.problems == []
    assert "first fit needs 300 bars" in findings.warnings[0].text
    assert "120 bars in common, 119 with returns" in findings.warnings[0].text
    only(findings.warnings[1:], "signals.r", "the model cannot give")


def test_a_fit_needs_exactly_as_many_returns_as_it_says():
    enough = ask(legs=Bars(18_000, 18_020), model=RollingRegression(window=20, min_obs=19))
    assert not [w for w in said(feasibility(enough)) if "first fit" in w]
    short = ask(legs=Bars(18_000, 18_018), model=RollingRegression(window=20, min_obs=19))
    assert [w for w in said(feasibility(short)) if "first fit" in w]


def test_without_the_model_nothing_is_left_of_signals_that_need_it():
    asked = ask(model=RollingRegression(window=500), signals={"r": ResidualMomentum(20, 2)})
    assert len(feasibility(asked).problems) == 2
    betas = ask(model=RollingRegression(window=500), signals={"m": Momentum(20, 2)}, betas=True)
    assert any("the model cannot give" in p.text for p in feasibility(betas).problems)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"horizons": [1, 118]}, ("signals.m", "bar 21 of 120", "118")),
        ({"horizons": [1, 100]}, ("signals.m", "100 bars")),
        ({"rolling_bars": 100}, ("rolling_bars=100", "at most 99 bars")),
        ({"n_quantiles": 9}, ("n_quantiles=9", "8 assets")),
        ({"spread_horizon": 101}, ("spread_horizon=101", "100 bars")),
        ({"every_bars": 10_000}, ("every_bars=10000",)),
        ({"signals": {"m": Momentum(20, 2), "x": Momentum(10**9)}}, ("signals.x", "1000000001")),
        ({"model": RollingRegression(window=200, min_obs=9)}, ("looks back over 201 bars",)),
        (
            {"signals": {"r": ResidualMomentum(400, 2, min_obs=9)}},
            ("looks back over 400 bars, the data have 120",),
        ),
    ],
)
def test_what_cannot_be_computed_in_part_is_a_warning_or_a_problem(changes, words):
    told = said(feasibility(ask(**changes)))
    assert any(all(word in text for word in words) for text in told), told


def test_the_longest_horizon_and_mean_that_fit_are_not_warned_of():
    asked = {"signals": {"m": Momentum(20, 2)}}
    assert feasibility(ask(**asked, horizons=[1, 99])) == ([], [])
    assert feasibility(ask(**asked, horizons=[1, 100])).warnings != []
    assert feasibility(ask(**asked, rolling_bars=99)) == ([], [])


def test_a_horizon_beyond_the_data_for_every_signal_is_a_problem():
    findings = feasibility(ask(horizons=[300]))
    assert len(findings.problems) == 3
    assert findings.warnings == []


def test_an_asset_alone_in_its_sector_is_named():
    only(feasibility(ask(sectors="SSSSTTTU")).warnings, "1 asset", "(H)")
    assert feasibility(ask(sectors="SSSSSSSS")) == ([], [])


def test_with_too_few_assets_what_else_cannot_be_computed_is_told_too():
    asked = ask(Bars(assets=("A", "B")), n_quantiles=5, horizons=[1, 500])
    findings = feasibility(asked)
    assert findings.warnings == []
    places = [problem.place for problem in findings.problems]
    signals = [("signals", label) for label in ("m", "r", "late")]
    assert places == [("universe",), *signals, ("evaluation", "n_quantiles")]
    assert all("over the next 500 bars" in p.text for p in findings.problems[1:4])
    assert "at most 2 assets, too few for n_quantiles=5" in findings.problems[4].text


def test_without_a_common_bar_what_the_model_would_lack_is_not_told_besides():
    asked = ask(legs=Bars(18_200, 18_300), model=RollingRegression(window=500))
    only(feasibility(asked).problems, "universe.prices: has bars from")


def test_a_signal_of_betas_waits_for_the_first_fit_and_not_for_the_first_residual():
    model = RollingRegression(window=20, min_obs=20, as_of_lag=30)
    signals = {"b": BetaCompression(window_bars=2), "r": ResidualMomentum(2, 0)}
    asked = ask(model=model, signals=signals)
    assert asked.first_of("b") - asked.stocks.first_bar == 20 + 1
    assert asked.first_of("r") - asked.stocks.first_bar == 50 + 1
    short = ask(legs=Bars(18_000, 18_030), model=model, signals=signals)
    told = [w.text for w in feasibility(short).warnings if w.place == ("signals", "r")]
    assert told == ["its first value needs what the model cannot give: it has no value"]
    assert not [w for w in feasibility(short).warnings if w.place == ("signals", "b")]


def test_a_composite_has_a_value_as_soon_as_enough_of_its_parts_have_one():
    signals = {
        "both": Composite(("early", "late")),
        "either": Composite(("early", "late"), min_parts=1),
        "early": Momentum(20, 2),
        "late": Momentum(60, 2),
    }
    asked = ask(signals=signals)
    firsts = {label: asked.first_of(label) - asked.stocks.first_bar for label in signals}
    assert firsts == {"both": 60, "either": 20, "early": 20, "late": 60}


def test_what_the_model_cannot_give_a_composite_waits_for_too():
    signals = {
        "m": Momentum(20, 2),
        "b": BetaCompression(),
        "both": Composite(("m", "b")),
        "above": Composite(("both",)),
        "either": Composite(("m", "b"), min_parts=1),
    }
    told = feasibility(ask(model=RollingRegression(window=500), signals=signals)).warnings
    waiting = [w.place[1] for w in told if "the model cannot give" in w.text]
    assert waiting == ["b", "both", "above"]


@dataclass(frozen=True)
class Promising(Signal):
    """A signal that does not say how many bars it needs."""

    window_bars: int = 5000

    def requires(self) -> frozenset[str]:
        return frozenset({"close"})

    @property
    def warm_up(self) -> int:
        return self.window_bars - 1

    def compute(self, panel: Panel) -> np.ndarray:
        return np.full(panel["close"].shape, np.nan)


def test_a_window_beyond_the_data_is_told_without_promising_values():
    only(
        [w for w in feasibility(ask(signals={"x": Promising()})).warnings if "looks" in w.text],
        "signals.x: it looks back over 5000 bars, the data have 120: no value can use as many",
    )


SHAPES = st.fixed_dictionaries(
    {
        "n_bars": st.integers(5, 45),
        "lead": st.integers(-10, 10),
        "window": st.integers(4, 30),
        "lookback": st.integers(3, 25),
        "horizons": st.sampled_from([(1,), (1, 7), (2, 30)]),
        "every": st.sampled_from([1, 1, 4, 17]),
        "betas": st.booleans(),
    }
)


@settings(max_examples=40)
@given(SHAPES)
def test_on_whole_data_a_rank_ic_is_missing_exactly_where_the_plan_says_so(shape):
    stocks = Bars(18_000, 18_000 + shape["n_bars"] - 1)
    legs = Bars(max(18_000 + shape["lead"], 17_000), 18_060)
    assume(legs.first_bar < stocks.last_bar)
    model = RollingRegression(window=shape["window"])
    signals = {
        "m": Momentum(shape["lookback"], 1),
        "r": ResidualMomentum(shape["lookback"] + 1, 1),
        "volatility": LowVolatility(shape["lookback"]),
        "beta": BetaCompression("size", shape["lookback"]),
        "value": ValueAgainstBeta(shape["lookback"], 1),
        "all": Composite(("m", "r", "beta")),
        "any": Composite(("m", "r", "beta"), min_parts=1),
        "two": Composite(("all", "any", "r"), min_parts=2),
    }
    options = EvaluationOptions(
        shape["horizons"], n_quantiles=2, spread_horizon=1, every_bars=shape["every"]
    )
    asked = ask(
        stocks,
        legs,
        model=model,
        signals=signals,
        betas=shape["betas"],
        horizons=list(options.horizons),
        every_bars=options.every_bars,
    )
    findings = feasibility(asked)
    computed = rank_ics(asked, options)
    told = said(findings)
    for label in signals:
        for h in options.horizons:
            lines = [text for text in told if text.startswith(f"signals.{label}:")]
            is_told = any("has no value" in t or f" {h} bars" in t or f" {h}," in t for t in lines)
            assert is_told == (computed[label, h] == 0), (label, h, told)
    assert bool(findings.problems) == (sum(computed.values()) == 0)


def rank_ics(asked: Ask, options: EvaluationOptions) -> dict[tuple[str, int], int]:
    """Compute a study on whole, random data and count the bars that have a rank IC."""
    rng = np.random.default_rng(0)
    n_bars, n_assets = asked.n_bars, len(asked.universe)
    closes = np.datetime64(asked.stocks.first_bar, "D").astype("datetime64[us]")
    bars = closes + np.arange(n_bars) * DAY
    price = np.exp(np.cumsum(rng.normal(0, 0.01, (n_bars, n_assets)), axis=0))
    axes = {"first_bar": asked.stocks.first_bar}
    prices = Panel({"close": price}, bars, asked.universe, **axes)
    returns = prices.only([]).with_fields({"return": simple_returns(price)})
    factor = rng.normal(0, 0.01, (n_bars, 2))
    number = asked.stocks.first_bar + np.arange(n_bars)
    factor[(number <= asked.legs.first_bar) | (number > asked.legs.last_bar)] = np.nan
    factors = Panel({"return": factor}, bars, ("market", "size"), **axes)
    model = asked.model.fit(returns, factors)
    panel = prices.with_fields({"return": returns["return"], **model})
    found = {}
    for label, signal in asked.signals.items():
        values = signal.compute(panel)
        panel = panel.with_fields({f"signal:{label}": values})
        if asked.full["neutralise"]["betas"]:
            values = neutralised_signal(values, model)
        rows = evaluate({label: values}, prices, options=options).summary.to_dicts()
        found |= {(label, row["horizon_bars"]): row["n_bars"] for row in rows}
    return found

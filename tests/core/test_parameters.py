"""Fields of plug-ins and options are checked by kind, then by rule, all at once."""

import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal

import numpy as np
import pytest

from plumbline.core.errors import ParameterError
from plumbline.core.parameters import broken, refuse, require_kinds, shown
from plumbline.features.universe import UniverseRules


@dataclass(frozen=True)
class Made:
    bars: int = 5
    share: float | None = None
    name: str = "one"
    way: Literal["up", "down"] = "up"
    steps: tuple[int, ...] = (1, 2)
    is_open: bool = False
    other: object = None
    tags: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_kinds(self)
        refuse(self, broken([(self.bars > 0, "bars must be above 0"), (True, "never")]))


@pytest.mark.parametrize(
    ("field_name", "value", "allowed"),
    [
        ("bars", 5.0, "a whole number"),
        ("bars", True, "a whole number"),
        ("bars", None, "a whole number"),
        ("share", "a", "a number or None"),
        ("share", False, "a number or None"),
        ("name", 5, "text"),
        ("way", "left", "one of up, down"),
        ("way", ["up"], "one of up, down"),
        ("steps", (1, "a"), "a tuple, each entry a whole number"),
        ("steps", 5, "a tuple, each entry a whole number"),
        ("is_open", 1, "True or False"),
    ],
)
def test_a_field_of_another_kind_is_told_with_what_is_allowed(field_name, value, allowed):
    with pytest.raises(ParameterError) as refused:
        Made(**{field_name: value})
    assert str(refused.value) == f"{field_name} must be {allowed}; got Made({field_name}={value!r})"


def test_dates_are_shown_as_they_are_written_wherever_they_stand():
    day, moment = date(2017, 11, 5), datetime(2017, 11, 5, 9, 30, tzinfo=UTC)
    assert shown(day) == "2017-11-05"
    assert shown(moment) == "2017-11-05T09:30:00+00:00"
    assert shown([(day,), (day, "a"), {"x": day, 1: None}]) == (
        "[(2017-11-05,), (2017-11-05, 'a'), {'x': 2017-11-05, 1: None}]"
    )
    assert shown(Made(other=[day], bars=3)) == "Made(bars=3, other=[2017-11-05])"
    assert shown(Made) == repr(Made)


def test_all_fields_of_the_right_kind_are_taken():
    made = Made(np.int64(3), 1, "two", "down", (np.int32(1),), True, object(), {"a": 1})
    assert made.bars == 3
    assert Made(share=np.float64(0.5)).share == 0.5


def test_wrong_fields_are_told_together_and_only_they_are_shown():
    with pytest.raises(ParameterError) as refused:
        Made(bars="x", name=3)
    told = "bars must be a whole number; name must be text; got Made(bars='x', name=3)"
    assert str(refused.value) == told
    with pytest.raises(ParameterError) as refused:
        Made(bars=-1, steps=(1, 2), tags={})
    assert str(refused.value) == "bars must be above 0; got Made(bars=-1)"


WRONG = """
import numpy as np, polars as pl, plumbline, plumbline.polars
from plumbline.factors.options import EvaluationOptions
from plumbline.features.universe import UniverseRules, universe_members
from plumbline.lake.source import sources
from plumbline.kernels import RecursiveOptions, RollingOptions, ewma, rolling_ols, winsorise

one, x = np.ones((5, 1)), pl.col("x").plumb
for call in (
    lambda: UniverseRules(min_price="x"),
    lambda: universe_members(None, UniverseRules()),
    lambda: EvaluationOptions(horizons=[1], n_quantiles=None),
    lambda: RollingOptions(ridge="a", missing="drop"),
    lambda: RecursiveOptions(forgetting="a"),
    lambda: rolling_ols(one, one, 3, options={}),
    lambda: ewma(one, "a"),
    lambda: winsorise(one, 5),
    lambda: x.rolling_ols(None, 5),
    lambda: x.neutralise(5),
    lambda: plumbline.Panel.from_frame(pl.DataFrame({"bar_close": [], "asset": []}), calendar=5),
    lambda: plumbline.open_lake(".").ingest("x", sources["csv"]("a"), calendar=5),
    lambda: plumbline.open_lake(".").ingest(7, "a.csv", calendar="XNYS"),
):
    try:
        call()
    except plumbline.core.errors.ParameterError as error:
        print(error)
"""
TOLD = """\
min_price must be a number or None; got UniverseRules(min_price='x')
panel=None must be a Panel with the field close
horizons must be a tuple, each entry a whole number; n_quantiles must be a whole number; \
got EvaluationOptions(horizons=[1], n_quantiles=None)
ridge must be a number; missing must be one of skip, propagate; \
got RollingOptions(ridge='a', missing='drop')
forgetting must be a number; got RecursiveOptions(forgetting='a')
options={} must be RollingOptions, or None
ewma: half_life='a' must be a number above 0
winsorise: limits=5 must be a lower and a higher quantile in 0 … 1
factors=None must be columns, as names or expressions
exposures=5 must be columns, as names or expressions
calendar=5 must be a Calendar, or text such as 'XNYS' or '24/7 1h'
calendar=5 must be a Calendar, or text such as 'XNYS' or '24/7 1h'
name=7 must be text; source='a.csv' must be a source, such as \
plumbline.lake.source.sources['csv']('prices.csv')
"""


def test_arguments_of_another_kind_are_refused_by_name_where_nothing_checks_annotations():
    process = [sys.executable, "-c", WRONG]
    told = subprocess.run(process, capture_output=True, text=True, check=True, encoding="utf-8")
    assert told.stdout == TOLD


def test_only_what_differs_from_the_defaults_is_shown():
    with pytest.raises(ParameterError, match=r"above 0; got UniverseRules\(min_price=-1\)$"):
        UniverseRules(min_price=-1)

"""What nobody could mean is refused in words of ours, where nothing checks annotations."""

import subprocess
import sys
from datetime import date

import pytest

from plumbline.core.errors import ParameterError
from plumbline.risk import Load, measure, synthesize
from plumbline.risk.analytics.market_beta import MarketBeta

WRONG = """
from datetime import date
import polars as pl
from plumbline.core.errors import BookError, ParameterError
from plumbline.risk import Book, Load, measure, synthesize
from plumbline.risk.analytics.stress import Stress
from plumbline.risk.scenarios import Scenario

load = Load(portfolios=1, positions=2, dates=2, symbols=12, option_share=0.0)
book, market = synthesize(load, seed=1)
trades = pl.DataFrame({"portfolio": ["p"], "date": [date(2023, 1, 4)], "symbol": ["S"],
                       "quantity": [1.0], "price": [2.0]})

def measured(analytics=("market_beta",), dates=None):
    return measure(book, market, analytics=analytics, dates=dates)

for call in (
    lambda: measured({"market_beta": {"window_bars": 2, "x": 1}}),
    lambda: measured({"tail": 5, "sector": Stress, "attribution": {"benchmark": 3}}),
    lambda: measured({"tial": None, 3: None}),
    lambda: measured(["tail", {"market_beta": {"window_bars": 120}}]),
    lambda: measured(5),
    lambda: measured(dates=[]),
    lambda: measured(dates="2017-11-08"),
    lambda: measured(dates=[5.5]),
    lambda: measured(dates=date(1999, 1, 1)),
    lambda: Scenario("x", {"market": "a"}),
    lambda: Scenario("x", [-0.1]),
    lambda: Scenario("x", {3: 0.1}),
    lambda: Scenario("x", replay=("2020-01-01", "2020-02-01")),
    lambda: Scenario("x", replay=(date(2020, 1, 1),)),
    lambda: Stress(({"name": "x"},)),
    lambda: Stress(3),
    lambda: Book.from_frames(portfolios={"a": 1}, trades=trades),
    lambda: Book.from_frames(portfolios=pl.LazyFrame({"a": [1]}), trades=[1]),
    lambda: Book.from_frames(portfolios=None, trades=None),
    lambda: Book.from_frames(portfolios=None, trades=trades),
    lambda: Book.from_positions(None),
):
    try:
        call()
    except (ParameterError, BookError) as error:
        print(str(error).replace(chr(10), "").split("; got ")[0])
"""
FORMS = (
    "must be 'all', names, or a mapping of all that are chosen to an Analytic, its parameters, or "
    "None, such as {'market_beta': {'window_bars': 120}, 'tail': None}; a row of names holds no "
    "parameters"
)
DATES = (
    "must be a date or at least one in a row, such as [date(2024, 1, 31)]; leave it out for all on "
    "which a portfolio is open"
)
NO_TABLE = "is no table; give one of polars, pandas or pyarrow"
NONE = "there are no portfolios: give a table of portfolios, or positions, which open them"
TOLD = f"""\
market_beta: no parameter 'x'; known: benchmark, min_obs, window_bars
tail: 5 must be an Analytic, its parameters or None; sector: <class \
'plumbline.risk.analytics.stress.Stress'> must be an Analytic, its parameters or None; \
attribution: benchmark must be text
no analytic 'tial'; did you mean 'tail'?; no analytic 3; known: attribution, beta_realised, \
correlation, market_beta, rate_beta, sector, stress, style_ridge, style_spread, tail, volatility
analytics=['tail', {{'market_beta': {{'window_bars': 120}}}}] {FORMS}
analytics=5 {FORMS}
dates=[] {DATES}
dates='2017-11-08' {DATES}
dates=[5.5] {DATES}
1 date of no session of the prices, which have those of XNYS from 2020-12-29 to 2023-01-04: \
1999-01-01
the shock of market is 'a' and must be a number: it is a return, -0.1 is a fall of 10 %
shocks must be a mapping of factor -> return, such as {{'market': -0.1}}
no factor 3: known: low_volatility, market, momentum, quality, size, value_growth
replay must be two dates, the first and the last
replay must be two dates, the first and the last
scenarios must be a tuple, each entry a Scenario
scenarios must be a tuple, each entry a Scenario
book: 1 problem  - portfolios: dict {{'a': 1}} {NO_TABLE}
book: 2 problems  - portfolios: LazyFrame, which is not collected, {NO_TABLE}  - trades: list [1] \
{NO_TABLE}
book: 1 problem  - {NONE}
book: 1 problem  - {NONE}
book: 1 problem  - {NONE}
"""


def test_arguments_that_cannot_be_are_refused_with_what_was_given_and_what_is_allowed():
    process = [sys.executable, "-c", WRONG]
    told = subprocess.run(process, capture_output=True, text=True, check=True, encoding="utf-8")
    assert told.stdout.splitlines() == TOLD.splitlines()


@pytest.fixture(scope="module")
def made():
    return synthesize(Load(portfolios=2, positions=3, dates=3, symbols=12), seed=1)


def test_analytics_are_chosen_with_their_parameters_as_a_recipe_has_them(made):
    book, market = made
    day = market.dates[-1].item()
    found = measure(
        book,
        market,
        dates=[day],
        analytics={"market_beta": {"window_bars": 120}, "rate_beta": None},
        benchmark="IWM",
    )
    wanted = measure(
        book,
        market,
        dates=[day],
        analytics={"market_beta": MarketBeta(window_bars=120, benchmark="IWM")},
    )
    assert found.measures["market_beta"].equals(wanted.measures["market_beta"])
    assert "rate_beta" in found.measures.columns
    own = {"market_beta": {"window_bars": 120, "benchmark": "SPY"}}
    spy = measure(book, market, dates=[day], analytics=own, benchmark="IWM").measures
    assert not spy["market_beta"].equals(wanted.measures["market_beta"])


def test_one_date_is_measured_as_a_row_of_it_alone(made):
    book, market = made
    day = market.dates[-1].item()
    one, row = (measure(book, market, dates=d, analytics=["tail"]) for d in (day, [day]))
    assert one.measures.equals(row.measures)
    assert one.measures["date"].unique().to_list() == [day]


def test_parameters_out_of_range_are_told_with_their_analytic(made):
    with pytest.raises(ParameterError, match=r"^market_beta: window_bars must lie in 3"):
        measure(*made, dates=date(2023, 1, 3), analytics={"market_beta": {"window_bars": 2}})

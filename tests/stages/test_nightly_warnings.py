"""What is not counted, valued, converted or replayed is said, with names, dates and what to add."""

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from plumbline.risk.analytics.stress import Stress
from plumbline.risk.book import Book
from plumbline.risk.scenarios import Scenario
from plumbline.stages.nightly_warnings import book_warnings, stress_warnings
from tests.risk.made_books import HELD, made_history
from tests.stages.nightly_projects import Nights

MARKET = made_history(3, gaps=0.0)
DAY = MARKET.dates[-1].item()
ALL = np.ones(MARKET.dates.size, dtype=np.bool_)


def book_of(*options: tuple[str, str, float | None], currencies: tuple[str, ...] = ("USD",)):
    """Return a book that holds options: symbol, underlying, volatility; and a share."""
    names = [f"p{i}" for i in range(len(currencies))]
    symbols = [HELD[0], *(option[0] for option in options)]
    n = len(symbols)
    terms = {"strike": 50.0, "expiry": date(DAY.year + 1, 1, 16), "right": "put"}
    return Book.from_frames(
        portfolios=pl.DataFrame(
            {"portfolio": names, "opened_on": [DAY] * len(names), "currency": list(currencies)}
        ),
        trades=pl.DataFrame(
            {"portfolio": ["p0"] * n, "date": [DAY] * n, "symbol": symbols}
            | {"quantity": [1.0] * n, "price": [2.0] * n}
        ),
        instruments=pl.DataFrame(
            [
                {"symbol": HELD[0]},
                {"symbol": "NONE"},
                *(
                    {"symbol": symbol, "class": "option", "underlying": under, "volatility": sigma}
                    | terms
                    for symbol, under, sigma in options
                ),
            ],
            infer_schema_length=None,
        ),
    )


def told_of(book: Book, priced: set[str]) -> list[str]:
    return list(book_warnings(book, MARKET, priced))


def test_an_option_without_a_close_or_a_volatility_is_named_with_what_to_add():
    book = book_of(("A", HELD[0], None), ("B", HELD[0], 0.2), ("C", HELD[0], None))
    (told,) = told_of(book, {HELD[0], "C"})
    assert told == (
        "1 traded option has neither a close nor a volatility, so that it cannot be valued and "
        "what is held of it is carried at its cost: A; add closes to a data set, or volatility to "
        "instruments"
    )
    (told,) = told_of(book, {HELD[0]})
    assert told.startswith("2 traded options have neither a close nor a volatility, so that they")
    assert "carried at its cost: A, C; add" in told
    many = book_of(*((f"O{i}", HELD[0], None) for i in range(7)))
    assert "O0, O1, O2, O3, O4 and 2 more" in told_of(many, {HELD[0]})[0]


def test_an_option_on_what_has_no_close_is_named_with_its_underlying():
    (told,) = told_of(book_of(("A", "NONE", 0.2)), {HELD[0]})
    assert told.startswith("1 traded option has no close and is on what has none, so that it")
    assert told.endswith(": A; add closes of NONE, or of the options, to a data set")


def test_one_symbol_and_one_trade_are_told_in_the_singular():
    (told,) = told_of(book_of(), {"OTHER"})
    assert told.startswith("1 traded symbol has no price in any data set, so that what is held of")
    early = replace(MARKET, dates=MARKET.dates - 9)
    last = early.dates[-1]
    assert list(book_warnings(book_of(), early, {HELD[0]})) == [
        f"1 portfolio opens behind {last}, the last date that has prices, and is not counted yet",
        f"1 trade lies behind {last}, the last date that has prices, and is not counted yet",
    ]


def test_portfolios_of_several_currencies_are_told_once_and_one_is_not():
    assert told_of(book_of(currencies=("EUR", "EUR")), {HELD[0]}) == []
    (told,) = told_of(book_of(currencies=("USD", "EUR", "USD")), {HELD[0]})
    assert told.startswith("portfolios are of 2 currencies, EUR, USD: each is a label")
    assert "nothing is converted" in told


def test_replays_that_the_prices_lack_are_told_with_their_dates_and_those_of_the_prices():
    there = (MARKET.dates[200].item(), MARKET.dates[220].item())
    early, late = (date(2008, 9, 1), date(2008, 10, 1)), (date(2099, 1, 1), date(2099, 2, 1))
    names = {"there": there, "early": early, "late": late, "weekend": (date(2023, 4, 1),) * 2}
    stress = Stress(
        (Scenario("x", {"market": -0.1}), *(Scenario(n, replay=r) for n, r in names.items()))
    )
    (told,) = stress_warnings([stress], MARKET, ALL)
    assert told.startswith("3 scenarios of stress replay dates that the prices lack, and have no")
    for name in ("early", "late", "weekend"):
        assert f"{name!r} ({names[name][0]} to {names[name][1]})" in told
    assert "'there'" not in told
    assert told.endswith(f"there are those from {MARKET.dates[1]} to {DAY}")


@pytest.mark.parametrize(("last", "n_told"), [(219, 1), (220, 0)])
def test_a_replay_is_told_unless_it_ends_by_the_last_date_that_is_asked_for(last, n_told):
    replayed = Scenario("x", replay=(MARKET.dates[200].item(), MARKET.dates[220].item()))
    wanted = np.arange(MARKET.dates.size) == last
    assert len(list(stress_warnings([Stress((replayed,))], MARKET, wanted))) == n_told


def test_a_replay_over_a_gap_of_one_fund_is_told():
    close = MARKET.close.copy()
    close[MARKET.place["SPY"], 210] = np.nan
    gap = replace(MARKET, close=close)
    replayed = Scenario("x", replay=(MARKET.dates[200].item(), MARKET.dates[220].item()))
    (told,) = stress_warnings([Stress((replayed,))], gap, ALL)
    assert told.startswith("1 scenario of stress replays dates that the prices lack, and has no")
    assert told.endswith(f"to {DAY}, 2 sessions between left out")


def test_plan_and_run_say_which_replay_has_no_figures(tmp_path):
    nights = Nights.made(tmp_path / "made")
    file = nights.folder / "scenarios.yaml"
    file.write_text("- {name: crisis, replay: [2008-09-01, 2008-10-01]}\n")
    words = ("scenarios=scenarios.yaml", "analytics=[stress]")
    (planned,) = nights.plan(*words).inputs.warnings
    assert "1 scenario of stress replays dates that the prices lack" in planned
    assert "'crisis' (2008-09-01 to 2008-10-01)" in planned
    assert nights.run(*words).warnings == (planned,)
    assert nights.tables()["stress"]["pnl"].null_count() == nights.tables()["stress"].height > 0

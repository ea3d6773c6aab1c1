"""Stress is slopes times moves, each factor once; options are valued anew, replays are data."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

from plumbline.core.errors import ParameterError
from plumbline.risk.analytic import MarketDays
from plumbline.risk.analytics.stress import Stress
from plumbline.risk.book import Book
from plumbline.risk.joint_model import FACTORS, JointModel
from plumbline.risk.measurement import measure
from plumbline.risk.options import Contracts, greeks
from plumbline.risk.scenarios import Scenario, factor_moves
from tests.risk.made_books import FIRST, HELD, N_DAYS, among, made_book, made_history, valued

DAY = N_DAYS - 1


@pytest.fixture(scope="module")
def market():
    return made_history(3, gaps=0.0)


@pytest.fixture(scope="module")
def fit(market):
    held = np.ones((len(market.symbols), 1), dtype=bool)
    names = (None,) * len(market.symbols)
    return JointModel().fit(
        MarketDays(valued(market), np.array([DAY]), held, np.zeros((0, 1), dtype=bool), names)
    )


def moves_of(fit, market, scenario):
    return factor_moves([scenario], fit, market.dates, 17.0)[0, 0]


def test_a_shocked_factor_moves_less_what_the_market_explains_and_others_stand(market, fit):
    b = fit.line[0, :, 1]
    moves = moves_of(fit, market, Scenario("x", {"market": -0.1}, rates_bp=100.0))
    wanted = np.zeros(len(FACTORS))
    wanted[0], wanted[1] = -0.1, -0.17 + 0.1 * b[1]
    assert_allclose(moves, wanted, rtol=1e-12)


def test_correlated_factors_move_as_their_covariance_says(market, fit):
    a, b = fit.line[0, :, 0], fit.line[0, :, 1]
    rows = fit.raw[DAY - 252 : DAY] - a - b * fit.raw[DAY - 252 : DAY, :1]
    covariance = np.cov(rows.T)
    moves = moves_of(fit, market, Scenario("x", {"momentum": -0.1}, is_correlated=True))
    at = FACTORS.index("momentum")
    assert_allclose(moves, -0.1 * covariance[:, at] / covariance[at, at], rtol=1e-9, atol=1e-15)


def test_a_replay_is_what_factors_returned(market, fit):
    stretch = (market.dates[200].item(), market.dates[220].item())
    moves = moves_of(fit, market, Scenario("x", replay=stretch))
    total = np.prod(1 + fit.raw[200:221], axis=0) - 1
    assert_allclose(moves, total - fit.line[0, :, 1] * total[0], rtol=1e-12)
    early = moves_of(fit, market, Scenario("x", replay=(date(1999, 1, 4), date(1999, 2, 1))))
    assert np.isnan(early).all()
    late = (market.dates[500].item(), market.dates[DAY].item())
    behind = factor_moves([Scenario("x", replay=late)], fit, market.dates, 17.0)
    assert np.isfinite(behind).all()


def test_portfolios_gain_exposure_times_slopes_times_moves(market, fit):
    book = made_book(np.random.default_rng(8), among(market, HELD), 6)
    scenarios = (Scenario("down", {"market": -0.1}), Scenario("rates", rates_bp=50.0))
    when = market.dates[DAY].item()
    result = measure(book, market, dates=[when], analytics={"stress": Stress(scenarios)})
    n_checked = 0
    for row in result.stress.iter_rows(named=True):
        scenario = next(s for s in scenarios if s.name == row["scenario"])
        moves = moves_of(fit, market, scenario)
        held = result.exposures.filter(portfolio=row["portfolio"])
        pnl = covered = gross = 0.0
        for symbol, exposure in held.select("symbol", "exposure").iter_rows():
            slopes = fit.beta[market.place[symbol], 0]
            gross += abs(exposure)
            if np.isfinite(slopes).all():
                pnl += exposure * (slopes @ moves)
                covered += abs(exposure)
        assert_allclose(row["coverage"], covered / gross, rtol=1e-12)
        if covered:
            n_checked += 1
            assert_allclose(row["pnl"], pnl, rtol=1e-9, atol=1e-9)
    assert n_checked > 4
    worst = result.stress.group_by("portfolio").agg(pl.col("share").min())
    joined = result.measures.join(worst, on="portfolio")
    assert_allclose(joined["stress_worst"].to_numpy(), joined["share"].to_numpy(), rtol=1e-12)


def test_options_are_valued_anew(market, fit):
    symbol = next(s for s in HELD if np.isfinite(fit.beta[market.place[s], 0]).all())
    place = market.place[symbol]
    spot = market.close[place, DAY]
    expiry = market.dates[DAY].item().replace(year=market.dates[DAY].item().year + 1)
    book = Book.from_frames(
        portfolios=pl.DataFrame(
            {"portfolio": ["p"], "opened_on": [market.dates[DAY - 3].item()], "opening_cash": [1e6]}
        ),
        trades=pl.DataFrame(
            {
                "portfolio": ["p"],
                "date": [market.dates[DAY - 2].item()],
                "symbol": ["P"],
                "quantity": [2.0],
                "price": [5.0],
            }
        ),
        instruments=pl.DataFrame(
            {
                "symbol": ["P", symbol],
                "class": ["option", "equity"],
                "underlying": [symbol, None],
                "strike": [float(spot), None],
                "expiry": [expiry, None],
                "right": ["put", None],
                "volatility": [0.3, None],
            }
        ),
    )
    scenario = Scenario("down", {"market": -0.2}, volatility=0.1)
    when = market.dates[DAY].item()
    result = measure(book, market, dates=[when], analytics={"stress": Stress((scenario,))})
    move = fit.beta[place, 0] @ moves_of(fit, market, scenario)
    years = (np.datetime64(expiry) - market.dates[DAY]).astype(int) / 365

    def value(price, volatility):
        cells = (price, spot, years, 0.0, 0.0)
        return greeks(Contracts(*map(np.array, cells), np.array(False)), np.array(volatility)).value

    wanted = 200 * (value(spot * (1 + move), 0.4) - value(spot, 0.3))
    assert_allclose(result.stress["pnl"][0], wanted, rtol=1e-9)


def test_scenarios_that_say_nothing_or_too_much_are_refused():
    with pytest.raises(ParameterError, match="no factor 'markte'"):
        Scenario("x", {"markte": -0.1})
    with pytest.raises(ParameterError, match="exclude each other"):
        Scenario("x", {"market": -0.1}, replay=(date(2020, 1, 1), date(2020, 2, 1)))
    with pytest.raises(ParameterError, match="needs shocks"):
        Scenario("x")
    with pytest.raises(ParameterError, match="distinct names"):
        Stress((Scenario("x", rates_bp=1.0), Scenario("x", rates_bp=2.0)))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"shocks": {"market": -5}}, "the shock of market is -5 and must be finite and above -1"),
        ({"shocks": {"market": -1.0}}, "the shock of market is -1 and must be finite and above"),
        ({"shocks": {"size": float("inf")}}, "the shock of size is inf and must be finite"),
        ({"shocks": {"market": True}}, "the shock of market is True and must be a number"),
        ({"shocks": {"rates": 0.1}}, "rates are shocked by rates_bp, in basis points"),
    ],
)
def test_a_shock_or_replay_that_cannot_be_is_refused_with_what_is_allowed(given, told):
    with pytest.raises(ParameterError, match=told):
        Scenario("x", **given)


def test_a_misspelt_factor_is_one_sentence_and_dates_are_told_as_iso():
    with pytest.raises(ParameterError) as caught:
        Scenario("x", {"markett": -0.1})
    sentence, *rest = str(caught.value).split("; ")
    assert sentence == "no factor 'markett': did you mean 'market'?"
    assert rest == ["got Scenario(name='x', shocks={'markett': -0.1})"]
    with pytest.raises(ParameterError) as caught:
        Scenario("x", replay=(date(2016, 2, 1), date(2016, 1, 1)))
    assert str(caught.value) == (
        "the replay ends on 2016-01-01, before it begins on 2016-02-01; got Scenario(name='x', "
        "replay=(2016-02-01, 2016-01-01))"
    )


def test_scenarios_by_which_bonds_lose_all_are_refused():
    steep = Scenario("steep", rates_bp=588.3)
    with pytest.raises(ParameterError, match=r"rates_bp 588.3, .* 17 years .* below 588"):
        Stress((steep,))
    assert Stress((steep,), duration=16.0).scenarios == (steep,)


def test_a_shock_by_which_a_share_loses_all_values_its_options_without_a_warning(market, fit):
    slopes = {(s, k): fit.beta[market.place[s], 0, k] for s in HELD for k in range(2, len(FACTORS))}
    (symbol, at), slope = min(slopes.items(), key=lambda item: np.nan_to_num(item[1]))
    day = market.dates[DAY]
    book = Book.from_positions(
        pl.DataFrame(
            {
                "portfolio": ["p"],
                "symbol": ["P"],
                "quantity": [2.0],
                "entry_price": [5.0],
                "entry_date": [day.item()],
                "class": ["option"],
                "underlying": [symbol],
                "strike": [50.0],
                "expiry": [(day + 90).item()],
                "right": ["put"],
                "volatility": [0.3],
            }
        )
    )
    stress = Stress((Scenario("all", {FACTORS[at]: -2 / float(slope)}),))
    (worst,) = measure(book, market, dates=[day.item()], analytics={"stress": stress}).stress["pnl"]
    assert slope < 0
    spot = market.close[market.place[symbol], DAY]
    terms = (spot, 50.0, 90 / 365, 0.0, 0.0)
    now = greeks(Contracts(*map(np.array, terms), np.array(False)), np.array(0.3)).value
    assert_allclose(worst, 200 * (50.0 - now), rtol=1e-9)


def test_stress_knows_nothing_of_what_comes_later(market):
    book = made_book(np.random.default_rng(8), among(market, HELD), 4)
    when = market.dates[400].item()
    rows = slice(0, 401)
    tables = (market.close[:, rows], market.split[:, rows], market.dividend[:, rows])
    shorter = type(market)(market.dates[rows], market.symbols, *tables, False, FIRST)
    known = book.trades["date"] <= when
    early = type(book)(
        book.portfolios.filter(pl.col("opened_on") <= when),
        book.trades.filter(known),
        book.cash_flows.filter(pl.col("date") <= when),
        book.instruments,
        book.calendar,
    )
    for name in ("stress", "attribution"):
        whole = measure(early, market, dates=[when], analytics=[name])
        cut = measure(early, shorter, dates=[when], analytics=[name])
        assert whole.stress.equals(cut.stress)
        assert whole.measures.equals(cut.measures)

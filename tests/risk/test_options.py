"""Options are worth the mean of what they pay, and sensitivities are slopes of that."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.risk.options import Contracts, greeks, implied_volatility
from tests.oracles.black_scholes import value_of

BASE = Contracts(
    spot=np.array([100.0]),
    strike=np.array([95.0]),
    years=np.array([0.4]),
    rate=np.array(0.03),
    dividend_yield=np.array(0.01),
    is_call=np.array([True]),
)


@given(
    spot=st.floats(1, 500),
    moneyness=st.floats(0.5, 2),
    days=st.integers(1, 1500),
    rate=st.floats(-0.02, 0.1),
    carry=st.floats(0, 0.08),
    volatility=st.floats(0.05, 1.5),
    is_call=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_values_are_means_of_what_is_paid(spot, moneyness, days, rate, carry, volatility, is_call):
    strike, years = spot * moneyness, days / 365
    contracts = Contracts(*map(np.array, (spot, strike, years, rate, carry, is_call)))
    wanted = value_of(spot, strike, years, rate, carry, volatility, is_call=is_call)
    found = greeks(contracts, np.array(volatility)).value
    assert_allclose(found, wanted, rtol=1e-7, atol=1e-9 * spot)


def slope(of, step):
    return (of(step) - of(-step)) / (2 * step)


@pytest.mark.parametrize("is_call", [True, False])
@pytest.mark.parametrize("strike", [60.0, 95.0, 100.0, 140.0])
def test_sensitivities_are_slopes_of_the_value(is_call, strike):
    volatility = np.array([0.3])
    base = replace(BASE, is_call=np.array([is_call]), strike=np.array([strike]))

    def value(**changes):
        moved = replace(
            base,
            **{
                k: np.asarray(getattr(base, k) + v) for k, v in changes.items() if k != "volatility"
            },
        )
        return greeks(moved, volatility + changes.get("volatility", 0.0)).value[0]

    found = greeks(base, volatility)
    assert_allclose(found.delta[0], slope(lambda h: value(spot=h), 1e-3), rtol=1e-6, atol=1e-9)
    deltas = [greeks(replace(base, spot=base.spot + h), volatility).delta[0] for h in (1e-3, -1e-3)]
    assert_allclose(found.gamma[0], (deltas[0] - deltas[1]) / 2e-3, rtol=1e-6)
    assert_allclose(found.vega[0], slope(lambda h: value(volatility=h), 1e-4) / 100, rtol=1e-6)
    assert_allclose(found.theta[0], -slope(lambda h: value(years=h), 1e-5) / 365, rtol=1e-5)
    assert_allclose(found.rho[0], slope(lambda h: value(rate=h), 1e-5) / 100, rtol=1e-6)


def test_calls_and_puts_differ_by_the_forward():
    call, put = (
        greeks(replace(BASE, is_call=np.array([c])), np.array([0.3])) for c in (True, False)
    )
    forward = 100 * np.exp(-0.01 * 0.4) - 95 * np.exp(-0.03 * 0.4)
    assert_allclose(call.value - put.value, forward, rtol=1e-12)


@given(
    moneyness=st.floats(0.3, 3),
    days=st.integers(1, 1000),
    volatility=st.floats(0.02, 3),
    is_call=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_the_implied_volatility_gives_the_price_back(moneyness, days, volatility, is_call):
    contracts = replace(
        BASE,
        strike=np.array([100 * moneyness]),
        years=np.array([days / 365]),
        is_call=np.array([is_call]),
    )
    price = greeks(contracts, np.array([volatility])).value
    least, most = contracts.bounds
    implied = implied_volatility(contracts, price)
    if price[0] - least[0] > 1e-8 and most[0] - price[0] > 1e-8:
        assert_allclose(greeks(contracts, implied).value, price, rtol=1e-9, atol=1e-11)


def test_an_implied_volatility_has_the_same_bits_beside_any_others():
    rng = np.random.default_rng(4)
    strike, years = rng.uniform(50, 150, 400), rng.uniform(0.01, 1, 400)
    is_call = rng.random(400) < 0.5

    def contracts(own):
        zero = np.array(0.0)
        return Contracts(np.array(100.0), strike[own], years[own], zero, zero, is_call[own])

    price = greeks(contracts(slice(None)), rng.uniform(0.02, 3, 400)).value
    together = implied_volatility(contracts(slice(None)), price)
    alone = [
        implied_volatility(contracts(slice(i, i + 1)), price[i : i + 1])[0] for i in range(400)
    ]
    assert_array_equal(together, alone)


def test_prices_outside_the_bounds_and_expired_options_imply_nothing():
    least, most = BASE.bounds
    for price in (least - 1e-9, most + 1e-9, least * 0 + np.nan):
        assert np.isnan(implied_volatility(BASE, price)).all()
    expired = replace(BASE, years=np.array([0.0]))
    assert np.isnan(implied_volatility(expired, np.array([6.0]))).all()
    found = greeks(expired, np.array([0.3]))
    assert (found.value[0], found.delta[0], found.gamma[0]) == (5.0, 1.0, 0.0)
    assert (found.vega[0], found.theta[0], found.rho[0]) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("is_call", "value", "delta"), [(True, 0.0, 0.0), (False, 95.0, -1.0)])
def test_an_underlying_that_is_worth_nothing_has_the_limits(is_call, value, delta):
    carry, decay = np.exp(-0.01 * 0.4), np.exp(-0.03 * 0.4)
    lost = replace(BASE, spot=np.array([0.0]), is_call=np.array([is_call]))
    found = greeks(lost, np.array([0.3]))
    assert_allclose(found.value, value * decay)
    assert_allclose(found.delta, delta * carry)
    assert (found.gamma[0], found.vega[0]) == (0.0, 0.0)
    assert_allclose(found.theta * 365, 0.03 * value * decay)
    assert_allclose(found.rho * 100, -0.4 * value * decay)


def test_what_is_missing_gives_nothing():
    found = greeks(BASE, np.array([np.nan]))
    assert all(np.isnan(getattr(found, name)).all() for name in ("value", "delta", "gamma", "vega"))
    assert np.isnan(greeks(replace(BASE, spot=np.array([np.nan])), np.array([0.3])).value).all()


ODD = [np.nan, np.inf, -np.inf, -1.0, 0.0, 5e-324, 1e-320, 1e-160, 1e-8, 1.0, 95.0, 1e160, 1e308]


@pytest.mark.parametrize("is_call", [True, False])
def test_no_spot_volatility_or_expiry_warns_and_what_is_undefined_is_missing(is_call):
    spot, volatility, years, strike = (
        axis.ravel() for axis in np.meshgrid(ODD, ODD, [*ODD, 0.4], [95.0, 1e-320, 1e308, 0.0])
    )
    contracts = replace(
        BASE, spot=spot, strike=strike, years=years, is_call=np.full(spot.shape, is_call)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = greeks(contracts, volatility)
        implied_volatility(contracts, found.value)
        assert all(np.isnan(bound[~(spot >= 0)]).all() for bound in contracts.bounds)
    given = np.stack([spot, volatility, years])
    is_undefined = ~(np.isfinite(given) & (given >= 0)).all(axis=0)
    for name in ("value", "delta", "gamma", "vega", "theta", "rho"):
        figure = getattr(found, name)
        assert np.isnan(figure[is_undefined | (strike == 0)]).all()
        assert not np.isinf(figure).any()
    plain = (years == 0.4) & (strike == 95) & ~is_undefined & (spot < 1e160) & (volatility <= 1)
    assert plain.sum() > 20
    assert np.isfinite(found.value[plain]).all()
    assert np.isfinite(found.delta[plain]).all()


@pytest.mark.parametrize("volatility", [0.0, 0.3])
def test_an_option_on_nothing_is_worth_what_exercise_gives(volatility):
    base = replace(BASE, spot=np.zeros(2), is_call=np.array([True, False]))
    found = greeks(base, np.array([volatility]))
    assert_allclose(found.value, [0.0, 95 * np.exp(-0.03 * 0.4)], rtol=1e-15)
    assert_allclose(found.delta, [0.0, -np.exp(-0.01 * 0.4)], rtol=1e-15)
    assert_array_equal(found.gamma, [0.0, 0.0])
    assert_array_equal(found.vega, [0.0, 0.0])

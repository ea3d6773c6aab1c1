"""The joint model is the textbook's, counts each factor once, and knows nothing of its own date."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.risk.analytic import MarketDays
from plumbline.risk.joint_model import FACTORS, JointModel
from tests.oracles.joint import joint_fit
from tests.risk.made_books import HELD, made_history, valued

DAYS = np.array([150, 300, 559])


def view(market):
    held = np.ones((len(market.symbols), DAYS.size), dtype=bool)
    return MarketDays(
        valued(market),
        DAYS,
        held,
        np.zeros((0, DAYS.size), dtype=bool),
        (None,) * len(market.symbols),
    )


@pytest.fixture(scope="module")
def market():
    return made_history(11)


def test_slopes_are_those_of_the_textbook(market):
    model = JointModel()
    fit = model.fit(view(market))
    raw = model.raw_factors(view(market))
    n_checked = 0
    for at, day in enumerate(DAYS):
        rows = slice(max(0, day - 180), day)
        for symbol in HELD:
            y = market.returns[market.place[symbol], rows]
            n = (np.isfinite(y) & np.isfinite(raw[rows]).all(axis=1)).sum()
            place = market.place[symbol]
            if n < 108:
                assert np.isnan(fit.beta[place, at]).all()
                assert fit.n_obs[place, at] == 0
                continue
            n_checked += 1
            slopes, lines = joint_fit(y, raw[rows], 1.0)
            assert fit.n_obs[place, at] == n
            assert_allclose(fit.beta[place, at], slopes, rtol=1e-8, atol=1e-10)
            assert_allclose(fit.line[at], lines, rtol=1e-9, atol=1e-12)
            today = [raw[day, k] - a - b * raw[day, 0] for k, (a, b) in enumerate(lines)]
            assert_allclose(fit.factor_returns[at], today, rtol=1e-9, atol=1e-12)
    assert n_checked > 5


def test_factors_beside_the_market_do_not_move_with_it(market):
    fit = JointModel().fit(view(market))
    rows = slice(DAYS[2] - 180, DAYS[2])
    spy = fit.raw[rows, 0]
    for k in range(1, len(FACTORS)):
        left = fit.raw[rows, k] - fit.line[2, k, 0] - fit.line[2, k, 1] * spy
        assert abs(np.corrcoef(left, spy)[0, 1]) < 1e-10


def test_slopes_of_a_date_do_not_know_its_own_returns(market):
    close = market.close.copy()
    close[:, DAYS[1] :] *= np.random.default_rng(1).uniform(0.5, 2, close[:, DAYS[1] :].shape)
    before, after = (JointModel().fit(view(m)) for m in (market, replace(market, close=close)))
    assert_array_equal(before.beta[:, :2], after.beta[:, :2])
    assert (before.beta[:, 2] != after.beta[:, 2]).any()

"""Trailing principal components against one decomposition per window, and on real prices."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.factors.models.statistical import Statistical
from plumbline.factors.principal_components import fit_components
from tests.contracts.made_panels import axis, names
from tests.oracles import principal_components as oracle
from tests.study_files import EXAMPLES


def made(seed: int, kind: str, n_bars: int = 75, n_assets: int = 7) -> Panel:
    """Return returns of three common factors and noise, of a kind, with gaps."""
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((n_bars, 3)) * [0.02, 0.01, 0.006]
    values = common @ (0.4 + rng.standard_normal((3, n_assets)))
    values += 0.003 * rng.standard_normal(values.shape)
    empty = rng.random(values.shape) < rng.choice([0.0, 0.05, 0.4])
    match kind:
        case "constant":
            values[:, 2] = 0.1
        case "scales":
            values *= 10.0 ** rng.integers(-90, 90, n_assets)
        case "level":
            values += 3.0
        case "late":
            values[: n_bars // 2, :4] = np.nan
        case "few":
            values[:, 3:] = np.nan
    values[empty] = rng.choice([np.nan, np.inf, -np.inf], values.shape)[empty]
    return Panel({"return": values}, axis(n_bars), names(n_assets), first_bar=seed % 501 - 250)


kinds = st.sampled_from(["plain", "constant", "scales", "level", "late", "few"])


@settings(max_examples=24)
@given(seed=st.integers(0, 2**32 - 1), kind=kinds, refit=st.sampled_from([3, 7, 40]))
def test_fields_are_those_of_one_decomposition_per_refit(seed, kind, refit):
    returns = made(seed, kind)
    model = Statistical(n_factors=2, window=30, refit_bars=refit)
    fitted, factors = model.fit(returns), model.factor_returns(returns)
    y = np.where(np.isfinite(returns["return"]), returns["return"], np.nan)
    with np.errstate(all="ignore"):
        expected = oracle.statistical(y, returns.first_bar, 2, 30, refit, math.ceil(0.6 * 30))
    size = np.nanmax(np.abs(y), axis=0, initial=1e-300)
    for name in ("alpha", "r2", "n_obs"):
        scale = size if name == "alpha" else 1.0
        assert_array_equal(np.isnan(fitted[name]), np.isnan(expected[name]), err_msg=name)
        assert_allclose(fitted[name] / scale, expected[name] / scale, atol=1e-8, err_msg=name)
    assert_allclose(fitted["residual_return"] / size, expected["residual"] / size, atol=1e-8)
    for k, name in enumerate(model.own_factors):
        assert_allclose(factors["return"][:, k], expected["factor"][:, k], rtol=1e-7, atol=0)
        share = np.nanmax(np.abs(factors["return"][:, k]), initial=0.0) / size
        assert_allclose(fitted[f"beta_{name}"] * share, expected["beta"][k] * share, atol=1e-8)


@pytest.mark.parametrize("n_assets", [20, 59, 61, 90])
def test_both_second_moment_matrices_have_the_components_of_the_window(n_assets):
    rng = np.random.default_rng(n_assets)
    values = rng.standard_normal((60, 4)) * [4, 3, 2, 1] @ rng.standard_normal((4, n_assets))
    values += 0.1 * rng.standard_normal(values.shape)
    found = fit_components(values, 3, 60)
    assert found is not None
    z = ((values - values.mean(axis=0)) / values.std(axis=0))[:, found.columns]
    _, _, rows = np.linalg.svd(z, full_matrices=False)
    assert_allclose(np.abs(rows[:3] @ found.loading), np.eye(3), atol=1e-10)


def test_betas_of_a_window_without_gaps_are_the_eigenvectors():
    returns = made(5, "plain")
    values = np.nan_to_num(returns["return"], nan=0.001, posinf=0.0, neginf=0.0)
    found = fit_components(values[:40], 2, 40)
    assert found is not None
    expected = found.deviation[:, None] * found.loading / found.unit
    assert_allclose(found.beta, expected, rtol=1e-9, atol=1e-12)
    assert_allclose(found.alpha, found.mean - found.beta @ found.base, rtol=1e-9, atol=1e-15)


def test_sizes_of_a_portfolio_add_up_to_one():
    values = np.nan_to_num(made(4, "plain")["return"], posinf=0.0, neginf=0.0)
    found = fit_components(values, 2, 40)
    assert found is not None
    weight = found.loading / found.deviation[:, None] * found.unit
    assert_allclose(np.abs(weight).sum(axis=0), 1.0, rtol=1e-12)
    assert ((found.loading**3).sum(axis=0) > 0).all()


def test_fits_stand_on_bars_of_the_calendar_and_stay_between_them():
    returns = made(0, "plain")
    fitted = Statistical(n_factors=1, window=30, refit_bars=7).fit(returns)
    alpha = np.nan_to_num(fitted["alpha"], nan=9.0)
    moved = np.flatnonzero((alpha[1:] != alpha[:-1]).any(axis=1)) + 1
    assert moved.size > 5
    assert ((returns.first_bar + moved) % 7 == 0).all()


def test_dependent_assets_have_no_more_components_than_they_span():
    values = np.random.default_rng(1).standard_normal((60, 1)) * np.arange(1, 6)
    returns = Panel({"return": values}, axis(60), names(5), first_bar=0)
    model = Statistical(n_factors=2, window=20, refit_bars=5)
    fitted = model.fit(returns)
    assert np.isnan(fitted["alpha"]).all()
    assert model.reasons(fitted)["rank_deficient"] > 0
    alone = Statistical(n_factors=1, window=20, refit_bars=5).fit(returns)
    assert_allclose(alone["residual_return"][30:], 0.0, atol=1e-12)


def test_every_bad_parameter_is_named_at_once():
    with pytest.raises(ParameterError) as caught:
        Statistical(n_factors=0, window=2, refit_bars=0, min_obs=1)
    for name in ("n_factors", "window", "refit_bars", "min_obs"):
        assert f"{name} must" in str(caught.value)


def test_ten_factors_have_names_in_order():
    assert Statistical(n_factors=10).own_factors[8:] == ("pc09", "pc10")


def test_the_first_component_of_real_stocks_is_their_market():
    stocks = pl.concat(
        pl.read_parquet(path) for path in sorted((EXAMPLES / "data/us_equity/stocks").glob("*"))
    )
    symbols = sorted(stocks["symbol"].cast(pl.String).unique())
    wide = stocks.pivot(on="symbol", index="date", values="close").sort("date")
    wide = wide.select("date", *symbols)
    etfs = pl.read_csv(EXAMPLES / "data" / "us_equity" / "etfs.csv", try_parse_dates=True)
    both = wide.join(etfs.select("date", "SPY"), on="date", how="left").drop("date").to_numpy()
    change = both[1:] / both[:-1] - 1
    change[np.abs(change) > 0.5] = np.nan  # wrong ticks, which a study's cleaning takes out
    returns = Panel({"return": change[:, :-1]}, axis(len(change)), symbols, first_bar=7000)
    made_of = Statistical().factor_returns(returns)["return"][:, 0]
    both_there = np.isfinite(made_of) & np.isfinite(change[:, -1])
    assert both_there.sum() > 2000
    market, first = change[both_there, -1], made_of[both_there]
    assert np.corrcoef(first, market)[0, 1] > 0.9
    assert 0.5 < first.std() / market.std() < 2.0

"""Standard errors and t of exposures: those of statsmodels; spreads: those of numpy."""

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.factors.model import models
from plumbline.factors.models.rolling_regression import RollingRegression
from plumbline.factors.portfolio_exposures import equal_weight_errors, portfolio_exposures
from plumbline.factors.risk_decomposition import exposures, has_risk_estimate, risk_decomposition
from tests.contracts.made_panels import FACTORS, axis, factor_panel, names, ragged_panel
from tests.oracles import exposures as oracle

WINDOW = 60


def whole_panel(n_assets: int = 5) -> tuple[Panel, Panel]:
    """Return returns without gaps, correlated beyond the factors, and factors without gaps."""
    rng = np.random.default_rng(4)
    x = 0.01 * rng.standard_normal((150, 2))
    common = 0.01 * rng.standard_normal((150, 1))
    y = (
        x @ rng.standard_normal((2, n_assets))
        + common
        + 0.01 * rng.standard_normal((150, n_assets))
    )
    returns = Panel({"return": y}, axis(150), names(n_assets))
    return returns, Panel({"return": x}, axis(150), ["a", "b"])


@pytest.mark.parametrize("half_life", [None, 15.0])
def test_errors_and_t_of_assets_are_those_of_statsmodels(half_life):
    returns, factors = ragged_panel(200).only(["return"]), factor_panel(200)
    model = RollingRegression(window=WINDOW, half_life=half_life)
    table = exposures(model.fit(returns, factors), model.beta_errors(returns, factors))
    sampled = returns.assets[:5]
    for a, asset in enumerate(sampled):
        rows = table.filter(asset=asset)
        assert rows["factor"].to_list() == list(FACTORS)
        expected = oracle.betas(returns["return"][:, a], factors["return"], WINDOW, half_life)
        for column, values in zip(("beta", "stderr", "t"), expected, strict=True):
            assert_allclose(rows[column], values, rtol=1e-8, err_msg=f"{column} of {asset}")


def test_without_errors_or_with_an_error_of_zero_there_is_no_t():
    returns, factors = whole_panel()
    model = RollingRegression(window=WINDOW)
    fitted = model.fit(returns, factors)
    assert exposures(fitted).select("stderr", "t").null_count().row(0) == (10, 10)
    zero = fitted.only([]).with_fields({f"stderr_{f}": np.zeros(fitted.shape) for f in "ab"})
    assert exposures(fitted, zero)["t"].null_count() == 10
    with pytest.raises(ParameterError, match="the last bar"):
        exposures(fitted, zero.head(20))


def summary(model: RollingRegression, returns: Panel, factors: Panel, weight: float = 1.0):
    fitted = model.fit(returns, factors)
    is_held = has_risk_estimate(fitted, factors, 40)
    share = np.full(returns.n_assets, weight / returns.n_assets)
    risk = risk_decomposition(fitted, factors, {"equal": share}, window=40)
    betas = exposures(fitted, model.beta_errors(returns, factors))
    held = [asset for asset, is_in in zip(returns.assets, is_held, strict=True) if is_in]
    errors = equal_weight_errors(model, returns, factors, is_held)
    return portfolio_exposures(risk, betas.filter(pl.col("asset").is_in(held)), errors), betas


def test_the_t_of_a_portfolio_is_that_of_its_own_return():
    """Residuals are correlated, so an error by those of the assets alone would be too small."""
    returns, factors = whole_panel()
    table, betas = summary(RollingRegression(window=WINDOW), returns, factors)
    own = returns["return"].mean(axis=1)
    expected = oracle.betas(own, factors["return"], WINDOW)
    for column, values in zip(("exposure", "stderr", "t"), expected, strict=True):
        assert_allclose(table[column], values, rtol=1e-8)
    apart = betas.filter(factor="a")["stderr"].to_numpy()
    assert table["stderr"][0] > 1.3 * np.sqrt((apart**2).sum()) / len(apart)


def test_quartiles_are_those_of_the_assets_with_a_beta():
    returns, factors = whole_panel()
    table, betas = summary(RollingRegression(window=WINDOW), returns, factors)
    values = betas.filter(factor="b")["beta"].to_numpy()
    parts = ["lowest", "lower_quartile", "median", "upper_quartile", "highest"]
    found = table.filter(factor="b").select(parts).row(0)
    assert_allclose(found, np.quantile(values, [0, 0.25, 0.5, 0.75, 1]), rtol=1e-12)
    assert table["n_assets"].to_list() == [5, 5]


def test_an_error_is_scaled_by_the_weight_that_has_a_risk_estimate():
    returns, factors = whole_panel(6)
    values = returns["return"].copy()
    values[:, 2] = np.nan
    returns = returns.with_fields({"return": values})
    table, _ = summary(RollingRegression(window=WINDOW), returns, factors)
    own = np.nanmean(values, axis=1)
    beta, stderr, t = oracle.betas(own, factors["return"], WINDOW)
    assert table["n_assets"].to_list() == [5, 5]
    assert_allclose(table["exposure"], beta * 5 / 6, rtol=1e-8)
    assert_allclose(table["stderr"], stderr * 5 / 6, rtol=1e-8)
    assert_allclose(table["t"], t, rtol=1e-8)


def test_where_nothing_is_held_everything_is_missing():
    returns, factors = whole_panel()
    table, _ = summary(RollingRegression(window=WINDOW), returns.head(30), factors.head(30))
    assert table["factor"].to_list() == ["a", "b"]
    assert table.select(pl.col(pl.Float64)).null_count().sum_horizontal()[0] == 16


def test_every_model_without_errors_has_no_sentence_on_them_and_no_other_has_none():
    for name in models:
        model = models[name]()
        returns, factors = whole_panel(8)
        given = factors.select([]) if model.own_factors else factors
        assert bool(model.error_convention) == bool(len(model.beta_errors(returns, given))), name


def test_the_error_of_a_portfolio_is_of_its_own_assets_alone():
    returns, factors = whole_panel()
    is_held = np.array([True, False, True, False, False])
    errors = equal_weight_errors(RollingRegression(window=WINDOW), returns, factors, is_held)
    own = returns["return"][:, is_held].mean(axis=1)
    _, stderr, _ = oracle.betas(own, factors["return"], WINDOW)
    assert_allclose([errors["a"], errors["b"]], stderr, rtol=1e-8)
    nothing = np.zeros(5, dtype=bool)
    assert not equal_weight_errors(RollingRegression(window=WINDOW), returns, factors, nothing)

"""What every factor model of the room promises; an added file is tested without an edit here."""

import inspect

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import MissingDataError, ParameterError
from plumbline.core.panel import Panel
from plumbline.factors.model import FactorModel, models
from tests.contracts.made_panels import FACTORS, factor_panel, ragged_panel, renamed, spliced

CAUSAL = "a model is causal: no row depends on a later bar"
FIELDS = {"alpha", "r2", "n_obs", "residual_return"}


@pytest.fixture(params=list(models))
def model(request) -> FactorModel:
    return models[request.param]()


@pytest.fixture
def returns(model) -> Panel:
    return ragged_panel(model.warm_up + 120).only(["return"])


@pytest.fixture
def factors(model) -> Panel:
    return given_to(model, factor_panel(model.warm_up + 120))


def given_to(model: FactorModel, factors: Panel) -> Panel:
    """Return what a model may be given of some factors: nothing, if it makes its own."""
    return factors.select([]) if model.own_factors else factors


def only_with_given_factors(model: FactorModel) -> None:
    if model.own_factors:
        pytest.skip("the model makes its own factors")


def assert_same(rule: str, panel: Panel, other: Panel, rows: slice = slice(None)) -> None:
    assert set(panel) == set(other), rule
    for name in panel:
        assert_array_equal(panel[name][rows], other[name][rows], err_msg=f"{rule}; field {name}")


def test_the_room_is_not_empty():
    assert "rolling_regression" in set(models), "the room finds the model that is shipped"


def test_gives_its_fields_on_the_axes_of_the_returns(model, returns, factors):
    fitted = model.fit(returns, factors)
    rule = "a fit lies on the bars and assets of the returns"
    assert model.needs_factors == (not model.own_factors), "a model needs factors or has its own"
    names = model.own_factors or FACTORS
    fields = FIELDS | {f"beta_{name}" for name in names}
    assert set(fitted) == fields, f"a fit has the fields {sorted(fields)}"
    made = model.factor_returns(returns, factors)
    assert made.assets == tuple(sorted(names)), "factor_returns has the factors of the betas"
    assert_array_equal(made.bars, returns.bars, err_msg=rule)
    assert fitted.assets == returns.assets, rule
    assert fitted.first_bar == returns.first_bar, rule
    assert_array_equal(fitted.bars, returns.bars, err_msg=rule)
    filled = np.isfinite(fitted["residual_return"][model.warm_up :]).mean()
    assert filled > 0.4, "after its warm-up a model has a residual for most bars and assets"


def test_has_no_fit_and_no_residual_before_the_fewest_bars_it_needs(model, returns, factors):
    least = model.least_bars(len(FACTORS))
    assert 1 <= least.fit < least.residual, "the first residual comes after the first fit"
    fitted = model.fit(returns, factors)
    fits = np.isfinite(fitted["alpha"][: least.fit - 1])
    assert not fits.any(), f"no fit may exist before least_bars: {least.fit} bars"
    residuals = np.isfinite(fitted["residual_return"][: least.residual - 1])
    assert not residuals.any(), f"no residual may exist before least_bars: {least.residual} bars"


def test_counts_every_window_without_a_fit_by_reason(model, returns, factors):
    fitted = model.fit(returns, factors)
    n_without = np.isnan(fitted["alpha"]).sum()
    assert n_without > 0, "a ragged panel has windows without a fit"
    counted = sum(model.reasons(fitted).values())
    assert counted >= n_without, "reasons counts every window without a fit"


def test_says_whether_dependent_factors_have_a_fit(model, returns, factors):
    only_with_given_factors(model)
    first = factors["return"][:, :1]
    twins = Panel(
        {"return": np.hstack([first, first])}, factors.bars, ("a", "b"), first_bar=factors.first_bar
    )
    fitted = model.fit(returns, twins)
    has_none = np.isnan(fitted["alpha"]).all()
    assert has_none == model.needs_independent_factors, (
        "needs_independent_factors says whether linearly dependent factors have no fit"
    )


def test_gives_an_error_of_every_beta_or_of_none(model, returns, factors):
    errors, fitted = model.beta_errors(returns, factors), model.fit(returns, factors)
    rule = "standard errors lie on the bars and assets of the returns"
    assert errors.assets == returns.assets, rule
    assert_array_equal(errors.bars, returns.bars, err_msg=rule)
    names = {name.removeprefix("beta_") for name in fitted if name.startswith("beta_")}
    found = {name.removeprefix("stderr_") for name in errors}
    assert found in (set(), names), "a model gives an error of every beta or of none"
    assert bool(found) == bool(model.error_convention), "a model says what its errors are"
    for name in found:
        has_error = errors[f"stderr_{name}"] >= 0
        message = "a beta has an error where there is a fit"
        assert_array_equal(has_error, np.isfinite(fitted[f"beta_{name}"]), err_msg=message)


def test_a_longer_panel_never_changes_earlier_rows(model, returns, factors):
    whole = model.fit(returns, factors)
    for n_bars in (1, 2, model.warm_up, model.warm_up + 1, model.warm_up + 57):
        part = model.fit(returns.head(n_bars), factors.head(n_bars))
        assert_same(CAUSAL, part, whole.head(n_bars))


def test_other_data_after_a_bar_change_nothing_at_or_before_it(model, returns, factors):
    n_bars = returns.n_bars
    other = ragged_panel(n_bars, seed=99).only(["return"])
    other_factors = given_to(model, factor_panel(n_bars, seed=99))
    whole = model.fit(returns, factors)
    for cut in (model.warm_up // 2, model.warm_up + 3, model.warm_up + 80):
        fitted = model.fit(spliced(returns, other, cut), spliced(factors, other_factors, cut))
        assert_same(CAUSAL, fitted, whole, slice(0, cut + 1))


def test_the_residual_of_a_bar_is_its_return_less_what_was_known_before(model, returns, factors):
    """A residual is its return less betas of the bar before times factors: none has seen it."""
    fitted, made = model.fit(returns, factors), model.factor_returns(returns, factors)
    expected = returns["return"][1:] - fitted["alpha"][:-1]
    for k, name in enumerate(made.assets):
        expected = expected - fitted[f"beta_{name}"][:-1] * made["return"][1:, k, None]
    message = "a residual is the return less what coefficients of the bar before explain"
    assert_allclose(fitted["residual_return"][1:], expected, rtol=1e-9, atol=1e-12, err_msg=message)


def test_a_shock_moves_the_residual_of_its_bar_in_proportion(model, returns, factors):
    """What has seen the bar's own return would move by other than a share of the shock.

    The share is 1 where factors are given; a factor made of the returns takes its part of it.
    """
    row, asset = model.warm_up + 40, 2

    def residual(shock: float) -> float:
        values = returns["return"].copy()
        values[row, asset] += shock
        fitted = model.fit(returns.with_fields({"return": values}), factors)
        return float(fitted["residual_return"][row, asset])

    quiet, small, large = residual(0.0), residual(0.25), residual(0.5)
    assert np.isfinite([quiet, small, large]).all(), "the shocked bar has a return and a residual"
    message = "no coefficient of a residual has seen the residual's own bar"
    assert_allclose(large - quiet, 2 * (small - quiet), rtol=1e-9, err_msg=message)
    assert 0.01 < (large - quiet) / 0.5 < 1 + 1e-9, message
    if not model.own_factors:
        assert_allclose(large - quiet, 0.5, rtol=1e-9, err_msg=message)


def test_rows_after_the_warm_up_have_the_bits_of_the_whole_panel(model, returns, factors):
    whole = model.fit(returns, factors)
    for start, stop in ((1, None), (7, None), (53, -20), (119, None)):
        part = model.fit(returns.rows(start, stop), factors.rows(start, stop))
        rule = "a row depends on no bar further back than warm_up, to the last bit"
        assert_same(rule, part, whole.rows(start, stop), slice(model.warm_up, None))


def test_order_of_assets_does_not_matter(model, returns, factors):
    order = np.random.default_rng(1).permutation(returns.n_assets)
    fitted = model.fit(renamed(returns, order), factors)
    expected = renamed(model.fit(returns, factors), order)
    assert_same("a fit does not depend on the order of assets", fitted, expected)


def test_planted_betas_are_found(model):
    only_with_given_factors(model)
    n_bars = model.warm_up + 200
    factors = factor_panel(n_bars)
    rng = np.random.default_rng(5)
    beta = np.array([1.2, -0.4, 0.3])
    noise = 1e-4 * rng.standard_normal((n_bars, 2))
    returns = Panel(
        {"return": (factors["return"] @ beta)[:, None] + noise},
        factors.bars,
        ["X", "Y"],
        first_bar=factors.first_bar,
    )
    fitted = model.fit(returns, factors)
    for k, name in enumerate(FACTORS):
        message = "a model finds betas that returns are made of"
        assert_allclose(fitted[f"beta_{name}"][-1], beta[k], atol=0.01, err_msg=message)
    assert (fitted["r2"][-1] > 0.99).all(), "R² is near 1 where factors explain all but noise"


def test_own_factors_explain_what_a_few_factors_have_made(model):
    if not model.own_factors:
        pytest.skip("the model is given its factors")
    n_bars, n_assets = model.warm_up + 200, 20
    rng = np.random.default_rng(5)
    size = np.arange(len(model.own_factors), 0, -1)
    common = 0.01 * size * rng.standard_normal((n_bars, len(size)))
    noise = 1e-4 * rng.standard_normal((n_bars, n_assets))
    values = common @ rng.standard_normal((len(size), n_assets)) + noise
    returns = ragged_panel(n_bars, n_assets).only([]).with_fields({"return": values})
    fitted = model.fit(returns, returns.select([]))
    assert (fitted["r2"][-1] > 0.99).all(), "R² is near 1 where factors explain all but noise"
    left = np.nanstd(fitted["residual_return"]) / values.std()
    assert left < 0.05, "little is left of later returns that the factors have made"


def test_an_asset_without_data_has_no_value_and_disturbs_no_other(model, returns, factors):
    values = returns["return"].copy()
    values[:, 1] = np.nan
    fitted = model.fit(returns.with_fields({"return": values}), factors)
    assert np.isnan(fitted["residual_return"][:, 1]).all(), "an asset without data has no residual"
    others = [name for i, name in enumerate(returns.assets) if i != 1]
    without = model.fit(returns.select(others), factors)
    message = "an asset without data changes no other asset"
    assert_same(message, fitted.select(others), without)
    if not model.own_factors:
        assert_same(message, fitted.select(others), model.fit(returns, factors).select(others))


@pytest.mark.parametrize("n_bars", [0, 1])
def test_short_panels_give_a_result_of_their_length(model, returns, factors, n_bars):
    fitted = model.fit(returns.head(n_bars), factors.head(n_bars))
    expected = (n_bars, returns.n_assets)
    assert fitted.shape == expected, "a panel of few bars gives a result of its shape"
    assert np.isnan(fitted["residual_return"]).all(), "a panel of few bars has no residual"


def test_panels_that_do_not_fit_are_refused(model, returns, factors):
    with pytest.raises(MissingDataError, match="return"):
        model.fit(ragged_panel(returns.n_bars).only(["close"]), factors)
    if model.own_factors:
        with pytest.raises(ParameterError, match="makes its own factors"):
            model.fit(returns, factor_panel(returns.n_bars))
        return
    with pytest.raises(ParameterError, match="same bars"):
        model.fit(returns, factors.head(50))
    with pytest.raises(ParameterError, match="at least one factor"):
        model.fit(returns, factors.select([]))


def test_a_result_is_known_when_the_later_of_its_inputs_is(model, returns, factors):
    late = Panel(
        dict(factors),
        factors.bars,
        factors.assets,
        known_at=factors.bars + np.timedelta64(2, "h"),
        first_bar=factors.first_bar,
    )
    expected = returns.known_at if model.own_factors else late.known_at
    message = "a result is known when the later of its inputs is"
    assert_array_equal(model.fit(returns, late).known_at, expected, err_msg=message)


def test_has_a_page_and_its_source(model):
    page = inspect.getdoc(type(model))
    assert page is not None, "a model's docstring is its page"
    assert "References\n----------" in page, "a model's page names its source under References"

"""Risk by factor: sums, loops, and the variance that there was."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.factors.models.rolling_regression import RollingRegression
from plumbline.factors.models.statistical import Statistical
from plumbline.factors.risk_decomposition import exposures, risk_decomposition
from tests.contracts.made_panels import FACTORS, axis, factor_panel, names, ragged_panel
from tests.oracles import risk as oracle

WINDOW = 40


def fitted(seed: int = 0) -> tuple[Panel, Panel]:
    returns, factors = ragged_panel(120, seed=seed), factor_panel(120, seed=seed)
    return RollingRegression(window=30).fit(returns, factors), factors


def parts_of(table: pl.DataFrame, portfolio: str, column: str) -> dict[str, float | None]:
    rows = table.filter(pl.col("portfolio") == portfolio)
    return dict(zip(rows["source"], rows[column], strict=True))


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), half_life=st.sampled_from([None, 5.0, 60.0]))
def test_parts_are_those_of_loops_and_add_up_to_the_total(seed, half_life):
    model, factors = fitted(seed)
    rng = np.random.default_rng(seed)
    weight = np.round(rng.standard_normal(6), 1)
    table = risk_decomposition(
        model, factors, {"book": weight}, window=WINDOW, half_life=half_life, periods_per_year=9.0
    )
    beta = np.column_stack([model[f"beta_{name}"][-1] for name in FACTORS])
    residual = model["residual_return"][-WINDOW:]
    enough = np.isfinite(residual) & np.isfinite(factors["return"][-WINDOW:]).all(axis=1)[:, None]
    is_used = np.isfinite(beta).all(axis=1) & (enough.sum(axis=0) >= 24)
    used = np.where(is_used, weight, 0.0)
    parts, specific = oracle.decomposition(
        beta, factors["return"][-WINDOW:], residual, used, half_life
    )
    volatility = math.sqrt(parts.sum() + specific)
    found = parts_of(table, "book", "contribution_annual")
    for name, part in zip(FACTORS, parts, strict=True):
        assert_allclose(found[name], 3 * part / volatility, rtol=1e-9, atol=1e-15)
    assert_allclose(found["specific"], 3 * specific / volatility, rtol=1e-9)
    assert_allclose(found.pop("total"), sum(found.values()), rtol=1e-12)
    shares = parts_of(table, "book", "share")
    assert shares.pop("total") == 1.0
    assert_allclose(sum(shares.values()), 1.0, rtol=1e-12)
    assert table["n_assets"].unique().to_list() == [int((used != 0).sum())]
    covered = np.abs(used).sum() / np.abs(weight).sum()
    assert_allclose(table["weight_covered"], covered, rtol=1e-12)


def test_a_marginal_is_the_slope_of_the_volatility():
    """A cash-like asset of beta one and no residual adds an exposure and nothing else."""
    bars, rng = 60, np.random.default_rng(3)
    x = 0.01 * rng.standard_normal((bars, 1))
    residual = 0.02 * rng.standard_normal((bars, 2))
    residual[:, 1] = 0.0
    beta = np.tile([0.7, 1.0], (bars, 1))
    model = Panel({"beta_m": beta, "residual_return": residual}, axis(bars), names(2))
    factors = Panel({"return": x}, axis(bars), ["m"])
    books = {"a": np.array([1.0, 0.0]), "b": np.array([1.0, 1e-6])}
    table = risk_decomposition(model, factors, books, window=bars)
    total = [parts_of(table, book, "contribution_annual")["total"] for book in books]
    slope = parts_of(table, "a", "marginal_annual")["m"]
    assert_allclose((total[1] - total[0]) / 1e-6, slope, rtol=1e-5)


def test_in_sample_the_risk_of_an_asset_is_the_variance_of_its_returns():
    """Betas of a regression over the same window, ddof 1 on both sides."""
    rng = np.random.default_rng(8)
    x = 0.01 * rng.standard_normal((WINDOW, 2))
    y = x @ rng.standard_normal((2, 4)) + 0.01 * rng.standard_normal((WINDOW, 4))
    design = np.column_stack([np.ones(WINDOW), x])
    solution = np.linalg.lstsq(design, y, rcond=None)[0]
    left = y - design @ solution
    betas = {f"beta_{n}": np.tile(solution[k + 1], (WINDOW, 1)) for k, n in enumerate("fg")}
    model = Panel({**betas, "residual_return": left}, axis(WINDOW), names(4))
    factors = Panel({"return": x}, axis(WINDOW), ["f", "g"])
    table = risk_decomposition(model, factors, window=WINDOW, periods_per_year=1.0)
    total = table.filter(pl.col("source") == "total")["contribution_annual"]
    assert_allclose(total, y.std(axis=0, ddof=1), rtol=1e-10)
    weight = np.array([0.5, -0.2, 0.4, 0.3])
    book = risk_decomposition(model, factors, {"b": weight}, window=WINDOW, periods_per_year=1.0)
    variance = parts_of(book, "b", "contribution_annual")["total"] ** 2
    moments = np.cov(left, rowvar=False)
    between = weight @ (moments - np.diag(np.diag(moments))) @ weight
    assert_allclose(variance + between, (y @ weight).var(ddof=1), rtol=1e-10)


def test_own_factors_have_their_risk():
    returns = ragged_panel(140, 12).only(["return"])
    model = Statistical(n_factors=2, window=40, refit_bars=5)
    made = model.factor_returns(returns)
    table = risk_decomposition(
        model.fit(returns), made, {"equal": np.full(12, 1 / 12)}, window=WINDOW
    )
    assert table["source"].to_list() == ["pc1", "pc2", "specific", "total"]
    assert table["contribution_annual"].is_not_null().all()


def test_exposures_are_the_betas_of_the_last_bar():
    model, _ = fitted()
    table = exposures(model)
    assert len(table) == 18
    row = table.row(4, named=True)
    assert (row["asset"], row["factor"]) == ("A001", "size")
    assert row["beta"] == model["beta_size"][-1, 1]
    assert table["bar_close"][0].replace(tzinfo=None) == model.bars[-1].item()
    assert exposures(model.head(0)).is_empty()


def test_what_has_no_risk_estimate_is_left_out_and_told():
    model, factors = fitted()
    beta = model["beta_market"].copy()
    beta[-1, 1] = np.nan
    weight = np.full(6, 0.25)
    table = risk_decomposition(
        model.with_fields({"beta_market": beta}), factors, {"b": weight}, window=WINDOW
    )
    assert table["n_assets"].unique().to_list() == [5]
    assert_allclose(table["weight_covered"], 5 / 6)
    none = risk_decomposition(model, factors, {"b": np.zeros(6)}, window=WINDOW)
    assert none["contribution_annual"].null_count() == len(none)
    early = risk_decomposition(model.head(10), factors.head(10), window=WINDOW)
    assert early["share"].null_count() == len(early)
    assert risk_decomposition(model.head(0), factors.head(0)).is_empty()


def test_every_problem_is_named_at_once():
    model, factors = fitted()
    with pytest.raises(ParameterError) as caught:
        risk_decomposition(
            model,
            factors.select(["market"]),
            {"a": np.ones(2), "b": np.full(6, np.inf)},
            window=1,
            half_life=0.0,
            periods_per_year=math.nan,
        )
    for word in ("factors are", "'a' have shape", "'b' are inf", "window", "half_life", "periods"):
        assert word in str(caught.value)
    with pytest.raises(ParameterError, match="same bars"):
        risk_decomposition(model, factors.head(3))

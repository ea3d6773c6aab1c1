"""Studies with each factor model: what the recipe says is what is computed."""

import numpy as np
import polars as pl
import pytest

from plumbline.api import init, run
from plumbline.core.errors import RecipeError
from plumbline.factors.model import models
from plumbline.factors.risk_decomposition import risk_decomposition
from plumbline.stages.recipe import load_recipe
from tests.oracles import exposures as oracle
from tests.study_files import RECIPE, write_study

FACTORS = RECIPE[RECIPE.index("factors:") : RECIPE.index("model:")]
SMALL = {
    "statistical": "{model: statistical, n_factors: 2, window: 60}",
    "kalman": "{model: kalman, memory_bars: 60}",
    "recursive_least_squares": "{model: recursive_least_squares, memory_bars: 60}",
}


def recipe_of(name: str) -> str:
    text = RECIPE.replace("model:\n  window: 60\n", f"model: {SMALL[name]}\n")
    return text if models[name].needs_factors else text.replace(FACTORS, "")


@pytest.mark.parametrize("name", SMALL)
def test_a_study_has_the_fields_of_its_model_whatever_the_blocks(tmp_path, name):
    path = write_study(tmp_path / "p", recipe_of(name), years=(2010,))
    study = run(path, project=init(tmp_path / "p"))
    fitted, returns = study.panel("factor_model"), study.panel("returns")
    model = study.workspace.recipe.resolved["model"]
    made = models[name](**{k: v for k, v in model.items() if k != "model"})
    nodes = set(study.result.pieces)
    assert ("factor_returns" in nodes) == made.needs_factors
    given = study.panel("factor_returns") if made.needs_factors else returns.select([])
    expected = made.fit(returns, given)
    for field in expected:
        np.testing.assert_array_equal(fitted[field], expected[field], err_msg=field)
    assert np.isfinite(fitted["residual_return"]).any()
    risk = study.tables["risk"]
    last = np.isfinite(returns["return"][-1])
    again = risk_decomposition(
        fitted, made.factor_returns(returns, given), {"equal_weight": last / last.sum()}, window=40
    )
    assert risk.equals(again)
    assert risk.filter(pl.col("source") == "total")["contribution_annual"][0] > 0
    assert len(study.tables["exposures"]) == returns.n_assets * (len(again) - 2)
    assert study.tables["exposures"]["t"].null_count() == len(study.tables["exposures"])
    page = study.write_report(study.folder).html.read_text()
    assert f"n/a: not available: {name} gives no standard error of a beta." in page


def test_a_model_that_makes_its_factors_takes_none_and_others_need_some(tmp_path):
    text = recipe_of("statistical")
    path = write_study(tmp_path / "p", text.replace("model: {", FACTORS + "model: {"))
    with pytest.raises(RecipeError, match="factors: statistical makes its own; leave factors out"):
        load_recipe(path)
    path.write_text(text.replace("model: {", "factors: null\nmodel: {"))
    assert load_recipe(path).resolved["factors"] is None
    for without in ("", "factors: null\n"):
        path.write_text(RECIPE.replace(FACTORS, without))
        with pytest.raises(RecipeError, match="factors"):
            load_recipe(path)


def test_betas_to_own_factors_can_be_taken_out_of_a_signal(tmp_path):
    text = recipe_of("statistical") + "neutralise: {betas: true}\n"
    path = write_study(tmp_path / "p", text, years=(2010,))
    study = run(path, project=init(tmp_path / "p"))
    signal, fitted = study.panel("neutral:momentum")["signal"], study.panel("factor_model")
    row = np.flatnonzero(np.isfinite(signal).all(axis=1))[-1]
    for name in ("beta_pc1", "beta_pc2"):
        assert abs(signal[row] @ fitted[name][row]) < 1e-9


def test_exposures_of_a_study_have_the_t_of_statsmodels_and_stand_in_its_report(tmp_path):
    study = run(write_study(tmp_path / "p", years=(2010,)), project=init(tmp_path / "p"))
    returns, factors = study.panel("returns")["return"], study.panel("factor_returns")
    mine = study.tables["portfolio_exposures"]
    assert mine["factor"].to_list() == list(factors.assets)
    own = returns[:, np.isfinite(returns[-1])].mean(axis=1)
    _, _, t = oracle.betas(own, factors["return"], 60)
    np.testing.assert_allclose(mine["t"], t, rtol=1e-8)
    for a in (0, 3, 9):
        asset = study.panel("returns").assets[a]
        rows = study.tables["exposures"].filter(asset=asset)
        _, _, t = oracle.betas(returns[:, a], factors["return"], 60)
        np.testing.assert_allclose(rows["t"], t, rtol=1e-8)
    page = study.write_report(study.folder).html.read_text()
    shown = page[page.index('id="risk"') :]
    for value in mine["t"]:
        assert f">{value:.2f}<".replace("-", "−") in shown
    assert "residuals of the last 60 bars are taken as uncorrelated" in shown


def test_the_universe_of_the_risk_is_its_members_at_the_last_bar(tmp_path):
    text = RECIPE.replace(
        "  prices: stocks\n", "  prices: stocks\n  rules: {top_n_by_dollar_volume: 5}\n"
    )
    study = run(write_study(tmp_path / "p", text, years=(2010,)), project=init(tmp_path / "p"))
    members = study.panel("universe")["member"][-1] == 1
    assert 0 < members.sum() < len(members)
    assert study.tables["risk"]["n_assets"].unique().to_list() == [members.sum()]
    betas = study.panel("factor_model")["beta_market"][-1, members]
    found = study.tables["portfolio_exposures"].filter(factor="market").row(0, named=True)
    assert found["exposure"] == pytest.approx(betas.mean(), rel=1e-12)
    assert (found["lowest"], found["highest"]) == (betas.min(), betas.max())

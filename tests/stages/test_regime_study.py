"""A study with regimes: their states are those of its market, bar by bar, from the past alone."""

import numpy as np
import pytest

from plumbline.api import init, prepare, run
from plumbline.core.errors import RecipeError
from plumbline.core.panel import Panel
from plumbline.factors.regimes.gaussian_hmm import GaussianHMM
from plumbline.factors.regimes.threshold import Threshold
from tests.study_files import RECIPE, write_study

REGIMES = """\
regimes:
  volatility: {regime: threshold, factor: market, window_bars: 10, lookback_bars: 100}
  gaussian_hmm: {fit_bars: 150, refit_bars: 50}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("regimes")
    write_study(folder, RECIPE + REGIMES)
    init(folder)
    return folder


@pytest.fixture(scope="module")
def study(folder):
    return run(folder / "study.yaml")


def test_the_states_of_a_factor_are_those_of_its_returns(study):
    factors = study.panel("factor_returns")
    regime = Threshold(window_bars=10, lookback_bars=100)
    expected = regime.states(factors.select(["market"]))
    found = study.panel("regimes")
    assert np.isfinite(expected["state"]).sum() > 300
    np.testing.assert_array_equal(found["volatility"], expected["state"])
    for label in regime.labels:
        np.testing.assert_array_equal(
            found[f"volatility:{label}"], expected[f"probability_{label}"]
        )


def test_without_a_factor_the_market_is_the_equal_weighted_universe(study):
    returns = study.panel("returns")
    with np.errstate(invalid="ignore"):
        mean = np.array(
            [
                row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.nan
                for row in returns["return"]
            ]
        )
    market = Panel({"return": mean[:, None]}, returns.bars, ["m"], first_bar=returns.first_bar)
    expected = GaussianHMM(fit_bars=150, refit_bars=50).states(market)
    found = study.panel("regimes")["gaussian_hmm:turbulent"]
    assert np.isfinite(found).sum() > 300
    np.testing.assert_allclose(found, expected["probability_turbulent"], atol=1e-6)


def test_the_states_stand_in_a_table(study):
    table = study.tables["regimes"]
    assert table.columns == ["bar_close", "regime", "state", "probability"]
    assert set(table["regime"]) == {"volatility", "gaussian_hmm"}
    rows = table.filter(regime="gaussian_hmm")
    assert set(rows["state"]) == {"calm", "turbulent"}
    assert rows["probability"].is_between(0.5, 1.0).all()
    n_states = np.isfinite(study.panel("regimes")["gaussian_hmm"]).sum()
    assert rows.height == n_states


def test_shares_and_stays_are_counted_bar_by_bar(study):
    table = study.tables["regime_summary"]
    states = study.panel("regimes")["volatility"][:, 0]
    runs: list[list[float]] = []
    for state in states:
        if runs and runs[-1][0] == state:
            runs[-1][1] += 1
        elif np.isfinite(state):
            runs.append([state, 1])
        else:
            runs.append([-1, 0])
    rows = table.filter(regime="volatility").to_dicts()
    assert [row["state"] for row in rows] == list(Threshold().labels)
    for place, row in enumerate(rows):
        lengths = [n for state, n in runs if state == place]
        assert row["n_bars"] == sum(lengths) > 0
        assert row["share"] == sum(lengths) / np.isfinite(states).sum()
        assert (row["n_stays"], row["longest_stay_bars"]) == (len(lengths), max(lengths))
        assert row["mean_stay_bars"] == sum(lengths) / len(lengths)


def test_the_report_shows_the_states_and_how_they_are_told(study):
    page = study.write_report(study.folder).html.read_text()
    shown = page[page.index('id="regimes"') :]
    assert "never smoothed" in shown
    for row in study.tables["regime_summary"].to_dicts():
        assert f">{row['n_bars']:,}<" in shown


def test_a_regime_leaves_all_but_the_evaluations_alone(folder, study):
    other = prepare(folder / "study.yaml", overrides=["regimes.volatility.upper=0.8"])
    plan = other.project.engine.plan(other.pipeline)
    touched = {d.task.node.name for d in plan.decisions if d.state.value != "cached"}
    evaluations = {"evaluation:momentum", "evaluation:residual_momentum"}
    assert touched == {"regimes", "regime_states"} | evaluations


def test_what_a_regime_refuses_is_told_at_its_line(folder):
    text = RECIPE + REGIMES.replace("factor: market", "factor: markt").replace(
        "fit_bars: 150", "fit_bars: 150, smoothed: true"
    )
    (folder / "wrong.yaml").write_text(text)
    with pytest.raises(RecipeError) as caught:
        prepare(folder / "wrong.yaml")
    first, second = caught.value.problems
    assert "regimes.volatility.factor: 'markt' is none of factors.definitions; did you" in first
    assert "regimes.gaussian_hmm.smoothed: smoothed must be false" in second
    with pytest.raises(RecipeError, match="no Regime named 'treshold'; did you mean 'threshold'"):
        prepare(folder / "study.yaml", overrides=["regimes.volatility.regime=treshold"])


def test_a_regime_without_enough_bars_is_a_warning(folder):
    workspace = prepare(folder / "study.yaml", overrides=["regimes.gaussian_hmm.fit_bars=2000"])
    (text,) = workspace.warnings
    assert text.startswith("regimes.gaussian_hmm: its first state needs 1201")
    assert "it has no state" in text

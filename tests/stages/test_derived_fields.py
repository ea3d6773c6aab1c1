"""Signals that read what a study makes: betas of its model, and other signals."""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from plumbline.api import Options, init, prepare, run
from plumbline.core.errors import RecipeError
from plumbline.engine.project import open_project
from plumbline.features.signal import signals
from plumbline.ledger.models import TaskRecord
from plumbline.stages.derived_fields import derived_fields, model_readers, part_problems
from plumbline.stages.recipe import load_recipe
from tests.oracles import signals as oracle
from tests.study_files import RECIPE, write_study

ALL = """\
signals:
  momentum: {lookback_bars: 60, skip_bars: 5}
  residual_momentum: {lookback_bars: 60, skip_bars: 5}
  short_term_reversal: {}
  low_volatility: {window_bars: 60}
  idiosyncratic_volatility: {}
  volume_surprise: {long_bars: 40}
  amihud: {window_bars: 40}
  beta_compression: {window_bars: 60}
  value_against_beta: {lookback_bars: 120, skip_bars: 60, factor: size}
  quality_mix: {signal: composite, of: [momentum, low_volatility], weights: [2, 1]}
  mix_of_mixes: {signal: composite, of: [quality_mix, amihud], scaling: rank, min_parts: 1}
"""


def recipe_with(text: str) -> str:
    """Return the recipe with other signals."""
    start, end = RECIPE.index("signals:\n"), RECIPE.index("evaluation:\n")
    return RECIPE[:start] + text + RECIPE[end:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("signals") / "p"
    write_study(folder, recipe_with(ALL))
    init(folder)
    return folder


@pytest.fixture(scope="module")
def study(folder):
    return run(folder / "study.yaml")


def computed(folder: Path, run_id: str) -> set[str]:
    """Return the nodes of which a run computed a block, as the ledger has it."""
    with open_project(folder).database.read() as connection:
        query = select(TaskRecord.node).where(
            TaskRecord.run_id == run_id, TaskRecord.state == "computed"
        )
        return set(connection.execute(query).scalars())


def problems_of(tmp_path, text: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        load_recipe(write_study(tmp_path / "study", recipe_with(text)))
    return [problem.split(": ", 1)[1] for problem in caught.value.problems]


def test_a_study_holds_every_shipped_signal(study):
    used = {spec["signal"] for spec in study.workspace.recipe.resolved["signals"].values()}
    assert used >= set(signals)
    summary = study.tables["summary"]
    assert set(summary["signal"]) == set(study.workspace.recipe.resolved["signals"])
    assert summary["mean_ic"].is_not_null().all()
    assert not [w for w in study.warnings if "no rank IC" in w]


def test_signals_read_the_returns_betas_and_bars_of_the_study(study):
    model = study.panel("factor_model")
    found = study.panel("signal:beta_compression")["signal"]
    expected = oracle.beta_compression(model["beta_market"], 60, 36)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    lake = study.workspace.project.lake
    bars = lake.panel(study.workspace.datasets["stocks"])
    found = study.panel("signal:value_against_beta")["signal"]
    expected = oracle.value_against_beta(bars["close"], model["beta_size"], 120, 60)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    found = study.panel("signal:amihud")["signal"]
    returns = study.panel("returns")["return"]
    expected = oracle.amihud(bars["close"], returns, bars["volume"], 40, 24)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_composite_is_the_formula_on_the_signals_of_the_study(study):
    parts = {k: study.panel(f"signal:{k}")["signal"] for k in ("momentum", "low_volatility")}
    mix = study.panel("signal:quality_mix")["signal"]
    expected = oracle.composite([*parts.values()], [2, 1], "zscore", 2)
    np.testing.assert_allclose(mix, expected, rtol=1e-9, atol=1e-12)
    above = study.panel("signal:mix_of_mixes")["signal"]
    expected = oracle.composite([mix, study.panel("signal:amihud")["signal"]], [1, 1], "rank", 1)
    np.testing.assert_allclose(above, expected, rtol=1e-9, atol=1e-12)


def test_the_graph_shows_what_a_composite_is_made_of(study):
    nodes = {node.name: node for node in study.workspace.pipeline.nodes}
    inputs = dict(nodes["signal:mix_of_mixes"].inputs)
    assert inputs == {k: k for k in ("signal:quality_mix", "signal:amihud")}
    assert "model" not in nodes["signal:momentum"].inputs
    assert set(nodes["signal:value_against_beta"].inputs) == {"prices", "model"}


def test_a_parameter_computes_its_signal_and_the_composites_of_it_and_no_other(folder, study):
    again = run(folder / "study.yaml", overrides=["signals.momentum.skip_bars=6"])
    changed = {"momentum", "quality_mix", "mix_of_mixes"}
    kinds = ("signal", "figures", "nulls", "shuffles", "evaluation")
    expected = {f"{kind}:{label}" for kind in kinds for label in changed}
    expected |= {"correlation_sums", "signal_correlation"}
    assert computed(folder, again.result.run_id) == expected
    weights = run(folder / "study.yaml", overrides=["signals.quality_mix.weights=[1, 1]"])
    expected = {node for node in expected if not node.endswith(":momentum")}
    assert computed(folder, weights.result.run_id) == expected


def test_any_number_of_processes_and_any_cut_give_the_same_values(folder, study, tmp_path):
    write_study(tmp_path / "p", recipe_with(ALL).replace("block_bars: 128", "block_bars: 97"))
    other = run(
        tmp_path / "p" / "study.yaml", project=init(tmp_path / "p"), options=Options("processes", 2)
    )
    for label in study.workspace.recipe.resolved["signals"]:
        name = f"signal:{label}"
        whole, cut = study.panel(name)["signal"], other.panel(name)["signal"]
        np.testing.assert_array_equal(cut, whole, err_msg=label)


def test_a_part_that_the_study_lacks_is_answered_with_the_nearest(tmp_path):
    text = "signals:\n  momentum: {}\n  mix: {signal: composite, of: [momentun, momentum]}\n"
    assert problems_of(tmp_path, text) == [
        "signals.mix: the study has no signal labelled 'momentun'; did you mean 'momentum'?"
    ]


def test_a_signal_that_reads_itself_is_refused_with_the_way_round(tmp_path):
    text = (
        "signals:\n"
        "  self: {signal: composite, of: [self]}\n"
        "  a: {signal: composite, of: [b]}\n"
        "  b: {signal: composite, of: [c, momentum]}\n"
        "  c: {signal: composite, of: [a]}\n"
        "  above: {signal: composite, of: [a]}\n"
        "  momentum: {}\n"
    )
    assert problems_of(tmp_path, text) == [
        "signals.self: it reads itself: self -> self",
        "signals.a: it reads itself: a -> b -> c -> a",
        "signals.b: it reads itself: b -> c -> a -> b",
        "signals.c: it reads itself: c -> a -> b -> c",
    ]


def test_what_is_wrong_with_a_part_is_told_once(tmp_path):
    text = (
        "signals:\n  momentum: {lookback_bars: 5}\n"
        "  mix: {signal: composite, of: [momentum], weights: [1, 2], scaling: ranks}\n"
    )
    found = problems_of(tmp_path, text)
    assert sorted(problem.split(": ")[0] for problem in found) == [
        "signals.mix",
        "signals.mix.scaling",
        "signals.momentum.lookback_bars",
    ]


def test_a_factor_that_the_study_lacks_is_answered_with_the_nearest(tmp_path):
    text = "signals:\n  momentum: {}\n  beta_compression: {factor: markt}\n"
    path = write_study(tmp_path / "p", recipe_with(text))
    init(tmp_path / "p")
    workspace = prepare(path)
    with pytest.raises(RecipeError) as caught:
        _ = workspace.pipeline
    (problem,) = caught.value.problems
    assert problem.split(": ", 1)[1] == (
        "signals.beta_compression: factors.definitions has no 'markt', and the data no field "
        "'beta_markt'; did you mean 'market'?"
    )


def test_a_beta_of_the_data_can_be_read_where_the_study_has_no_such_factor(tmp_path):
    text = "signals:\n  beta_compression: {factor: vendor, window_bars: 40}\n"
    recipe = recipe_with(text).replace(
        "paths: [prices/*.csv]", "paths: [prices/*.csv]\n    columns: {beta_vendor: volume}"
    )
    path = write_study(tmp_path / "p", recipe)
    init(tmp_path / "p")
    node = {n.name: n for n in prepare(path).pipeline.nodes}["signal:beta_compression"]
    assert node.inputs["prices"].fields == ("beta_vendor",)


def test_fields_that_a_study_makes_name_the_node_that_holds_them():
    assert derived_fields(["market"], ["m"]) == {
        "return": "returns",
        "residual_return": "factor_model",
        "beta_market": "factor_model",
        "signal:m": "signal:m",
    }


def test_what_reads_the_model_is_found_through_other_signals():
    composite = signals["composite"]
    chosen = {
        "top": composite(("mix",)),
        "mix": composite(("momentum", "beta")),
        "momentum": signals["momentum"](),
        "beta": signals["beta_compression"]("size"),
        "other": signals["beta_compression"]("vendor"),
    }
    assert model_readers(chosen, ["size"]) == {"top", "mix", "beta"}
    assert part_problems(chosen, chosen) == []


def test_many_signals_on_top_of_each_other_are_looked_through_once():
    composite = signals["composite"]
    chosen = {"0": signals["momentum"](), "1": signals["momentum"]()}
    for i in range(2, 200):
        chosen[str(i)] = composite((str(i - 1), str(i - 2)))
    assert part_problems(chosen, chosen) == []
    assert model_readers(chosen, ["market"]) == frozenset()

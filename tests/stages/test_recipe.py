"""Recipes: every problem at once, with its line and the nearest right name."""

import importlib
import json

import pytest
import yaml
from jsonschema import Draft202012Validator

from plumbline.core.errors import RecipeError
from plumbline.features.signal import signals
from plumbline.stages.kind import kinds
from plumbline.stages.recipe import load_recipe
from tests.study_files import RECIPE, write_study


@pytest.fixture
def recipe_file(tmp_path):
    return write_study(tmp_path / "study")


def problems_of(path, *overrides):
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, overrides)
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "is empty; must be a mapping"), ("date,close\n2024-01-01,1\n", "holds 'date,close")],
)
def test_a_file_that_is_no_recipe_is_told_by_what_it_holds(tmp_path, text, words):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(RecipeError, match=words):
        load_recipe(tmp_path / "a.yaml")


def test_a_folder_in_the_place_of_a_recipe_is_told_with_the_recipes_in_it(tmp_path):
    (tmp_path / "mine.yaml").write_text("name: x")
    with pytest.raises(RecipeError, match=r"this is a folder; .*mine\.yaml"):
        load_recipe(tmp_path)


def test_a_valid_recipe_is_resolved_with_every_default(recipe_file):
    recipe = load_recipe(recipe_file)
    assert recipe.resolved["evaluation"]["cost_bps"] == 5.0
    assert recipe.resolved["model"]["as_of_lag"] == 1
    assert recipe.resolved["data"]["stocks"]["rules"]["outliers"] == "missing"
    again = load_recipe(yaml.safe_load(recipe.text), base=recipe_file.parent)
    assert again.digest == recipe.digest


def test_typos_are_answered_with_the_nearest_names_all_at_once(recipe_file):
    text = (
        RECIPE.replace("horizons", "horizon")
        .replace("residual_momentum", "residual_momentun")
        .replace("lookback_bars: 60, skip_bars: 5}\n  residual", "lookback_bar: 60}\n  residual")
        .replace("universe:", "univers:")
        .replace("block_bars: 128", "block_bars: 0")
    )
    recipe_file.write_text(text)
    found = "\n".join(problems_of(recipe_file))
    assert "did you mean 'horizons'" in found
    assert "did you mean 'residual_momentum'" in found
    assert "did you mean 'lookback_bars'" in found
    assert "did you mean 'universe'" in found
    assert "lacks 'universe'" in found
    assert "block_bars" in found
    assert "block_bars: takes a whole number of at least 1, not 0" in found


def test_a_problem_names_its_line(recipe_file):
    recipe_file.write_text(RECIPE.replace("cost_bps", "x").replace("n_quantiles", "n_quantile"))
    line = RECIPE.splitlines().index("  n_quantiles: 3") + 1
    assert any(
        p.startswith(f"line {line}: evaluation.n_quantile") for p in problems_of(recipe_file)
    )


def test_a_plugins_own_check_is_reported_as_a_problem(recipe_file):
    found = problems_of(recipe_file, "signals.momentum.skip_bars=99", "evaluation.horizons=[5, 1]")
    assert any("skip_bars" in p for p in found)


def test_problems_stand_in_the_order_of_their_lines(recipe_file):
    text = RECIPE.replace("window: 60", "windw: 60").replace("form: wide", "form: tall")
    text = text.replace("rolling_bars: 40\nblock_bars: 128", "block_bars: x\nrolling_bars: y")
    recipe_file.write_text(text.replace("small", "a b"))
    found = problems_of(recipe_file, "x")
    lines = [int(p.split(":")[0].removeprefix("line ")) for p in found if p.startswith("line")]
    assert len(lines) == 5
    assert lines == sorted(lines)
    assert "key=value" in found[0]


def test_a_key_that_is_no_text_is_refused_with_its_line(recipe_file):
    recipe_file.write_text(RECIPE + "1: x\n")
    (problem,) = problems_of(recipe_file)
    assert problem.startswith(f"line {len(RECIPE.splitlines()) + 1}: the key 1 ")
    assert "the key 1" in problems_of(recipe_file.with_name("study.yaml"), "x={1: 2}")[0]


def test_off_is_a_choice_and_a_ticker_is_text(recipe_file):
    recipe = load_recipe(recipe_file, ["data.stocks.rules.ohlc=off", "universe.assets=[ON, NO]"])
    assert recipe.resolved["data"]["stocks"]["rules"]["ohlc"] == "off"
    assert recipe.resolved["universe"]["assets"] == ["ON", "NO"]
    again = load_recipe(yaml.safe_load(recipe.text), base=recipe_file.parent)
    assert again.digest == recipe.digest


def test_a_plugin_that_cannot_be_loaded_is_one_problem_among_others(
    recipe_file, tmp_path, monkeypatch
):
    (tmp_path / "z_broken_signal.py").write_text('"""A signal."""\nimport nowhere_at_all\n')
    monkeypatch.setitem(vars(signals), "_files", (*signals, "z_broken_signal"))
    folders = importlib.import_module("plumbline.features.signals").__path__
    folders.append(str(tmp_path))
    try:
        found = problems_of(recipe_file, "signals.z_broken_signal={}", "model.windw=3")
    finally:
        folders.remove(str(tmp_path))
    assert any("did you mean 'window'" in problem for problem in found)
    (broken,) = [problem for problem in found if "z_broken_signal" in problem]
    assert "No module named 'nowhere_at_all'" in broken
    assert "z_broken_signal.py, line 2" in broken


def test_a_key_that_stands_twice_is_refused(recipe_file):
    recipe_file.write_text(RECIPE + "block_bars: 64\n")
    assert "block_bars stands twice" in problems_of(recipe_file)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "must be a mapping"),
        ("- a\n- b\n", "must be a mapping"),
        ("name: [unclosed\n", "is not YAML"),
    ],
)
def test_what_is_no_recipe_is_refused(recipe_file, text, expected):
    recipe_file.write_text(text)
    assert expected in problems_of(recipe_file)[0]


def test_a_missing_file_names_the_recipes_beside_it(recipe_file):
    found = problems_of(recipe_file.with_name("studdy.yaml"))
    assert "study.yaml" in found[0]


def test_overrides_reach_nested_keys_and_enter_the_digest(recipe_file):
    plain = load_recipe(recipe_file)
    changed = load_recipe(recipe_file, ["model.window=61", "evaluation.horizons=[2,3]"])
    assert changed.resolved["model"]["window"] == 61
    assert changed.resolved["evaluation"]["horizons"] == [2, 3]
    assert changed.digest != plain.digest


def test_wrong_overrides_are_all_named(recipe_file):
    found = problems_of(recipe_file, "model.window", "name.x=1", "modle.window=3")
    assert len([p for p in found if "model.window" in p and "key=value" in p]) == 1
    assert any("has no keys of its own" in p for p in found)
    assert any("did you mean 'model'" in p for p in found)


def test_the_schema_is_valid_and_agrees_with_the_loader(recipe_file):
    document = yaml.safe_load(RECIPE)
    schema, problems = kinds["factor_study"]().schema(document)
    assert problems == []
    Draft202012Validator.check_schema(schema)
    assert list(Draft202012Validator(schema).iter_errors(document)) == []
    document["model"]["window"] = "long"
    assert list(Draft202012Validator(schema).iter_errors(document)) != []
    recipe_file.write_text(yaml.safe_dump(document))
    assert any("model.window" in p for p in problems_of(recipe_file))
    assert json.dumps(schema)


def test_an_unknown_kind_is_refused(recipe_file):
    recipe_file.write_text("kind: factor_studdy\n" + RECIPE)
    assert any("did you mean 'factor_study'" in p for p in problems_of(recipe_file))


def test_a_year_has_as_many_bars_as_its_calendar(recipe_file):
    assert load_recipe(recipe_file).resolved["evaluation"]["periods_per_year"] == 252
    hourly = RECIPE.replace("calendar: XNYS", "calendar: 24/7 1h")
    recipe_file.write_text(hourly)
    assert load_recipe(recipe_file).resolved["evaluation"]["periods_per_year"] == 8760
    given = load_recipe(recipe_file, ["evaluation.periods_per_year=100"])
    assert given.resolved["evaluation"]["periods_per_year"] == 100


def test_a_headline_that_is_no_horizon_is_refused(recipe_file):
    assert "headline_horizon_bars" in problems_of(recipe_file, "headline_horizon_bars=9")[0]


def lines_of(problems):
    return [int(p.split(":")[0].removeprefix("line ")) for p in problems if p.startswith("line ")]


def test_what_plugins_refuse_stands_beside_what_the_schema_refuses_in_the_order_of_lines(
    recipe_file,
):
    recipe_file.write_text(
        RECIPE.replace("n_quantiles: 3", "n_quantiles: 0\n  cost_bps: -1\n  every_bars: some")
        .replace("horizons: [1, 5]", "horizons: [5, 1]")
        .replace("lookback_bars: 60, skip_bars: 5", "lookback_bars: 60, skip_bars: 61", 1)
        .replace("window: 60", "window: 2\n  windw: 3")
        .replace("market: SPY", "market: SPY\n    same: SPY")
        .replace("    calendar: XNYS\nuniverse", "    calendar: XNYSE\nuniverse")
        + "gates:\n  - {metric: t_hca, subject: 'momentum:5', at_least: 1}\n"
        "  - {metric: net_annual, subject: momentun, at_least: 1}\n"
    )
    found = problems_of(recipe_file)
    for expected in (
        "data.etfs.calendar: no calendar 'XNYSE'; did you mean 'XNYS'?",
        "model.window: window must lie in 3 … 10000000; got 2",
        "model.windw: is no name here; did you mean 'window'?",
        "signals.momentum: need 0 <= skip_bars",
        "evaluation.horizons: horizons must be increasing numbers of bars, at least 1; got [5, 1]",
        "evaluation.n_quantiles: n_quantiles must lie in 2 … 100; got 0",
        "evaluation.cost_bps: cost_bps must be",
        "evaluation.every_bars: takes a whole number, not the text 'some'",
        "gates.0: there is no number t_hca of momentum:5; did you mean 't_hac of momentum:5'?",
        "gates.1: there is no number net_annual of momentun; did you mean 'net_annual of momentum'",
    ):
        assert sum(expected in problem for problem in found) == 1, (expected, found)
    assert len(found) == 10
    assert len(lines_of(found)) == len(found)
    assert lines_of(found) == sorted(lines_of(found))
    text = recipe_file.read_text().splitlines()
    for key in ("n_quantiles", "windw", "cost_bps", "metric: t_hca", "subject: momentun"):
        line = next(i for i, row in enumerate(text, 1) if key in row)
        assert line in lines_of(found)


GATES = """\
headline_horizon_bars: 20
gates:
  - {metric: t_hacc, subject: 'momentum:22', at_least: 1}
  - {metric: t_hac, subject: 'momentun:5', at_least: 1}
  - {metric: t_hac, subject: 'momentum:22', at_leest: 1}
"""
UNKNOWN_METRIC = "gates.0: there is no number t_hacc of momentum:22; did you mean 't_hac of "
UNKNOWN_LABEL = "gates.1: there is no number t_hac of momentun:5; did you mean 't_hac of momentum:"
UNKNOWN_HORIZON = "gates.2: there is no number t_hac of momentum:22; did you mean"
MISSPELT = "gates.2.at_leest: is no name here; did you mean 'at_least'"


def has(found, *expected):
    """Return whether each text stands in one problem, and there is no other problem."""
    told = [[problem for problem in found if text in problem] for text in expected]
    return [len(problems) for problems in told] == [1] * len(found)


def test_what_a_gate_names_is_checked_beside_the_problems_of_the_gate(recipe_file):
    recipe_file.write_text(RECIPE + GATES)
    headline = "headline_horizon_bars: 20 is none of evaluation.horizons [1, 5]"
    expected = (headline, UNKNOWN_METRIC, UNKNOWN_LABEL, UNKNOWN_HORIZON, MISSPELT)
    assert has(problems_of(recipe_file), *expected)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (("[1, 5]", "[1, five]"), "evaluation.horizons.1: takes a whole number"),
        (("[1, 5]", "five"), "evaluation.horizons: takes a list of whole numbers"),
        (("horizons:", "horzons:"), "evaluation.horzons: is no name here"),
        (("evaluation:", "evaluatoin:"), "evaluatoin: is no name here; did you mean 'evaluation'"),
    ],
)
def test_what_needs_no_horizon_is_told_beside_broken_horizons(recipe_file, edit, told):
    recipe_file.write_text(RECIPE.replace(*edit) + GATES)
    assert has(problems_of(recipe_file), told, UNKNOWN_METRIC, UNKNOWN_LABEL, MISSPELT)


def test_gates_and_regimes_are_not_held_against_sections_that_are_lacking(recipe_file):
    text = RECIPE.replace("factors:", "factor:").replace("signals:", "signal:")
    gate = "gates: [{metric: t_hac, subject: 'momentum:5', at_least: 1}]\n"
    recipe_file.write_text(text + gate + "regimes:\n  threshold: {factor: market}\n")
    expected = ("lacks 'factors'", "lacks 'signals'", ": factor: is no", ": signal: is no")
    assert has(problems_of(recipe_file), *expected)


def test_the_factor_of_a_regime_that_nobody_has_is_checked_too(recipe_file):
    recipe_file.write_text(RECIPE + "regimes:\n  qqq: {factor: markett}\n")
    expected = ("no Regime named 'qqq'", "'markett' is none of factors.definitions; did you mean")
    assert has(problems_of(recipe_file), *expected)


def test_what_data_may_yet_show_to_be_right_is_told_beside_other_problems_alone(recipe_file):
    text = RECIPE.replace("IWM - SPY", "IWM-SPY")
    text = text.replace("evaluation:", "  beta_compression: {factor: markett}\nevaluation:")
    recipe_file.write_text(text)
    assert load_recipe(recipe_file).name == "small"
    recipe_file.write_text(text.replace("window: 60", "windw: 60"))
    expected = (
        "model.windw: is no name here",
        "size: is defined as 'IWM-SPY', which is one asset; for a difference put blanks around the",
        "signals.beta_compression: factors.definitions has no 'markett'; did you mean 'market'?",
    )
    assert has(problems_of(recipe_file), *expected)
    own = text.replace("window: 60", "model: statistical\n  windw: 60")
    recipe_file.write_text(own.replace("factor: markett", "factor: pc1"))
    assert not any("beta_pc1" in problem for problem in problems_of(recipe_file))


@pytest.mark.parametrize(
    ("calendar", "hint"),
    [
        ("XNYSE", "'XNYS'"),
        ("24/7 2h", "known: 15m"),
        ("XNYS 1h", "24/7"),
        ("xnys", "no calendar 'xnys'"),
    ],
)
def test_a_calendar_that_is_not_there_is_a_problem_of_its_line(recipe_file, calendar, hint):
    recipe_file.write_text(RECIPE.replace("calendar: XNYS", f"calendar: {calendar}", 1))
    (found,) = problems_of(recipe_file)
    line = next(i for i, row in enumerate(RECIPE.splitlines(), 1) if "calendar" in row)
    assert found.startswith(f"line {line}: data.stocks.calendar: ")
    assert hint in found


@pytest.mark.parametrize("calendar", ["XNYS", "NYSE", "24/7", "24/7 4h"])
def test_calendars_that_are_there_are_taken(recipe_file, calendar):
    recipe_file.write_text(RECIPE.replace("calendar: XNYS", f"calendar: {calendar}"))
    assert load_recipe(recipe_file).data["stocks"].calendar == calendar


def test_a_value_of_the_command_line_has_no_line_of_the_file(recipe_file):
    found = problems_of(recipe_file, "evaluation.n_quantiles=0", "model={window: 1}")
    assert sorted(p.split(":")[0] for p in found) == [
        "--set evaluation.n_quantiles",
        "--set model.window",
    ]


def test_factors_that_are_combinations_of_others_are_refused_unless_a_penalty_tells_them_apart(
    recipe_file,
):
    text = RECIPE.replace("size: IWM - SPY", "size: IWM - SPY\n    small: IWM")
    recipe_file.write_text(text)
    (found,) = problems_of(recipe_file)
    assert "factors.definitions.small: is a combination" in found
    assert load_recipe(recipe_file, ["model.ridge=0.001"]).name == "small"


def test_a_window_too_short_for_the_factors_is_refused(recipe_file):
    (found,) = problems_of(recipe_file, "model.window=3")
    assert "window=3 cannot fit 2 factors and an intercept, needs at least 4" in found


def test_every_gate_that_a_study_can_hold_is_taken(recipe_file):
    for metric, subject in (("t_hac", "momentum:5"), ("t_hac", "momentum"), ("n_bars", "momentum")):
        gate = f"gates=[{{metric: {metric}, subject: '{subject}', at_least: 0}}]"
        assert load_recipe(recipe_file, [gate]).name == "small"
    gate = "gates=[{metric: mean_ic, subject: 'momentum:21', at_least: 0}]"
    assert "did you mean" in problems_of(recipe_file, gate)[0]


@pytest.mark.parametrize(
    ("setting", "place", "told"),
    [
        (
            "model.min_obs=500",
            "model.min_obs",
            "min_obs must lie in 1 … window; got min_obs=500, window=60",
        ),
        (
            "model={min_obs: 500}",
            "model.min_obs",
            "min_obs must lie in 1 … window; got min_obs=500, window=168 by default",
        ),
        (
            "model.window=3",
            "model.window",
            "window=3 cannot fit 2 factors and an intercept, needs at least 4",
        ),
        (
            "signals={momentum: {skip_bars: 300}}",
            "signals.momentum.skip_bars",
            "need 0 <= skip_bars < lookback_bars; got skip_bars=300, lookback_bars=252 by default",
        ),
        (
            "signals.momentum.skip_bars=60",
            "signals.momentum.skip_bars",
            "need 0 <= skip_bars < lookback_bars; got skip_bars=60, lookback_bars=60",
        ),
        (
            "signals.residual_momentum.min_obs=99",
            "signals.residual_momentum.min_obs",
            "need 2 <= min_obs <= 55; got 99",
        ),
        (
            "gates=[{metric: t_hac, subject: 'momentum:5', at_least: 3, at_most: 2}]",
            "gates.0",
            "no number can pass at_least=3 and at_most=2",
        ),
        (
            "universe.assets=[ABT, AA, ABT]",
            "universe.assets.2",
            "'ABT' is named before; name an asset once",
        ),
    ],
)
def test_a_refusal_shows_what_it_is_about_and_what_was_given_of_it(
    recipe_file, setting, place, told
):
    assert list(problems_of(recipe_file, setting)) == [f"--set {place}: {told}"]


def test_nothing_is_said_of_a_value_against_one_that_has_the_wrong_shape(recipe_file):
    (problem,) = problems_of(recipe_file, "model={window: long, min_obs: 500}")
    assert problem == "--set model.window: takes a whole number, not the text 'long'"


def test_a_refusal_of_two_keys_of_the_file_stands_at_their_section(recipe_file):
    recipe_file.write_text(RECIPE.replace("  window: 60", "  window: 60\n  min_obs: 70"))
    line = RECIPE.splitlines().index("model:") + 1
    assert list(problems_of(recipe_file)) == [
        f"line {line}: model: min_obs must lie in 1 … window; got min_obs=70, window=60"
    ]


def test_an_asset_that_is_named_twice_is_refused_at_its_line(recipe_file):
    text = RECIPE.replace("  prices: stocks", "  prices: stocks\n  assets:\n    - ABT\n    - ABT")
    recipe_file.write_text(text)
    line = text.splitlines().index("    - ABT") + 2
    told = "universe.assets.1: 'ABT' is named before; name an asset once"
    assert list(problems_of(recipe_file)) == [f"line {line}: {told}"]


def test_a_table_of_sectors_is_looked_at_with_the_other_problems(recipe_file):
    recipe_file.write_text(RECIPE + "neutralise:\n  sectors: nope.csv\n")
    found = problems_of(recipe_file, "model.windw=3")
    assert len(found) == 2
    line = len(RECIPE.splitlines()) + 2
    path = recipe_file.with_name("nope.csv")
    assert found[1] == (
        f"line {line}: neutralise.sectors: {path} cannot be read: No such file or directory"
    )


def test_each_definition_of_a_factor_is_refused_at_its_line(recipe_file):
    text = RECIPE.replace("size: IWM - SPY", "size: IWM -SPY\n    zero: SPY - SPY")
    recipe_file.write_text(text)
    line = text.splitlines().index("    size: IWM -SPY") + 1
    assert list(problems_of(recipe_file)) == [
        f"line {line}: factors.definitions.size: is defined as 'IWM -SPY'; allowed: 'A' or 'A - B'",
        f"line {line + 1}: factors.definitions.zero: is defined as 'SPY - SPY', which is zero",
    ]


def test_parameters_beside_a_misspelt_plugin_are_checked_with_all_else(recipe_file):
    text = (
        RECIPE.replace("source: csv\n    paths: [prices/*.csv]", "source: cvs\n    paths: p/*.csv")
        .replace("    calendar: XNYS", "    calender: XNYS\n    colums: {bar: date}", 1)
        .replace("market: SPY\n    size: IWM - SPY", "market: SPY -\n    size: 3")
        .replace("window: 60", "model: rolling_regresion\n  window: -5")
        .replace("  momentum: {lookback_bars: 60, skip_bars: 5}", "  momentun: {lookback: 3}")
    )
    recipe_file.write_text(text + "kind: factor_studdy\n")
    found = problems_of(recipe_file)
    for expected in (
        "data.stocks: lacks 'calendar' (is 'calender' meant?); its keys are source",
        "data.stocks.source: no Source named 'cvs'; did you mean 'csv'?",
        "data.stocks.calender: is no name here; did you mean 'calendar'?",
        "data.stocks.colums: is no name here; did you mean 'columns'?",
        "factors.definitions.market: is defined as 'SPY -'; allowed: 'A' or 'A - B'",
        "factors.definitions.size: takes text, not 3",
        "model.model: no FactorModel named 'rolling_regresion'; did you mean 'rolling_regression'?",
        "model.window: window must lie in 3",
        "signals.momentun: no Signal named 'momentun'; did you mean 'momentum'?",
        "signals.momentun.lookback: is no name here; did you mean 'lookback_bars'?",
        "kind: no Kind named 'factor_studdy'; did you mean 'factor_study'?",
    ):
        assert sum(expected in problem for problem in found) == 1, (expected, found)
    assert len(found) == 11


def test_what_a_section_lacks_hides_no_other_problem_of_it(recipe_file):
    text = RECIPE.replace("    calendar: XNYS", "    time_zone: Mars", 1)
    recipe_file.write_text(text.replace("  prices: stocks", "  rules: {min_price: -1}"))
    found = "\n".join(problems_of(recipe_file))
    assert "data.stocks: lacks 'calendar'; its keys" in found
    assert "time_zone='Mars' is no zone" in found
    assert "universe: lacks 'prices'" in found
    assert "universe.rules.min_price" in found


@pytest.mark.parametrize(
    "key",
    [
        *("kind", "title", "model", "regimes", "neutralise", "evaluation", "gates"),
        *("rolling_bars", "headline_horizon_bars", "block_bars", "on_code_change"),
        *("universe.rules", "universe.assets", "data.stocks.rules", "neutralise.betas"),
        *("neutralise.sectors", "signals.momentum", "model.model"),
    ],
)
def test_a_key_that_holds_nothing_means_its_default(recipe_file, key):
    document = yaml.safe_load(RECIPE)
    *path, last = key.split(".")
    holder = document
    for step in path:
        holder = holder.setdefault(step, {})
    if key != "signals.momentum":
        holder.pop(last, None)
    else:
        holder[last] = {}
    without = load_recipe(document, base=recipe_file.parent)
    empty = load_recipe(recipe_file, [f"{key}=null"])
    assert empty.digest == without.digest
    assert load_recipe(recipe_file, [f"{key}="]).digest == without.digest


def test_a_required_key_that_holds_nothing_is_refused(recipe_file):
    (problem,) = problems_of(recipe_file, "universe=null")
    assert "universe: takes a mapping (key: value), not nothing" in problem


def test_one_text_stands_for_a_list_of_one(recipe_file):
    def source(value):
        document = yaml.safe_load(RECIPE)
        document["data"]["stocks"] |= {"paths": value, "fields": value, "rules": {"prices": value}}
        return load_recipe(document, base=recipe_file.parent)

    assert source("close").digest == source(["close"]).digest
    assert source("close").data["stocks"].rules.prices == ("close",)


def test_overrides_reach_the_entries_of_lists(recipe_file):
    recipe_file.write_text(
        RECIPE + "gates:\n  - {metric: t_hac, subject: 'momentum:5', at_least: 1}\n"
    )
    changed = load_recipe(recipe_file, ["gates.0.at_least=2", "evaluation.horizons.1=5"])
    assert changed.resolved["gates"][0]["at_least"] == 2
    (problem,) = problems_of(recipe_file, "gates.1.at_least=2")
    assert "gates holds 0 … 0; '1' is none of them" in problem
    (problem,) = problems_of(recipe_file, "gates.0.at_leest=2")
    assert problem.startswith("--set gates.0.at_leest: is no name here")

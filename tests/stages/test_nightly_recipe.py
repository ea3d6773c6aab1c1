"""Nightly recipes are refused with everything that is wrong with them, dates among it."""

from datetime import date

import pytest

from plumbline.core.errors import RecipeError
from plumbline.risk.analytic import analytics
from plumbline.stages.nightly_parts import analytics_of, read_scenarios, unknown_symbols
from plumbline.stages.recipe import load_recipe

RECIPE = """\
name: nights
kind: nightly
book: funds
data:
  prices: {source: parquet, paths: [prices.parquet], calendar: XNYS}
"""


def problems_of(folder, text):
    path = folder / "nightly.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    return list(caught.value.problems)


@pytest.mark.parametrize("day", ["2024-02-30", "'2024-02-30'", "2024-13-45", "yesterday"])
def test_a_date_that_the_calendar_lacks_hides_no_other_problem(tmp_path, day):
    text = RECIPE + f"dates: {{first: {day}, sessions: 0}}\nrisk_free: much\n"
    plain = day.strip("'")
    assert problems_of(tmp_path, text) == [
        f"line 6: dates.first: takes a date such as 2024-01-31 or nothing, not the text {plain!r}",
        "line 6: dates.sessions: sessions=0 must be at least 1",
        "line 7: risk_free: takes a number, not the text 'much'",
    ]


def test_scenarios_stand_in_the_recipe_and_are_checked_there(tmp_path):
    scenarios = "[{name: crash, shocks: {market: -0.2}}, {name: replay, replay: [%s, %s]}]"
    text = RECIPE + f"analytics: {{stress: {{scenarios: {scenarios}}}}}\n"
    path = tmp_path / "nightly.yaml"
    path.write_text(text % ("2020-02-20", "2020-03-23"))
    recipe = load_recipe(path)
    (crash, replay) = analytics_of(recipe.document, recipe.base)["stress"].scenarios
    assert crash.shocks == {"market": -0.2}
    assert replay.replay == (date(2020, 2, 20), date(2020, 3, 23))
    (problem,) = problems_of(tmp_path, text % ("2020-02-30", "2020-03-23"))
    assert problem == (
        "line 6: analytics.stress.scenarios.1.replay: takes a list of 2: a date such as "
        "2024-01-31, a date such as 2024-01-31 or nothing, not the list ['2020-02-30', "
        "'2020-03-23']"
    )


def test_a_list_that_mixes_names_and_parameters_says_which_form_takes_both(tmp_path):
    text = RECIPE + "analytics: [tail, {market_beta: {window_bars: 120}}, tial, 5]\n"
    mixed, misspelt, number = problems_of(tmp_path, text)
    form = "such as {market_beta: {window_bars: 120}, tail: }"
    told = "must be a name, as a list holds no parameters; to give parameters, write a mapping of"
    assert mixed == (
        f"line 6: analytics.1: {{'market_beta': {{'window_bars': 120}}}} {told} all that are "
        f"chosen, {form}"
    )
    assert misspelt == "line 6: analytics.2: no Analytic named 'tial'; did you mean 'tail'?"
    assert number == f"line 6: analytics.3: 5 {told} all that are chosen, {form}"


def test_symbols_without_prices_are_told_once_with_all_that_read_them():
    names = ("tail", "style_ridge", "style_spread", "market_beta")
    kinds = {name: analytics[name]() for name in names}
    *told, advice = unknown_symbols(kinds, {"SPY", "VTV", "VUG", "MTUM", "QUAL", "USMV"})
    assert told == ["IWM has no prices, and is read by the analytics style_ridge, style_spread"]
    assert advice.endswith("choose analytics: [tail, market_beta]")


def test_a_file_of_scenarios_is_named_once_whatever_is_wrong_with_it(tmp_path):
    path = tmp_path / "scenarios.yaml"
    assert read_scenarios(path) == ((), [f"{path} cannot be read: No such file or directory"])
    path.write_bytes(b"\xff\xfe")
    (_, (told,)) = read_scenarios(path)
    assert told.startswith(f"{path} cannot be read: 'utf-8' codec")
    path.write_text("- {name: a, replay: [2016-05-02, 2016-01-02]}\n- 2016-05-02\n")
    ends, none = read_scenarios(path)[1]
    told = "the replay ends on 2016-01-02, before it begins on 2016-05-02"
    assert ends == f"{path}, scenario 1: replay: {told}; got [2016-05-02, 2016-01-02]"
    assert none == f"{path}, scenario 2: 2016-05-02 must be a mapping with a name"

"""The data of a recipe: every problem of every data set at once, and nothing stored."""

import pytest

from plumbline.api import init
from plumbline.core.errors import RecipeError, SourceError
from plumbline.stages.workspace import prepare
from tests.study_files import write_study


@pytest.fixture
def recipe(tmp_path):
    path = write_study(tmp_path / "p")
    init(path.parent)
    return path


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def blank(path, column):
    """Take the values of a column of a table out."""
    header, *rows = path.read_text().splitlines()
    place = header.split(",").index(column)
    cells = [row.split(",") for row in rows]
    emptied = [",".join([*row[:place], "", *row[place + 1 :]]) for row in cells]
    path.write_text("\n".join([header, *emptied]) + "\n")


def test_problems_of_all_data_sets_are_listed_together(recipe):
    year = recipe.parent / "prices" / "2010.csv"
    lines = year.read_text().splitlines()
    lines[4] = lines[4].rsplit(",", 2)[0] + ",abc,1"
    year.write_text("\n".join(lines) + "\n")
    (recipe.parent / "etfs.csv").unlink()
    with pytest.raises(SourceError) as caught:
        prepare(recipe)
    first, second = caught.value.problems
    assert first.startswith("data.stocks: prices/2010.csv, line 5, column 'close': 'abc'")
    assert second.startswith("data.etfs: file 'etfs.csv' not found")


def test_a_factor_without_a_price_is_named_with_the_reason(recipe):
    blank(recipe.parent / "etfs.csv", "SPY")
    with pytest.raises(RecipeError) as caught:
        _ = prepare(recipe).pipeline
    first, second = caught.value.problems
    assert first.startswith("line 18: factors.definitions.market: needs 'SPY', which the data lack")
    assert second == "data.etfs: the files name 'SPY' and hold no value of it"


def test_a_price_of_another_name_is_asked_for_with_the_key_that_names_it(recipe):
    for path in (recipe.parent / "prices").iterdir():
        change(path, "close", "Price")
    with pytest.raises(RecipeError) as caught:
        _ = prepare(recipe, overrides=["data.etfs.field=last"]).pipeline
    assert "universe: the data lack the field 'close'" in caught.value.problems[0]
    assert "columns: {close: …}" in caught.value.problems[0]
    assert "factors.data: the data lack the field 'close'" in caught.value.problems[-1]
    assert "field: close" in caught.value.problems[-1]
    named = ["data.stocks.columns={close: Price}"]
    assert prepare(recipe, overrides=named).pipeline.nodes

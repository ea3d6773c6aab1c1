import json
import math

import polars as pl
import pytest

from plumbline.report.portfolio_twin import SCHEMA, SCHEMA_VERSION, portfolio_json
from plumbline.report.portfolio_words import reason
from plumbline.stages.portfolio_results import TABLES
from tests.report.portfolio_samples import HOSTILE, ORIGIN, odd_results, usual, usual_results


@pytest.fixture(scope="module")
def twin() -> dict:
    return json.loads(portfolio_json(usual_results()))


def cells(column: pl.Series) -> list[object]:
    if column.dtype == pl.Date:
        return [None if day is None else str(day) for day in column]
    if column.dtype.is_float():
        return [None if x is None or not math.isfinite(x) else x for x in column]
    return column.to_list()


@pytest.mark.parametrize("name", list(TABLES))
def test_a_table_of_the_twin_is_the_frame_to_the_last_bit(twin, name):
    frame = usual_results().tables[name]
    table = twin["tables"][name]
    assert table["n_rows"] == frame.height
    assert list(table["columns"]) == frame.columns
    for column in frame:
        assert table["columns"][column.name] == cells(column), column.name


def test_the_twin_holds_what_the_measurement_gave(twin):
    result, portfolios, _ = usual()
    own = {"portfolio": portfolios["portfolio"][0]}
    for name in ("snapshots", "measures", "exposures", "sectors", "stress"):
        frame = getattr(result, name).filter(**own)
        for column in frame:
            assert twin["tables"][name]["columns"][column.name] == cells(column), column.name


def test_the_twin_says_who_when_and_what_made_it(twin):
    result, portfolios, _ = usual()
    row = portfolios.row(0, named=True)
    assert (twin["schema"], twin["schema_version"]) == (SCHEMA, SCHEMA_VERSION)
    assert [twin[key] for key in ("portfolio", "name", "owner", "currency")] == [
        row[key] for key in ("portfolio", "name", "owner", "currency")
    ]
    dates = result.snapshots.filter(portfolio=row["portfolio"])["date"]
    assert [twin["first_date"], twin["last_date"]] == [str(dates.min()), str(dates.max())]
    assert twin["n_dates"] == len(dates)
    assert twin["provenance"] == vars(ORIGIN)


def test_every_measured_figure_has_its_unit_and_every_missing_one_its_reason():
    for results in (usual_results(), odd_results("empty"), odd_results("ruined")):
        twin = json.loads(portfolio_json(results))
        named = {figure for words in twin["analytics"].values() for figure in words["units"]}
        measured = [
            name
            for name in results.tables["measures"].columns
            if not name.endswith(("_coverage", "_n_obs")) and name not in ("portfolio", "date")
        ]
        assert named == set(measured)
        last = results.tables["measures"].row(-1, named=True)
        missing = {name for name in measured if last[name] is None}
        assert set(twin["unavailable"]) == missing
        assert all(twin["unavailable"][name] == reason(results, name) for name in missing)
        assert all(twin["analytics"][name]["definition"] for name in twin["analytics"])


def test_a_portfolio_that_is_not_there_has_a_twin_without_rows():
    twin = json.loads(portfolio_json(odd_results("absent")))
    rows = {name: table["n_rows"] for name, table in twin["tables"].items() if table["n_rows"]}
    assert rows == {"pnl_sources": 6, "attribution_total": 15}
    for name in rows:
        assert set(twin["tables"][name]["columns"]["pnl"]) == {None}
    assert (twin["first_date"], twin["n_dates"]) == (None, 0)
    assert set(twin["unavailable"].values()) == {"the portfolio is open on none of the dates"}


def test_hostile_names_stand_in_the_twin_as_they_are():
    twin = json.loads(portfolio_json(odd_results(HOSTILE)))
    assert twin["portfolio"] == twin["owner"] == HOSTILE
    assert HOSTILE in twin["tables"]["positions"]["columns"]["symbol"]


def test_equal_results_give_equal_text():
    assert portfolio_json(odd_results("one")) == portfolio_json(odd_results("one"))

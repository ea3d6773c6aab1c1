from dataclasses import replace

import polars as pl
import pytest

from plumbline.core.errors import ParameterError
from plumbline.report.study import TABLES, StudyResults
from tests.report.samples import SIGNALS, empty_study, study


def with_tables(results: StudyResults, **frames: pl.DataFrame) -> StudyResults:
    return replace(results, tables={**results.tables, **frames})


def test_every_problem_of_the_tables_is_named_at_once():
    results = study(30)
    tables = dict(results.tables) | {"summery": pl.DataFrame()}
    del tables["decay"]
    tables["quality"] = pl.DataFrame({"rule": ["gap"], "action": ["marked"], "counts": [1]})
    tables["ic_by_year"] = results.tables["ic_by_year"].with_columns(mean_ic=pl.lit("high"))
    with pytest.raises(ParameterError) as raised:
        replace(results, tables=tables)
    message = str(raised.value)
    for part in (
        "'summery' (did you mean 'summary'?)",
        "'decay' is missing",
        "did you mean 'counts'",
    ):
        assert part in message
    assert "ic_by_year.mean_ic is String; it must be numeric" in message


def test_a_frame_without_rows_needs_no_columns():
    assert empty_study().signals == ()


def test_signals_come_in_the_order_of_the_summary():
    assert study(30).signals == SIGNALS


def test_the_headline_horizon_is_the_first_listed_or_the_one_named():
    results = study(30)
    assert results.headline("momentum_12_1") == 21
    assert replace(results, headline_horizon_bars=5).headline("momentum_12_1") == 5
    assert empty_study().headline("momentum_12_1") is None


def test_reasons_prefer_what_the_study_says():
    results = replace(empty_study(), unavailable={"decay": "short", "decay.x": "no x"})
    assert results.reason("decay", "x") == "no x"
    assert results.reason("decay", "y") == "short"
    assert results.reason("spread") == "the study gave no rows for spread"
    assert "no rows of this signal" in study(30).reason("decay", "y")


@pytest.mark.parametrize("table", [name for name in TABLES if "bar_close" in TABLES[name]])
def test_times_must_be_times(table):
    results = study(30)
    frame = results.tables[table].with_columns(bar_close=pl.lit(1))
    with pytest.raises(ParameterError, match=f"{table}.bar_close is Int32"):
        with_tables(results, **{table: frame})

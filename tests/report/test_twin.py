import json
import math
from dataclasses import replace
from datetime import UTC, date, datetime

import polars as pl
import pytest

from plumbline.report.study import TABLES
from plumbline.report.twin import SCHEMA_VERSION, study_json
from plumbline.stages.run_code import KeptBlocks
from tests.report.samples import empty_study, study


@pytest.fixture(scope="module")
def results():
    return study(400)


@pytest.fixture(scope="module")
def twin(results):
    return json.loads(study_json(results))


def same(cell, written):
    if isinstance(cell, datetime):
        return written == cell.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(cell, float) and not math.isfinite(cell):
        return written is None
    return written == cell and type(written) is type(cell)


@pytest.mark.parametrize("name", TABLES)
def test_every_cell_reads_back_as_it_was(results, twin, name):
    frame, table = results.tables[name], twin["tables"][name]
    assert table["n_rows"] == frame.height
    assert list(table["columns"]) == frame.columns == list(table["dtypes"])
    for column in frame:
        written = table["columns"][column.name]
        assert len(written) == frame.height
        assert all(same(c, w) for c, w in zip(column.to_list(), written, strict=True)), column.name


def test_the_frame_can_be_rebuilt_bit_for_bit(results, twin):
    values = twin["tables"]["decay"]["columns"]["mean_ic"]
    assert pl.Series("mean_ic", values).equals(results.tables["decay"]["mean_ic"])


def test_a_table_that_is_too_long_says_where_its_values_are(results, twin, monkeypatch):
    monkeypatch.setattr("plumbline.report.twin.MOST_ROWS", results.tables["ic"].height - 1)
    tables = json.loads(study_json(results))["tables"]
    assert tables["ic"]["columns"] == {}
    assert "tables['ic']" in tables["ic"].pop("left_out")
    for field in ("n_rows", "dtypes", "not_finite"):
        assert tables["ic"][field] == twin["tables"]["ic"][field]
    short = [name for name, table in tables.items() if "left_out" not in table and name != "ic"]
    assert all(tables[name] == twin["tables"][name] for name in short)
    assert len(short) > 10


def test_cells_that_are_not_finite_are_null_and_counted(results):
    frame = results.tables["decay"].with_columns(
        lower=pl.Series([math.nan, math.inf, None, *results.tables["decay"]["lower"].to_list()[3:]])
    )
    text = study_json(replace(results, tables={**results.tables, "decay": frame}))
    table = json.loads(text, parse_constant=pytest.fail)["tables"]["decay"]
    assert table["columns"]["lower"][:3] == [None, None, None]
    assert table["not_finite"] == {"lower": 2}


def test_the_head_names_schema_provenance_and_conventions(results, twin):
    assert (twin["schema"], twin["schema_version"]) == ("plumbline.study", SCHEMA_VERSION)
    assert twin["conventions"] == dict(results.conventions)
    assert twin["recipe"] == results.recipe
    assert twin["headline_horizon_bars"] == {"momentum_12_1": 21, "residual_momentum": 21}
    assert twin["provenance"]["versions"] == dict(results.provenance.versions)
    assert twin["provenance"]["blocks"] == {"cached": 9, "computed": 4}
    assert twin["provenance"]["codes"] == {
        node: list(codes) for node, codes in results.provenance.codes.items()
    }


def test_the_twin_names_every_data_set_with_its_cleaning(results, twin):
    assert [origin["name"] for origin in twin["provenance"]["data"]] == ["stocks", "funds"]
    for origin, written in zip(results.provenance.data, twin["provenance"]["data"], strict=True):
        assert written == vars(origin)


def test_the_twin_names_what_was_kept_from_other_code(results, twin):
    assert twin["provenance"]["kept"] == []
    kept = (KeptBlocks("signal:a", 10, ("kept, made by code 77aa",)),)
    source = replace(results.provenance, kept=kept)
    written = json.loads(study_json(replace(results, provenance=source)))["provenance"]["kept"]
    assert written == [{"node": "signal:a", "n_blocks": 10, "reasons": ["kept, made by code 77aa"]}]


def test_times_are_utc_text_whatever_their_column(results):
    zoned = datetime(2020, 1, 2, 16, 0, 0, 500_000, tzinfo=UTC)
    columns = {
        "zoned": pl.Series([zoned]).dt.convert_time_zone("America/New_York"),
        "plain": pl.Series([zoned]).dt.replace_time_zone(None),
        "day": pl.Series([date(2020, 1, 2)]),
        "none": pl.Series([None], dtype=pl.Date),
    }
    frame = results.tables["quality"].head(1).with_columns(**columns)
    twin = json.loads(study_json(replace(results, tables={**results.tables, "quality": frame})))
    written = twin["tables"]["quality"]["columns"]
    assert written["zoned"] == ["2020-01-02T16:00:00.500Z"]
    assert written["plain"] == ["2020-01-02T16:00:00.500Z"]
    assert written["day"] == ["2020-01-02"]
    assert written["none"] == [None]


def test_a_study_without_rows_has_a_twin():
    twin = json.loads(study_json(empty_study()))
    assert all(table["n_rows"] == 0 for table in twin["tables"].values())

from datetime import UTC, datetime

import polars as pl

from plumbline.lake.quality import SCHEMA
from plumbline.report.collect import _examples, _unavailable
from plumbline.stages.study_warnings import DATA, StudyWarning


def test_rules_that_changed_or_refused_data_come_before_those_that_only_note():
    counts = {"gap": ("marked", 1), "outlier": ("missing", 40), "duplicate": ("dropped", 12)}
    counts |= {"ohlc": ("flagged", 2), "conflict": ("kept_first", 3)}
    bar = datetime(2024, 1, 1, tzinfo=UTC)
    rows = [
        (f"A{i}", bar, "close", rule, action, 1.0)
        for rule, (action, n) in counts.items()
        for i in range(n)
    ]
    shown = _examples(pl.DataFrame(rows, schema=SCHEMA, orient="row"))
    assert list(dict.fromkeys(shown["rule"])) == ["conflict", "outlier", "duplicate", "gap", "ohlc"]
    assert shown.group_by("rule").len()["len"].max() == 10
    assert set(shown.columns) == set(SCHEMA)


def test_a_reason_stands_at_every_table_that_lacks_the_number():
    told = (
        StudyWarning(DATA, "", "short data"),
        StudyWarning("summary", "m", "no IC"),
        StudyWarning("quantiles", "m", "no groups"),
        StudyWarning("signal", "r", "no value"),
        StudyWarning("factor_fit", "", "no fit"),
    )
    reasons = _unavailable(told)
    assert reasons["summary.m"] == reasons["decay.m"] == reasons["ic.m"] == "no IC"
    assert reasons["quantiles.m"] == "no groups"
    assert reasons["quantiles"] == "no groups; no value"
    assert reasons["spread_summary.r"] == reasons["summary.r"] == "no value"
    assert reasons["factor_fit"] == "no fit"
    assert "data" not in reasons
    assert "spread.m" not in reasons

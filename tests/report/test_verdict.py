from dataclasses import replace

import polars as pl
import pytest

from plumbline.report.page import study_page
from plumbline.report.study import StudyResults
from plumbline.report.verdict import horizon_colour, sentence
from tests.report.samples import empty_study, study


def with_cells(table: str, **cells: float | None) -> StudyResults:
    results = study(60)
    frame = results.tables[table].with_columns(
        **{name: pl.lit(value, pl.Float64) for name, value in cells.items()}
    )
    return replace(results, tables={**results.tables, table: frame})


@pytest.mark.parametrize(
    ("t", "words"),
    [
        (2.11, "lies beyond the fixed-b 5 % critical value ±2.10, so a mean of zero is rejected"),
        (-2.11, "lies beyond the fixed-b 5 % critical value ±2.10, so a mean of zero is rejected"),
        (
            2.10,
            "lies within the fixed-b 5 % critical value ±2.10, so a mean of zero is not rejected",
        ),
        (
            -0.3,
            "lies within the fixed-b 5 % critical value ±2.10, so a mean of zero is not rejected",
        ),
    ],
)
def test_the_verdict_follows_the_critical_value_on_both_sides(t, words):
    results = with_cells("summary", t_hac=t, critical_5pct=2.10, mean_ic=0.0123)
    said = sentence(results, "momentum_12_1")
    assert "Mean rank IC at a horizon of 21 bars is 0.012" in said
    assert words in said


def test_the_verdict_gives_the_net_spread_with_its_t():
    results = with_cells("spread_summary", net_annual=-0.0234, t_hac=-0.61, p_value=0.54)
    expected = "After costs its spread returned −2.3 % a year (HAC t −0.61, p 0.540)."
    assert expected in sentence(results, "momentum_12_1")


def test_a_missing_t_makes_no_claim():
    said = sentence(with_cells("summary", t_hac=None), "momentum_12_1")
    assert "whether it differs from zero is not available: its HAC t is missing" in said
    assert "rejected" not in said


def test_a_missing_mean_is_said_with_its_reason():
    results = with_cells("summary", mean_ic=float("nan"))
    results = replace(results, unavailable={"summary": "fewer than 30 bars"})
    assert "not available: fewer than 30 bars" in sentence(results, "momentum_12_1")


def test_the_page_counts_the_looks_it_shows():
    page = study_page(study(60))
    assert "this page shows 8 tests of a mean IC (2 signals by 4 horizons) and 2 spreads" in page
    half = study(60)
    frame = half.tables["summary"].with_columns(
        t_hac=pl.when(pl.col("horizon_bars") == 63).then(float("nan")).otherwise("t_hac")
    )
    assert "shows 6 tests" in study_page(replace(half, tables={**half.tables, "summary": frame}))


def test_the_named_headline_horizon_is_used_and_stated():
    results = replace(study(60), headline_horizon_bars=5)
    assert "at a horizon of 5 bars" in sentence(results, "residual_momentum")
    assert "the horizon of 5 bars that the study names" in study_page(results)


def test_without_signals_the_verdict_says_why():
    assert "not available: the study gave no rows for summary" in study_page(empty_study())


def test_horizon_colours_run_from_first_to_last():
    assert [horizon_colour(i, 4) for i in range(4)] == ["--h1", "--h3", "--h4", "--h6"]
    assert horizon_colour(0, 1) == "--h4"

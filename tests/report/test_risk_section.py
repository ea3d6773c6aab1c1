"""The page shows the exposures and the risk of the tables, or says why it cannot."""

import re
from dataclasses import replace

import polars as pl
import pytest

from plumbline.report.page import study_page
from plumbline.report.risk_figures import Spread, row_bars, row_spreads
from plumbline.report.values import PERCENT
from tests.report.markup_check import StrictReader
from tests.report.samples import study


def section(**frames: pl.DataFrame) -> str:
    results = study(60)
    page = study_page(replace(results, tables={**results.tables, **frames}))
    found = page[page.index('id="risk"') :]
    return found[: found.index("</section>")]


def cells(shown: str, name: str) -> list[list[str]]:
    """Return the cells of every row of a name."""
    rows = re.findall(rf'<tr><th scope="row"[^>]*>{name}</th>(.*?)</tr>', shown)
    return [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in rows]


def test_the_numbers_of_the_exposures_are_those_of_the_table():
    exposure, risk = cells(section(), "market")
    assert exposure == ["0.96", "0.021", "45.57", "0.11", "0.74", "0.93", "1.19", "2.01", "60"]
    assert risk == ["92.8", "16.38", "0.96", "17.12"]


def test_shares_and_contributions_stand_by_source_in_per_cent_and_blank_where_there_are_none():
    shown = section()
    assert cells(shown, "sector")[1] == ["−1.7", "−0.29", "−0.16", "1.81"]
    assert cells(shown, "specific") == [["8.8", "1.56", "", ""]]
    assert cells(shown, "total") == [["100.0", "17.65", "", ""]]
    assert "Share of variance <small>%</small>" in shown
    assert "Contribution <small>%</small>" in shown
    assert "market: 92.8 %." in shown
    assert "It holds 60 assets with betas and residuals, 96.8 % of the weight." in shown
    assert "n/a" not in shown


def test_betas_of_assets_are_folded_and_the_first_forty():
    shown = section()
    frame = study(60).tables["exposures"]
    first = frame.filter(asset="S000").to_dicts()
    expected = [f"{row[key]:.2f}".replace("-", "−") for row in first for key in ("beta", "t")]
    assert cells(shown, "S000") == [expected]
    assert "The first 40 of 60 assets" in shown
    assert not cells(shown, "S040")


def test_a_model_without_errors_says_so_below_the_table():
    results = study(60)
    lost = pl.lit(None, pl.Float64)
    frame = results.tables["portfolio_exposures"].with_columns(stderr=lost, t=lost)
    why = {"portfolio_exposures": "kalman gives no standard error of a beta"}
    tables = {**results.tables, "portfolio_exposures": frame}
    page = study_page(replace(results, tables=tables, unavailable=why))
    assert "n/a: not available: kalman gives no standard error of a beta." in page
    assert "t n/a" not in page


@pytest.mark.parametrize("name", ["exposures", "portfolio_exposures", "risk"])
def test_a_table_without_rows_says_why(name):
    results = study(60)
    tables = {**results.tables, name: pl.DataFrame()}
    page = study_page(replace(results, tables=tables, unavailable={name: "no window has a fit"}))
    assert "Not available: no window has a fit." in page


def test_a_risk_without_numbers_has_no_bars_and_says_why():
    frame = study(60).tables["risk"].with_columns(pl.lit(None, pl.Float64).alias("share"))
    shown = section(risk=frame)
    assert "share of variance, %" not in shown
    assert "Not available: the study gave no finite value in risk." in shown


def test_long_names_are_cut_in_the_drawing_and_whole_in_its_words():
    name = "communication_services_less_market"
    shown = row_bars("Shares", "share", {name: 0.25, "market": -0.1}, PERCENT)
    StrictReader(f"<!doctype html><html><body>{shown}</body></html>")
    assert f"{name}: 25.0 %." in shown
    assert f">{name}<" in shown
    assert ">communication_…<" in shown
    assert "var(--s2)" in shown


def test_a_spread_without_all_its_parts_has_no_box_and_keeps_its_dot():
    half = Spread("size", 0.4, (None, 0.1, 0.2, 0.3, None))
    shown = row_spreads("Exposures", "beta", [half, Spread("value", None, (None,) * 5)])
    assert "<rect" not in shown
    assert shown.count("<circle") == 1
    assert "value: n/a; median n/a" in shown
    assert not row_spreads("Exposures", "beta", [Spread("value", None, (None,) * 5)])

"""The page shows the states of the market through time and in sum, if the study tells any."""

import json
import re
from dataclasses import replace

import polars as pl

from plumbline.report.page import study_page
from plumbline.report.study import StudyResults
from plumbline.report.twin import study_json
from tests.report.risk_samples import REGIMES
from tests.report.samples import study
from tests.report.test_timeplot import drawn


def section(results: StudyResults) -> str:
    page = study_page(results)
    found = page[page.index('id="regimes"') :]
    return found[: found.index("</section>")]


def with_tables(**frames: pl.DataFrame) -> StudyResults:
    results = study(300)
    return replace(results, tables={**results.tables, **frames})


def test_the_drawn_levels_are_the_states_of_every_bar():
    results = study(300)
    plots = [plot for plot in drawn(study_page(results)) if "levels" in plot[1]]
    assert [plot[1]["lines"][0]["label"] for plot in plots] == list(REGIMES)
    for bars, record, (series,) in plots:
        mine = results.tables["regimes"].filter(regime=record["lines"][0]["label"])
        assert [record["levels"][round(value)] for value in series] == mine["state"].to_list()
        assert bars == mine["bar_close"].dt.epoch("s").to_list()


def test_levels_are_named_on_the_scale_and_in_the_last_value():
    results = study(300)
    shown = section(results)
    last = results.tables["regimes"].filter(regime="volatility")["state"][-1]
    assert f"<output>{last}</output>" in shown
    assert f"volatility: last {last}." in shown
    assert re.findall(r'<span style="top:[^"]*">(\w+)</span>', shown)[:2] == ["calm", "turbulent"]


def test_a_static_band_goes_from_a_bar_to_the_next_and_stops_where_there_is_no_state():
    states = study(300).tables["regimes"].filter(regime="volatility").head(6)
    states = states.with_columns(
        state=pl.Series(["calm", "calm", "turbulent", None, "calm", "calm"])
    )
    shown = section(with_tables(regimes=states))
    (path,) = re.findall(r'<path d="([^"]*)" class="line"', shown)
    assert len(re.findall("M", path)) == 3
    assert path.startswith("M0 ")
    assert path.endswith("H1000")


def test_share_and_stays_are_those_of_the_table():
    frame = pl.DataFrame(
        {
            "regime": ["volatility", "volatility"],
            "state": ["calm", "turbulent"],
            "n_bars": [1234, 0],
            "share": [1.0, 0.0],
            "n_stays": [31, 0],
            "mean_stay_bars": [39.806, None],
            "longest_stay_bars": [212, None],
        }
    )
    shown = section(with_tables(regime_summary=frame))
    rows = re.findall(r'<tr><th scope="row"[^>]*col-state">(\w+)</th>(.*?)</tr>', shown)
    cells = {name: re.findall(r"<td[^>]*>([^<]*)</td>", row) for name, row in rows[:2]}
    assert cells["calm"] == ["100.0", "39.8", "212", "31", "1,234"]
    assert cells["turbulent"] == ["0.0", "n/a", "n/a", "0", "0"]
    assert "n/a: not available: no bar is in the state." in shown


def test_the_ic_by_regime_stands_beside_the_states():
    shown = section(study(300))
    assert "IC of momentum_12_1 at 21 bars" in shown
    assert shown.index("Mean stay") < shown.index("IC by regime")


def test_a_study_without_regimes_has_no_part_on_them():
    page = study_page(with_tables(regimes=pl.DataFrame(), regime_summary=pl.DataFrame()))
    assert 'href="#regimes"' not in page


def test_regimes_without_a_state_on_any_bar_say_why():
    results = with_tables(regimes=study(300).tables["regimes"].clear())
    why = {"regimes": "the bars are too few for the state of any regime"}
    shown = section(replace(results, unavailable=why))
    assert shown.count("Not available: the bars are too few for the state of any regime.") == 2


def test_the_twin_holds_the_tables_of_exposures_risk_and_regimes():
    results = study(300)
    tables = json.loads(study_json(results))["tables"]
    for name in ("exposures", "portfolio_exposures", "risk", "regimes", "regime_summary"):
        assert tables[name]["n_rows"] == results.tables[name].height > 0
    assert tables["risk"]["columns"]["share"] == results.tables["risk"]["share"].to_list()

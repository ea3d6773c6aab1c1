import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest

from plumbline.report import timeplot
from plumbline.report.page import study_page
from tests.report.samples import SIGNALS, study

BLOCK = re.compile(r'<script type="application/json"[^>]*>(.*?)</script>', re.S)


def unpacked(text: str) -> list[int | None]:
    values, total = [], 0
    for part in text.split(","):
        step, _, times = part.partition("*")
        for _ in range(int(times or 1)):
            total += int(step or 0)
            values.append(total if step else None)
    return values


def drawn(page: str) -> list[tuple[list[int], dict, list[list[float | None]]]]:
    """Return bars, record and series of every plot of a page, as its script sees them."""
    blocks = [json.loads(text) for text in BLOCK.findall(page)]
    shared = next(block for block in blocks if "since" in block)
    bars = [shared["first"] + shared["unit"] * t for t in unpacked(shared["since"])]
    plots = []
    for block in blocks:
        if "lines" in block:
            at = unpacked(block["at"]) if block["at"] else list(range(len(bars)))
            unit = 10 ** block["digits"]
            series = [
                [None if v is None else v / unit for v in unpacked(line["y"])]
                for line in block["lines"]
            ]
            plots.append(([bars[i] for i in at], block, series))
    return plots


def test_the_drawn_net_return_is_the_given_one_in_per_cent():
    results = study(700)
    plots = drawn(study_page(results))
    bars, record, series = next(
        plot for plot in plots if plot[1]["lines"][0]["label"] == "momentum_12_1, net"
    )
    given = results.tables["spread"].filter(pl.col("signal") == SIGNALS[0])
    assert bars == given["bar_close"].dt.epoch("s").to_list()
    assert series[0] == pytest.approx([100 * v for v in given["net_cumulative"]], abs=0.00501)
    assert series[1] == pytest.approx([100 * v for v in given["gross_cumulative"]], abs=0.00501)
    assert record["lines"][1]["dashed"]
    assert (record["unit"], record["digits"]) == ("%", 2)


def test_the_drawn_trailing_mean_starts_where_it_exists_and_keeps_its_gaps():
    results = study(700)
    gap = datetime(2008, 6, 2, 21, tzinfo=UTC)
    frame = results.tables["ic_rolling"].with_columns(
        mean_ic=pl.when(pl.col("bar_close") == gap).then(None).otherwise("mean_ic")
    )
    page = study_page(replace(results, tables={**results.tables, "ic_rolling": frame}))
    bars, record, series = drawn(page)[0]
    mine = frame.filter((pl.col("signal") == SIGNALS[0]) & (pl.col("horizon_bars") == 1))
    kept = mine.slice(251)
    assert record["lines"][0]["label"] == "1 bar"
    assert bars == kept["bar_close"].dt.epoch("s").to_list()
    where = bars.index(int(gap.timestamp()))
    assert series[0][where] is None
    assert series[0][where + 1] == pytest.approx(kept["mean_ic"][where + 1], abs=0.0000501)


def test_thinning_keeps_the_last_bar_and_is_stated(monkeypatch):
    monkeypatch.setattr(timeplot, "VALUE_BUDGET", 5_000)
    results = study(700)
    page = study_page(results)
    axis = timeplot.time_axis(results, timeplot.STUDY_SERIES)
    assert axis.step == 4
    assert f"Drawn: 175 of 700 bars (every {axis.step}th, counted from the last)." in page
    all_bars = results.tables["coverage"]["bar_close"].dt.epoch("s").to_list()
    bars, _, series = drawn(page)[-1]
    assert bars == all_bars[3::4]
    assert series[0][-1] == results.tables["coverage"]["n_assets_priced"][-1]


def test_intraday_bars_are_labelled_with_their_time():
    results = study(30)
    moments = pl.datetime_range(
        datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 0, 29, tzinfo=UTC), "1m", eager=True
    )
    frame = results.tables["coverage"].with_columns(bar_close=moments)
    page = study_page(replace(results, tables={**results.tables, "coverage": frame}))
    assert "2024-01-01 00:29" in page
    assert '"intraday":true' in page
    assert '"intraday":false' in study_page(results)


def test_bars_given_out_of_order_are_drawn_in_order():
    results = study(300)
    shuffled = {
        name: frame.reverse() if "bar_close" in frame.columns else frame
        for name, frame in results.tables.items()
    }
    straight, reversed_ = (
        drawn(study_page(results)),
        drawn(study_page(replace(results, tables=shuffled))),
    )
    assert [plot[0] for plot in straight] == [plot[0] for plot in reversed_]
    assert [plot[2] for plot in straight] == [plot[2] for plot in reversed_]

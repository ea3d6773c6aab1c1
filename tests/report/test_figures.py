import re
from dataclasses import replace

import polars as pl

from plumbline.report.figures import (
    Histogram,
    Interval,
    bar_chart,
    histogram_chart,
    interval_chart,
    strip,
)
from plumbline.report.page import study_page
from plumbline.report.values import BPS
from tests.report.samples import study


def numbers(pattern: str, text: str) -> list[float]:
    return [float(found) for found in re.findall(pattern, text)]


def test_greater_means_stand_higher_between_the_ends_of_their_interval():
    points = [Interval(1, 0.01, 0.0, 0.02), Interval(5, 0.03, 0.02, 0.05)]
    svg = interval_chart("IC", points, (0.0, 0.05), "--s1")
    low, high = numbers(r'cy="([\d.]+)"', svg)
    assert high < low
    ends = [float(y) for y in re.findall(r"M[\d.]+ ([\d.]+)V", svg)]
    feet = numbers(r"V([\d.]+)", svg)
    assert ends[0] < low < feet[0]
    assert ends[1] < high < feet[1]
    assert "5 bars: 0.030, from 0.020 to 0.050." in svg


def test_an_interval_that_is_missing_is_not_drawn():
    points = [Interval(1, None, None, None), Interval(5, 0.03, None, 0.05)]
    svg = interval_chart("IC", points, (0.0, 0.05), "--s1")
    assert svg.count("<circle") == 1
    assert "whisker" not in svg
    assert "1 bars: n/a, from n/a to n/a." in svg


def test_bars_of_gains_stand_on_zero_and_bars_of_losses_hang_from_it():
    svg = bar_chart("Return", {"1": -0.001, "2": 0.002, "3": None}, BPS, "--s1")
    (zero,) = numbers(r'y1="([\d.]+)" y2="[\d.]+" class="zero"', svg)
    tops = numbers(r'd="M[\d.]+ ([\d.]+)h', svg)
    heights = numbers(r"h[\d.]+v([\d.]+)h", svg)
    assert len(tops) == 2
    assert tops[0] == zero
    assert abs(tops[1] + heights[1] - zero) < 0.11
    assert abs(heights[1] / heights[0] - 2) < 0.01


def test_the_strip_puts_t_on_its_side_of_the_critical_range():
    def place(t: float) -> tuple[float, float, float]:
        svg = strip(t, 2.0)
        (dot,) = numbers(r'cx="([\d.]+)"', svg)
        (left,) = numbers(r'rect x="([\d.]+)"', svg)
        (width,) = numbers(r'width="([\d.]+)"', svg)
        return left, dot, left + width

    left, dot, right = place(3.0)
    assert dot > right
    left, dot, right = place(-3.0)
    assert dot < left
    left, dot, right = place(1.0)
    assert left < 70 < dot < right
    assert strip(None, 2.0) == ""


def test_the_mean_line_stands_where_the_mean_is():
    svg = histogram_chart("IC", Histogram(-0.5, 0.25, (1, 2, 3, 4)), 0.0, "--s1")
    edges = numbers(r'd="M([\d.]+) ', svg)
    (line,) = numbers(r'x1="([\d.]+)" x2="[\d.]+" y1="4"', svg)
    assert abs(line - (edges[2] - 0.5)) < 0.11


def test_the_distribution_counts_the_bars_of_the_headline_horizon_only():
    results = study(60)
    frame = results.tables["ic"].with_columns(
        rank_ic=pl.when(pl.col("horizon_bars") == 21).then("rank_ic").otherwise(None)
    )
    text = study_page(replace(results, tables={**results.tables, "ic": frame}))
    only = study_page(results)
    counted = r"Rank IC of momentum_12_1 by bar at 21 bars\. (\d+) bars"
    assert re.findall(counted, text) == re.findall(counted, only) == ["60"]

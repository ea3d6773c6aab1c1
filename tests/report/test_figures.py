import re
from dataclasses import replace
from itertools import pairwise
from statistics import NormalDist

import polars as pl

from plumbline.report.curve_figures import Band, Curve, capital_chart, null_chart
from plumbline.report.distribution_figures import Bin, bins_of, histogram_chart, normal_chart
from plumbline.report.figures import Interval, bar_chart, cell_bar, interval_chart, strip
from plumbline.report.page import study_page
from plumbline.report.values import BPS, PERCENT
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


QUARTERS = [Bin(-0.5 + 0.25 * i, -0.25 + 0.25 * i, i + 1) for i in range(4)]


def test_the_mean_line_stands_where_the_mean_is():
    svg = histogram_chart("IC", QUARTERS, 0.0, "--s1")
    edges = numbers(r'd="M([\d.]+) ', svg)
    (line,) = numbers(r'x1="([\d.]+)" x2="[\d.]+" y1="4"', svg)
    assert abs(line - (edges[2] - 0.5)) < 0.11


def test_bars_of_a_histogram_stand_at_their_own_edges_if_others_are_missing():
    svg = histogram_chart("IC", [QUARTERS[0], QUARTERS[3]], None, "--s1")
    left, right = numbers(r'd="M([\d.]+) ', svg)
    widths = numbers(r"h([\d.]+)v", svg)
    assert abs((right - left) / (widths[0] + 1) - 3) < 0.02
    assert histogram_chart("IC", [Bin(0.0, 0.1, 0)], None, "--s1") == ""


def test_bins_without_finite_edges_are_left_out():
    frame = pl.DataFrame(
        {"lower": [0.1, 0.0, None, 0.2], "upper": [0.2, 0.1, 0.3, 0.2], "n": [1, 2, 3, 4]}
    )
    assert bins_of(frame) == [Bin(0.0, 0.1, 2.0), Bin(0.1, 0.2, 1.0)]


def test_normal_shares_lie_on_the_line_of_the_normal_distribution():
    normal = NormalDist(0.02, 0.15)
    edges = [round(-0.4 + 0.05 * i, 2) for i in range(18)]
    counts = [1e6 * (normal.cdf(b) - normal.cdf(a)) for a, b in pairwise(edges)]
    counts[0] += 1e6 * normal.cdf(edges[0])
    counts[-1] += 1e6 * (1 - normal.cdf(edges[-1]))
    bins = [Bin(a, b, n) for (a, b), n in zip(pairwise(edges), counts, strict=True)]
    svg = normal_chart("IC", bins, 0.02, 0.15, "--s1")
    ((x1, x2, y1, y2),) = re.findall(
        r'x1="([\d.]+)" x2="([\d.]+)" y1="([\d.]+)" y2="([\d.]+)" class="mean"', svg
    )
    slope = (float(y2) - float(y1)) / (float(x2) - float(x1))
    dots = re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', svg)
    assert len(dots) == 16
    for x, y in dots:
        assert abs(float(y1) + slope * (float(x) - float(x1)) - float(y)) < 0.4
    assert normal_chart("IC", QUARTERS[:1], 0.0, 0.1, "--s1") == ""


def test_capital_is_drawn_on_a_logarithmic_axis():
    points = [(1e6, 0.05), (1e7, 0.04), (1e8, -0.01)]
    svg = capital_chart("Capacity", [Curve("net", "--s1", points)], PERCENT)
    path = re.search(r'd="M([^"]+)" class="line"', svg)
    xs, ys = zip(*(map(float, pair.split()) for pair in path[1].split("L")), strict=True)
    assert abs((xs[1] - xs[0]) - (xs[2] - xs[1])) < 0.11
    assert ys[0] < ys[1] < ys[2]
    assert "net: 1m 5.0 %; 10m 4.0 %; 100m −1.0 %." in svg
    assert capital_chart("Capacity", [Curve("net", "--s1", points[:1])], PERCENT) == ""


def test_what_was_observed_stands_beside_or_inside_the_band_of_its_null():
    bands = [Band("random ranks", -0.01, 0.01, "p 0.005"), Band("wide", -0.03, 0.03, "p 0.4")]
    svg = null_chart("IC", bands, 0.02, "--s1")
    dots = numbers(r'cx="([\d.]+)"', svg)
    left = numbers(r'rect x="([\d.]+)"', svg)
    right = [x + w for x, w in zip(left, numbers(r'width="([\d.]+)"', svg), strict=True)]
    assert dots[0] == dots[1]
    assert right[0] < dots[0] < right[1]
    assert left[1] < left[0]
    assert "random ranks: from −0.010 to 0.010, p 0.005." in svg


def test_small_bars_point_to_their_sign():
    gain, loss = cell_bar(0.02, 0.04), cell_bar(-0.04, 0.04)
    assert 'x="50.0" y="2" width="24.5"' in gain
    assert 'class="pos"' in gain
    assert 'x="1.0" y="2" width="49.0"' in loss
    assert cell_bar(None, 0.04) == cell_bar(0.0, 0.0) == ""


def test_the_interval_of_the_bootstrap_stands_to_the_left_and_is_told():
    point = Interval(5, 0.03, 0.02, 0.05, 0.01, 0.06)
    svg = interval_chart("IC", [point], (0.0, 0.06), "--s1")
    assert "5 bars: 0.030, from 0.020 to 0.050; bootstrap from 0.010 to 0.060." in svg
    first, other = numbers(r"M([\d.]+) [\d.]+V", svg)
    assert other < first
    assert svg.count('class="whisker other"') == 1


def test_the_distribution_is_that_of_the_headline_horizon_only():
    results = study(60)
    frame = results.tables["ic_histogram"].with_columns(
        n=pl.when(pl.col("horizon_bars") == 21).then("n").otherwise(0)
    )
    text = study_page(replace(results, tables={**results.tables, "ic_histogram": frame}))
    only = study_page(results)
    counted = r"Rank IC of momentum_12_1 by bar at 21 bars\. (\d+) bars"
    assert re.findall(counted, text) == re.findall(counted, only) == ["60"]

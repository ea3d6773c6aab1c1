"""Each rule finds what it should, does what it says, and reports it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from plumbline.core.calendar import Calendar
from plumbline.core.errors import SourceError
from plumbline.lake.cleaning import clean
from plumbline.lake.cleaning_rules import CleaningRules
from plumbline.lake.numbering import row_numbers
from plumbline.lake.preparation import make_dataset
from plumbline.lake.quality import count_effects, effects, holes, large_losses, summarise
from plumbline.lake.sources.parquet import Parquet
from tests.oracles import cleaning as oracle

DAILY = Calendar("24/7")
START = datetime(2024, 1, 1, tzinfo=UTC)
NAN = float("nan")


def table(asset: str, days, **fields) -> pl.DataFrame:
    closes = pl.Series("bar_close", [START + timedelta(days=d) for d in days]).dt.cast_time_unit(
        "us"
    )
    columns = [pl.Series(k, list(v), dtype=pl.Float64) for k, v in fields.items()]
    return pl.DataFrame([closes, pl.Series("asset", [asset] * len(closes)), *columns])


def found(quality: pl.DataFrame, rule: str) -> list[tuple]:
    rows = quality.filter(pl.col("rule") == rule)
    day = (pl.col("bar_close") - START).dt.total_days()
    return rows.select("asset", day, "field", "action", "value").rows()


def test_clean_bars_stay_as_they_are_and_nothing_is_reported():
    frame = table("A", range(5), close=[1, 2, 3, 4, 5], volume=[1] * 5)
    bars, quality = clean(frame, CleaningRules(), DAILY)
    assert_frame_equal(bars, frame)
    assert quality.height == 0
    assert quality.columns == ["asset", "bar_close", "field", "rule", "action", "value"]


def test_unsorted_rows_are_sorted_and_counted():
    frame = table("A", [2, 0, 1, 3], close=[3, 1, 2, 4])
    bars, quality = clean(frame, CleaningRules(), DAILY)
    assert bars["close"].to_list() == [1, 2, 3, 4]
    assert found(quality, "unsorted") == [("A", 0, None, "sorted", 1)]


def test_exact_duplicates_are_dropped_and_counted():
    frame = table("A", [0, 1, 1, 1], close=[1, 2, 2, 2], volume=[NAN] * 4)
    bars, quality = clean(frame, CleaningRules(), DAILY)
    assert bars["close"].to_list() == [1, 2]
    assert found(quality, "duplicate") == [("A", 1, None, "dropped", 2)]


@pytest.mark.parametrize(("policy", "kept"), [("first", 2.0), ("last", None)])
def test_conflicts_can_be_settled_by_order(policy, kept):
    frame = table("A", [0, 1, 1], close=[1, 2, NAN], volume=[5, 6, 6])
    bars, quality = clean(frame, CleaningRules(conflicts=policy), DAILY)
    assert bars["close"].to_list() == [1, kept]
    assert bars["volume"].to_list() == [5, 6]
    assert found(quality, "conflict") == [("A", 1, None, f"kept_{policy}", 1)]


def test_white_space_around_names_is_taken_off_and_counted():
    padded = pl.concat([table("S03 ", [1, 2], close=[2, 3]), table("\tS03", [3], close=[4])])
    frame = pl.concat([table("S03", [0], close=[1]), padded, table("S 4", [0], close=[1])])
    bars, quality = clean(frame, CleaningRules(), DAILY)
    assert bars["asset"].to_list() == ["S 4", "S03", "S03", "S03", "S03"]
    assert bars["close"].to_list() == [1, 1, 2, 3, 4]
    assert found(quality, "name_space") == [
        ("S03", 1, None, "stripped", 2),
        ("S03", 3, None, "stripped", 1),
    ]


def test_names_that_differ_by_white_space_alone_can_conflict():
    frame = pl.concat([table("A", [0], close=[1]), table("A ", [0], close=[2])])
    with pytest.raises(SourceError, match=r"A, bar closing 2024-01-01.*close: 1.0 or 2.0"):
        clean(frame, CleaningRules(), DAILY)


def test_an_asset_of_which_nothing_is_left_is_named():
    frame = pl.concat([table("A", [0, 1], close=[1, 2]), table("B", [0, 1], close=[-1, NAN])])
    bars, quality = clean(frame, CleaningRules(), DAILY)
    assert set(bars["asset"]) == {"A"}
    assert quality.filter(pl.col("rule") == "no_value")["asset"].to_list() == ["B"]


def test_a_missing_value_against_a_present_one_is_a_conflict():
    frame = table("A", [0, 0], close=[1, NAN])
    with pytest.raises(SourceError, match=r"A, bar closing 2024-01-01.*close: 1.0 or nan"):
        clean(frame, CleaningRules(), DAILY)


def test_files_of_different_fields_complete_each_other():
    frame = pl.concat(
        [table("A", [0, 1], close=[1, 2]), table("A", [1, 0], volume=[8, 9])], how="diagonal"
    )
    bars, quality = clean(frame, CleaningRules(), DAILY)
    assert bars["close"].to_list() == [1, 2]
    assert bars["volume"].to_list() == [9, 8]
    assert found(quality, "duplicate") == []


def test_rows_off_the_calendar_are_dropped_and_named():
    frame = pl.concat([table("A", [0, 1, 2], close=[1, 2, 3]), table("A", [1.5], close=[9])])
    bars, quality = clean(frame, CleaningRules(), DAILY)
    assert bars["close"].to_list() == [1, 2, 3]
    assert found(quality, "off_calendar") == [("A", 1, None, "dropped", 1)]
    with pytest.raises(SourceError, match="1 of 4 rows"):
        clean(frame, CleaningRules(max_off_calendar=0.2), DAILY)


@pytest.mark.parametrize(("n_off", "is_told"), [(1, False), (2, True)])
def test_a_large_share_of_rows_off_the_calendar_is_warned_of(n_off, is_told):
    on = table("A", range(19), close=range(1, 20))
    off = table("A", [30.5 + day for day in range(n_off)], close=[1] * n_off)
    bars, quality = clean(pl.concat([on, off]), CleaningRules(), DAILY)
    dataset = replace(make_dataset(bars, DAILY, row_numbers(bars, DAILY)), name="stocks")
    warnings = large_losses(quality, dataset)
    assert bool(warnings) == is_told
    if is_told:
        assert warnings[0].startswith(
            "stocks: 2 of 21 rows (10%) are no bar of the calendar 24/7 1d and are dropped"
        )


def test_values_at_the_ends_of_float64_are_cleaned_without_a_warning_of_numpy():
    values = [1e308, -1e308, 0, 0, 5e-324, 1.7e308, -1, np.inf, 9, NAN]
    frame = table("A", range(10), close=values, open=values, volume=values)
    for outliers in ("missing", "flag"):
        for positive in (True, False):
            rules = CleaningRules(outliers=outliers, positive_prices=positive)
            bars, _ = clean(frame, rules, DAILY)
            assert make_dataset(bars, DAILY, row_numbers(bars, DAILY)).n_rows == bars.height


def test_infinities_and_signs_become_missing():
    frame = table("A", range(4), close=[np.inf, 0, -1, 5], volume=[1, -2, 0, -np.inf])
    bars, quality = clean(frame, CleaningRules(), DAILY)
    assert bars["close"].to_list() == [None, None, 5]  # nothing is left of the second bar
    assert bars["volume"].to_list() == [1, 0, None]
    assert found(quality, "non_finite") == [
        ("A", 0, "close", "missing", np.inf),
        ("A", 3, "volume", "missing", -np.inf),
    ]
    assert found(quality, "non_positive_price") == [
        ("A", 1, "close", "missing", 0),
        ("A", 2, "close", "missing", -1),
    ]
    assert found(quality, "negative_volume") == [("A", 1, "volume", "missing", -2)]


def test_a_rate_may_be_negative():
    frame = table("A", range(2), funding_rate=[-0.1, 0.0])
    bars, quality = clean(frame, CleaningRules(), DAILY)
    assert bars["funding_rate"].to_list() == [-0.1, 0.0]
    assert quality.height == 0


def test_an_outlier_takes_the_prices_of_its_bar_and_no_other():
    frame = table("A", range(4), open=[9, 9, 9, 9], close=[9, 0.9, 9, 9], volume=[1, 2, 3, 4])
    bars, quality = clean(frame, CleaningRules(), DAILY)
    assert bars["close"].to_list() == [9, None, 9, 9]
    assert bars["open"].to_list() == [9, None, 9, 9]
    assert bars["volume"].to_list() == [1, 2, 3, 4]
    assert found(quality, "outlier") == [("A", 1, "close", "missing", 0.9)]
    flagged, quality = clean(frame, CleaningRules(outliers="flag"), DAILY)
    assert flagged["close"].to_list() == [9, 0.9, 9, 9]
    assert found(quality, "outlier") == [("A", 1, "close", "flagged", 0.9)]
    assert clean(frame, CleaningRules(outliers="off"), DAILY)[1].height == 0


def test_an_outlier_needs_its_own_asset_on_both_sides():
    frame = pl.concat(
        [table("A", range(3), close=[9, 9, 90]), table("B", range(3), close=[9, 9, 9])]
    )
    assert found(clean(frame, CleaningRules(), DAILY)[1], "outlier") == []


def test_a_jump_that_stays_is_no_outlier():
    frame = table("A", range(4), close=[9, 90, 91, 92])
    bars, quality = clean(frame, CleaningRules(), DAILY)
    assert bars["close"].to_list() == [9, 90, 91, 92]
    assert quality.height == 0


def test_an_impossible_bar_is_flagged_or_made_missing():
    frame = table("A", range(2), open=[5, 5], high=[6, 4], low=[4, 4.5], close=[5, 5])
    bars, quality = clean(frame, CleaningRules(), DAILY)
    assert bars["high"].to_list() == [6, 4]
    assert found(quality, "ohlc") == [
        ("A", 1, "high", "flagged", 4),
        ("A", 1, "low", "flagged", 4.5),
    ]
    bars, _ = clean(frame, CleaningRules(ohlc="missing"), DAILY)
    assert bars["close"].to_list() == [5]


def test_a_frozen_tail_is_flagged_or_cut():
    frame = table("A", range(8), close=[1, 2, 3, 3, 3, 3, 3, 3], volume=[1, 0, 1, 1, 0, 0, 0, 0])
    rules = CleaningRules(frozen_bars=4)
    bars, quality = clean(frame, rules, DAILY)
    assert bars.height == 8
    assert found(quality, "frozen_tail") == [("A", 4, None, "flagged", 4)]
    bars, _ = clean(frame, CleaningRules(frozen_bars=4, frozen="missing"), DAILY)
    assert bars.height == 4
    assert found(clean(frame, CleaningRules(frozen_bars=5), DAILY)[1], "frozen_tail") == []


def test_bars_without_any_value_are_dropped_and_named():
    frame = table("A", range(3), close=[1, NAN, 3], volume=[1, NAN, NAN])
    bars, quality = clean(frame, CleaningRules(), DAILY)
    assert bars.height == 2
    assert found(quality, "empty_bar") == [("A", 1, None, "dropped", 0)]


def test_gaps_are_marked_inside_each_span_and_never_filled():
    frame = pl.concat([table("A", [0, 1, 4, 6], close=[1] * 4), table("B", [5, 6], close=[1] * 2)])
    bars, quality = clean(frame, CleaningRules(), DAILY)
    assert bars.height == 6
    assert found(quality, "gap") == [("A", 2, None, "marked", 2), ("A", 5, None, "marked", 1)]
    assert count_effects(quality)["noted"] == 2


prices = st.sampled_from(
    [1.0, 1.05, 9.0, 10.0, 11.9, 0.1, 0.099, 100.0, 130.0, 0.01, NAN, np.inf, -1.0]
)


@given(data=st.lists(st.lists(prices, min_size=1, max_size=12), min_size=1, max_size=3))
def test_outliers_match_the_loop(data):
    frame = pl.concat(table(f"A{i}", range(len(v)), close=v) for i, v in enumerate(data))
    quality = clean(frame, CleaningRules(), DAILY)[1]
    want = []
    for i, values in enumerate(data):
        known = [(d, v if 0 < v < np.inf else None) for d, v in enumerate(values) if v == v]
        places = oracle.outliers([v for _, v in known], 0.25)
        want += [(f"A{i}", known[p][0]) for p in places]
    assert [row[:2] for row in found(quality, "outlier")] == sorted(want)


@given(days=st.lists(st.integers(0, 40), min_size=1, max_size=15, unique=True))
def test_gaps_match_the_loop(days):
    quality = clean(table("A", days, close=[1.0] * len(days)), CleaningRules(), DAILY)[1]
    want = [("A", first, None, "marked", float(n)) for first, n in oracle.gaps(days)]
    assert found(quality, "gap") == want


@given(
    bars=st.lists(
        st.tuples(st.sampled_from([1.0, 1.0, 2.0, NAN]), st.sampled_from([0.0, 0.0, 3.0])),
        min_size=1,
        max_size=12,
    ),
    n_bars=st.integers(2, 4),
)
def test_frozen_tails_match_the_loop(bars, n_bars):
    closes, volumes = zip(*bars, strict=True)
    frame = table("A", range(len(bars)), close=closes, volume=volumes)
    quality = clean(frame, CleaningRules(frozen_bars=n_bars), DAILY)[1]
    length = oracle.frozen_tail([None if c != c else c for c in closes], volumes)
    rows = found(quality, "frozen_tail")
    assert rows == (
        [("A", len(bars) - length, None, "flagged", length)] if length >= n_bars else []
    )


@given(
    bars=st.lists(
        st.fixed_dictionaries(
            dict.fromkeys(("open", "high", "low", "close"), st.sampled_from([4.0, 5.0, 6.0, NAN]))
        ),
        min_size=1,
        max_size=8,
    )
)
def test_impossible_bars_match_the_loop(bars):
    columns = {name: [bar[name] for bar in bars] for name in bars[0]}
    keep = table("A", range(len(bars)), count=[1.0] * len(bars), **columns)
    quality = clean(keep, CleaningRules(), DAILY)[1]
    plain = [{k: None if v != v else v for k, v in bar.items()} for bar in bars]
    highs, lows = oracle.bad_highs_and_lows(plain)
    rows = found(quality, "ohlc")
    assert sorted(r[1] for r in rows if r[2] == "high") == highs
    assert sorted(r[1] for r in rows if r[2] == "low") == lows


def test_every_known_issue_of_the_real_stocks_is_found(shared_data):
    folder = shared_data / "us_equity_cc0"
    calendar = Calendar("XNYS")
    known = pl.read_csv(folder / "known_issues.csv", try_parse_dates=True)
    source = Parquet(["sp500_ohlcv_2007-2017.parquet", "sp400_ohlcv_2007-2017.parquet"])
    _, quality = clean(pl.concat(source.bars(folder, calendar, [])), CleaningRules(), calendar)
    dated = quality.with_columns(pl.col("bar_close").dt.date().alias("date"))
    spikes = known.filter(pl.col("kind") == "spike_reverts_next_day").select("symbol", "date")
    closes = dated.filter((pl.col("rule") == "outlier") & (pl.col("field") == "close"))
    assert sorted(closes.select("asset", "date").rows()) == sorted(spikes.rows())
    missing = known.filter(pl.col("kind") == "missing_day").select("symbol", "date")
    gaps = dated.filter((pl.col("rule") == "gap") & (pl.col("value") == 1))
    assert set(missing.rows()) <= set(gaps.select("asset", "date").rows())
    counts = {row["rule"]: row["count"] for row in summarise(quality).iter_rows(named=True)}
    assert counts == {"gap": 346, "same_bar": 113, "outlier": 39, "ohlc": 2}


def test_real_coins_that_died_are_found_frozen(shared_data):
    path = "um_futures_1h.parquet"
    dead = ("WAVESUSDT", "RAYUSDT", "FTTUSDT")
    calendar = Calendar("24/7", "1h")
    source = Parquet(path, time_label="open")
    (bars,) = source.bars(shared_data / "crypto_1h", calendar, [])
    _, quality = clean(bars, CleaningRules(frozen_bars=48), calendar)
    tails = quality.filter(pl.col("rule") == "frozen_tail")
    assert sorted(tails["asset"]) == sorted(dead)
    first = dict(tails.select("asset", pl.col("bar_close").dt.strftime("%Y-%m")).rows())
    assert first == {"FTTUSDT": "2022-11", "RAYUSDT": "2022-11", "WAVESUSDT": "2024-06"}
    assert set(quality["rule"]) == {"frozen_tail"}


def test_what_changed_data_is_told_from_what_dropped_rows_and_from_what_only_notes():
    bars = pl.concat(
        [
            table("A", [0, 1, 1, 1, 2, 9], close=[1, 2, 2, 2, -3, 4], open=[1, 2, 2, 2, -3, 4]),
            table("B", [0, 1], close=[1, NAN], open=[1, NAN]),
            table("C", [0, 0], close=[1, 2], open=[1, 1]),
        ]
    )
    _, quality = clean(bars, CleaningRules(conflicts="first"), DAILY)
    kinds = set(effects(quality).select("action", "effect").rows())
    assert kinds == {
        ("dropped", "dropped"),
        ("missing", "changed"),
        ("kept_first", "changed"),
        ("marked", "noted"),
    }
    # changed: the bar with two negative prices, the conflict; dropped: two duplicates, one empty
    assert count_effects(quality) == {"changed": 2, "dropped": 3, "noted": 1}
    assert count_effects(quality.head(0)) == {"changed": 0, "dropped": 0, "noted": 0}


def test_a_value_that_no_market_has_becomes_missing_and_is_named():
    values = [10, 1e300, 11, 1e-320, 12, 1e49]
    frame = table("A", range(6), close=values, volume=[1, 1e300, 1e-320, 4, 5, 6])
    bars, quality = clean(frame, CleaningRules(), DAILY)
    assert bars["close"].to_list() == [10, 11, None, 12, 1e49]  # nothing is left of bar 1
    assert bars["volume"].to_list() == [1, 1e-320, 4, 5, 6]
    assert found(quality, "out_of_range") == [
        ("A", 1, "close", "missing", 1e300),
        ("A", 1, "volume", "missing", 1e300),
        ("A", 3, "close", "missing", 1e-320),
    ]
    negative = table("A", range(2), close=[-1e300, -1])
    assert clean(negative, CleaningRules(positive_prices=False), DAILY)[0].height == 1


def test_sessions_on_a_calendar_without_weekends_are_warned_of():
    sessions = [day for day in range(40) if day % 7 not in (5, 6)]  # day 0 is a Monday
    frame = pl.concat([table(name, sessions, close=[1] * len(sessions)) for name in "AB"])
    frame = frame.with_columns(pl.col("bar_close") + timedelta(days=1))
    bars, quality = clean(frame, CleaningRules(), DAILY)
    dataset = replace(make_dataset(bars, DAILY, row_numbers(bars, DAILY)), name="stocks")
    assert dataset.may_have_holes
    assert [(r[2], r[4]) for r in found(quality, "no_asset")] == [("Saturday", 5), ("Sunday", 5)]
    (text,) = holes(quality, dataset)
    assert text.startswith(
        "stocks: no asset has a value on 25% of the bars of 24/7 1d (10 of 40), 100% of them on "
        "Saturdays and Sundays"
    )
    assert text.endswith("check the calendar: an exchange has its own, such as XNYS")


def test_bars_that_some_asset_has_are_no_holes():
    frame = pl.concat([table("A", [0, 9], close=[1, 2]), table("B", range(1, 9), close=[1] * 8)])
    bars, quality = clean(frame, CleaningRules(), DAILY)
    dataset = make_dataset(bars, DAILY, row_numbers(bars, DAILY))
    assert dataset.may_have_holes
    assert holes(quality, dataset) == []


def test_the_real_gaps_of_spot_bars_are_kept_and_reported(lake, shared_data):
    source = Parquet("crypto_1h/spot_1h.parquet", columns={"bar": "open_time"}, time_label="open")
    done = lake.ingest("spot", source, calendar="24/7 1h", base=shared_data)
    gaps = done.quality.filter(rule="gap").group_by("asset").agg(pl.len(), pl.col("value").sum())
    assert sorted(gaps.rows()) == [(f"{coin}USDT", 27, 122.0) for coin in ("BTC", "ETH", "LTC")]
    assert done.quality.filter(rule="gap")["value"].max() == 33.0
    close = lake.panel("spot", "close")["close"]
    assert np.isnan(close).sum(axis=0).tolist() == [122, 122, 122]

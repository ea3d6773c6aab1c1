from dataclasses import fields

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from plumbline.core.errors import MissingDataError, ParameterError
from plumbline.core.panel import Panel
from plumbline.features.universe import (
    REASONS,
    UniverseRules,
    universe_members,
    universe_reasons,
)
from tests.contracts.made_panels import axis, names, ragged_panel, renamed, spliced
from tests.oracles import universe as oracle

BARS = st.integers(1, 12)
RULES = st.fixed_dictionaries(
    {
        "min_history_bars": st.none() | st.integers(1, 6),
        "max_missing_share": st.none() | st.sampled_from([0.0, 0.3, 1.0]),
        "missing_bars": BARS,
        "max_stale_bars": st.none() | st.integers(1, 5),
        "min_price": st.none() | st.sampled_from([0.5, 4.0]),
        "min_dollar_volume": st.none() | st.sampled_from([1.0, 40.0]),
        "dollar_volume_bars": BARS,
        "top_n_by_dollar_volume": st.none() | st.integers(1, 6),
    }
)
ALL = UniverseRules(
    min_history_bars=20,
    max_missing_share=0.1,
    missing_bars=30,
    max_stale_bars=4,
    min_price=45.0,
    min_dollar_volume=1e6,
    dollar_volume_bars=15,
    top_n_by_dollar_volume=3,
)


def coarse_panel(seed: int, n_bars: int, n_assets: int = 5, first_bar: int = 1000) -> Panel:
    """Return prices and volumes of few exact values, so that stale bars and ties are common."""
    rng = np.random.default_rng(seed)
    shape = (n_bars, n_assets)
    close = rng.choice([1.0, 1.0, 1.0, 2.0, 8.0, np.nan, 0.0, -1.0, np.inf], size=shape)
    still = rng.random(shape) < 0.6
    for t in range(1, n_bars):
        close[t] = np.where(still[t], close[t - 1], close[t])
    volume = rng.choice([0.0, 0.0, 0.0, 16.0, 32.0, np.nan, -4.0, np.inf], size=shape)
    fields = {"close": close, "volume": volume}
    return Panel(fields, axis(n_bars), names(n_assets), first_bar=first_bar)


def told(codes: np.ndarray) -> list[list[str]]:
    return [[REASONS[code] for code in row] for row in codes]


@given(st.integers(0, 2**32 - 1), st.integers(0, 40), RULES, st.booleans())
def test_reasons_match_the_loop(seed, n_bars, chosen, with_volume):
    rules = UniverseRules(**chosen)
    panel = coarse_panel(seed, n_bars)
    volume = panel["volume"]
    if not with_volume and "volume" not in rules.requires():
        panel, volume = panel.only(["close"]), None
    expected = oracle.reasons(panel["close"], volume, rules)
    found = universe_reasons(panel, rules)
    assert told(found) == expected
    assert_array_equal(universe_members(panel, rules), found == 0)


@given(st.integers(0, 2**32 - 1), RULES, st.integers(0, 30))
def test_rows_after_the_warm_up_are_those_of_the_whole_panel(seed, chosen, start):
    rules = UniverseRules(**chosen)
    panel = coarse_panel(seed, rules.warm_up + 40)
    whole = universe_reasons(panel, rules)
    part = universe_reasons(panel.rows(start, None), rules)
    assert_array_equal(part[rules.warm_up :], whole[start + rules.warm_up :])


def test_the_bits_of_a_dollar_volume_do_not_depend_on_where_the_panel_begins():
    """A threshold that is the mean itself tells a difference in the last bit."""
    panel = ragged_panel(400, 6)
    close, volume = panel["close"], panel["volume"]
    for row in (260, 301, 399):
        rows = slice(row - 62, row + 1)
        mean = np.nanmean(close[rows, 1] * volume[rows, 1])
        for least in (np.nextafter(mean, 0), mean, np.nextafter(mean, np.inf)):
            rules = UniverseRules(min_dollar_volume=float(least))
            whole = universe_members(panel, rules)
            part = universe_members(panel.rows(150, None), rules)
            assert_array_equal(part[62:], whole[212:])


@given(st.integers(0, 2**32 - 1), RULES, st.integers(1, 39))
def test_later_bars_change_nothing_at_or_before_a_bar(seed, chosen, cut):
    rules = UniverseRules(**chosen)
    panel, other = coarse_panel(seed, 40), coarse_panel(seed + 1, 40)
    whole = universe_reasons(panel, rules)
    assert_array_equal(universe_reasons(panel.head(cut), rules), whole[:cut])
    changed = universe_reasons(spliced(panel, other, cut), rules)
    assert_array_equal(changed[: cut + 1], whole[: cut + 1])


def test_the_order_of_assets_does_not_matter():
    panel = ragged_panel(120, 6)
    order = np.random.default_rng(1).permutation(6)
    found = universe_reasons(renamed(panel, order), ALL)
    assert_array_equal(found, universe_reasons(panel, ALL)[:, order])
    assert len(np.unique(found)) > 3, "the panel meets several rules"


@given(st.integers(0, 2**32 - 1), RULES)
def test_nobody_is_a_member_before_the_fewest_bars_that_the_rules_need(seed, chosen):
    rules = UniverseRules(**chosen)
    panel = coarse_panel(seed, 30)
    assert not universe_members(panel, rules)[: rules.least_bars - 1].any()


def test_without_rules_every_priced_asset_is_a_member():
    panel = ragged_panel(50)
    assert_array_equal(universe_members(panel, UniverseRules()), np.isfinite(panel["close"]))
    assert UniverseRules().warm_up == 0


def one_asset(close: list[float], volume: list[float] | None = None) -> Panel:
    fields = {"close": np.array(close)[:, None]}
    if volume is not None:
        fields["volume"] = np.array(volume)[:, None]
    return Panel(fields, axis(len(close)), names(1))


def members(close: list[float], rules: UniverseRules, volume: list[float] | None = None) -> str:
    found = universe_members(one_asset(close, volume), rules)[:, 0]
    return "".join("x" if member else "." for member in found)


def test_an_asset_is_out_from_the_nth_unchanged_bar_until_one_move():
    rules = UniverseRules(max_stale_bars=3)
    assert members([1, 2, 2, 2, 2, 2, 3, 3, 3, 3], rules) == "xxxx..xxx."


def test_a_missing_close_does_not_wake_a_frozen_asset():
    nan = float("nan")
    rules = UniverseRules(max_stale_bars=3)
    assert members([1, 2, 2, 2, nan, 2, 2, nan, nan, 2], rules) == "xxxx......"
    assert members([1, 2, 2, 2, 2, nan, nan, nan, 2], rules) == "xxxx....x", "relisted"


def test_a_gap_in_a_frozen_stretch_is_within_the_warm_up():
    nan = float("nan")
    panel = one_asset([1, 2, 2, 2, 2, nan, 2, 2, 2, 2, nan, nan, 2, 2, 2, 3, 3, 3])
    rules = UniverseRules(max_stale_bars=3)
    whole = universe_reasons(panel, rules)
    for start in range(panel.n_bars):
        part = universe_reasons(panel.rows(start, None), rules)
        assert_array_equal(part[rules.warm_up :], whole[start + rules.warm_up :])


def test_an_unchanged_price_with_volume_is_not_stale():
    rules = UniverseRules(max_stale_bars=2)
    assert members([2, 2, 2, 2, 2, 2], rules, [1, 0, 5, 0, 0, 0]) == "xxxx.."
    assert members([2, 2, 2, 2, 2, 2], rules, [0, 0, 0, 0, 0, 0]) == "xx...."


def test_the_top_n_holds_ties_and_leaves_out_who_breaks_another_rule():
    close = np.array([[1.0, 1.0, 1.0, 9.0]])
    volume = np.array([[5.0, 3.0, 3.0, 99.0]])
    panel = Panel({"close": close, "volume": volume}, axis(1), names(4))
    rules = UniverseRules(dollar_volume_bars=1, top_n_by_dollar_volume=2)
    assert universe_members(panel, rules).tolist() == [[True, False, False, True]]
    cheap = UniverseRules(dollar_volume_bars=1, top_n_by_dollar_volume=2, min_price=1.0)
    panel = panel.with_fields({"close": np.array([[1.0, 1.0, 1.0, 0.5]])})
    assert universe_members(panel, cheap).tolist() == [[True, True, True, False]]


def test_parameters_out_of_range_are_refused_all_at_once():
    with pytest.raises(ParameterError) as caught:
        UniverseRules(
            min_history_bars=0,
            max_missing_share=1.5,
            max_stale_bars=0,
            min_price=float("nan"),
            top_n_by_dollar_volume=0,
        )
    said = str(caught.value)
    for name in ("min_history_bars", "max_missing_share", "max_stale_bars", "min_price", "top_n"):
        assert name in said
    with pytest.raises(ParameterError, match="history_bars needs min_history_bars"):
        UniverseRules(history_bars=5)
    with pytest.raises(ParameterError, match="at least min_history_bars"):
        UniverseRules(min_history_bars=9, history_bars=5)


def test_a_panel_without_the_fields_of_a_rule_is_refused():
    with pytest.raises(MissingDataError, match="volume"):
        universe_members(ragged_panel(5).only(["close"]), UniverseRules(min_dollar_volume=1.0))


def test_every_rule_is_told_in_the_docstring():
    page = UniverseRules.__doc__ or ""
    assert all(f"{field.name} : " in page for field in fields(UniverseRules))


FROZEN = {
    "FTTUSDT": "2022-11-14T05:00",
    "RAYUSDT": "2022-11-15T05:00",
    "WAVESUSDT": "2024-06-11T09:00",
}


def test_the_frozen_coins_are_out_a_day_after_their_last_trade_and_stay_out(shared_data):
    path = shared_data / "crypto_1h" / "um_futures_1h.parquet"
    wanted = pl.col("symbol").cast(pl.String).is_in([*FROZEN, "BTCUSDT"])
    table = pl.read_parquet(path).filter(wanted)
    close = pl.col("open_time").dt.offset_by("1h").dt.cast_time_unit("us")
    panel = Panel.from_frame(
        table.select(
            close.alias("bar_close"),
            pl.col("symbol").cast(pl.String).alias("asset"),
            "close",
            "volume",
        )
    )
    codes = universe_reasons(panel, UniverseRules(max_stale_bars=24))
    frozen = codes == REASONS.index("frozen")
    for asset, last_trade in FROZEN.items():
        column = panel.assets.index(asset)
        first = np.datetime64(last_trade) + np.timedelta64(24, "h")
        after = panel.bars >= first
        assert frozen[after, column].all(), f"{asset} stays out"
        assert not frozen[~after, column].any(), f"{asset} is in until a day after its last trade"
    assert not frozen[:, panel.assets.index("BTCUSDT")].any()

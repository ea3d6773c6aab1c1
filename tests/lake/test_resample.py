"""Coarse bars are whole or not at all, labelled by their close, and known when it is."""

import exchange_calendars
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.core.calendar import Calendar
from plumbline.core.errors import CalendarError, ParameterError
from plumbline.core.panel import Panel
from plumbline.lake.resample import USUAL, resample
from plumbline.lake.sources.parquet import Parquet
from tests.oracles.resample import resampled

FIVE = Calendar("24/7", "5m")
MINUTE = np.timedelta64(1, "m")


def made(
    rng: np.random.Generator, start: str, n_bars: int, step: int = 5, n_assets: int = 3
) -> Panel:
    first = int(np.datetime64(start, "us").astype(np.int64)) // (step * 60_000_000)
    closes = Calendar("24/7", "1h" if step == 60 else f"{step}m").closes(first, first + n_bars - 1)
    fields = {}
    for name in ("open", "high", "low", "close", "volume"):
        values = np.round(rng.lognormal(3, 0.1, (n_bars, n_assets)), 3)
        values[rng.random(values.shape) < 0.02] = np.nan
        fields[name] = values
    gone = rng.random((n_bars, n_assets)) < 0.02
    for values in fields.values():
        values[gone] = np.nan
    return Panel(fields, closes, [f"A{i}" for i in range(n_assets)], first_bar=first)


def assert_is(got: Panel, closes, want) -> None:
    np.testing.assert_array_equal(got.bars, np.asarray(closes, dtype="datetime64[us]"))
    for name in want:
        np.testing.assert_array_equal(got[name], want[name])


@given(
    seed=st.integers(0, 2**32 - 1),
    start=st.integers(0, 300),
    n_bars=st.integers(0, 700),
    minutes=st.sampled_from([15, 30, 60, 240, 1440]),
)
@settings(max_examples=60, deadline=None)
def test_even_bars_match_those_made_one_by_one(seed, start, n_bars, minutes):
    moment = np.datetime64("2024-03-30T00:05") + start * 5 * MINUTE
    panel = made(np.random.default_rng(seed), str(moment), n_bars)
    name = {15: "15m", 30: "30m", 60: "1h", 240: "4h", 1440: "1d"}[minutes]
    (got,) = resample(panel, FIVE, [f"24/7 {name}"]).values()
    closes, members = [], []
    if n_bars:
        ends = moment - 5 * MINUTE, panel.bars[-1]
        day = ends[0].astype("datetime64[D]").astype("datetime64[m]")
        while day + minutes * MINUTE <= ends[1]:
            if day >= ends[0]:
                closes.append(day + minutes * MINUTE)
                members.append(
                    [np.datetime64(day + k * MINUTE, "us") for k in range(5, minutes + 1, 5)]
                )
            day += minutes * MINUTE
    want = resampled(list(panel.bars), {n: panel[n] for n in panel}, members, USUAL)
    assert_is(got, closes, want)
    if got.n_bars:
        assert got.first_bar == int(Calendar("24/7", name).numbers(got.bars[:1])[0])


@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")  # inside the library
@pytest.mark.parametrize(
    ("exchange", "start", "n_days", "step"),
    [
        ("XNYS", "2024-03-06T00:05", 10, 5),  # summer time begins on the 10th
        ("XNYS", "2024-11-25T00:30", 12, 30),  # a day that closes early, and a holiday
        ("XLON", "2024-10-22T00:05", 10, 5),  # summer time ends on the 27th
        ("XHKG", "2024-02-05T00:15", 14, 15),  # a break at noon, half days, a long holiday
        ("XTKS", "2024-11-01T00:15", 8, 15),  # its hours change on the 5th
    ],
)
def test_sessions_are_put_together_from_the_bars_within_them(exchange, start, n_days, step):
    panel = made(np.random.default_rng(3), start, n_days * 1440 // step, step, 2)
    (got,) = resample(panel, f"24/7 {step}m", [exchange]).values()
    library = exchange_calendars.get_calendar(exchange)
    first, last = (pd.Timestamp(t, tz="UTC") for t in (panel.bars[0], panel.bars[-1]))
    closes, members = [], []
    for session in library.sessions_in_range(
        first.normalize().tz_localize(None), last.normalize().tz_localize(None)
    ):
        opens, ends = library.session_open_close(session)
        if opens < first - pd.Timedelta(minutes=step) or ends > last:
            continue
        index = library.trading_index(
            session, session, f"{step}min", intervals=False, closed="right", force=False
        )
        members.append(
            [t.tz_localize(None).to_datetime64().astype("datetime64[us]") for t in index]
        )
        closes.append(ends.tz_localize(None).to_datetime64().astype("datetime64[us]"))
    assert len(closes) >= 4
    want = resampled(list(panel.bars), {n: panel[n] for n in panel}, members, USUAL)
    assert_is(got, closes, want)
    assert got.first_bar == int(Calendar(exchange).numbers(got.bars[:1])[0])


def test_a_bar_is_known_when_its_last_base_bar_is():
    panel = made(np.random.default_rng(1), "2024-01-01T00:05", 24)
    late = panel.bars + np.where(np.arange(24) < 15, 0, 7) * MINUTE
    panel = Panel(dict(panel), panel.bars, panel.assets, known_at=late, first_bar=panel.first_bar)
    got = resample(panel, FIVE, ["24/7 1h"])["24/7 1h"]
    assert ((got.known_at - got.bars) / MINUTE).tolist() == [0.0, 7.0]


def test_one_scan_gives_what_each_frequency_gives_alone():
    panel = made(np.random.default_rng(2), "2024-01-01T00:05", 3000)
    targets = ["24/7 15m", "24/7 30m", "24/7 1h", "24/7 4h", "24/7 1d", "XNYS"]
    together = resample(panel, FIVE, targets)
    for target in targets:
        (alone,) = resample(panel, FIVE, [target]).values()
        assert together[target if " " in target else f"{target} 1d"] == alone


def test_what_comes_later_changes_no_bar():
    panel = made(np.random.default_rng(4), "2024-01-01T00:05", 900)
    whole = resample(panel, FIVE, ["24/7 1h", "XNYS"])
    for n_bars in (5, 12, 13, 300, 899):
        for name, part in resample(panel.head(n_bars), FIVE, ["24/7 1h", "XNYS"]).items():
            assert not part.n_bars or part == whole[name].head(part.n_bars)


def test_what_cannot_be_put_together_is_refused():
    panel = made(np.random.default_rng(5), "2024-01-01T00:05", 300)
    with pytest.raises(CalendarError, match="bars of 1m are not made of bars of 5m"):
        resample(panel, FIVE, ["24/7 1m"])
    with pytest.raises(CalendarError, match="of 24/7, not of XNYS"):
        resample(panel, "XNYS", ["24/7 1d"])
    hourly = made(np.random.default_rng(5), "2024-01-01T01:00", 200, 60)
    with pytest.raises(
        CalendarError, match="cut by sessions of XNYS, such as the one that opens at"
    ):
        resample(hourly, "24/7 1h", ["XNYS"])
    odd = panel.with_fields({"vwap": panel["close"], "mood": panel["close"]})
    with pytest.raises(ParameterError, match=r"field 'vwap' is none.*field 'mood' is none"):
        resample(odd, FIVE, ["24/7 1h"])
    with pytest.raises(ParameterError, match=r"how\['vwap'\]='lst'.*did you mean 'last'"):
        resample(odd.only(["vwap"]), FIVE, ["24/7 1h"], {"vwap": "lst"})
    got = resample(odd, FIVE, ["24/7 1h"], {"vwap": "last", "mood": "sum"})["24/7 1h"]
    np.testing.assert_array_equal(got["vwap"], got["close"])


@pytest.mark.parametrize("coin", ["BTC", "ETH"])
def test_five_minute_bars_of_years_give_the_hours_of_another_source(lake, shared_data, coin):
    symbol = f"{coin}USDT"
    source = Parquet(
        f"crypto_5m_um/{symbol}_5m_2020-2024.parquet",
        columns={"bar": "open_time"},
        asset=symbol,
        time_label="open",
    )
    lake.ingest("base", source, calendar=FIVE, base=shared_data)
    fields = ["open", "high", "low", "close", "volume"]
    got = resample(lake.panel("base", fields), FIVE, ["24/7 1h"])["24/7 1h"]
    other = pl.read_parquet(shared_data / "crypto_1h" / "um_futures_1h.parquet")
    other = other.filter(symbol=symbol).with_columns(
        pl.col("open_time").dt.cast_time_unit("us").dt.replace_time_zone(None)
        + pl.duration(hours=1)
    )
    hours = pl.DataFrame({"open_time": got.bars, **{n: got[n][:, 0] for n in fields}})
    both = hours.join(other, on="open_time", how="inner", suffix="=")
    assert both.height == 43_848
    prices = [(pl.col(n) != pl.col(f"{n}=")) for n in ("open", "high", "low", "close")]
    volume = (pl.col("volume") / pl.col("volume=") - 1).abs().fill_nan(0.0) > 1e-6
    assert hours_of(both.filter(pl.any_horizontal(*prices))) == OUTAGES[coin]
    rest = both.filter(~pl.any_horizontal(*prices))
    assert hours_of(rest.filter(volume)) == OTHER_VOLUMES[coin]


def hours_of(rows: pl.DataFrame) -> list[str]:
    return [f"{close:%Y-%m-%d %H:%M}" for close in rows["open_time"]]


OUTAGES = {  # hours in which the five-minute archive stood still
    "BTC": ["2023-11-10 16:00", "2023-11-10 17:00", "2024-10-28 21:00", "2024-10-28 22:00"],
    "ETH": ["2024-10-28 21:00", "2024-10-28 22:00"],
}
OTHER_VOLUMES = {  # hours of equal prices whose volumes the two sources give differently
    "BTC": [
        "2022-06-23 20:00",
        "2022-07-04 12:00",
        "2024-03-27 13:00",
        "2024-03-28 11:00",
        "2024-03-28 12:00",
        "2024-03-28 13:00",
    ],
    "ETH": [
        "2021-02-22 12:00",
        "2021-05-06 08:00",
        "2022-06-23 20:00",
        "2022-07-04 12:00",
        "2023-11-14 12:00",
        "2024-03-27 13:00",
        "2024-03-28 12:00",
        "2024-03-28 13:00",
    ],
}

"""A dataset's id is its content, and its block digests say what changed."""

import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.core.calendar import Calendar, grid_of
from plumbline.core.errors import (
    CalendarError,
    MissingDataError,
    UnknownAssetError,
)
from plumbline.lake.cleaning_rules import CleaningRules
from plumbline.lake.dataset import Dataset
from plumbline.lake.preparation import read_clean
from plumbline.lake.prepared import silent
from plumbline.lake.sources.csv import Csv
from plumbline.lake.sources.parquet import Parquet

DAILY = Calendar("24/7")
HOURLY = Calendar("24/7", "1h")


def dataset_of(source, base: Path, calendar: Calendar = DAILY) -> Dataset:
    return read_clean(source, base, calendar, CleaningRules(), silent).dataset


def dataset_of_frame(frame: pl.DataFrame, folder: Path, calendar: Calendar = DAILY) -> Dataset:
    frame.write_parquet(folder / "only.parquet")
    return dataset_of(Parquet("only.parquet"), folder, calendar)


@given(
    seed=st.integers(0, 2**32 - 1),
    n_assets=st.integers(1, 4),
    n_days=st.integers(1, 50),
    share=st.floats(0.0, 0.6),
)
@settings(max_examples=25)
def test_equal_content_has_an_equal_id_whatever_files_it_came_from(seed, n_assets, n_days, share):
    rng = np.random.default_rng(seed)
    bars = ragged(rng, n_assets, n_days, share)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        want = dataset_of_frame(bars, folder).dataset_id
        order = rng.permutation(bars.height)
        assert dataset_of_frame(bars[order], folder).dataset_id == want
        assert dataset_of_frame(pl.concat([bars, bars[order[:3]]]), folder).dataset_id == want
        cut = int(rng.integers(0, bars.height + 1))
        for i, part in enumerate((bars[order[:cut]], bars[order[cut:]])):
            if part.height:
                part.write_csv(folder / f"part{1 - i}.csv")
        assert dataset_of(Csv("part*.csv"), folder).dataset_id == want
        (folder / "wide").mkdir()
        for field in ("close", "volume"):
            wide = bars.pivot("symbol", index="date", values=field)
            wide.write_csv(folder / "wide" / f"{field}.csv")
        wide_id = dataset_of(Csv("wide/*.csv", form="wide", field="{stem}"), folder).dataset_id
        assert wide_id == want
        renamed = bars.rename({"date": "Day", "symbol": "Ticker", "close": "CLOSE"})
        assert dataset_of_frame(renamed, folder).dataset_id == want


def ragged(rng, n_assets: int, n_days: int, share: float) -> pl.DataFrame:
    days = np.datetime64("2023-12-10") + np.arange(n_days)
    frames = []
    for i in range(n_assets):
        close = np.exp(rng.normal(3, 0.1, n_days))
        volume = rng.integers(0, 9, n_days).astype(float)
        close[rng.random(n_days) < share] = np.nan
        volume[rng.random(n_days) < share] = np.nan
        close[0] = volume[0] = 1.0  # every asset and field has a value
        table = {"date": days, "symbol": [f"A{i}"] * n_days, "close": close, "volume": volume}
        frames.append(pl.DataFrame(table).with_columns(pl.col("close", "volume").fill_nan(None)))
    return pl.concat(frames)


@given(row=st.integers(0, 10**6), field=st.sampled_from(["close", "volume"]), bit=st.booleans())
@settings(max_examples=20)
def test_one_edited_value_changes_one_block(row, field, bit):
    bars = ragged(np.random.default_rng(3), 3, 70, 0.1).filter(pl.col(field).is_not_null())
    row %= bars.height
    old = bars[row, field]
    value = float(np.nextafter(old, np.inf)) if bit else None
    edited = bars.with_columns(
        pl.when(pl.int_range(pl.len()) == row).then(value).otherwise(field).alias(field)
    )
    with tempfile.TemporaryDirectory() as name:
        a = dataset_of_frame(bars, Path(name))
        b = dataset_of_frame(edited, Path(name))
    asset, day = bars[row, "symbol"], np.datetime64(bars[row, "date"])
    patch = int((day + 1).astype(int)) // 32 - a.patches.first_patch  # a bar closes at midnight
    differ = np.argwhere((a.patches.digests != b.patches.digests).any(axis=3))
    assert differ.tolist() == [[a.fields.index(field), patch, a.assets.index(asset)]]
    n_shared = sum(x.part_id == y.part_id for x, y in zip(a.parts, b.parts, strict=True))
    assert n_shared == len(a.parts) - 1
    assert a.dataset_id != b.dataset_id
    other = "volume" if field == "close" else "close"
    assert a.digest_of((other,)) == b.digest_of((other,))
    assert a.digest_of((field,)) != b.digest_of((field,))
    others = [name for name in a.assets if name != asset]
    assert a.digest_of(assets=others) == b.digest_of(assets=others)


def test_the_id_depends_on_the_calendar_and_every_name(tmp_path):
    closes = pl.datetime_range(
        pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 3), "1d", eager=True, time_unit="us"
    )
    bars = pl.DataFrame({"bar_close": closes, "asset": ["A"] * 3, "close": [1.0, 2.0, 3.0]})
    ids = {
        dataset_of_frame(bars, tmp_path).dataset_id,
        dataset_of_frame(bars, tmp_path, HOURLY).dataset_id,
        dataset_of_frame(bars.rename({"close": "open"}), tmp_path).dataset_id,
        dataset_of_frame(bars.with_columns(asset=pl.lit("B")), tmp_path).dataset_id,
        dataset_of_frame(
            bars.with_columns(pl.col("bar_close").dt.offset_by("1d")), tmp_path
        ).dataset_id,
        dataset_of_frame(bars.with_columns(pl.lit(None).alias("volume")), tmp_path).dataset_id,
    }
    assert len(ids) == 6


def test_bars_appended_leave_every_older_digest(bars, tmp_path):
    old = dataset_of_frame(bars.filter(pl.col("date") < pl.date(2024, 1, 1)), tmp_path)
    new = dataset_of_frame(bars, tmp_path)
    before = old.last_bar // 32 * 32 - 1  # the last bar of the last patch that is full
    assert old.digest_of(last_bar=before) == new.digest_of(last_bar=before)
    assert old.digest_of() != new.digest_of()


def test_digest_of_reads_whole_patches_of_what_is_asked_for(bars, tmp_path):
    data = dataset_of_frame(bars, tmp_path)
    first = data.first_bar
    second = (first // 32 + 1) * 32
    assert data.digest_of(first_bar=first, last_bar=first) == data.digest_of(last_bar=second - 1)
    assert data.digest_of(first_bar=first - 99, last_bar=first) == data.digest_of(last_bar=first)
    assert data.digest_of(last_bar=second) != data.digest_of(last_bar=second - 1)
    assert data.digest_of(("volume", "close")) == data.digest_of()
    assert data.digest_of(assets=["BBB", "AAA"]) == data.digest_of(assets=["AAA", "BBB"])
    assert data.digest_of(assets=["AAA"]) != data.digest_of(assets=["BBB"])
    empty = data.digest_of(last_bar=first // 32 * 32 - 1)
    assert empty == data.digest_of(first_bar=(data.last_bar // 32 + 1) * 32)


def test_unknown_names_are_answered_with_the_nearest(bars, tmp_path):
    data = dataset_of_frame(bars, tmp_path)
    with pytest.raises(UnknownAssetError, match="did you mean 'AAA'"):
        data.digest_of(assets=["AAB"])
    with pytest.raises(MissingDataError, match="did you mean 'close'"):
        data.digest_of(["closs"])
    with pytest.raises(CalendarError, match="the dataset has bars"):
        data.closes(data.first_bar - 1, data.last_bar)


def test_patches_match_a_digest_made_value_by_value(bars, tmp_path):
    from blake3 import blake3

    data = dataset_of_frame(bars, tmp_path)
    for field in ("close", "volume"):
        for column, asset in enumerate(data.assets):
            for patch in range(data.patches.digests.shape[1]):
                content = b""
                for day, symbol, value in bars.select("date", "symbol", field).sort("date").rows():
                    close = np.datetime64(day) + 1
                    at = int(close.astype(int)) // 32 - data.patches.first_patch
                    if symbol == asset and at == patch and value is not None:
                        stamp = close.astype("datetime64[us]").astype("<i8")
                        content += stamp.tobytes() + np.float64(value).tobytes()
                want = blake3(content).digest(16) if content else bytes(16)
                place = data.fields.index(field), patch, column
                assert data.patches.digests[place].tobytes() == want


def test_a_grid_is_named_by_text_or_calendar():
    assert grid_of("XNYS") == ("XNYS", "1d")
    assert grid_of("24/7 5m") == ("24/7", "5m") == grid_of(Calendar("24/7", "5m"))

"""Versions can be read as of any moment, compared, put in order and handed to others."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from deltalake import DeltaTable

from plumbline.core.errors import (
    CorruptEntryError,
    ExportError,
    MissingDataError,
    ParameterError,
    UnknownNameError,
)
from plumbline.lake.lake import Lake
from plumbline.lake.soundness import forget_version
from plumbline.lake.sources.csv import Csv
from plumbline.lake.sources.parquet import Parquet
from tests.lake.made_bars import hours


@pytest.fixture
def days(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A data set that got a day more on each of five days, and a correction on the sixth."""
    whole = hours(24 * 5, "AAA", "BBB")
    for day in range(1, 6):
        monkeypatch.setenv("PLUMBLINE_NOW", f"2024-02-0{day}T12:00:00Z")
        close = pl.col("bar_close")
        first = datetime(2024, 1, day, tzinfo=UTC)
        step = whole.filter(close > first, close <= first.replace(day=day + 1))
        step.write_parquet(tmp_path / f"{day}.parquet")
        source = Parquet(f"{day}.parquet")
        if day == 1:
            lake.ingest("bars", source, calendar="24/7 1h", base=tmp_path)
        else:
            lake.append("bars", source, base=tmp_path)
    monkeypatch.setenv("PLUMBLINE_NOW", "2024-02-06T12:00:00Z")
    late = whole.filter(asset="BBB")[40:43].with_columns(pl.col("close") + 0.5)
    late.write_parquet(tmp_path / "late.parquet")
    lake.append("bars", Parquet("late.parquet"), corrects=True, base=tmp_path)
    return lake


def test_a_name_means_what_it_meant_at_any_moment(days):
    moments = {
        "2024-02-01T12:00:00Z": 1,
        "2024-02-01": 1,
        "2024-02-03T11:59:59+00:00": 2,
        "2024-02-03T14:00:00+02:00": 3,
        "2024-02": 6,
        datetime(2024, 2, 4, 12, tzinfo=UTC): 4,
        np.datetime64("2030-01-01"): 6,
    }
    for moment, version in moments.items():
        assert days.dataset("bars", as_of=moment).version == version
        assert days.panel(days.dataset("bars", as_of=moment)).n_bars == 24 * min(version, 5)
    with pytest.raises(UnknownNameError, match=r"meant nothing at 2024-01-31.*version 1.*02-01T12"):
        days.dataset("bars", as_of="2024-01-31")
    with pytest.raises(UnknownNameError, match="no dataset 'bras'; did you mean 'bars'"):
        days.dataset("bras", as_of="2024-02-01")
    with pytest.raises(ParameterError, match="'soon' is not a time"):
        days.dataset("bars", as_of="soon")
    with pytest.raises(ParameterError, match="give one of them"):
        days.dataset("bars", 2, "2024-02-01")


def test_a_time_at_which_a_version_taken_away_may_have_been_meant_is_refused(days):
    made = {row["version"]: row["created"] for row in days.datasets() if row["name"] == "bars"}
    forget_version(days, "bars", 3)
    assert days.dataset("bars", as_of=made[2]).version == 2  # from this moment on it was
    assert days.dataset("bars", as_of=made[4]).version == 4
    with pytest.raises(UnknownNameError, match=r"version 2, or 3, taken away since; .* 2 or 4$"):
        days.dataset("bars", as_of=made[3])
    forget_version(days, "bars", 2)
    assert days.dataset("bars", as_of=made[1]).version == 1
    with pytest.raises(UnknownNameError, match=r"version 1, or 2 … 3, taken away since"):
        days.dataset("bars", as_of=made[4] - timedelta(microseconds=1))
    assert days.dataset("bars", as_of=made[6] + timedelta(days=1)).version == 6


def test_late_corrections_list_the_rows_that_changed(days):
    changes = days.diff(days.dataset("bars", 5), days.dataset("bars", 6))
    assert changes.select("asset", "field", "change").unique().rows() == [
        ("BBB", "close", "changed")
    ]
    assert [f"{t:%d %H:%M}" for t in changes["bar_close"]] == ["02 17:00", "02 18:00", "02 19:00"]
    assert (changes["after"] - changes["before"]).to_list() == [0.5, 0.5, 0.5]


def test_compaction_makes_one_file_of_a_part_and_changes_no_id(days):
    before, panel = days.dataset("bars", 4), days.panel("bars")
    old = {v: days.panel(days.dataset("bars", v)) for v in range(1, 6)}
    assert len(days.segment_paths(before)) == 4
    done = days.compact(before)
    assert (done.n_parts, done.n_before, done.n_after) == (1, 4, 1)
    assert len(days.segment_paths(before)) == 1
    assert days.dataset("bars", 4) == before
    assert days.panel("bars") == panel
    assert {v: days.panel(days.dataset("bars", v)) for v in range(1, 6)} == old
    assert days.compact(before).n_parts == 0
    assert [row["version"] for row in days.datasets("bars")] == list(range(1, 7))


def test_a_reader_that_has_listed_the_files_goes_on_through_a_compaction(days):
    before = days.dataset("bars", 4)
    query = days.scan(before)
    want = days.panel(before)
    days.compact(before)
    assert query.collect().height == want.n_bars * 2


def test_compaction_refuses_rows_that_are_not_those_of_the_part(days, monkeypatch):
    from plumbline.lake import compaction

    read = compaction.stored_rows

    def wrong(store, dataset):
        return lambda number: read(store, dataset)(number).with_columns(pl.col("close") + 1)

    monkeypatch.setattr(compaction, "stored_rows", wrong)
    before = days.segment_paths(days.dataset("bars", 4))
    with pytest.raises(CorruptEntryError, match="others than its id says"):
        days.compact(days.dataset("bars", 4))
    assert days.segment_paths(days.dataset("bars", 4)) == before


def test_delta_readers_find_the_same_rows_and_no_version_twice(days, tmp_path):
    folder = tmp_path / "delta"
    assert days.export_delta(days.dataset("bars", 3), folder) == 0
    assert days.export_delta(days.dataset("bars", 3), folder) is None
    assert days.export_delta("bars", folder) == 1
    for number, version in ((0, 3), (1, 6)):
        table = DeltaTable(str(folder), version=number)
        found = pl.from_arrow(table.to_pyarrow_table()).sort("asset", "bar_close")
        want = days.scan(days.dataset("bars", version)).collect().sort("asset", "bar_close")
        assert found.equals(want.select(found.columns))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("")
    with pytest.raises(ParameterError, match="is no Delta table"):
        days.export_delta("bars", tmp_path / "other")
    assert [p.name for p in (tmp_path / "other").iterdir()] == ["file"]
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "part-0-of-an-export-cut-short.parquet").write_bytes(b"half")
    assert days.export_delta("bars", tmp_path / "cut") == 0


def test_a_delta_table_that_cannot_be_read_or_written_is_told_without_colours_or_frames(
    days, tmp_path
):
    (tmp_path / "file").write_text("")
    log = tmp_path / "torn" / "_delta_log"
    log.mkdir(parents=True)
    (log / "00000000000000000000.json").write_text("nonsense\n")
    for folder, reason in (("file/table", "Not a directory"), ("torn", "Json error")):
        with pytest.raises(ExportError, match=reason) as caught:
            days.export_delta("bars", tmp_path / folder)
        told = str(caught.value)
        assert told.startswith(f"{tmp_path / folder} cannot be written as a Delta table: ")
        assert told.endswith(
            "; see that it is a folder that can be written and has room, or name another"
        )
        assert "\n" not in told
        assert "\x1b" not in told
        assert "<unknown>" not in told


def test_coarser_bars_are_data_sets_of_their_own(days):
    done = days.resample("bars", {"bars.4h": "24/7 4h", "bars.1d": "24/7"})
    assert [(d.dataset.version, d.created) for d in done.values()] == [(1, True)] * 2
    base, coarse = days.panel("bars"), days.panel("bars.4h")
    np.testing.assert_array_equal(coarse["close"], base["close"][3::4])
    np.testing.assert_array_equal(days.panel("bars.1d")["close"], base["close"][23::24])
    again = days.resample("bars", {"bars.4h": "24/7 4h"})
    assert not again["bars.4h"].created
    with pytest.raises(ParameterError, match="was not read from a source"):
        days.append("bars.4h", Parquet("late.parquet"), base=days.root.parent)
    names = {row["name"] for row in days.datasets()}
    short = days.dataset("bars", 1).dataset_id
    with pytest.raises(MissingDataError, match="no whole bar of XNYS 1d"):
        days.resample(short, {"a": "24/7 4h", "b": "XNYS"})
    assert {row["name"] for row in days.datasets()} == names


def test_the_time_that_is_shown_of_a_version_is_one_that_it_is_found_by(
    days, monkeypatch, tmp_path
):
    monkeypatch.setenv("PLUMBLINE_NOW", "2024-03-01T12:00:00.654321Z")
    more = hours(3, "AAA", start="2024-03-01T01:00")
    more.write_parquet(tmp_path / "more.parquet")
    days.append("bars", Parquet("more.parquet"), base=tmp_path)
    shown = f"{days.datasets('bars')[-1]['created']:%Y-%m-%d %H:%M:%S}"
    assert days.dataset("bars", as_of=shown).version == 7
    assert days.dataset("bars", as_of="2024-03-01T12:00:00.6").version == 6


def test_a_clock_that_is_set_back_leaves_versions_in_order(days, monkeypatch, tmp_path):
    monkeypatch.setenv("PLUMBLINE_NOW", "2023-01-01T00:00:00Z")
    hours(3, "AAA", start="2024-03-01T01:00").write_parquet(tmp_path / "more.parquet")
    assert days.append("bars", Parquet("more.parquet"), base=tmp_path).dataset.version == 7
    created = [row["created"] for row in days.datasets("bars")]
    assert created == sorted(created)
    assert days.dataset("bars", as_of="2024-02-06T12:00:00").version == 7


def test_a_file_whose_name_is_no_text_is_read_again_and_again(lake, tmp_path):
    name = b"caf\xe9.csv".decode("utf-8", "surrogateescape")
    hours(30, "AAA").write_csv(tmp_path / "plain.csv", datetime_format="%Y-%m-%dT%H:%M:%SZ")
    (tmp_path / "plain.csv").rename(tmp_path / name)
    for _ in range(2):
        done = lake.ingest("odd", Csv("*.csv"), calendar="24/7 1h", base=tmp_path)
        os.utime(tmp_path / name, (1, 1))
    assert done.dataset.n_rows == 30

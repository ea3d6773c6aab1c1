"""The lake stores content once, reads it back as it was, and notices damage."""

import doctest
import os
import subprocess
import sys
import time
from datetime import UTC, date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import plumbline.lake as package
from plumbline.core.errors import (
    CalendarError,
    CorruptEntryError,
    MissingDataError,
    UnknownAssetError,
)
from plumbline.lake import lake as lake_module
from plumbline.lake.cleaning_rules import CleaningRules
from plumbline.lake.fingerprint import FileState
from plumbline.lake.lake import Lake
from plumbline.lake.opening import open_lake
from plumbline.lake.sources.csv import Csv
from plumbline.lake.sources.parquet import Parquet


@pytest.fixture
def base(bars, tmp_path) -> Path:
    bars.write_csv(tmp_path / "bars.csv")
    age(tmp_path / "bars.csv")
    return tmp_path


def age(path: Path, seconds: float = 60) -> None:
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


def ingest(lake: Lake, base: Path, name: str = "bars", **options):
    return lake.ingest(name, Csv("bars.csv"), calendar="24/7", base=base, **options)


def files(lake: Lake) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in lake.segment_folder.iterdir()}


def test_a_panel_has_its_assets_in_sorted_order_and_says_so(lake, base):
    ingest(lake, base)
    panel = lake.panel("bars", ["close"], ["BBB", "AAA"])
    assert panel.assets == ("AAA", "BBB")
    assert "sorted order" in " ".join((Lake.panel.__doc__ or "").split())


def test_what_is_ingested_is_read_back(lake, base, bars):
    done = ingest(lake, base)
    panel = lake.panel("bars")
    assert done.created
    assert done.dataset.version == 1
    assert panel.assets == ("AAA", "BBB", "C Ä'")
    assert list(panel) == ["close", "volume"]
    assert panel.first_bar == done.dataset.first_bar
    np.testing.assert_array_equal(np.diff(panel.bars), np.timedelta64(1, "D"))
    for field in panel:
        want = np.full(panel.shape, np.nan)
        for day, symbol, value in bars.select("date", "symbol", field).rows():
            row = int((np.datetime64(day) + 1 - panel.bars[0].astype("datetime64[D]")).astype(int))
            want[row, panel.assets.index(symbol)] = np.nan if value is None else value
        np.testing.assert_array_equal(panel[field], want)


def test_a_part_of_a_panel_is_the_part_of_the_whole(lake, base):
    data = ingest(lake, base).dataset
    whole = lake.panel(data)
    first, last = data.first_bar + 20, data.first_bar + 50
    part = lake.panel(data, ["volume"], ["C Ä'", "AAA"], first, last)
    assert part == whole.rows(20, 51).select(["AAA", "C Ä'"]).only(["volume"])
    assert part.first_bar == first
    assert lake.panel(data, first_bar=0, last_bar=10**9) == whole
    with pytest.raises(MissingDataError, match="none of"):
        lake.panel(data, first_bar=data.last_bar + 1)


def test_duckdb_and_polars_read_the_segments_without_us(lake, base):
    import duckdb

    ingest(lake, base)
    panel = lake.panel("bars")
    long = panel.to_frame().filter(pl.any_horizontal(pl.col("close", "volume").is_not_nan()))
    want = long.with_columns(pl.col("close", "volume").fill_nan(None)).sort("asset", "bar_close")
    paths = [str(path) for path in lake.segment_paths("bars")]
    direct = pl.concat(pl.read_parquet(path) for path in paths).sort("asset", "bar_close")
    assert direct.equals(want)
    assert lake.scan("bars").sort("asset", "bar_close").collect().equals(want)
    table = duckdb.read_parquet(paths).order("asset, bar_close").pl()
    assert table["close"].equals(want["close"])
    assert table["volume"].equals(want["volume"])
    assert table["bar_close"].dt.convert_time_zone("UTC").equals(want["bar_close"])
    relation = lake.duckdb("bars", duckdb.connect())
    assert relation.aggregate("count(*)").fetchall() == [(want.height,)]


def test_segments_are_cut_at_fixed_calendar_numbers(lake, base, bars):
    ingest(lake, base)
    days = [pl.read_parquet(path)["bar_close"].dt.date() for path in lake.segment_paths("bars")]
    spans = [(day.min() - date(1970, 1, 1), day.max() - date(1970, 1, 1)) for day in days]
    assert [(first.days // 256, last.days // 256) for first, last in spans] == [(76, 76), (77, 77)]
    hourly = bars.with_columns(pl.col("date").cast(pl.Datetime("us")))
    hourly.write_parquet(base / "hourly.parquet")
    lake.ingest("hourly", Parquet("hourly.parquet"), calendar="24/7 1h", base=base)
    assert len(lake.segment_paths("hourly")) == 1


def test_the_same_content_again_writes_nothing(lake, base, bars):
    first = ingest(lake, base)
    before = files(lake), lake.datasets()
    again = ingest(lake, base)
    bars[::-1].write_parquet(base / "other.parquet")
    other = lake.ingest("bars", Parquet("other.parquet"), calendar="24/7", base=base)
    assert (files(lake), lake.datasets()) == before
    assert again.dataset == first.dataset == other.dataset
    assert not again.created
    assert not other.created
    assert again.quality.equals(first.quality)
    assert not other.quality.equals(first.quality)  # its rows were out of order
    assert lake.quality("bars").equals(other.quality)


def test_quality_is_that_of_the_newest_ingest_of_a_name(lake, base, bars):
    clean = ingest(lake, base)
    bars[::-1].write_parquet(base / "other.parquet")
    other = lake.ingest("copy", Parquet("other.parquet"), calendar="24/7", base=base)
    assert other.dataset.dataset_id == clean.dataset.dataset_id
    assert lake.quality("bars").equals(clean.quality)
    assert lake.quality("copy").equals(other.quality)
    assert lake.quality(clean.dataset.dataset_id).equals(other.quality)
    recognised = ingest(lake, base, name="copy")
    assert not recognised.created
    for found in ("copy", recognised.dataset, recognised.dataset.dataset_id):
        assert lake.quality(found).equals(clean.quality)


def test_quality_of_a_version_is_that_of_the_newest_ingest_that_gave_it(lake, base, bars):
    twice = pl.concat([bars, bars.head(1)])
    shorter = pl.concat([bars.head(-1), bars.head(2)])
    for i, frame in enumerate((bars, twice, shorter, bars[::-1])):
        frame.write_parquet(base / f"{i}.parquet")
    done = [
        lake.ingest("bars", Parquet(f"{i}.parquet"), calendar="24/7", base=base) for i in range(4)
    ]
    assert [d.dataset.version for d in done] == [1, 1, 2, 3]
    for version, last in ((1, 1), (2, 2), (3, 3)):
        assert lake.quality("bars", version).equals(done[last].quality)
    assert lake.quality("bars").equals(done[3].quality)
    assert len({d.quality.write_csv() for d in done}) == 4


def test_the_newest_ingest_again_writes_no_row(lake, base, bars):
    from sqlalchemy import event

    ingest(lake, base)
    bars[::-1].write_parquet(base / "other.parquet")
    lake.ingest("bars", Parquet("other.parquet"), calendar="24/7", base=base)
    written: list[str] = []

    def note(_connection, _cursor, statement, *_):
        if statement.split()[0] in ("INSERT", "DELETE", "UPDATE"):
            written.append(statement.split()[2])

    event.listen(lake.database.engine, "before_cursor_execute", note)
    lake.ingest("bars", Parquet("other.parquet"), calendar="24/7", base=base)
    assert set(written) <= {"lake_files"}
    ingest(lake, base)
    assert written.count("lake_ingests") == 2  # the row is moved


@pytest.mark.parametrize(("alias", "name"), [("NYSE", "XNYS"), ("LSE", "XLON")])
def test_a_calendar_under_another_name_gives_the_same_dataset(lake, write, tmp_path, alias, name):
    write("p.csv", "date,symbol,close\n2024-07-02,A,1\n2024-07-03,A,2\n")
    source = Csv("p.csv")
    first = lake.ingest("p", source, calendar=name, base=tmp_path)
    again = lake.ingest("p", source, calendar=alias, base=tmp_path)
    assert again.dataset == first.dataset
    assert again.dataset.calendar_name == name
    assert not again.created


def test_a_second_name_shares_the_segments(lake, base):
    ingest(lake, base)
    before = files(lake)
    second = ingest(lake, base, name="copy")
    assert second.created
    assert files(lake) == before
    assert lake.dataset("copy").dataset_id == lake.dataset("bars").dataset_id


def test_versions_are_kept_and_can_be_compared(lake, base, bars, monkeypatch):
    monkeypatch.setenv("PLUMBLINE_NOW", "2024-02-01T00:00:00Z")
    first = ingest(lake, base).dataset
    edited = bars.with_columns(
        pl.when(pl.int_range(pl.len()) == 5).then(77.0).otherwise("close").alias("close")
    )
    edited.write_csv(base / "bars.csv")
    second = ingest(lake, base)
    assert second.created
    assert second.dataset.version == 2
    assert lake.dataset("bars") == second.dataset
    assert lake.dataset("bars", 1) == first
    assert lake.dataset(first.dataset_id).dataset_id == first.dataset_id
    assert lake.diff(first, second.dataset).select("field", "after", "change").rows() == [
        ("close", 77.0, "changed")
    ]
    assert len(files(lake)) == 3  # the other year's segment is shared
    rows = lake.datasets()
    assert [(r["name"], r["version"], r["created"].tzinfo) for r in rows] == [
        ("bars", 1, UTC),
        ("bars", 2, UTC),
    ]
    assert f"{rows[0]['created']:%Y-%m-%d}" == "2024-02-01"
    bars.write_csv(base / "bars.csv")
    back = ingest(lake, base)
    assert (back.dataset.version, back.dataset.dataset_id) == (3, first.dataset_id)


def test_preparing_shows_the_change_and_writes_nothing(lake, base, bars):
    first = ingest(lake, base).dataset
    before = files(lake), lake.datasets()
    bars.head(-1).write_csv(base / "bars.csv")
    prepared = lake.prepare("bars", Csv("bars.csv"), calendar="24/7", base=base)
    assert (files(lake), lake.datasets()) == before
    assert prepared.dataset.version == 0
    changes = lake.diff(first, prepared)
    assert set(changes["change"]) == {"removed"}
    assert set(changes["field"]) <= {"close", "volume"}
    assert set(changes["asset"]) == {"C Ä'"}
    done = lake.commit(prepared)
    assert done.created
    assert lake.dataset("bars").dataset_id == prepared.dataset.dataset_id


def test_known_files_are_not_parsed_again(lake, base, monkeypatch):
    ingest(lake, base)

    def fail(*_):
        raise AssertionError("the file was parsed")

    monkeypatch.setattr(Csv, "table", fail)
    assert not ingest(lake, base).created
    fresh = open_lake(lake.root)
    prepared = fresh.prepare("bars", Csv("bars.csv"), calendar="24/7", base=base)
    assert prepared.rows is None
    assert prepared.dataset == fresh.dataset("bars")


@pytest.mark.parametrize("change", ["rules", "calendar", "source", "code"])
def test_other_rules_calendar_source_or_code_parse_again(lake, base, change):
    ingest(lake, base)
    same = {"source": Csv("bars.csv"), "calendar": "24/7", "rules": CleaningRules()}
    other = {
        "rules": {"rules": CleaningRules(outlier_tolerance=0.2)},
        "source": {"source": Csv("bars.csv", delimiter=",")},
        "calendar": {"calendar": "24/7 1d"},
        "code": {},
    }[change]
    reader = Lake(lake.root, lake.database, code="other") if change == "code" else lake
    options = {**same, **other}
    prepared = reader.prepare("bars", options.pop("source"), base=base, **options)
    assert (prepared.rows is None) == (change == "calendar")  # another spelling of the same one
    assert prepared.dataset.dataset_id == lake.dataset("bars").dataset_id


def test_a_file_is_hashed_again_only_if_it_may_have_changed(lake, base, monkeypatch):
    source = Csv("bars.csv")
    monkeypatch.setattr("plumbline.lake.fingerprint.RACY_NS", -1)  # as if it had lain there a while
    digest = lake.source_digest(source, base)
    monkeypatch.setattr("plumbline.lake.fingerprint.digest_bytes", lambda _: 1 / 0)
    assert lake.source_digest(source, base) == digest
    os.utime(base / "bars.csv")
    with pytest.raises(ZeroDivisionError):
        lake.source_digest(source, base)


def test_a_file_rewritten_within_a_tick_is_hashed_again(lake, base):
    path = base / "bars.csv"
    source = Csv("bars.csv")
    now = time.time()
    os.utime(path, (now, now))
    before = lake.source_digest(source, base)
    content = path.read_bytes()
    path.write_bytes(content[:-3] + b"9" + content[-2:])
    os.utime(path, (now, now))  # same size, same time, same inode
    assert lake.source_digest(source, base) != before


def test_a_file_whose_time_was_set_back_is_hashed_again(lake, base, monkeypatch):
    path = base / "bars.csv"
    source = Csv("bars.csv")
    monkeypatch.setattr("plumbline.lake.fingerprint.RACY_NS", -1)
    before, found = lake.source_digest(source, base), path.stat()
    content = path.read_bytes()
    path.write_bytes(content[:-3] + b"9" + content[-2:])
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert (path.stat().st_mtime_ns, path.stat().st_size) == (found.st_mtime_ns, found.st_size)
    assert lake.source_digest(source, base) != before


def test_a_state_taken_within_two_seconds_of_a_write_proves_nothing(base):
    stat = (base / "bars.csv").stat()
    same = FileState(stat.st_size, stat.st_ctime_ns, 0, stat.st_ino, "d")
    seen = [stat.st_ctime_ns + int(s * 1e9) for s in (-5, 0, 1.9, 2.1)]
    assert [same._replace(seen_ns=n).is_current(stat) for n in seen] == [False, False, False, True]
    later = same._replace(seen_ns=seen[-1])
    for other in ({"size": 1}, {"changed_ns": 1}, {"inode": 1}):
        assert not later._replace(**other).is_current(stat)


def test_the_source_digest_is_of_names_and_contents(lake, base):
    path = base / "bars.csv"
    source = Csv("*.csv")
    before = lake.source_digest(source, base)
    age(path, 3600)
    assert lake.source_digest(source, base) == before
    path.rename(base / "renamed.csv")
    renamed = lake.source_digest(source, base)
    assert renamed != before
    elsewhere = base / "elsewhere"
    elsewhere.mkdir()
    (base / "renamed.csv").rename(elsewhere / "renamed.csv")
    assert lake.source_digest(source, elsewhere) == renamed


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_segment_is_never_read(lake, base, damage):
    data = ingest(lake, base).dataset
    path = lake.segment_paths("bars")[0]
    content = bytearray(path.read_bytes())
    path.unlink()
    if damage != "remove":
        content[len(content) // 2] ^= 1
        path.write_bytes(content if damage == "flip" else content[:-10])
    for read in (lake.panel, lake.scan, lake.segment_paths, lake.duckdb):
        with pytest.raises(CorruptEntryError, match=r"digest|missing") as caught:
            read(data)
        assert "to restore data set bars type `plumbline doctor --deep`" in str(caught.value)
    healed = ingest(lake, base)
    assert (healed.dataset, healed.created, healed.healed) == (data, False, 1)
    assert lake.panel(data).n_bars == data.n_bars
    kept = list(lake.segment_folder.glob("*.damaged"))
    assert len(kept) == (damage != "remove")  # the bytes stay: there may be no other copy
    assert ingest(lake, base).healed == 0


def test_unknown_names_are_answered_with_the_nearest(lake, base):
    ingest(lake, base)
    with pytest.raises(UnknownAssetError, match="did you mean 'AAA'"):
        lake.panel("bars", assets=["AAC"])
    with pytest.raises(MissingDataError, match="did you mean 'volume'"):
        lake.panel("bars", ["volum"])
    with pytest.raises(MissingDataError, match="did you mean 'bars'"):
        lake.panel("bar")
    with pytest.raises(MissingDataError, match="has no version 7; it has 1"):
        lake.dataset("bars", 7)
    with pytest.raises(CalendarError, match="no calendar 'XNYC'"):
        lake.ingest("x", Csv("bars.csv"), calendar="XNYC", base=base)


def test_progress_names_the_data_set_and_reaches_the_end_of_each_step(lake, base):
    seen = {}
    ingest(lake, base, progress=lambda what, done, of: seen.update({what: (done, of)}))
    assert set(seen) == {"read bars", "clean bars", "write bars"}
    assert all(done == of > 0 for done, of in seen.values())


def test_every_exported_name_is_there():
    assert all(getattr(package, name) for name in package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_the_example_of_the_docstring_holds():
    assert doctest.testmod(lake_module).failed == 0


def test_a_million_real_rows_come_back_as_they_were(lake, shared_data):
    folder = shared_data / "us_equity_cc0"
    source = Parquet("sp500_ohlcv_2007-2017.parquet")
    done = lake.ingest("sp500", source, calendar="XNYS", base=folder)
    panel = lake.panel("sp500", ["close"])
    raw = pl.read_parquet(folder / "sp500_ohlcv_2007-2017.parquet")
    blanked = (
        done.quality.filter(pl.col("rule") == "outlier").select("asset", "bar_close").n_unique()
    )
    assert panel.shape == (2736, 358)
    assert int(np.isfinite(panel["close"]).sum()) == raw.height - blanked
    apple = raw.filter(pl.col("symbol") == "AAPL").sort("date")["close"].cast(pl.Float64)
    ours = panel["close"][:, panel.assets.index("AAPL")]
    np.testing.assert_array_equal(ours[np.isfinite(ours)], apple.to_numpy())


def test_a_wide_file_of_real_closes_equals_its_long_form(lake, shared_data, tmp_path):
    folder = shared_data / "us_equity_adjclose"
    name = "etf_adjclose_1993-2026.parquet"
    wide = Parquet(name, form="wide", field="adj_close")
    first = lake.ingest("etf", wide, calendar="XNYS", base=folder)
    table = pl.read_parquet(folder / name)
    long = table.unpivot(index="date", variable_name="ticker", value_name="Adj Close").drop_nulls()
    long.sample(fraction=1.0, shuffle=True, seed=1).write_parquet(tmp_path / "long.parquet")
    second = lake.ingest("etf", Parquet("long.parquet"), calendar="XNYS", base=tmp_path)
    assert second.dataset == first.dataset


def test_a_lone_name_is_one_name(lake, base):
    ingest(lake, base)
    assert list(lake.panel("bars", fields="close")) == ["close"]
    assert lake.panel("bars", assets="AAA").assets == ("AAA",)
    assert Csv("x.csv", fields="close").fields == ("close",)
    assert CleaningRules(prices="close", volumes="n").prices == ("close",)


WRONG = """
import sys
from plumbline.core.errors import ParameterError
from plumbline.lake import open_lake
lake = open_lake(sys.argv[1])
for ask in (
    lambda: lake.panel(None),
    lambda: lake.scan(5),
    lambda: lake.duckdb(5),
    lambda: lake.segment_paths(b"bars"),
    lambda: lake.quality(5),
    lambda: lake.dataset(5),
    lambda: lake.panel("bars", 5, [1], "x", True),
):
    try:
        ask()
    except ParameterError as error:
        print(*(text.split(" must")[0] for text in str(error).split("; ")))
"""


def test_arguments_of_the_wrong_kind_are_all_named(lake, base):
    ingest(lake, base)
    command = [sys.executable, "-c", WRONG, str(lake.root)]  # where no test checks types before us
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "dataset=None",
        "dataset=5",
        "dataset=5",
        "dataset=b'bars'",
        "dataset=5",
        "dataset=5",
        "fields=5 assets=[1] first_bar='x' last_bar=True",
    ]

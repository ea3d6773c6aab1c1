"""CSV and Parquet in long and wide form become the same bars."""

import dataclasses
import gzip
import pickle
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from plumbline.core.calendar import Calendar
from plumbline.core.errors import ParameterError, SourceError
from plumbline.lake.source import sources
from plumbline.lake.sources.csv import Csv
from plumbline.lake.sources.parquet import Parquet
from plumbline.lake.stem import filled_stem

DAILY = Calendar("24/7")
HOURLY = Calendar("24/7", "1h")
NEW_YORK = Calendar("XNYS")


def read(source, base: Path, calendar: Calendar = DAILY) -> pl.DataFrame:
    return pl.concat(source.bars(base, calendar, []), how="diagonal")


def stamps(frame: pl.DataFrame) -> list[str]:
    return [f"{t:%Y-%m-%dT%H:%M:%S}" for t in frame["bar_close"]]


def test_the_room_holds_the_sources_by_file_name():
    assert sources["csv"] is Csv
    assert sources["parquet"] is Parquet


def test_a_source_pickles_and_its_fingerprint_depends_on_each_field():
    source = Csv("a.csv", columns={"bar": "Day"})
    assert pickle.loads(pickle.dumps(source)) == source  # noqa: S301
    others = [
        Csv("b.csv"),
        Csv("a.csv"),
        Csv("a.csv", columns={"bar": "Day"}, decimal=",", delimiter=";"),
    ]
    assert len({s.fingerprint for s in [source, *others]}) == 4
    assert Csv(["a.csv"]).fingerprint == Csv("a.csv").fingerprint


def test_dates_are_sessions_and_close_when_the_exchange_does(write, tmp_path):
    write("p.csv", "Date,Ticker,Adj Close\n2024-07-02,AAA,1\n2024-07-03,AAA,2\n")
    frame = read(Csv("p.csv"), tmp_path, NEW_YORK)
    assert frame.columns == ["bar_close", "asset", "adj_close"]
    assert stamps(frame) == ["2024-07-02T20:00:00", "2024-07-03T17:00:00"]  # a half day


def test_a_date_on_a_24_7_grid_closes_at_the_next_midnight(write, tmp_path):
    write("p.csv", "date,symbol,close\n2024-01-31,AAA,1\n")
    assert stamps(read(Csv("p.csv"), tmp_path)) == ["2024-02-01T00:00:00"]


def test_a_date_that_is_no_session_stands_on_no_grid_point(write, tmp_path):
    write("p.csv", "date,symbol,close\n2024-01-06,AAA,1\n")
    frame = read(Csv("p.csv"), tmp_path, NEW_YORK)
    assert stamps(frame) == ["2024-01-06T23:59:59"]


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("2024-01-31T16:00:00Z", "UTC"),
        ("2024-01-31 16:00", "UTC"),
        ("2024-01-31T16:00:00.000", "UTC"),
        ("2024-01-31T11:00:00-05:00", "UTC"),
        ("2024-01-31 21:30:00+0530", "UTC"),
        ("2024-01-31 11:00:00", "America/New_York"),
    ],
)
def test_a_moment_is_read_in_its_zone(write, tmp_path, text, zone):
    write("p.csv", f"time,asset,close\n{text},AAA,1\n")
    frame = read(Csv("p.csv", time_zone=zone), tmp_path, HOURLY)
    assert stamps(frame) == ["2024-01-31T16:00:00"]


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("1706716800", {"time_format": "s"}),
        ("1706716800000", {"time_format": "ms"}),
        ("1706716800000000", {"time_format": "us"}),
        ("31/01/2024 16:00", {"time_format": "%d/%m/%Y %H:%M"}),
        ("2024-01-31T15:00", {"time_label": "open"}),
    ],
)
def test_counts_patterns_and_opening_times_become_closes(write, tmp_path, cell, options):
    write("p.csv", f"time,asset,close\n{cell},AAA,1\n")
    assert stamps(read(Csv("p.csv", **options), tmp_path, HOURLY)) == ["2024-01-31T16:00:00"]


def test_time_stamps_can_name_sessions(write, tmp_path):
    write("p.csv", "date,asset,close\n2024-07-02 00:00:00,AAA,1\n2024-07-03 00:00:00,AAA,1\n")
    frame = read(Csv("p.csv", time_label="session"), tmp_path, NEW_YORK)
    assert stamps(frame) == ["2024-07-02T20:00:00", "2024-07-03T17:00:00"]


def test_long_wide_csv_and_parquet_give_the_same_bars(bars, write, tmp_path):
    write("long.csv", bars.write_csv())
    write("long.csv.gz", gzip.compress(bars.write_csv().encode()))
    write("semi.csv", bars.write_csv(separator=";").replace(".", ","))
    bars.write_parquet(tmp_path / "long.parquet")
    for field in ("close", "volume"):
        wide = bars.pivot("symbol", index="date", values=field).sort("date")
        wide.write_parquet(tmp_path / f"wide_{field}.parquet")
        write(f"wide/{field}.csv", wide.write_csv())
    want = read(Csv("long.csv"), tmp_path)
    for source in (Csv("long.csv.gz"), Csv("semi.csv", decimal=","), Parquet("long.parquet")):
        assert_frame_equal(read(source, tmp_path), want)
    for field, source in {
        "close": Parquet("wide_close.parquet", form="wide"),
        "volume": Csv("wide/volume.csv", form="wide", field="{stem}"),
    }.items():
        stated = want.select("bar_close", "asset", field).filter(pl.col(field).is_not_nan())
        assert_frame_equal(
            read(source, tmp_path).sort("asset", "bar_close"), stated.sort("asset", "bar_close")
        )


def test_every_kind_of_column_becomes_float64_exactly(tmp_path):
    table = pl.DataFrame(
        {
            "date": [date(2024, 1, 1)],
            "asset": pl.Series([7], dtype=pl.Int32),
            "single": pl.Series([0.1], dtype=pl.Float32),
            "whole": [2**53],
            "decimal": pl.Series([Decimal("12.340000000000000000")], dtype=pl.Decimal(38, 18)),
            "text": ["1e-3"],
            "nothing": pl.Series([None], dtype=pl.Null),
        }
    )
    table.write_parquet(tmp_path / "p.parquet")
    row = read(Parquet("p.parquet"), tmp_path).row(0, named=True)
    assert row["asset"] == "7"
    assert (row["whole"], row["decimal"], row["text"]) == (2.0**53, 12.34, 1e-3)
    assert row["single"] == float(np.float32(0.1))
    assert np.isnan(row["nothing"])


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (2**53 + 1, pl.Int64),
        (2**64 - 1, pl.UInt64),
        (Decimal("123456789012345678.91"), pl.Decimal(38, 2)),
        ("9007199254740993", pl.String),
    ],
)
def test_a_number_that_float64_cannot_hold_is_refused(tmp_path, value, dtype):
    good = {"date": [date(2024, 1, 1)], "asset": ["A"], "close": pl.Series([value], dtype=dtype)}
    pl.DataFrame(good).write_parquet(tmp_path / "p.parquet")
    with pytest.raises(SourceError, match=r"row 1, column 'close'.*without loss"):
        read(Parquet("p.parquet"), tmp_path)


def test_times_finer_than_a_microsecond_are_refused(tmp_path):
    close = pl.Series([1_706_716_800_000_000_001], dtype=pl.Int64).cast(pl.Datetime("ns"))
    pl.DataFrame({"time": close, "asset": ["A"], "close": [1.0]}).write_parquet(
        tmp_path / "p.parquet"
    )
    with pytest.raises(SourceError, match="too fine"):
        read(Parquet("p.parquet"), tmp_path, HOURLY)


def test_zoned_and_coarse_parquet_times_are_converted(tmp_path):
    moment = pl.Series([datetime(2024, 1, 31, 16)]).dt.cast_time_unit("ms")  # noqa: DTZ001
    zoned = moment.dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo")
    pl.DataFrame({"time": zoned, "asset": ["A"], "close": [1.0]}).write_parquet(
        tmp_path / "p.parquet"
    )
    assert stamps(read(Parquet("p.parquet"), tmp_path, HOURLY)) == ["2024-01-31T16:00:00"]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("AAA.csv", "AAA"),
        ("BRK.B.csv", "BRK.B"),
        ("RDS.A.CSV.gz", "RDS.A"),
        ("in.2024/600000.SS.tsv", "600000.SS"),
        ("A.txt", "A"),
        ("A.csv.csv", "A.csv"),
        ("A.parquet", "A"),
        ("A.pq.zip", "A"),
        ("A.dat", "A.dat"),
        ("A", "A"),
        (".csv", ".csv"),
    ],
)
def test_the_stem_of_a_file_is_its_name_without_the_endings_of_its_format(name, stem):
    assert filled_stem("{stem}", name) == stem
    assert filled_stem("x-{stem}-{stem}", name) == f"x-{stem}-{stem}"


def test_a_file_of_one_asset_may_be_named_by_its_file(write, tmp_path):
    write("RDS.A.csv", "date,close\n2024-01-01,1\n")
    write("RDS.B.csv", "date,close\n2024-01-01,2\n")
    assert read(Csv("*.csv", asset="{stem}"), tmp_path)["asset"].to_list() == ["RDS.A", "RDS.B"]
    write("w/adj.close.csv", "date,A\n2024-01-01,1\n")
    wide = read(Csv("w/*.csv", form="wide", field="{stem}"), tmp_path)
    assert wide.columns == ["bar_close", "asset", "adj.close"]


def test_files_of_one_name_in_several_folders_are_one_asset(write, tmp_path):
    for year, name in ((2023, "2023/AAA.csv"), (2024, "2024/AAA.csv"), (2024, "2024/AAA.B.csv")):
        write(name, f"date,close\n{year}-01-01,1\n")
    assets = read(Csv("*/*", asset="us-{stem}"), tmp_path)["asset"].to_list()
    assert sorted(assets) == ["us-AAA", "us-AAA", "us-AAA.B"]


def test_columns_and_fields_choose_and_rename(write, tmp_path):
    write("p.csv", "when;who;Last;note\n2024-01-01;AAA;1,5;hello\n")
    source = Csv(
        "p.csv",
        columns={"bar": "when", "asset": "who", "close": "Last"},
        fields=("close",),
        decimal=",",
    )
    frame = read(source, tmp_path)
    assert frame.columns == ["bar_close", "asset", "close"]
    assert frame["close"].to_list() == [1.5]


def test_quoted_cells_blank_lines_and_returns_are_read(write, tmp_path):
    write(
        "p.csv",
        '\r\n"date","symbol","close"\r\n\r\n2024-01-01,"A, ""B""\nC",1\r\n2024-01-02,X, 2 \r\n',
    )
    frame = read(Csv("p.csv"), tmp_path)
    assert frame["asset"].to_list() == ['A, "B"\nC', "X"]
    assert frame["close"].to_list() == [1.0, 2.0]


def test_missing_values_of_text_are_nan(write, tmp_path):
    cells = ["", "NA", "n/a", "NaN", "null", "-", "none"]
    rows = "".join(f"2024-01-{i + 1:02d},A,{c},1\n" for i, c in enumerate(cells))
    write("p.csv", "date,asset,close,volume\n" + rows)
    assert read(Csv("p.csv"), tmp_path)["close"].is_nan().all()


def test_patterns_are_sorted_and_each_file_is_read_once(write, tmp_path):
    for name in ("b.csv", "a.csv"):
        write(name, "date,asset,close\n2024-01-01,A,1\n")
    files = Csv(("*.csv", "a.csv", str(tmp_path / "b.csv"))).files(tmp_path)
    assert [f.name for f in files] == ["a.csv", "b.csv"]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"form": "tall"}, "form='tall'"),
        ({"time_label": "opne"}, "did you mean 'open'"),
        ({"time_zone": "Mars/Base"}, "time_zone='Mars/Base'"),
        ({"time_format": "iso8601"}, "time_format="),
        ({"delimiter": "::"}, "one character"),
        ({"delimiter": ",", "decimal": ","}, "differ"),
        ({"paths": ()}, "at least one file"),
        ({"form": "wide", "field": ""}, "name of its field"),
    ],
)
def test_a_wrong_setting_is_refused(options, what):
    source = object.__new__(Csv)  # the type check of tests would speak before the class does
    defaults = {f.name: getattr(Csv("p.csv"), f.name) for f in dataclasses.fields(Csv)}
    for name, value in {**defaults, **options}.items():
        object.__setattr__(source, name, value)
    with pytest.raises(ParameterError, match=what):
        source.__post_init__()

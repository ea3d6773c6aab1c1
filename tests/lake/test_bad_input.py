"""Bad files: every problem of every file at once, and the lake as it was."""

import errno
import gzip
import io
import os
import zipfile
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from plumbline.core.errors import ParameterError, SourceError
from plumbline.lake.cleaning_rules import CleaningRules
from plumbline.lake.sources.arrow import Arrow
from plumbline.lake.sources.csv import Csv
from plumbline.lake.sources.parquet import Parquet
from tests.lake.refusals import refused

GOOD = "date,symbol,close\n2024-01-01,AAA,1\n2024-01-02,AAA,2\n"


def test_text_dates_outside_1900_to_2099_are_told_with_three_examples(lake, write, tmp_path):
    far = "".join(f"18{year}-01-02,AAA,1\n" for year in range(50, 56))
    near = "".join(f"2024-01-{day:02},AAA,1\n" for day in range(1, 29))
    write("a.csv", f"date,symbol,close\n{far}{near}2024-13-01,AAA,1\n")
    one, two = refused(lake, Csv("a.csv"), tmp_path)
    assert one == (
        "a.csv, column 'date', 6 of 35 cells, such as '1850-01-02' (line 2), '1851-01-02' "
        "(line 3), '1852-01-02' (line 4): each lies outside 1900 … 2099"
    )
    assert two.startswith("a.csv, line 36, column 'date': '2024-13-01' is no time")


def test_all_problems_of_all_files_are_listed_at_once(lake, write, tmp_path):
    lake_before = Csv("good.csv")
    write("good.csv", GOOD)
    lake.ingest("good", lake_before, calendar="24/7", base=tmp_path)
    write(
        "in/a.csv",
        "date,symbol,close\n2024-01-01,AAA,abc\n2024-13-01,AAA,2\n2024-01-03,,3\n,BBB,1\n",
    )
    write("in/b.csv", "")
    write("in/c.csv", "date,symbol,close\n")
    write("in/d.csv", "date,ticket,close\n2024-01-01,AAA,1\n")
    write("in/e.csv", b"date,symbol,close\n2024-01-01,M\xfcller,1\n")
    write("in/f.csv", "date,symbol,close\n2024-01-01,AAA,1,9\n2024-01-02,AAA\n2024-01-03,AAA,x\n")
    write("in/g.csv", "2024-01-01,AAA,1\n2024-01-02,AAA,2\n")
    write("in/h.csv", GOOD)
    problems = refused(lake, Csv("in/*.csv"), tmp_path)
    expected = [
        "in/a.csv, line 3, column 'date': '2024-13-01' is no time",
        "in/a.csv, line 5, column 'date': '' is no time; none may be left out",
        "in/a.csv, line 2, column 'close': 'abc' is no number",
        "in/a.csv, line 4, column 'symbol': '' is no asset name",
        "in/b.csv: the file is empty",
        "in/c.csv: the file is empty: it has a header and no row",
        "in/d.csv: no asset column; found: 'date', 'ticket', 'close'; known: asset, ",
        "in/e.csv, line 2: byte 0xfc is no UTF-8 text",
        "in/f.csv, line 2: 4 cells, the header has 3",
        "in/f.csv, line 3: 2 cells, the header has 3",
        "in/f.csv, line 4, column 'close': 'x' is no number",
        "in/g.csv: the header is missing",
    ]
    assert all(any(p.startswith(want) for p in problems) for want in expected), problems
    assert len(problems) == len(expected), problems
    assert "did you mean 'ticker'" in next(p for p in problems if "in/d.csv" in p)
    assert "in/f.csv, line 3: 2 cells, the header has 3" in problems  # too few need no quotes
    assert lake.panel("good")["close"].tolist() == [[1.0], [2.0]]


def test_a_file_that_is_not_there_is_named_with_the_nearest_one(lake, write, tmp_path):
    write("data/prices.csv", GOOD)
    source = Csv(("data/price.csv", "data/*.tsv", "data", "none/x.csv"))
    problems = refused(lake, source, tmp_path)
    assert "'data/price.csv' not found" in problems[0]
    assert "did you mean 'prices.csv'" in problems[0]
    assert "no file matches the pattern 'data/*.tsv'" in problems[1]
    assert "'data' is a folder" in problems[2]
    assert "no folder" in problems[3]


@pytest.mark.parametrize("content", [b"", b"no parquet at all", b"PAR1 and PAR1"])
def test_a_file_that_is_no_parquet_is_refused(lake, write, tmp_path, content):
    write("p.parquet", content)
    (problem,) = refused(lake, Parquet("p.parquet"), tmp_path)
    assert problem.startswith("p.parquet: cannot be read as Parquet")


def test_a_broken_gzip_is_refused(lake, write, tmp_path):
    whole = gzip.compress(GOOD.encode() * 50)
    write("a.csv.gz", whole[:-20])
    write("b.csv.gz", b"no gzip")
    problems = refused(lake, Csv("*.csv.gz"), tmp_path)
    assert [p.split(":")[0] for p in problems] == ["a.csv.gz", "b.csv.gz"]


def test_a_quotation_mark_that_stays_open_is_refused(lake, write, tmp_path):
    write("p.csv", 'date,symbol,close\n2024-01-01,"AAA,1\n2024-01-02,AAA,1\n')
    assert "never closed" in refused(lake, Csv("p.csv"), tmp_path)[0]


def test_text_in_utf_16_is_refused(lake, write, tmp_path):
    write("p.csv", GOOD.encode("utf-16"))
    write("q.csv", GOOD.encode("utf-16-le"))
    problems = refused(lake, Csv("*.csv"), tmp_path)
    assert [p.rsplit("; ", 1)[1] for p in problems] == ["save the file as UTF-8"] * 2


@pytest.mark.parametrize(
    ("header", "what"),
    [
        ("date,timestamp,symbol,close", "bar could be 'date' or 'timestamp'"),
        ("date,symbol,ticker,close", "asset could be 'symbol' or 'ticker'"),
        ("date,symbol,Close,close", "would all be the field 'close'"),
        ("date,symbol,close,close", "columns stand twice: 'close'"),
        ("dat,symbol,close,x", "did you mean 'date'"),
        ("open_time,symbol,close,x", "looks like opening times"),
    ],
)
def test_columns_that_cannot_be_told_are_refused(lake, write, tmp_path, header, what):
    write("p.csv", f"{header}\n2024-01-01,AAA,1,1\n")
    assert any(what in p for p in refused(lake, Csv("p.csv"), tmp_path))


def test_a_mapping_to_an_absent_column_names_the_nearest(lake, write, tmp_path):
    write("p.csv", GOOD)
    source = Csv("p.csv", columns={"close": "Close"}, fields=("close", "volum"))
    problems = refused(lake, source, tmp_path)
    assert any("no column 'Close' for 'close'; did you mean 'close'" in p for p in problems)
    assert any("no column for field 'volum'" in p for p in problems)


def test_a_decimal_comma_is_explained(lake, write, tmp_path):
    write("p.csv", "date;symbol;close\n2024-01-01;AAA;1,5\n")
    (problem,) = refused(lake, Csv("p.csv"), tmp_path)
    assert "'1,5' is no number" in problem
    assert "say decimal: ','" in problem


def test_times_mixed_with_dates_are_refused(lake, write, tmp_path):
    write("p.csv", "date,symbol,close\n2024-01-01,A,1\n2024-01-02 00:00:00,A,1\n2024-01-03,A,1\n")
    (problem,) = refused(lake, Csv("p.csv"), tmp_path)
    assert "'2024-01-02 00:00:00' (line 3) has a time of day, as 1 of 3 cells" in problem
    assert "'2024-01-01' (line 2) has none, as 2;" in problem


def test_a_local_time_that_happens_twice_is_refused(lake, write, tmp_path):
    write("p.csv", "time,symbol,close\n2023-11-05 01:00,A,1\n2023-11-05 04:00,A,1\n")
    source = Csv("p.csv", time_zone="America/New_York")
    (problem,) = refused(lake, source, tmp_path, "24/7 1h")
    assert "unambiguous in America/New_York" in problem


def test_dates_cannot_label_hours(lake, write, tmp_path):
    write("p.csv", GOOD)
    assert "dates cannot label bars of 1h" in refused(lake, Csv("p.csv"), tmp_path, "24/7 1h")[0]


def test_whole_numbers_without_a_unit_are_no_times(lake, tmp_path):
    table = {"time": [1_706_716_800_000], "asset": ["A"], "close": [1.0]}
    pl.DataFrame(table).write_parquet(tmp_path / "p.parquet")
    assert "time_format: ms" in refused(lake, Parquet("p.parquet"), tmp_path)[0]


def test_columns_of_another_type_are_refused(lake, tmp_path):
    table = {"date": [date(2024, 1, 1)], "asset": [1.5], "close": [True], "note": [[1]]}
    pl.DataFrame(table).write_parquet(tmp_path / "p.parquet")
    problems = refused(lake, Parquet("p.parquet"), tmp_path)
    assert len(problems) == 3
    assert any("holds Float64, not names of assets" in p for p in problems)


def test_wide_files_need_names_and_numbers(lake, write, tmp_path):
    write("p.csv", "date,AAA,\n2024-01-01,1,2\n")
    write("q.csv", "date,AAA,BBB\n2024-01-01,1,x\n")
    problems = refused(lake, Csv("*.csv", form="wide"), tmp_path)
    assert "column '' has no name of an asset" in problems[0]
    assert "line 2, column 'BBB': 'x'" in problems[1]


def test_conflicting_rows_are_all_listed_and_refused(lake, write, tmp_path):
    write("a.csv", "date,symbol,close\n2024-01-01,AAA,1\n2024-01-01,BBB,5\n2024-01-02,AAA,2\n")
    write("b.csv", "date,symbol,close\n2024-01-01,AAA,1.5\n2024-01-02,AAA,2\n2024-01-01,BBB,6\n")
    problems = refused(lake, Csv("*.csv"), tmp_path)
    assert problems[0].startswith(
        "conflicting rows of AAA, bar closing 2024-01-02 00:00:00 UTC: close: 1.0 or 1.5 "
        "(a.csv, line 2; b.csv, line 2)"
    )
    assert problems[1].startswith(
        "conflicting rows of BBB, bar closing 2024-01-02 00:00:00 UTC: close:"
    )
    assert "5.0 or 6.0 (a.csv, line 3; b.csv, line 4)" in problems[1]
    assert "conflicts: first" in problems[1]
    assert len(problems) == 2


def test_conflicts_of_wide_and_parquet_files_are_placed_too(lake, write, tmp_path):
    write("w.csv", "date, AAA ,BBB\n\n2024-01-01,1,2\n2024-01-02,,4\n2024-01-01,3,2\n")
    (problem,) = refused(lake, Csv("w.csv", form="wide"), tmp_path)
    assert "rows of AAA, bar closing 2024-01-02" in problem
    assert "1.0 or 3.0 (w.csv, line 3, column 'AAA'; w.csv, line 5, column 'AAA')" in problem
    rows = {"date": ["2024-01-01", "2024-01-01"], "symbol": ["A", "A "], "close": [1.0, 2.0]}
    pl.DataFrame(rows).write_parquet(tmp_path / "p.parquet")
    (problem,) = refused(lake, Parquet("p.parquet"), tmp_path)
    assert "1.0 or 2.0 (p.parquet, row 1; p.parquet, row 2)" in problem


def test_conflicts_name_only_files_that_hold_a_field_that_differs(lake, write, tmp_path):
    write("a.csv", "date,symbol,close\n2024-01-01,A,1\n2024-01-01,A,2\n2024-01-01,B,1\n")
    write("b.csv", "date,symbol,volume\n2024-01-01,A,9\n2024-01-01,B,9\n")
    write("c.csv", "date,symbol,close,volume\n2024-01-01,B,1,8\n")
    one, two = refused(lake, Csv("*.csv"), tmp_path)
    assert "close: 1.0 or 2.0 (a.csv, line 2; a.csv, line 3)" in one
    assert "volume: 9.0 or 8.0 (b.csv, line 3; c.csv, line 2)" in two


def test_conflicts_of_wide_files_name_only_files_of_the_field_that_differs(lake, write, tmp_path):
    write("close.csv", "date,A,B\n2024-01-01,1,2\n2024-01-01,1,3\n")
    write("volume.csv", "date,A,B\n2024-01-01,7,8\n")
    (problem,) = refused(lake, Csv("*.csv", form="wide", field="{stem}"), tmp_path)
    places = "(close.csv, line 2, column 'B'; close.csv, line 3, column 'B')"
    assert f"close: 2.0 or 3.0 {places}" in problem


def test_an_empty_cell_against_a_value_conflicts_in_a_wide_file_too(lake, write, tmp_path):
    write("w.csv", "date,A,B,C\n2024-01-01,,4,\n2024-01-02,1,1,\n2024-01-01,5,4,\n")
    source = Csv("w.csv", form="wide")
    (problem,) = refused(lake, source, tmp_path)
    places = "(w.csv, line 2, column 'A'; w.csv, line 4, column 'A')"
    assert f"rows of A, bar closing 2024-01-02 00:00:00 UTC: close: nan or 5.0 {places}" in problem
    for policy, kept in (("first", [None, 4.0]), ("last", [5.0, 4.0])):
        rules = CleaningRules(conflicts=policy)
        done = lake.ingest(policy, source, calendar="24/7", base=tmp_path, rules=rules)
        first = lake.panel(policy)["close"][0].tolist()
        assert [None if value != value else value for value in first] == kept
        found = done.quality.filter(~pl.col("rule").is_in(["empty_bar", "unsorted"]))
        assert found.select("asset", "rule").rows() == [
            ("A", "conflict"),
            ("B", "duplicate"),
            ("C", "no_value"),
        ]


def test_a_problem_of_many_files_is_told_once_with_their_number(lake, write, tmp_path):
    for i in range(30):
        write(f"{i:02}.csv", "date,ticket,close\n2024-01-01,AAA,1\n")
    write("30.csv", "date,symbol,close\n2024-01-01,AAA,x\n")
    write("31.csv", "")
    write("32.csv", "")
    many, one, two = refused(lake, Csv("*.csv"), tmp_path)
    assert many.startswith("30 files, such as 00.csv, 01.csv, 02.csv: no asset column; found: ")
    assert one.startswith("30.csv, line 2, column 'close': 'x' is no number")
    assert two == "31.csv, 32.csv: the file is empty"


def test_a_list_that_is_cut_ends_with_how_many_there_are(lake, write, tmp_path):
    names = [f"c{i}" for i in range(25)]
    write("p.csv", f"date,{','.join(names)}\n2024-01-01{',1' * 25}\n")
    (problem,) = refused(lake, Csv("p.csv"), tmp_path)
    assert "'c17', 'c18', … (26 in all); known: asset" in problem
    write("p.csv", f"date,{','.join(names)}\n2024-01-01{',' * 25}\n")
    (problem,) = refused(lake, Csv("p.csv", form="wide"), tmp_path)
    assert problem.endswith(", … (25 in all)")
    write("p.csv", f"2024-01-01,{','.join(names)}\n2024-01-01{',1' * 25}\n")
    (problem,) = refused(lake, Csv("p.csv"), tmp_path)
    assert problem.endswith(", c5, c6, … (26 in all))")


def test_what_a_file_holds_that_is_no_text_is_named_with_what_to_do(lake, write, tmp_path):
    write("g.csv", gzip.compress(GOOD.encode()))
    with zipfile.ZipFile(tmp_path / "z.csv", "w") as archive:
        archive.writestr("p.csv", GOOD)
    pl.DataFrame({"date": ["2024-01-01"]}).write_parquet(tmp_path / "p.csv")
    gzipped, parquet, zipped = refused(lake, Csv("*.csv"), tmp_path)
    assert gzipped.startswith("g.csv: holds gzip, not text; end its name with .gz, as in .csv.gz")
    assert parquet == "p.csv: holds Parquet, not text; say source: parquet"
    assert zipped.startswith("z.csv: holds a zip archive, not text; unpack it")
    (tmp_path / "g.csv").rename(tmp_path / "g.CSV.GZ")
    done = lake.ingest("g", Csv("g.CSV.GZ"), calendar="24/7", base=tmp_path)
    assert done.dataset.n_rows == 2


def test_what_a_file_holds_that_is_no_parquet_is_named_with_what_to_do(lake, write, tmp_path):
    write("a.pq", GOOD + "ä" * 5000)
    write("b.pq", gzip.compress(GOOD.encode()))
    text, packed = refused(lake, Parquet("*.pq"), tmp_path)
    assert text.endswith("it holds text, not Parquet; say source: csv")
    assert "it holds a packed file, not Parquet; unpack it" in packed


def test_rows_off_the_calendar_altogether_are_refused_with_advice(lake, write, tmp_path):
    write("p.csv", "date,symbol,close\n2024-01-02 00:00:00,A,1\n2024-01-03 00:00:00,A,2\n")
    (problem,) = refused(lake, Csv("p.csv"), tmp_path, "XNYS")
    assert "2 of 2 rows are no close of a bar" in problem
    assert "bar of 1d on the calendar XNYS" in problem
    assert "time_label: session" in problem


def test_dates_that_are_no_sessions_are_shown_as_dates(lake, write, tmp_path):
    write("p.csv", "date,symbol,close\n2024-01-06,A,1\n2024-01-07,A,2\n")
    (problem,) = refused(lake, Csv("p.csv"), tmp_path, "XNYS")
    assert "such as 2024-01-06, 2024-01-07;" in problem


def test_a_file_without_any_value_is_refused(lake, write, tmp_path):
    write("p.csv", "date,symbol,close\n2024-01-02,A,\n2024-01-03,A,nan\n")
    assert "no bar is left" in refused(lake, Csv("p.csv"), tmp_path)[0]


def test_lines_are_counted_as_an_editor_does(lake, write, tmp_path):
    write(
        "p.csv", '\n"date",symbol,close\n\n2024-01-01,"A\nB",1\n\r\n2024-01-02,A,x\n2024-01-03,A\n'
    )
    problems = refused(lake, Csv("p.csv"), tmp_path)
    assert problems[0].startswith("p.csv, line 8: 2 cells")
    assert problems[1].startswith("p.csv, line 7, column 'close': 'x'")


def test_many_bad_cells_are_counted(lake, write, tmp_path):
    rows = "".join(f"2024-01-01,A{i},{'x' if i < 50 else 1}\n" for i in range(120))
    write("p.csv", "date,symbol,close\n" + rows)
    problems = refused(lake, Csv("p.csv"), tmp_path)
    assert len(problems) == 21
    assert "30 more cells like these, the last on line 51" in problems[-1]


def test_a_column_that_is_wrong_throughout_is_one_problem_with_count_and_examples(
    lake, write, tmp_path
):
    rows = "".join(f"{1 + i % 28}/01/2024,A{i},1\n" for i in range(50))
    write("p.csv", "date,symbol,close\n" + rows)
    (problem,) = refused(lake, Csv("p.csv"), tmp_path)
    assert "column 'date', 50 of 50 cells, such as '1/01/2024' (line 2), '2/01/2024'" in problem
    assert "say time_format: '%d/%m/%Y'" in problem


def test_a_pattern_that_no_library_can_read_is_refused(lake, write, tmp_path):
    write("p.csv", GOOD)
    (problem,) = refused(lake, Csv("***"), tmp_path)
    assert "'***'" in problem
    assert "'**/*.csv'" in problem


def test_a_folder_or_dead_link_that_a_pattern_finds_is_not_skipped(lake, write, tmp_path):
    write("in/p.csv", GOOD)
    (tmp_path / "in" / "old.csv").mkdir()
    (tmp_path / "in" / "z.csv").symlink_to("nowhere.csv")
    problems = refused(lake, Csv(("in/*.csv", "in/z.csv")), tmp_path)
    assert "finds 'in/old.csv', a folder" in problems[0]
    assert "finds 'in/z.csv', a link to nowhere.csv, which is not there" in problems[1]
    assert "'in/z.csv' is a link to nowhere.csv" in problems[2]


@pytest.fixture
def shut(monkeypatch):
    """Return a function that makes the folders of a name unreadable, for root as well."""
    names: set[str] = set()
    scandir = os.scandir

    def guarded(path="."):
        if Path(os.fsdecode(path)).name in names:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    return names.add


@pytest.mark.parametrize("path", ["in", "in/*/*.parquet", "in/**/*.parquet", "in/**/b.parquet"])
def test_a_folder_that_cannot_be_looked_into_is_no_empty_one(lake, tmp_path, shut, path):
    for name in ("open/b", "shut/b", "open/deep/b"):
        place = tmp_path / "in" / f"{name}.parquet"
        place.parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame({"date": ["2024-01-01"], "symbol": [name], "close": [1.0]}).write_parquet(
            place
        )
    assert len(Arrow(path).files(tmp_path)) == (2 if path == "in/*/*.parquet" else 3)
    shut("shut")
    (problem,) = refused(lake, Arrow(path), tmp_path)
    assert problem == (
        "the folder 'in/shut' cannot be looked into: Permission denied; make it readable, or name "
        "the folders that are meant"
    )


def test_a_pattern_needs_to_look_into_no_folder_that_it_names(tmp_path, shut, write):
    write("shut/in/b.csv", GOOD)
    shut("shut")
    assert len(Csv("shut/in/*.csv").files(tmp_path)) == 1


def test_links_below_a_folder_that_lead_nowhere_or_elsewhere_are_not_passed_over(
    lake, write, tmp_path
):
    pl.read_csv(GOOD.encode()).write_parquet(tmp_path / "b.parquet")
    (tmp_path / "in" / ".hidden").mkdir(parents=True)
    (tmp_path / "in" / "a.parquet").symlink_to(tmp_path / "b.parquet")
    assert len(Arrow("in").files(tmp_path)) == 1
    (tmp_path / "in" / "away").symlink_to(tmp_path)
    (tmp_path / "in" / "c.parquet").symlink_to("nowhere.parquet")
    (tmp_path / "in" / "notes.txt").symlink_to("nowhere.txt")
    away, dead = refused(lake, Arrow("in"), tmp_path)
    assert away == (
        "'in/away' is a link to a folder, which is not followed; name the folder beside this one, "
        "or move the link away"
    )
    assert dead == "'in/c.parquet' is a link to nowhere.parquet, which is not there; move it away"


def test_a_file_behind_a_folder_that_cannot_be_entered_is_told(lake, tmp_path, monkeypatch):
    def refusing(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "is_file", refusing)
    assert refused(lake, Csv(("a.csv", "b.csv")), tmp_path) == (
        "'a.csv' cannot be looked for: Permission denied",
        "'b.csv' cannot be looked for: Permission denied",
    )


@pytest.mark.parametrize("source", [Parquet, Arrow])
def test_a_file_whose_name_is_no_utf_8_is_read_or_refused_as_any_other(lake, tmp_path, source):
    folder = os.fsencode(tmp_path) + b"/in"
    os.mkdir(folder)  # noqa: PTH102  # a name of bytes
    for number, content in enumerate([b"PAR1 and PAR1", b"text"]):
        with open(folder + b"/\xff%d.parquet" % number, "wb") as file:  # noqa: PTH123
            file.write(content)
    problems = refused(lake, source("in/*.parquet"), tmp_path)
    assert [problem.split(":")[0] for problem in problems] == [
        "in/\udcff0.parquet",
        "in/\udcff1.parquet",
    ]
    pl.read_csv(GOOD.encode()).write_parquet(file := io.BytesIO())
    with open(folder + b"/\xff.pq", "wb") as to:  # noqa: PTH123
        to.write(file.getvalue())
    lake.ingest("x", source("in/*.pq"), calendar="24/7", base=tmp_path)
    assert lake.panel("x")["close"].tolist() == [[1.0], [2.0]]


def test_a_file_whose_name_looks_like_a_pattern_is_read(lake, write, tmp_path):
    write("p[1].csv", GOOD)
    assert lake.ingest("p", Csv("p[1].csv"), calendar="24/7", base=tmp_path).dataset.n_rows == 2


@pytest.mark.parametrize("header", ["date,symbol,close", '"da\nte",symbol,close'])
def test_carriage_returns_that_end_lines_alone_are_refused(lake, write, tmp_path, header):
    write("p.csv", f"{header}\r2024-01-01,AAA,1\r2024-01-02,AAA,2\r")
    (problem,) = refused(lake, Csv("p.csv"), tmp_path)
    assert problem.startswith(f"p.csv, line {1 + header.count(chr(10))}: ")
    assert "carriage return alone" in problem


def test_a_carriage_return_in_quotes_or_at_the_very_end_is_no_problem(lake, write, tmp_path):
    write("p.csv", 'date,symbol,close\r\n2024-01-01,"A\rB",1\r\n2024-01-02,AAA,2\r')
    assets = lake.ingest("p", Csv("p.csv"), calendar="24/7", base=tmp_path).dataset.assets
    assert assets == ("A\rB", "AAA")


def test_a_header_that_cannot_be_read_is_refused(lake, write, tmp_path):
    write("p.csv", f"date,symbol,{'c' * 200_000}\n2024-01-01,AAA,1\n")
    assert "header cannot be read" in refused(lake, Csv("p.csv"), tmp_path)[0]


def test_quotes_at_odd_places_are_read_or_refused(lake, write, tmp_path):
    write("p.csv", 'date,symbol,close\n2024-01-01,A"B,1\n2024-01-02,"C",2\n')
    assert "quotation mark" in refused(lake, Csv("p.csv"), tmp_path)[0]
    for body in ('"A"B', 'A"B"', '"A""', '""A"'):
        write("p.csv", f'date,symbol,close\n2024-01-01,{body},1\n2024-01-02,"C",2\n')
        try:
            n_rows = lake.ingest("p", Csv("p.csv"), calendar="24/7", base=tmp_path).dataset.n_rows
        except SourceError:
            n_rows = 2
        assert n_rows == 2, body


def test_a_file_that_changes_while_it_is_read_is_refused(lake, write, tmp_path, monkeypatch):
    path = write("p.csv", GOOD)
    read = Csv.table

    def read_and_touch(self, *arguments):
        table = read(self, *arguments)
        path.write_text(GOOD + "2024-01-03,AAA,3\n")
        return table

    monkeypatch.setattr(Csv, "table", read_and_touch)
    assert "changed while it was read" in refused(lake, Csv("p.csv"), tmp_path)[0]


@pytest.mark.parametrize("name", ["", "a b", "../x", "f" * 64])
def test_a_name_that_is_none_is_refused(lake, write, tmp_path, name):
    write("p.csv", GOOD)
    with pytest.raises(ParameterError, match="name"):
        lake.ingest(name, Csv("p.csv"), calendar="24/7", base=tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"max_off_calendar": 1.5},
        {"outlier_tolerance": 0.0},
        {"frozen_bars": 1},
    ],
)
def test_rules_that_cannot_be_are_refused(options):
    with pytest.raises(ParameterError, match=next(iter(options))):
        CleaningRules(**options)


def test_a_column_that_mixes_dates_and_times_is_told_once(lake, write, tmp_path):
    rows = [f"2024-01-0{d} 16:00,A,1\n2024-01-0{d},B,1\n" for d in range(1, 10)]
    write("p.csv", "date,symbol,close\n" + "".join(rows) + "soon,A,1\n")
    mixed, other = refused(lake, Csv("p.csv"), tmp_path)
    assert "'2024-01-01 16:00' (line 2) has a time of day, as 9 of 19 cells" in mixed
    assert "'2024-01-01' (line 3) has none, as 9" in mixed
    assert "line 20, column 'date': 'soon' is no time" in other


def test_one_fault_of_several_files_is_one_line_whatever_its_counts(lake, write, tmp_path):
    for year in range(2019, 2024):
        days = range(13, 21 + year % 2)
        rows = "".join(f"{day}/06/{year};A;{day},5\n" for day in days)
        write(f"{year}.csv", "date;symbol;close\n" + rows)
    dates, numbers = refused(lake, Csv("*.csv"), tmp_path)
    assert dates.startswith(
        "5 files, such as 2019.csv, 2020.csv, 2021.csv, column 'date', 9 of 9 cells, such as "
        "'13/06/2019' (line 2)"
    )
    assert "(line 4) in 2019.csv: each is no time" in dates
    assert "say decimal: ','" in numbers


def test_a_header_that_names_a_column_twice_is_one_problem(lake, write, tmp_path):
    write("p.csv", "date,symbol,close,close\n2024-01-01,AAA,1,x\n")
    assert refused(lake, Csv("p.csv"), tmp_path) == ("p.csv: columns stand twice: 'close'",)

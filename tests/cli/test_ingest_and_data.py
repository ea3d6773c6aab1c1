"""Ingesting files and showing data sets: what cleaning found, and what messages advise."""

import json
import re
import sqlite3

import pytest

from plumbline.cli import console
from plumbline.cli.app import call
from plumbline.lake.breaker import Breaker
from plumbline.ledger.database import open_database
from tests.lake.made_klines import rows, text, zipped

SESSIONS = "date,symbol,close\n" + "".join(f"2024-01-0{day},AAA,{day}\n" for day in (2, 3, 4, 5))
WEEKEND = "".join(f"2024-01-{day:02},AAA,9\n" for day in (6, 7, 13))
XNYS = ("--calendar", "XNYS")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return an empty project, as the working folder."""
    monkeypatch.chdir(tmp_path)
    assert call(["init"]) == 0
    return tmp_path


def said(capsys, *words):
    """Run a command and return (exit code, standard output, standard error)."""
    capsys.readouterr()
    code = call(list(words))
    return code, *capsys.readouterr()


def test_quality_shows_what_cleaning_found_in_the_newest_files(capsys, folder):
    (folder / "x.csv").write_text(SESSIONS)
    assert "found nothing in x" in said(capsys, "ingest", "x", "x.csv", *XNYS)[1]
    (folder / "x.csv").write_text(SESSIONS + WEEKEND)
    assert said(capsys, "ingest", "x", "x.csv", *XNYS)[0] == 0
    assert said(capsys, "data", "x", "--quality")[1].count("off_calendar") == 3
    (folder / "x.csv").write_text(SESSIONS)
    assert said(capsys, "ingest", "x", "x.csv", *XNYS)[0] == 0
    assert "cleaning found nothing in x" in said(capsys, "data", "x", "--quality")[1]


def test_a_large_share_of_rows_off_the_calendar_is_a_warning(capsys, folder):
    (folder / "x.csv").write_text(SESSIONS + WEEKEND)
    code, out, err = said(capsys, "ingest", "x", "x.csv", *XNYS, "--json")
    assert code == 0
    text = "x: 3 of 7 rows (43%) are no bar of the calendar XNYS 1d and are dropped"
    assert f"warning: {text}" in err
    assert json.loads(out)["warnings"][0].startswith(text)
    (folder / "x.csv").write_text(SESSIONS)
    code, out, err = said(capsys, "ingest", "x", "x.csv", *XNYS, "--json")
    assert "warning" not in err
    assert json.loads(out)["warnings"] == []


def test_the_stem_can_be_typed_as_it_is_advised(capsys, folder):
    for name in ("RDS.A", "RDS.B"):
        (folder / f"{name}.csv").write_text("date,close\n2024-01-02,1\n")
    code, _, err = said(capsys, "ingest", "x", "RDS.*.csv")
    assert code == 1
    assert "asset: '{stem}' if a file is one asset" in err
    assert "--option form=wide" in err
    words = ("ingest", "x", "RDS.*.csv", "--option", "asset={stem}", "--json")
    code, out, _ = said(capsys, *words)
    assert code == 0
    assert json.loads(out)["assets"] == 2


def test_how_advice_is_followed_is_told_only_where_there_is_advice(capsys, folder):
    (folder / "empty.csv").write_text("")
    for name in ("nosuch.csv", "empty.csv"):
        code, _, err = said(capsys, "ingest", "x", name)
        assert code == 1
        assert "is said here" not in err
    (folder / "a.csv").write_bytes(b"PAR1")
    (folder / "b.csv").write_text("date;symbol;close\n2024-01-02;A;1,5\n")
    (folder / "c.csv").write_text("date,symbol,close\n31/01/2024,A,1\n")
    (folder / "d.csv").write_text("date,symbol,close\n2024-01-02,A,1\n2024-01-02,A,2\n")
    advised = {
        "a": ["`source: csv` is said here as --source csv"],
        "b": ["`decimal: …` is said here as --option decimal=…"],
        "c": ["`time_format: …` is said here as --option time_format=…"],
        "d": ["`conflicts: first` is said here as --rule conflicts=first"],
    }
    for name, told in advised.items():
        err = said(capsys, "ingest", "x", f"{name}.csv")[2]
        assert [line for line in err.splitlines() if "is said here" in line] == told


def test_an_option_without_a_value_is_answered_with_an_example_of_its_kind(capsys, folder):
    (folder / "x.csv").write_text(SESSIONS)
    words = ("ingest", "x", "x.csv", "--option", "form", "--option", "=wide", "--rule", "ohlc")
    code, out, err = said(capsys, *words, "--json")
    assert code == 2
    assert json.loads(out)["problems"] == [
        "--option 'form' must read key=value, such as form=wide",
        "--option '=wide' must read key=value, such as form=wide",
        "--rule 'ohlc' must read key=value, such as conflicts=first",
    ]
    assert "model.window" not in err


def test_progress_names_the_data_set(capsys, folder):
    (folder / "x.csv").write_text(SESSIONS)
    err = said(capsys, "ingest", "stocks", "x.csv", *XNYS)[2]
    first, *lines = err.splitlines()
    assert re.fullmatch(r"reading stocks: up to \S+ [MG]B of memory", first)
    assert lines == [
        "read stocks: 1 of 1",
        "clean stocks: 4 of 4",
        "write stocks: 4 of 4",
    ]


def test_an_adjusted_close_that_nobody_chose_is_told_with_how_to_choose_it(capsys, folder):
    (folder / "x.csv").write_text(
        "Date,Symbol,Close,Adj Close\n2024-01-02,AAA,10,5\n2024-01-03,AAA,11,6\n"
    )
    code, out, err = said(capsys, "ingest", "x", "x.csv", *XNYS)
    assert code == 0
    assert "warning: x: returns are of close as it stands, not of adj_close" in err
    assert "--option columns.close=Price" in err
    assert "unadjusted_close" in out
    chosen = ("--option", "columns.close=Adj Close", "--json")
    code, out, err = said(capsys, "ingest", "x", "x.csv", *XNYS, *chosen)
    assert (code, json.loads(out)["fields"], json.loads(out)["warnings"]) == (0, ["close"], [])
    assert json.loads(out)["quality"] == [
        {"rule": "name_taken", "action": "left_out", "count": 1, "assets": 0}
    ]


def test_counts_of_a_quality_report_are_shown_to_the_last_digit(capsys, folder):
    (folder / "x.csv").write_text(
        "time,symbol,close\n2024-01-01T00:00:00,A,1\n2024-02-01T00:00:00,A,2.51237\n"
    )
    assert said(capsys, "ingest", "x", "x.csv", "--calendar", "24/7 1m")[0] == 0
    code, out, _ = said(capsys, "data", "x", "--quality")
    assert code == 0
    (line,) = (line for line in out.splitlines() if " gap " in line)
    assert line.split()[-1] == str(31 * 24 * 60 - 1)
    assert console.table([{"a": 2.51237}, {"a": 1e300}]).split() == ["a", "2.512", "1e+300"]


def test_names_out_of_the_data_neither_break_a_line_nor_colour_it(capsys, folder):
    names = ['"A\nB"', "C\x1b[31mD", "E/F: \x9bé"]
    cells = "".join(f"2024-01-0{day},{name},1\n" for name in names for day in (1, 3))
    (folder / "x.csv").write_text(f"date,symbol,close\n{cells}", encoding="utf-8")
    assert said(capsys, "ingest", "x", "x.csv", "--calendar", "24/7")[0] == 0
    shown = ["A\\x0aB", "C\\x1b[31mD", "E/F: \\x9bé"]
    code, out, _ = said(capsys, "data", "x", "--quality")
    assert code == 0
    assert f"assets  {', '.join(shown)}\n" in out
    assert all(f"\n{name} " in out for name in shown)
    (folder / "y.csv").write_text("date,symbol,close\n2024-01-01,C\x1b[31mD,2\n")
    code, _, err = said(capsys, "append", "x", "y.csv")
    assert code == 1
    assert "conflicting rows of C\\x1b[31mD, bar" in err
    assert said(capsys, "append", "x", "y.csv", "--correct")[0] == 0
    code, out, _ = said(capsys, "data", "diff", "x")
    assert (code, "close of C\\x1b[31mD at" in out) == (0, True)
    code, out, _ = said(capsys, "data", "x", "--json")
    assert json.loads(out)["assets"] == ["A\nB", "C\x1b[31mD", "E/F: \x9bé"]


def test_a_packed_file_is_to_be_unpacked(capsys, folder):
    (folder / "b.zip").write_bytes(b"PK\x03\x04")
    code, _, err = said(capsys, "ingest", "x", "b.zip")
    assert code == 2
    assert "'b.zip' is a packed file; unpack it" in err
    assert "--source" not in err


def test_a_packed_file_that_is_not_there_is_not_to_be_unpacked(capsys, folder):
    (folder / "b.zip").write_bytes(b"PK\x03\x04")
    code, _, err = said(capsys, "ingest", "x", "c.zip", "b.zip", "*.7z")
    assert code == 1
    assert "'c.zip' not found" in err
    assert "did you mean 'b.zip'" in err
    assert "no file matches the pattern '*.7z'" in err
    assert "unpack" not in err


def test_the_version_in_use_is_forgotten_with_its_data_set_only(capsys, folder):
    (folder / "x.csv").write_text(SESSIONS)
    assert said(capsys, "ingest", "x", "x.csv", *XNYS)[0] == 0
    code, _, err = said(capsys, "data", "x", "--forget", "1")
    assert code == 2
    assert "to take the whole data set away: plumbline data x --forget all" in err
    for word in ("0", "first"):
        code, _, err = said(capsys, "data", "x", "--forget", word)
        assert code == 2
        assert "must be the number of a version, or 'all'" in err
    assert said(capsys, "data", "x")[0] == 0
    code, out, _ = said(capsys, "data", "x", "--forget", "all")
    assert (code, out) == (0, "x with all its versions is forgotten; 1 file removed\n")
    assert said(capsys, "data", "x")[0] == 2


def test_the_source_is_told_by_endings_and_names(capsys, folder):
    (folder / "BTCUSDT-5m-2020-03.csv").write_text(text(rows(3)))
    (folder / "BTCUSDT-5m-2020-04.zip").write_bytes(
        zipped(("BTCUSDT-5m-2020-04.csv", text(rows(3))))
    )
    grid = ("--calendar", "24/7 5m", "--json")
    for files in (["BTCUSDT-5m-2020-03.csv"], ["BTC*"], ["BTCUSDT-5m-2020-04.zip"]):
        code, out, _ = said(capsys, "ingest", "x", *files, *grid)
        assert (code, json.loads(out)["assets"], len(json.loads(out)["fields"])) == (0, 1, 9)
    (folder / "BTCUSDT-fundingRate-2020-03.csv").write_text(
        "calc_time,funding_interval_hours,last_funding_rate\n1583020800000,8,0.0001\n"
    )
    words = ("ingest", "r", "BTCUSDT-fund*", "--calendar", "24/7 8h", "--json")
    code, out, _ = said(capsys, *words)
    assert (code, json.loads(out)["fields"]) == (0, ["funding_interval_hours", "funding_rate"])
    code, _, err = said(capsys, "ingest", "x", "*.csv", *grid)
    assert code == 2
    assert "of several sources (binance: 'BTCUSDT-5m-2020-03.csv'; funding: 'BTCUSDT-f" in err


def test_a_folder_is_taken_where_the_source_says_so(capsys, folder):
    (folder / "in").mkdir()
    (folder / "in" / "BTCUSDT-5m-2020-03.csv").write_text(text(rows(3)))
    code, _, err = said(capsys, "ingest", "x", "in")
    assert code == 2
    assert "or say what it holds: --source binance, mark_price, funding, yahoo or arrow" in err
    words = ("ingest", "x", "in", "--source", "binance", "--json")
    code, _, err = said(capsys, *words)
    assert code == 1
    assert "holds bars of 5m, the calendar has bars of 1d; say calendar: '24/7 5m'" in err
    assert "is said here as --calendar '24/7 1h'" in err
    assert said(capsys, *words, "--calendar", "24/7 5m")[0] == 0


def test_a_source_without_files_needs_none_and_another_some(capsys, folder):
    connection = sqlite3.connect(folder / "prices.db")
    connection.execute("CREATE TABLE p (date TEXT, symbol TEXT, close REAL)")
    connection.execute("INSERT INTO p VALUES ('2024-01-02', 'A', 1.5)")
    connection.commit()
    connection.close()
    options = ("--option", "url=sqlite:///prices.db", "--option", "query=SELECT * FROM p")
    words = ("ingest", "x", "--source", "sql", *options, *XNYS)
    code, out, _ = said(capsys, *words, "--json")
    assert (code, json.loads(out)["rows"]) == (0, 1)
    code, _, err = said(capsys, "ingest", "x", "a.csv", *words[2:])
    assert code == 2
    assert "--source sql reads no files, so 'a.csv' mean nothing" in err
    code, _, err = said(capsys, "ingest", "x", "--source", "csv")
    assert code == 2
    assert "--source csv reads files; name some behind the data set's name" in err
    code, _, err = said(capsys, "ingest", "x")
    assert code == 2
    assert "name files, or a source across a network" in err


def test_a_password_on_the_command_line_is_refused_and_not_repeated(capsys, folder):
    url = "postgresql://reader:hunter2@localhost/prices"
    options = ("--option", f"url={url}", "--option", "query=SELECT 1")
    code, out, err = said(capsys, "ingest", "x", "--source", "sql", *options, "--json")
    assert code == 2
    assert "in plain letters" in out
    assert "hunter2" not in out + err


def test_doctor_tells_the_last_state_of_remote_sources(capsys, folder):
    database = open_database(folder / ".plumbline" / "plumbline.db")
    assert said(capsys, "doctor")[0] == 0
    breaker = Breaker("ccxt binance", database)
    breaker.failed("RequestTimeout: no answer")
    code, out, _ = said(capsys, "doctor")
    assert code == 0
    assert "ok     ccxt binance: closed since " in out
    assert "UTC, 1 failure in a row, the last: RequestTimeout: no answer" in out
    for _ in range(4):
        breaker.failed("RequestTimeout: no answer")
    code, out, _ = said(capsys, "doctor")
    assert code == 1
    assert "WRONG  ccxt binance: open since " in out

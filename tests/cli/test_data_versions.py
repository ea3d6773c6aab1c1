"""The commands on versions of data sets: append, log, diff, compact, resample, export, as of."""

import json

import pytest

from plumbline.cli.app import call
from tests.lake import made_klines

FIRST = "date,symbol,close\n2024-01-02,AAA,10\n2024-01-03,AAA,11\n2024-01-04,AAA,12\n"
MORE = "date,symbol,close\n2024-01-05,AAA,13\n2024-01-08,AAA,14\n"
LATE = "date,symbol,close\n2024-01-03,AAA,11.5\n"


def said(capsys, *words: str) -> tuple[int, str, str]:
    code = call(words)
    return code, *capsys.readouterr()


@pytest.fixture
def folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, text in (("first", FIRST), ("more", MORE), ("late", LATE)):
        (tmp_path / f"{name}.csv").write_text(text)
    assert call(["init"]) == 0
    monkeypatch.setenv("PLUMBLINE_NOW", "2024-02-01T12:00:00Z")
    assert call(["ingest", "x", "first.csv", "--calendar", "XNYS"]) == 0
    monkeypatch.setenv("PLUMBLINE_NOW", "2024-02-02T12:00:00Z")
    assert call(["append", "x", "more.csv"]) == 0
    monkeypatch.setenv("PLUMBLINE_NOW", "2024-02-03T12:00:00Z")
    capsys.readouterr()
    return tmp_path


def test_appended_bars_are_counted_and_known_ones_make_no_version(capsys, folder):
    code, out, _ = said(capsys, "append", "x", "more.csv", "--json")
    told = json.loads(out)
    assert (code, told["version"], told["created"], told["rows"]) == (0, 2, False, 5)
    code, out, _ = said(capsys, "append", "x", "more.csv")
    assert "x version 2 was there already: 5 rows" in out


def test_other_values_are_refused_until_they_correct_and_are_then_listed(capsys, folder):
    code, _, err = said(capsys, "append", "x", "late.csv")
    assert code == 1
    assert (
        "conflicting rows of AAA, bar closing 2024-01-03 21:00:00 UTC: close: 11.0 or 11.5" in err
    )
    assert "late.csv, line 2" in err
    assert "--correct" in err
    assert said(capsys, "append", "x", "late.csv", "--correct")[0] == 0
    code, out, _ = said(capsys, "data", "diff", "x")
    assert code == 0
    assert "data x 2 -> 3: 1 changed value" in out
    assert "changed close of AAA at 2024-01-03 21:00: 11.0 -> 11.5" in out
    code, out, _ = said(capsys, "data", "diff", "x", "1", "2", "--json")
    told = json.loads(out)
    assert (told["added"], told["changed"], told["removed"]) == (2, 0, 0)
    assert [row["after"] for row in told["values"]] == [13.0, 14.0]


def test_what_is_appended_wrongly_is_refused_with_the_right_words(capsys, folder):
    code, _, err = said(capsys, "append", "y", "more.csv")
    assert code == 2
    assert "no dataset 'y'; known: x" in err
    code, _, err = said(capsys, "append", "x")
    assert code == 2
    assert "name files" in err
    code, _, err = said(capsys, "append", "x", "more.csv", "--option", "form=wid")
    assert code == 2
    assert "did you mean 'wide'" in err


def test_what_is_said_where_a_data_set_is_made_is_not_advised_to_append(capsys, folder):
    (folder / "BTCUSDT-5m-2020-03.csv").write_text(made_klines.text(made_klines.rows(3)))
    code, _, err = said(capsys, "append", "x", "BTCUSDT-5m-2020-03.csv")
    assert code == 1
    assert "`calendar: …` is said where the data set is made: plumbline ingest" in err
    assert "--calendar" not in err
    (folder / "twice.csv").write_text(MORE + "2024-01-08,AAA,15\n")
    code, _, err = said(capsys, "append", "x", "twice.csv")
    assert code == 1
    assert "conflicting rows" in err
    assert "--rule" not in err


def test_the_log_lists_versions_and_earlier_ones_can_be_shown(capsys, folder):
    code, out, _ = said(capsys, "data", "log", "x")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["2", "1"]
    code, out, _ = said(capsys, "data", "log", "x", "--json")
    assert [(row["version"], row["more_rows"]) for row in json.loads(out)] == [(2, 2), (1, 3)]
    for words in (("--version", "1"), ("--as-of", "2024-02-01"), ("--as-of", "2024-02-02T11:00")):
        code, out, _ = said(capsys, "data", "x", *words, "--json")
        assert (code, json.loads(out)["rows"]) == (0, 3)
    code, _, err = said(capsys, "data", "show", "x", "--as-of", "2024-01-31")
    assert code == 2
    assert "meant nothing at 2024-01-31T23:59:59Z" in err
    code, _, err = said(capsys, "data", "diff", "x", "1", "7")
    assert code == 2
    assert "has no version 7; it has 1, 2" in err


def test_parts_are_compacted_and_files_that_nothing_names_go_with_gc(capsys, folder):
    code, out, _ = said(capsys, "data", "x", "--files", "--json")
    assert len(json.loads(out)["files"]) == 2
    code, out, _ = said(capsys, "data", "compact", "x")
    assert (code, out) == (0, "x: 2 files became 1; 1 that nothing names go with: plumbline gc\n")
    assert said(capsys, "data", "compact", "x")[1] == "x: every part lies in one file\n"
    assert len(json.loads(said(capsys, "data", "x", "--files", "--json")[1])["files"]) == 1
    assert json.loads(said(capsys, "data", "x", "--json")[1])["rows"] == 5


def test_bars_are_exported_and_put_together(capsys, folder):
    code, out, _ = said(capsys, "data", "export", "x", "--delta", "delta")
    assert (code, out) == (0, "x version 2 is version 0 of delta: 5 rows\n")
    assert said(capsys, "data", "export", "x", "--delta", "delta")[1] == (
        "delta holds x version 2 already\n"
    )
    times = [f"2024-01-01T{hour:02d}:00:00Z" for hour in range(1, 24)]
    rows = "".join(f"{time},AAA,{i},2\n" for i, time in enumerate(times))
    (folder / "hours.csv").write_text(f"timestamp,symbol,close,volume\n{rows}")
    assert said(capsys, "ingest", "h", "hours.csv", "--calendar", "24/7 1h")[0] == 0
    words = ("--to", "24/7 4h", "--to", "24/7 8h", "--json")
    code, out, err = said(capsys, "data", "resample", "h", *words)
    assert code == 0, err
    assert [(row["name"], row["n_rows"]) for row in json.loads(out)] == [("h.4h", 5), ("h.8h", 2)]
    code, _, err = said(capsys, "data", "resample", "h", "--to", "24/7 15m")
    assert code == 1
    assert "bars of 15m are not made of bars of 1h" in err
    code, _, err = said(capsys, "data", "resample", "h", "--to", "24/7 4h", "--how", "close")
    assert code == 2
    assert "must read FIELD=HOW" in err


def test_the_help_names_every_command_on_data(capsys):
    code, out, _ = said(capsys, "data", "--help")
    assert code == 0
    for name in ("show", "log", "diff", "compact", "resample", "export"):
        assert f"  {name} " in out

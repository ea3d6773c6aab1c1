"""The command line: every verb, its exit code, and what it says when something is wrong."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from plumbline.cli.app import call, command_names
from plumbline.engine.executors.processes import Processes
from plumbline.stages.recipe import load_recipe
from tests.study_files import RECIPE, copied, edit_price


@pytest.fixture
def folder(planned_study, tmp_path, monkeypatch):
    """Return a project with a study, as the working folder."""
    folder = copied(planned_study, tmp_path)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def ran(finished_study, tmp_path, monkeypatch):
    """Return a project whose study has run, as the working folder."""
    folder = copied(finished_study, tmp_path)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="module")
def finished(finished_study, tmp_path_factory):
    """Return a project whose study has run, for all tests that leave its data as they are."""
    return copied(finished_study, tmp_path_factory.mktemp("commands"))


def test_a_run_that_changes_nothing_loads_no_tables_and_no_compiler(finished):
    code = (
        "import sys; from plumbline.cli.app import call; code = call(['run', 'study.yaml'])\n"
        "print(code, sorted({'polars', 'pandas', 'numba', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=finished, capture_output=True, text=True, check=True
    )
    assert "nothing changed" in done.stdout
    assert done.stdout.splitlines()[-1] == "0 []"


def said(capsys, *words):
    """Run a command and return (exit code, standard output, standard error)."""
    capsys.readouterr()
    code = call(list(words))
    return code, *capsys.readouterr()


def document(capsys, *words):
    code, out, _ = said(capsys, *words, "--json")
    return code, json.loads(out)


@pytest.mark.parametrize("name", command_names())
def test_every_command_explains_itself(capsys, name):
    of_groups = {
        "data": "show",
        "portfolios": "import",
        "risk": "run",
    }  # the others: see their tests
    words = [name, of_groups[name]] if name in of_groups else [name]
    code, out, _ = said(capsys, *words, "--help")
    assert code == 0
    assert len(out.split()) > 30
    assert "--json" in out


def test_the_commands_are_those_promised():
    assert command_names() == (
        [
            "init",
            "demo",
            "ingest",
            "append",
            "data",
            "plan",
            "run",
            "explain",
            "verify",
            "runs",
            "report",
            "portfolios",
            "risk",
            "cache",
            "doctor",
            "gc",
            "migrate",
        ]
    )


def test_help_and_version(capsys):
    assert said(capsys, "--help")[0] == 0
    code, out, _ = said(capsys, "--version")
    assert code == 0
    assert out.startswith("plumbline 0.")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["pln"], "'plan'"),
        (["run", "--wokers", "2"], "--workers"),
        (["runs", "--limit", "0"], "limit"),
        (["verify", "--sample", "x"], "sample"),
        (["explain"], "NODE"),
    ],
)
def test_wrong_usage_is_exit_code_2_with_a_hint(capsys, words, expected):
    code, _, err = said(capsys, *words)
    assert code == 2
    assert expected.lower() in err.lower()


def test_without_a_project_the_next_step_is_named(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = said(capsys, "runs")
    assert code == 1
    assert "plumbline init" in err
    assert call(["init", "demo"]) == 0
    code, _, err = said(capsys, "runs")
    assert code == 1
    assert "there is one in demo: say --project demo" in err
    assert said(capsys, "runs", "--project", "demo")[0] == 0


def test_init_keeps_a_recipe_that_is_there(capsys, folder):
    code, shown = document(capsys, "init")
    assert code == 0
    assert shown["recipe_written"] is False
    assert (folder / "study.yaml").read_text() == RECIPE


def test_inits_recipe_is_valid_but_for_the_files(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call(["init"]) == 0
    code, _, err = said(capsys, "plan")
    assert code == 1
    assert "prices/*.csv" in err


def test_the_bare_command_shows_its_help_and_is_no_error(capsys):
    code, out, err = said(capsys)
    assert (code, err) == (0, "")
    assert out == said(capsys, "--help")[1]


def test_without_study_yaml_the_recipes_that_lie_there_are_named(capsys, folder):
    (folder / "study.yaml").rename(folder / "mine.yaml")
    (folder / "other.yml").write_text("name: other\n")
    code, out, err = said(capsys, "plan")
    assert (code, out) == (2, "")
    assert f"recipes in {folder}: mine.yaml, other.yml" in err


def test_bars_are_shown_with_their_dates(capsys, finished, monkeypatch):
    monkeypatch.chdir(finished)
    first = "bars 12416-12543 (2009-01-02 … 2009-06-29)"  # 121 sessions of the data's first 128
    assert f"factor_model: {first}\n" in said(capsys, "plan", "--set", "model.window=40")[1]
    assert f"returns [{first}]: cached" in said(capsys, "explain", "returns")[1]
    assert first in said(capsys, "verify")[1]
    assert first in said(capsys, "runs", "last")[1]
    assert "2009-01-02T21:00:00Z  2010-12-31T21:00:00Z" in said(capsys, "data")[1]
    rows = [
        *document(capsys, "plan")[1]["blocks"],
        *document(capsys, "explain", "returns")[1],
        *document(capsys, "verify")[1]["compared"],
        *document(capsys, "runs", "last")[1]["blocks"],
    ]
    spans = {row["block"]: (row["first_close"], row["last_close"]) for row in rows}
    assert spans["bars 12416-12543"][0] == "2009-01-02T21:00:00Z"
    assert spans["bars 12800-12927"][1] == "2010-12-31T21:00:00Z"
    assert spans["all"] == (None, None)
    shown = document(capsys, "data", "stocks")[1]
    assert shown["first_close"] == "2009-01-02T21:00:00Z"
    assert document(capsys, "data")[1][-1]["last_close"] == shown["last_close"]
    assert len(set(spans.values())) == len(spans)


def test_another_calendar_is_said_and_planned(capsys, ran):
    both = ("--set", "data.stocks.calendar=24/7", "--set", "data.etfs.calendar=24/7")
    code, out, err = said(capsys, "plan", *both)
    assert (code, err.count("Traceback")) == (0, 0)
    assert "data stocks: another calendar, XNYS 1d -> 24/7 1d: all bars count as new" in out
    assert document(capsys, "plan", *both)[1]["calendars"]["etfs"] == "XNYS 1d -> 24/7 1d"
    code, _, err = said(capsys, "plan", *both[:2])
    assert code == 2
    assert "put both on one calendar" in err


def test_why_names_the_fields_that_differ_from_what_was_used_last(capsys, ran):
    assert call(["run", "--set", "evaluation.n_quantiles=4", "--set", "model.window=70"]) == 0
    assert call(["run"]) == 0
    out = said(capsys, "plan", "--set", "evaluation.every_bars=5")[1]
    assert "parameter every_bars: 1 -> 5\n" in out
    assert "n_quantiles" not in out
    out = said(capsys, "plan", "--set", "model.window=50")[1]
    assert "parameter model: window 60 -> 50" in out


def test_what_another_recipe_computed_and_this_one_used_is_explained(capsys, ran):
    assert call(["run", "--set", "name=other"]) == 0
    out = said(capsys, "plan", "--set", "name=other", "--set", "model.window=50")[1]
    assert "parameter model: window 60 -> 50" in out
    assert "never computed" not in out


def test_a_stored_file_that_was_cut_short_is_found_without_being_read(capsys, ran):
    emptied = sorted((ran / ".plumbline" / "objects").glob("*/*.npy"))[:5]
    for path in emptied:
        path.write_bytes(b"")
    code, _, err = said(capsys, "doctor")
    assert code == 1
    assert "5 of " in err
    code, _, err = said(capsys, "run")
    assert code == 0
    assert "damaged on disk, computed again" in err
    assert all(path.stat().st_size for path in emptied)
    assert call(["doctor", "--deep"]) == 0


def test_a_block_may_be_named_as_it_is_shown(capsys, finished, monkeypatch):
    monkeypatch.chdir(finished)
    shown = "bars 12416-12543 (2009-01-02 … 2009-06-29)"
    assert said(capsys, "explain", "returns", "--block", shown)[0] == 0
    code, _, err = said(capsys, "explain", "returns", "--block", "bars 1-2")
    assert code == 2
    assert "it has bars 12416-12543, bars 12544-12671, " in err


def test_a_failing_stage_is_told_once_with_its_place_and_the_next_step(capsys, folder, monkeypatch):
    from plumbline.features.signals.momentum import Momentum

    def broken(self, panel):
        raise ZeroDivisionError("ha")

    monkeypatch.setattr(Momentum, "compute", broken)
    code, _, err = said(capsys, "run")
    assert code == 1
    assert err.count("ZeroDivisionError: ha") == 1
    assert "signal:momentum [bars 12416-12543] and 3 more blocks: " in err
    assert f"[{__file__}, line " in err
    run_id = document(capsys, "runs", "last")[1]["run"]["id"]
    assert f"run {run_id} (tracebacks: plumbline runs {run_id}): 1 problem" in err
    monkeypatch.chdir(folder.parent)
    code, _, err = said(capsys, "run", "p/study.yaml")
    assert code == 1
    run_id = document(capsys, "runs", "last", "--project", "p")[1]["run"]["id"]
    assert f"(tracebacks: plumbline runs {run_id} --project p): 1 problem" in err


def test_a_run_beside_another_says_so(capsys, folder):
    from plumbline.engine.project import open_project

    other = open_project(folder).engine.ledger.start_run("small", "", "", "")
    code, _, err = said(capsys, "run")
    assert code == 0
    assert f"going on beside this one: run {other}; each may compute" in err


def test_a_terminal_that_lacks_a_letter_shows_its_number(finished):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "plumbline", "runs", "last"]
    done = subprocess.run(
        command, cwd=finished, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "2009-01-02 \\u2026 2009-06-29" in done.stdout


def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(capsys, folder):
    (folder / "reports" / "small" / "study.html").mkdir(parents=True)
    code, _, err = said(capsys, "run")
    assert code == 1
    assert "study.html" in err
    assert "can be written and has room; what was finished is stored" in err
    (folder / "reports" / "small" / "study.html").rmdir()
    assert document(capsys, "run")[1]["blocks"] == {"cached": 59}


def test_a_store_of_results_that_cannot_be_written_is_named_with_what_to_do(capsys, folder):
    (folder / ".plumbline" / "objects").write_text("")
    code, _, err = said(capsys, "run")
    assert code == 1
    assert f"results cannot be stored below {folder / '.plumbline' / 'objects'}: " in err
    assert "can be written and has room; what was finished is stored" in err
    assert "Errno" not in err


def test_plan_run_plan_run(capsys, folder):
    code, plan = document(capsys, "plan")
    assert code == 0
    assert plan["counts"].get("cached", 0) == 0
    code, first = document(capsys, "run")
    assert code == 0
    assert set(first["blocks"]) == {"computed"}
    code, plan = document(capsys, "plan")
    assert set(plan["counts"]) == {"cached"}
    code, second = document(capsys, "run")
    assert set(second["blocks"]) == {"cached"}
    assert second["digests"] == first["digests"]
    assert second["report_written"] is False
    assert document(capsys, "run", "--no-cache")[1]["digests"] == first["digests"]


def test_the_recipe_of_init_says_which_model_needs_no_file_of_factors():
    from plumbline.cli.templates import STUDY

    (place,) = re.findall(r"^ *# needs no such file: leave out (.*)$", STUDY, re.MULTILINE)
    assert place == "etfs here, and factors below"
    etfs = re.search(r"^  etfs:.*?(?=^\w)", STUDY, re.MULTILINE | re.DOTALL)
    factors = re.search(r"^factors:.*?(?=^\w)", STUDY, re.MULTILINE | re.DOTALL)
    text = STUDY.replace(etfs.group(), "").replace(factors.group(), "")
    recipe = load_recipe(yaml.safe_load(text), ["model={model: statistical}"])
    assert list(recipe.data) == ["stocks"]


def test_plan_says_that_other_assets_are_read_where_no_price_changed(capsys, finished, monkeypatch):
    monkeypatch.chdir(finished)
    assets = "universe.assets=[AA, AAPL, ABT, ADM, AEP, AIG]"
    code, out, err = said(capsys, "plan", "--set", assets)
    assert code == 0, err
    assert "returns: " in out
    assert "another part of input prices is read" in out
    assert "input prices changed" not in out


def test_plan_names_the_edited_price(capsys, ran):
    date, _ = edit_price(ran, 2009, "AAPL")
    code, out, _ = said(capsys, "plan")
    assert code == 0
    assert "data stocks: 1 changed value" in out
    assert f"changed close of AAPL at {date} 20:00" in out  # in summer time
    assert "input prices changed" in out


def test_a_bad_recipe_is_exit_code_2_with_every_problem(capsys, folder):
    (folder / "study.yaml").write_text(RECIPE.replace("window: 60", "windw: 60\n  ridge: much"))
    code, shown = document(capsys, "run")
    assert code == 2
    assert len(shown["problems"]) == 2
    assert any("did you mean 'window'" in p for p in shown["problems"])


def test_bad_prices_are_refused_with_file_and_row_and_nothing_is_stored(capsys, folder):
    path = folder / "prices" / "2010.csv"
    lines = path.read_text().splitlines()
    lines[5] = lines[5].rsplit(",", 2)[0] + ",abc,1"
    lines[9] = "2010-13-45" + lines[9][10:]
    path.write_text("\n".join(lines) + "\n")
    code, _, err = said(capsys, "run")
    assert code == 1
    assert "abc" in err
    assert "2010-13-45" in err
    assert "2010.csv" in err
    assert document(capsys, "data")[1] == []
    assert document(capsys, "runs")[1] == []


def test_a_broken_gate_is_exit_code_3_and_the_results_stay(capsys, folder):
    gate = "gates=[{metric: t_hac, subject: 'momentum:5', at_least: 99}]"
    code, _, err = said(capsys, "run", "--set", gate)
    assert code == 3
    assert "is below 99" in err
    assert document(capsys, "runs")[1][0]["state"] == "done"
    assert "failed: gate on t_hac of momentum:5: " in said(capsys, "runs", "last")[1]


def test_the_verdicts_of_gates_stand_in_the_one_document_of_a_run(capsys, folder):
    low = "{metric: t_hac, subject: 'momentum:5', at_least: 99}"
    wide = "{metric: mean_ic, subject: 'momentum:5', at_least: -1, at_most: 1}"
    code, out, err = said(capsys, "run", "--json", "--set", f"gates=[{low}, {wide}]")
    assert code == 3
    shown = json.loads(out)["gates"]
    assert [gate["gate"] for gate in shown] == ["t_hac of momentum:5", "mean_ic of momentum:5"]
    assert [gate["passed"] for gate in shown] == [False, True]
    assert shown[0]["text"].endswith("is below 99")
    assert shown[1]["text"].endswith("is at least -1 and at most 1")
    assert f"plumbline: {shown[0]['text']}\n" in err
    assert "mean_ic" not in err
    assert document(capsys, "runs", "last")[1]["gates"] == shown
    code, again = document(capsys, "run", "--set", f"gates=[{wide}]")
    assert code == 0
    assert again["gates"] == shown[1:]


def test_explain_shows_parameters_code_and_inputs(capsys, finished, monkeypatch):
    monkeypatch.chdir(finished)
    code, rows = document(capsys, "explain", "signal:momentum")
    assert code == 0
    assert all(row["state"] == "cached" for row in rows)
    assert "plumbline.features.signals.momentum" in rows[0]["files"]
    assert "plumbline.features.signals.residual_momentum" not in rows[0]["files"]
    assert "numpy" in rows[0]["libraries"]
    assert rows[0]["inputs"][0][0] == "prices"
    code, out, _ = said(capsys, "explain", "factor_model", "--set", "model.window=61")
    assert "window=61" in out
    code, _, err = said(capsys, "explain", "signal:momentun")
    assert code == 2
    assert "did you mean 'signal:momentum'" in err


COUNTS = (
    r"(\d+) blocks computed again and compared: all equal; "
    r"(\d+) could not be compared: (\d+) damaged files behind (\d+) blocks"
)


def test_verify_says_all_equal_and_finds_a_tampered_result(capsys, finished, monkeypatch, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    monkeypatch.chdir(copy)
    code, found = document(capsys, "verify", "--sample", "4", "--seed", "1")
    assert code == 0
    assert len(found["compared"]) == 4
    n_blocks = 4 + sum(found["left_out"].values())
    out = said(capsys, "verify", "--sample", "4")[1]
    equal = "4 blocks computed again and compared: all equal"
    assert f"{equal}; left out: {n_blocks - 4} not drawn" in out
    objects = (copy / ".plumbline" / "objects").glob("*/*")
    *_, panel = sorted((p for p in objects if p.suffix == ".npy"), key=lambda p: p.stat().st_size)
    table = next((copy / ".plumbline" / "objects").glob("*/*.parquet"))
    for path in (panel, table):
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    code, out, err = said(capsys, "verify")
    assert code == 1
    n_compared, n_uncompared, n_files, n_behind = map(int, re.findall(COUNTS, out)[0])
    assert (n_compared + n_uncompared, n_files, n_behind) == (n_blocks, 2, n_uncompared)
    assert "verification: 2 problems\n" in err
    assert err.count(str(panel)) == err.count(str(table)) == 1
    assert " more block" in err
    code, found = document(capsys, "verify")
    assert code == 1
    assert (len(found["compared"]), len(found["uncompared"])) == (n_compared, n_uncompared)
    assert set(found["damaged"]) == {str(panel), str(table)}
    assert found["wrong"] == n_uncompared
    code, _, err = said(capsys, "doctor", "--deep")
    assert code == 1
    assert "differ" in err
    assert document(capsys, "run", "--set", "evaluation.cost_bps=6")[0] == 0
    assert document(capsys, "runs", "last")[0] == 0


def test_runs_show_blocks_metrics_and_the_recipe(capsys, finished, monkeypatch):
    monkeypatch.chdir(finished)
    first = document(capsys, "runs")[1][-1]["id"]
    code, shown = document(capsys, "runs", first)
    assert code == 0
    assert {block["state"] for block in shown["blocks"]} == {"computed"}
    names = {(row["name"], row["subject"]) for row in shown["metrics"]}
    assert ("t_hac", "momentum:5") in names
    code, out, _ = said(capsys, "runs", "last", "--recipe")
    assert "as_of_lag: 1" in out
    assert said(capsys, "runs", "nonsense")[0] == 2


def test_report_writes_again_and_refuses_what_is_outdated(capsys, finished, monkeypatch, tmp_path):
    monkeypatch.chdir(finished)
    code, _ = document(capsys, "report", "--to", str(tmp_path / "r"))
    assert code == 0
    assert (tmp_path / "r" / "study.html").read_text().startswith("<!")
    json.loads((tmp_path / "r" / "study.json").read_text())
    changed = ("--set", "model.window=70")
    waiting = [b for b in document(capsys, "plan", *changed)[1]["blocks"] if b["state"] != "cached"]
    code, _, err = said(capsys, "report", *changed)
    assert code == 1
    first = f"no up-to-date result of {waiting[0]['node']} [{waiting[0]['block']}] ("
    assert first in err
    assert f", and {len(waiting) - 1} more; see: plumbline plan" in err
    assert "plumbline run" in err


def test_ingest_and_data(capsys, folder):
    options = ["--calendar", "XNYS"]
    code, shown = document(capsys, "ingest", "mine", "prices/*.csv", *options)
    assert code == 0
    assert shown["created"] is True
    again = document(capsys, "ingest", "mine", "prices/2009.csv", "prices/2010.csv", *options)[1]
    assert again["created"] is False
    assert again["dataset_id"] == shown["dataset_id"]
    code, out, _ = said(capsys, "data")
    assert "mine" in out
    code, one = document(capsys, "data", "mine", "--quality", "--files")
    assert one["fields"] == ["close", "volume"]
    assert one["files"]
    code, _, err = said(capsys, "data", "mien")
    assert code == 2
    assert "did you mean 'mine'" in err
    wide = ["--option", "form=wide", "--option", "field=close"]
    assert document(capsys, "ingest", "etfs", "etfs.csv", *options, *wide)[1]["assets"] == 2


def test_ingest_refuses_what_it_cannot_read(capsys, folder):
    (folder / "notes.md").write_text("x")
    assert said(capsys, "ingest", "a", "notes.md")[0] == 2
    (folder / "empty.csv").write_text("")
    code, _, err = said(capsys, "ingest", "a", "empty.csv")
    assert code == 1
    assert "empty.csv" in err
    code, _, err = said(capsys, "ingest", "a", "prices/2009.csv", "--rule", "outlier=flag")
    assert code == 2
    code, _, err = said(capsys, "ingest", "a", "prices/2009.csv", "--calendar", "XNYSE")
    assert code == 2
    assert "XNYS" in err


def test_advised_options_can_be_typed_as_they_are_advised(capsys, folder):
    (folder / "days.csv").write_text("date;symbol;close\n31/01/2020;AAA;1,5\n28/02/2020;AAA;2,5\n")
    words = ["delimiter=;", "decimal=,", "time_format=%d/%m/%Y"]
    options = [word for option in words for word in ("--option", option)]
    code, shown = document(capsys, "ingest", "days", "days.csv", *options)
    assert code == 0
    assert shown["rows"] == 2
    override = ["--set", "data.stocks.decimal=,", "--set", "data.stocks.time_format=%d/%m/%Y"]
    _, _, err = said(capsys, "plan", *override)
    assert "is no time of the format '%d/%m/%Y'" in err
    assert "YAML" not in err


@pytest.mark.parametrize("name", ["PYTHONUNBUFFERED", "NOTHING"])
def test_output_that_nobody_reads_ends_silently(tmp_path, name):
    reading, writing = os.pipe()
    os.close(reading)
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [sys.executable, "-m", "plumbline", "doctor"],
        cwd=tmp_path,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**kept, name: "1"},
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_folder_in_the_place_of_files_is_called_one(capsys, folder):
    code, _, err = said(capsys, "ingest", "a", "prices")
    assert code == 2
    assert "'prices' is a folder; give a pattern such as 'prices/*.csv'" in err


def test_a_misspelt_override_is_told_as_one(capsys, folder):
    code, _, err = said(capsys, "plan", "--set", "signal.momentum.lookback=126")
    assert code == 2
    assert "--set signal: is no name here; did you mean 'signals'?" in err


def test_a_recipe_that_is_no_yaml_is_named(capsys, folder):
    (folder / "broken.yaml").write_text("name: a\ndata: [1\n")
    code, _, err = said(capsys, "plan", "broken.yaml")
    assert code == 2
    assert "broken.yaml: 1 problem" in err
    assert "in line 2, column 7" in err
    assert "unicode" not in err


def test_doctor_reports_a_sound_project(capsys, finished, monkeypatch):
    monkeypatch.chdir(finished)
    code, shown = document(capsys, "doctor", "--deep")
    assert code == 0
    assert all(check["ok"] for check in shown["checks"])
    assert shown["facts"]["libraries"]["numpy"]
    assert shown["facts"]["settings"]["now"] == "the machine's clock"


def test_doctor_says_what_to_do_about_versions_that_lack_files_and_that_helps(capsys, folder):
    assert call(["run"]) == 0
    edit_price(folder, 2010, "AAPL")
    assert call(["run"]) == 0
    for path in (folder / ".plumbline" / "segments").glob("*"):
        path.write_bytes(b"")
    code, _, plain = said(capsys, "doctor")
    assert code == 1
    assert said(capsys, "doctor", "--deep")[0] == 1
    assert max(map(len, plain.splitlines())) < 300
    assert call(["run"]) == 0
    code, _, err = said(capsys, "doctor")
    assert code == 1
    assert err == said(capsys, "doctor", "--deep")[2].replace("; damaged ones are set aside", "")
    assert "data sets: 1 of 3 versions lack files" in err
    assert "stocks version 1 lacks 1 of 3 files" in err
    assert "results computed from it stay" in err
    words = err.rstrip().rpartition("to take it away: plumbline ")[2].split()
    assert words == ["data", "stocks", "--forget", "1"]
    code, out, _ = said(capsys, *words)
    assert (code, out) == (0, "stocks version 1 is forgotten; 0 files removed\n")
    assert call(["doctor"]) == call(["doctor", "--deep"]) == 0
    first = document(capsys, "runs")[1][-1]["id"]
    assert said(capsys, "runs", first)[0] == 0
    assert said(capsys, "data", "--forget", "1")[0] == 2
    assert said(capsys, "data", "stocks", "--forget", "1")[0] == 2


def test_a_project_that_cannot_be_written_is_read(capsys, finished, monkeypatch, tmp_path):
    shutil.copytree(finished, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    assert said(capsys, "report", "--to", str(tmp_path / "first"))[0] == 0
    last = document(capsys, "runs")[1][0]["id"]
    before = states(tmp_path / "copy")
    monkeypatch.setattr("plumbline.ledger.database.os.access", lambda _, mode: mode != os.W_OK)
    for words in (["runs"], ["runs", "last"], ["data"], ["data", "stocks", "--quality"], ["plan"]):
        code, _, err = said(capsys, *words)
        assert code == 0, err
    code, _, err = said(capsys, "report", "--to", str(tmp_path / "r"))
    assert code == 0, err
    shown = json.loads((tmp_path / "r" / "study.json").read_text())
    assert shown == json.loads((tmp_path / "first" / "study.json").read_text())
    assert shown["provenance"]["run_id"] == last
    code, _, err = said(capsys, "run")
    assert code == 1
    assert "readonly database; see that" in err
    code, _, err = said(capsys, "report", "--to", str(tmp_path / "r"), "--set", "title=Another")
    assert code == 1
    assert "cannot be written, so that none can be recorded" in err
    assert states(tmp_path / "copy") == before


def states(folder):
    """Return size and time of writing of every file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def test_an_unknown_setting_is_named(capsys, finished, monkeypatch):
    monkeypatch.chdir(finished)
    monkeypatch.setenv("PLUMBLINE_WORKER", "2")
    code, _, err = said(capsys, "run")
    assert code == 2
    assert "PLUMBLINE_WORKER" in err


def test_processes_by_option_give_the_same_digests(capsys, folder, finished, monkeypatch):
    parallel = document(capsys, "run", "--workers", "2")[1]
    monkeypatch.chdir(finished)
    serial = document(capsys, "run")[1]
    assert parallel["digests"] == serial["digests"]


def test_ctrl_c_says_what_is_finished_and_that_the_same_command_goes_on(
    capsys, folder, monkeypatch
):
    from plumbline.engine.session import Session

    computed = Session._computed

    def interrupted(self, decision, outcome):
        computed(self, decision, outcome)
        if sum(state == "computed" for state in self.books.states.values()) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Session, "_computed", interrupted)
    code, out, err = said(capsys, "run")
    assert (code, out) == (130, "")
    told = ["3 of 59 blocks stored; the same command goes on from there", "plumbline: interrupted"]
    assert err.splitlines()[-2:] == told
    monkeypatch.undo()
    code, done = document(capsys, "run", "--project", str(folder), str(folder / "study.yaml"))
    assert (code, done["blocks"]) == (0, {"cached": 3, "computed": 56})
    runs = document(capsys, "runs", "--project", str(folder))[1]
    assert [run["state"] for run in runs] == ["done", "interrupted"]


def test_many_damaged_results_are_told_in_one_line(capsys, finished, monkeypatch, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    monkeypatch.chdir(copy)
    for path in (copy / ".plumbline" / "objects").glob("*/*"):
        path.write_bytes(b"damaged")
    code, _, err = said(capsys, "run")
    assert code == 0
    assert [line for line in err.splitlines() if "damaged" in line] == [
        line for line in err.splitlines() if " other blocks damaged on disk, computed again" in line
    ]
    assert err.count("damaged on disk") == 1


def test_doctor_fails_on_a_database_that_is_none_and_says_what_to_do(capsys, folder):
    for path in (folder / ".plumbline").glob("plumbline.db*"):
        path.unlink()
    (folder / ".plumbline" / "plumbline.db").write_bytes(b"garbage, garbage, garbage")
    code, _, err = said(capsys, "doctor")
    assert code == 1
    assert "restore it from a backup" in err
    code, shown = document(capsys, "doctor")
    assert [check["ok"] for check in shown["checks"]] == [False]


def test_more_workers_than_cores_are_told(capsys):
    from plumbline.cli.progress import ProgressWatcher
    from plumbline.cli.workspace import run_options

    assert run_options(ProgressWatcher(), None, 1).make_executor() == Processes(1)
    assert capsys.readouterr().err == ""
    run_options(ProgressWatcher(), None, 10_000)
    assert "10000 workers share " in capsys.readouterr().err


def test_one_block_is_not_called_blocks():
    from plumbline.core.wording import counted

    assert [counted(n, "block") for n in (0, 1, 2)] == ["0 blocks", "1 block", "2 blocks"]


def test_ingest_says_which_calendar_it_assumes(capsys, folder):
    code, out, err = said(capsys, "ingest", "mine", "prices/2009.csv")
    assert code == 0
    assert "calendar 24/7 is assumed" in err
    assert "calendar 24/7 1d" in out
    code, shown = document(capsys, "ingest", "mine", "prices/2009.csv", "--calendar", "XNYS")
    assert shown["calendar"] == "XNYS 1d"
    assert "assumed" not in said(capsys, "ingest", "m", "prices/2009.csv", "--calendar", "XNYS")[2]


def test_ingest_lists_what_is_wrong_with_its_options_and_rules_at_once(capsys, folder):
    words = ["--option", "form=tall", "--option", "fieldz=close", "--rule", "ohlc=zzz"]
    code, shown = document(capsys, "ingest", "a", "prices/2009.csv", *words)
    assert code == 2
    assert shown["problems"] == [
        "--option form: 'tall' is not allowed; known: long, wide",
        "--option fieldz: is no name here; did you mean 'field'?",
        "--rule ohlc: 'zzz' is not allowed; known: flag, missing, off",
    ]
    code, _, err = said(capsys, "ingest", "a", "prices/2009.csv", "--rule", "frozen_bars=1")
    assert code == 2
    assert "--rule frozen_bars: frozen_bars=1 must be at least 2" in err


def test_a_refused_ingest_says_how_its_advice_is_followed_here(capsys, folder):
    (folder / "w.csv").write_text("date,AAA,BBB\n2024-01-02,1,2\n2024-01-03,3,4\n")
    code, _, err = said(capsys, "ingest", "w", "w.csv")
    assert code == 1
    assert "form: wide" in err
    assert "--option form=wide" in err
    assert said(capsys, "ingest", "w", "w.csv", "--option", "form=wide")[0] == 0
    (folder / "p.csv").write_text("date,symbol,Price\n2024-01-02,A,1\n")
    named = ["--option", "columns.close=Price"]
    assert document(capsys, "ingest", "p", "p.csv", *named)[1]["fields"] == ["close"]


def test_quality_that_found_nothing_names_the_data_set(capsys, folder):
    (folder / "ok.csv").write_text("date,symbol,close\n2024-01-02,A,1\n2024-01-03,A,2\n")
    _, out, _ = said(capsys, "ingest", "fine", "ok.csv")
    assert "cleaning found nothing in fine" in out
    _, out, _ = said(capsys, "data", "fine", "--quality")
    assert out.rstrip().endswith("cleaning found nothing in fine")


def test_an_empty_project_says_so(capsys, folder):
    assert "no data sets" in said(capsys, "data")[1]
    assert "no runs" in said(capsys, "runs")[1]
    assert document(capsys, "data")[1] == document(capsys, "runs")[1] == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["run", "--executor", "serail"], "did you mean 'serial'"),
        (["verify", "--executor", "serail"], "did you mean 'serial'"),
        (["ingest", "a", "etfs.csv", "--source", "cvs"], "did you mean 'csv'"),
        (["ingest", "a", "etfs.csv", "--calendar", "XNYSE"], "did you mean 'XNYS'"),
        (["ingest", "a", "etfs.csv", "--calendar", "24/7 7m"], "no frequency '7m'"),
        (["explain", "signal:momentun"], "did you mean 'signal:momentum'"),
        (["explain", "factor_model", "--block", "bars 1-2"], "no block 'bars 1-2'"),
        (["plan", "--set", "signals.momentun.skip_bars=1"], "did you mean 'momentum'"),
        (["data", "nosuch"], "no dataset 'nosuch'"),
        (["runs", "nosuch"], "no run 'nosuch'"),
        (["runs", "--project", "nosuch"], "no such folder"),
        (["plan", "nosuch.yaml"], "no such file"),
    ],
)
def test_a_name_that_is_not_there_is_exit_code_2_and_stores_nothing(
    capsys, folder, words, expected
):
    code, _, err = said(capsys, *words)
    assert (code, expected in err) == (2, True), err
    assert document(capsys, "data")[1] == document(capsys, "runs")[1] == []


def test_a_setting_that_is_none_is_refused_by_every_command_of_a_project(
    capsys, folder, monkeypatch
):
    monkeypatch.setenv("PLUMBLINE_WORKRES", "2")
    for words in (["plan"], ["data"], ["runs"]):
        code, _, err = said(capsys, *words)
        assert code == 2
        assert "PLUMBLINE_WORKRES" in err


def test_a_cache_folder_that_cannot_be_made_names_its_setting(capsys, folder, monkeypatch):
    monkeypatch.setenv("PLUMBLINE_CACHE_DIR", str(folder / "study.yaml" / "cache"))
    code, _, err = said(capsys, "doctor")
    assert code == 2
    assert "PLUMBLINE_CACHE_DIR" in err


def test_an_interrupt_is_exit_code_130(capsys, folder, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("plumbline.ledger.queries.list_runs", interrupted)
    code, _, err = said(capsys, "runs")
    assert code == 130
    assert "interrupted" in err


def test_kernels_are_named_while_they_are_compiled(capsys):
    from plumbline.cli.progress import ProgressWatcher

    watcher = ProgressWatcher()
    for name, done in (("means, ranks", 0), ("ranks", 1), ("all", 2)):
        watcher.compiling(name, done, 2)
    told = [
        "compiling kernels: means, ranks (0 of 2 done)",
        "compiling kernels: ranks (1 of 2 done)",
    ]
    assert capsys.readouterr().err.splitlines() == told


def test_the_sums_of_a_plan_read_as_a_sentence(capsys, folder):
    out = said(capsys, "plan")[1]
    assert "\n59 blocks: 59 to compute (21 run, 38 follow)\n" in out
    assert call(["run"]) == 0
    assert said(capsys, "plan")[1] == "59 blocks: 59 cached; nothing to compute\n"

"""First steps with portfolios: a recipe to start from, and made loads to try."""

import shlex
from datetime import date, timedelta

import polars as pl

from plumbline.core.settings import current_time
from plumbline.stages.recipe import load_recipe
from tests.cli.words import FILES, SIZE, said


def test_a_nightly_recipe_to_start_from_is_whole_and_says_what_it_lacks(
    tmp_path, monkeypatch, capsys
):
    project = tmp_path / "my funds"
    code, out, _ = said(capsys, "init", str(project), "--kind", "nightly")
    assert code == 0
    assert f"cd '{project}' && plumbline portfolios import BOOK" in out
    assert [path.name for path in project.glob("*.yaml")] == ["nightly.yaml"]
    load_recipe(project / "nightly.yaml")
    monkeypatch.chdir(project)
    code, _, err = said(capsys, "risk", "plan")
    assert code == 1
    assert "data.prices: " in err
    assert "prices/*.csv" in err
    (project / "prices").mkdir()
    (project / "prices" / "p.csv").write_text("date,symbol,close\n2024-01-02,SPY,470\n")
    code, _, err = said(capsys, "risk", "plan")
    assert code == 2
    assert "plumbline portfolios import funds --portfolios FILE --trades FILE" in err
    code, _, err = said(capsys, "init", ".", "--kind", "nights")
    assert code == 2
    assert "known: factor_study, nightly" in err


def test_commands_that_a_made_load_tells_can_be_typed_as_they_are(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    _, out, _ = said(capsys, "risk", "synthesize", "my loads/a $1", *SIZE)
    init, cd, imports, _run = out.splitlines()[-1].removeprefix("to use it: ").split(" && ")
    assert shlex.split(init) == ["plumbline", "init", "my loads/a $1"]
    assert shlex.split(cd) == ["cd", "my loads/a $1"]
    assert shlex.split(imports)[3:] == ["synthetic", *FILES]


def test_a_made_load_never_reaches_into_the_future(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = ("--portfolios", "1", "--positions", "1", "--symbols", "2")
    assert said(capsys, "risk", "synthesize", "long", "--dates", "3000", *small)[0] == 0
    dates = pl.read_parquet("long/prices.parquet")["date"]
    assert dates.max() == date(2025, 12, 31)
    tomorrow = current_time().date() + timedelta(days=1)
    code, _, err = said(capsys, "risk", "synthesize", "late", "--first", str(tomorrow), *small)
    assert code == 2
    assert "an import refuses what lies in the future; ask for an earlier first date" in err
    assert not (tmp_path / "late").exists()

"""The verbs as functions: what they refuse, what they make, and how they show themselves."""

import inspect
import subprocess
import sys

import pytest

import plumbline
from plumbline import api
from plumbline.cli.app import call
from plumbline.core.errors import (
    MissingDataError,
    ParameterError,
    RecipeError,
    UnknownNameError,
    UnknownPluginError,
)
from plumbline.engine.executor import executors
from plumbline.engine.project import open_project
from plumbline.ledger.queries import list_runs
from plumbline.stages.recipe import load_recipe
from tests.study_files import write_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return api.run(write_study(tmp_path_factory.mktemp("api") / "p"))


def test_a_study_shows_itself_in_a_few_lines(study):
    shown = repr(study)
    assert len(shown) < 500
    assert study.result.run_id in shown
    assert "'small'" in shown
    assert "signal:momentum" in shown
    assert "evaluation" not in shown
    assert len(repr(study.result)) < 200
    assert len(repr(study.workspace)) < 300
    assert len(repr(study.recipe)) < 300


def test_a_project_folder_that_is_not_there_is_refused(tmp_path):
    from plumbline.core.errors import ProjectError

    recipe = write_study(tmp_path / "p")
    plumbline.init(tmp_path)
    with pytest.raises(ProjectError, match=r"there is no folder .*nowhere"):
        plumbline.run(recipe, project=tmp_path / "nowhere")


def test_a_panel_with_damaged_files_is_made_again_by_one_more_run(tmp_path):
    from plumbline.core.errors import CorruptEntryError

    recipe = write_study(tmp_path / "p")
    study = plumbline.run(recipe, project=plumbline.init(tmp_path / "p"))
    _, entries = study.result.pieces["factor_model"]
    objects = study.workspace.project.engine.cache.objects
    for entry in entries:
        path = objects.path(entry.manifest["fields"]["alpha"])
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    with pytest.raises(CorruptEntryError, match="run again: what was damaged of factor_model"):
        study.panel("factor_model")
    again = plumbline.run(recipe, project=tmp_path / "p")
    assert again.result.counts["computed"] == len(entries)
    assert again.panel("factor_model").n_bars > 0


def test_a_script_without_a_guard_is_told_to_have_one(tmp_path):
    recipe = write_study(tmp_path / "p")
    script = tmp_path / "script.py"
    script.write_text(
        f"import plumbline\nplumbline.run({str(recipe)!r}, options=plumbline.Options(workers=2))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert 'put what it does under `if __name__ == "__main__":`' in done.stderr
    assert "if __name__" in done.stderr.splitlines()[-1]
    assert done.stderr.count("if __name__") == 1
    assert len(list_runs(open_project(tmp_path / "p").database)) == 1


def test_a_program_from_standard_input_is_told_to_lie_in_a_file(tmp_path):
    recipe = write_study(tmp_path / "p")
    program = (
        f"import plumbline\nplumbline.run({str(recipe)!r}, options=plumbline.Options(workers=2))"
    )
    done = subprocess.run(
        [sys.executable, "-"], input=program, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    told = done.stderr.splitlines()[-1]
    assert "cannot from standard input: put it into a file, or use the executor 'serial'" in told
    assert not (tmp_path / "p" / ".plumbline").exists()


def test_no_workers_are_refused():
    from plumbline.core.errors import ParameterError

    with pytest.raises(ParameterError, match="workers=0"):
        plumbline.Options(workers=0).make_executor()


def test_a_plan_shows_itself_as_the_command_line_does(study, capsys, monkeypatch):
    recipe, root = study.recipe.base / "study.yaml", study.workspace.project.root
    plan = api.plan(recipe, project=root, overrides=["model.window=61"])
    assert call(["plan", str(recipe), "--project", str(root), "--set", "model.window=61"]) == 0
    lines = repr(plan).splitlines()
    told = capsys.readouterr().out.splitlines()
    assert lines == told[: len(lines)]
    assert any("61" in line for line in lines)
    monkeypatch.setattr("plumbline.engine.plan._SHOWN", 2)
    short = repr(plan).splitlines()
    groups = (len(lines) - 1) // 2
    assert short == [*lines[:4], f"… and {groups - 2} more", lines[-1]]


def test_compiling_is_told_once_on_standard_error(study, capsys, monkeypatch):
    compiled = []

    def warm(told, families):
        compiled.append(families)
        for done in range(3):
            told("rolling regression", done, 2)

    monkeypatch.setattr("plumbline.kernels.warm.warm", warm)
    for is_compiled, lines in ((True, 0), (False, 1)):
        monkeypatch.setattr(
            "plumbline.kernels.warm.is_warm", lambda _families, is_so=is_compiled: is_so
        )
        capsys.readouterr()
        api.run_workspace(study.workspace, api.Options(use_cache=False))
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("compiling kernels") == len(err.splitlines()) == len(compiled) == lines
    reached = {"regression", "order_statistics", "rolling", "group_sums", "resampled_blocks"}
    reached |= {"spectral_sums"}
    assert compiled == [reached], "only what the study reaches"


def test_a_table_that_is_not_there_is_answered_with_the_nearest(study):
    with pytest.raises(KeyError, match="no table named 'sumary'; did you mean 'summary'"):
        study.tables["sumary"]
    assert study.tables.get("sumary") is None


def test_workers_ask_for_processes():
    assert plumbline.Options(workers=2).make_executor() == executors["processes"](workers=2)
    with pytest.raises(ParameterError, match="workers=2 needs the executor 'processes'"):
        plumbline.Options(executor="serial", workers=2).make_executor()


def test_every_node_that_a_study_shows_is_a_panel(study):
    line = next(line for line in repr(study).splitlines() if "panel" in line)
    for node in line.partition("panel(node): ")[2].split(", "):
        assert study.panel(node).n_bars > 0
    with pytest.raises(MissingDataError, match="did you mean 'signal:momentum'"):
        study.panel("signal:momentun")


@pytest.mark.parametrize("verb", [api.prepare, api.plan, api.run])
def test_every_argument_of_a_verb_has_a_name_and_a_type(verb):
    parameters = inspect.signature(verb).parameters.values()
    assert {p.kind for p in parameters} == {
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    }
    assert not [p.name for p in parameters if "Any" in str(p.annotation)]


def test_an_executor_that_is_not_there_is_refused_before_anything_is_made(tmp_path, monkeypatch):
    recipe = write_study(tmp_path / "p")
    with pytest.raises(UnknownPluginError, match="no Executor named 'serail'"):
        api.run(recipe, options=api.Options(executor="serail"))
    monkeypatch.setenv("PLUMBLINE_EXECUTOR", "serail")
    with pytest.raises(ParameterError, match="PLUMBLINE_EXECUTOR='serail'"):
        api.run(recipe)
    assert not (tmp_path / "p" / ".plumbline").exists()


def test_overrides_of_a_recipe_that_is_loaded_are_refused(tmp_path):
    recipe = load_recipe(write_study(tmp_path / "p"))
    with pytest.raises(ParameterError, match=r"model\.window=61"):
        api.run(recipe, overrides=["model.window=61"])


def test_a_lake_that_is_not_there_is_not_made_by_reading(tmp_path):
    lake = plumbline.open_lake(tmp_path / "nosuch")
    assert repr(lake) == f"Lake('{tmp_path}/nosuch')"
    for read in (lake.datasets, lambda: lake.dataset("x"), lambda: lake.panel("x")):
        with pytest.raises(MissingDataError, match=r"no lake in .*nosuch"):
            read()
    assert list(tmp_path.iterdir()) == []
    api.init(tmp_path)
    with pytest.raises(MissingDataError, match=r"did you mean .*\.plumbline"):
        plumbline.open_lake(tmp_path).datasets()
    assert plumbline.open_lake(tmp_path / ".plumbline").datasets() == []


def test_unknown_data_sets_of_a_recipe_are_the_recipes_fault(tmp_path):
    recipe = write_study(tmp_path / "p")
    api.init(tmp_path / "p")
    kept = ["data.stocks={dataset: mine}", "data.etfs={dataset: yours}"]
    with pytest.raises(RecipeError) as caught:
        api.plan(recipe, overrides=kept)
    assert [p.split(";")[0] for p in caught.value.problems] == [
        "data.stocks: the lake has no dataset 'mine'",
        "data.etfs: the lake has no dataset 'yours'",
    ]
    with pytest.raises(UnknownNameError):
        plumbline.open_lake(tmp_path / "p" / ".plumbline").dataset("mine")

"""A plug-in that cannot be had is one problem among the others, at its place."""

import importlib
import os
import re
import subprocess
import sys

import pytest

from plumbline.core.errors import RecipeError
from plumbline.features.signal import signals
from plumbline.stages.recipe import load_recipe
from tests.study_files import RECIPE, write_study


@pytest.fixture
def recipe_file(tmp_path):
    return write_study(tmp_path / "study")


def problems_of(path, *overrides):
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, overrides)
    assert str(caught.value).startswith(f"recipe {path}: ")
    return list(caught.value.problems)


def line_of(text, word):
    return next(i for i, row in enumerate(text.splitlines(), 1) if word in row)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "source: csv\n    paths: [etfs",
            "source: cvs\n    paths: [etfs",
            "data.etfs.source: no Source named 'cvs'; did you mean 'csv'?",
        ),
        (
            "window: 60",
            "model: rolling_regresion",
            "model.model: no FactorModel named 'rolling_regresion'; did you mean",
        ),
        (
            "  residual_momentum:",
            "  residual_momentun:",
            "signals.residual_momentun: no Signal named 'residual_momentun'; did you mean",
        ),
        (
            "residual_momentum: {lookback",
            "other:\n    {signal: momentumm, lookback",
            "signals.other.signal: no Signal named 'momentumm'; did you mean 'momentum'?",
        ),
        ("name: small", "name: small\nkind: factor_studdy", "kind: no Kind named 'factor_studdy'"),
    ],
)
def test_a_name_that_nobody_has_is_a_problem_of_its_line(recipe_file, old, new, told):
    text = RECIPE.replace(old, new)
    recipe_file.write_text(text)
    (problem,) = problems_of(recipe_file)
    line = line_of(text, re.findall(r"'(\w+)'", told)[0])
    assert problem.startswith(f"line {line}: {told}")


def test_the_other_problems_are_listed_beside_a_name_that_nobody_has(recipe_file):
    text = (
        RECIPE.replace("source: csv", "source: cvs")
        .replace(
            "    calendar: XNYS\nuniverse", "    calendar: XNYSE\n    rules: {ohcl: off}\nuniverse"
        )
        .replace("window: 60", "model: rolling\n  window: 60")
        .replace("  momentum:", "  momentumm:")
        .replace("skip_bars: 5}\nevaluation", "skip_bars: 61}\nevaluation")
        .replace("n_quantiles: 3", "n_quantiles: 1")
    )
    recipe_file.write_text(text)
    found = problems_of(recipe_file)
    for told in (
        "data.stocks.source: no Source named 'cvs'",
        "data.etfs.source: no Source named 'cvs'",
        "data.etfs.calendar: no calendar 'XNYSE'",
        "data.etfs.rules.ohcl: is no name here; did you mean 'ohlc'?",
        "model.model: no FactorModel named 'rolling'",
        "signals.momentumm: no Signal named 'momentumm'",
        "signals.residual_momentum: need 0 <= skip_bars <= lookback_bars - 2",
        "evaluation.n_quantiles: n_quantiles must lie in",
    ):
        assert sum(told in problem for problem in found) == 1, (told, found)
    assert len(found) == 8
    assert all(problem.startswith("line ") for problem in found)


@pytest.mark.parametrize(
    "setting", ["data.etfs.source=5", "model.model=5", "signals.x={signal: 5}"]
)
def test_a_name_that_is_no_text_is_one_problem(recipe_file, setting):
    (problem,) = problems_of(recipe_file, setting)
    assert "5 must be the name of a " in problem
    assert problem.startswith("--set ")


CLASS = """
from dataclasses import dataclass
from plumbline.features.signal import Signal
@dataclass(frozen=True)
class One(Signal):
    def requires(self): return frozenset({"close"})
    @property
    def warm_up(self): return 0
    def compute(self, panel): return panel["close"]
"""


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("z_of_none", "", "must define one Signal; it defines: none"),
        ("z_of_two", CLASS + CLASS.replace("One", "Two"), "it defines: One, Two"),
        ("z_thawed", CLASS.replace("(frozen=True)", ""), "cannot be loaded: TypeError"),
        ("z_bare", CLASS.replace("@dataclass(frozen=True)\n", ""), "must be a frozen dataclass"),
        ("z_raises", "1 / 0", "cannot be loaded: ZeroDivisionError"),
    ],
)
def test_a_file_that_defines_no_plugin_is_one_problem_among_others(
    recipe_file, tmp_path, monkeypatch, name, code, told
):
    (tmp_path / f"{name}.py").write_text(f'"""A signal."""\n{code}\n')
    monkeypatch.setitem(vars(signals), "_files", (*signals, name))
    folders = importlib.import_module("plumbline.features.signals").__path__
    folders.append(str(tmp_path))
    try:
        text = RECIPE.replace("evaluation:", f"  {name}: {{}}\nevaluation:")
        recipe_file.write_text(text)
        found = problems_of(recipe_file, "model.windw=3")
    finally:
        folders.remove(str(tmp_path))
    assert len(found) == 2, found
    assert found[0] == "--set model.windw: is no name here; did you mean 'window'?"
    assert found[1].startswith(f"line {line_of(text, name)}: signals.{name}: ")
    assert told in found[1]


def test_a_name_of_two_plugins_is_refused_where_it_is_used_and_only_there(recipe_file, tmp_path):
    info = tmp_path / "installed" / "extra-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: extra\nVersion: 1.0\n")
    point = "momentum = plumbline.features.signals.momentum:Momentum"
    (info / "entry_points.txt").write_text(f"[plumbline.features.signals]\n{point}\n")
    code = (
        "import sys\n"
        "from plumbline.core.errors import RecipeError\n"
        "from plumbline.stages.recipe import load_recipe\n"
        "try:\n"
        "    print(load_recipe(sys.argv[1], sys.argv[2:]).name)\n"
        "except RecipeError as error:\n"
        "    print(error)\n"
    )

    def said(*overrides):
        environment = os.environ | {"PYTHONPATH": str(info.parent)}
        command = [sys.executable, "-c", code, str(recipe_file), *overrides]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    head, first, second = said("model.windw=3")
    assert head == f"recipe {recipe_file}: 2 problems"
    assert "model.windw: is no name here" in first
    place = f"line {line_of(RECIPE, '  momentum:')}: signals.momentum: "
    assert second.startswith(f"  - {place}plumbline.features.signals holds two plug-ins named")
    assert "rename it or uninstall its package" in second
    assert said("signals={residual_momentum: {}}") == ["small"]

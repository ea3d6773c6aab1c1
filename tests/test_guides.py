"""What the guides say works as they say it, to the letter."""

import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from plumbline import kernels
from plumbline.cli.app import call
from plumbline.polars import Plumb
from tests.study_files import EXAMPLES, write_study

REPOSITORY = Path(__file__).resolve().parents[1]


def blocks(page: str, language: str) -> list[str]:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def sh(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Return a project made by the quickstart's first commands, with real prices put beside."""
    root = tmp_path_factory.mktemp("quickstart")
    sh([sys.executable, "-m", "plumbline", "init", "my_project"], root)
    written = write_study(root / "files")
    folder = root / "my_project"
    shutil.copytree(written.parent / "prices", folder / "prices")
    shutil.copy(written.parent / "etfs.csv", folder / "etfs.csv")
    return folder


def test_the_quickstarts_commands_work_in_order(project):
    lines = [
        line.removeprefix("$ ").split()
        for block in blocks("docs/quickstart.md", "console")
        for line in block.splitlines()
    ]
    commands = [line for line in lines if line[0] == "plumbline" and line[1] != "init"]
    assert len(commands) >= 7
    outputs = [sh([sys.executable, "-m", *command], project) for command in commands]
    assert "to compute" in outputs[0]
    assert "report: " in outputs[1]
    assert "nothing changed" in outputs[3]
    assert "all equal" in outputs[-1]


def test_the_quickstarts_notebook_cells_work(project):
    sh([sys.executable, "-m", "plumbline", "run"], project)
    for cell in blocks("docs/quickstart.md", "python"):
        sh([sys.executable, "-c", cell], project)


def test_the_guide_from_prices_to_a_verdict_runs_as_it_stands(tmp_path):
    (tmp_path / "examples").symlink_to(EXAMPLES)
    program = "\n".join(blocks("docs/prices_to_verdict.md", "python"))
    shown = sh([sys.executable, "-c", program], tmp_path)
    assert re.search(r"outlier +┆ missing ┆ 18", shown)
    sheet = (tmp_path / "tear_sheet.html").read_text(encoding="utf-8")
    assert "own_momentum" in sheet
    assert len(sheet) < 1_000_000


def test_the_quickstart_activates_the_environment_that_make_makes():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    (folder,) = re.findall(r"^VENV \?= (\S+)$", makefile, re.MULTILINE)
    first, *_ = blocks("docs/quickstart.md", "console")
    assert first.splitlines() == ["$ make demo", f"$ source {folder}/bin/activate"]


def test_the_exit_codes_that_lie_close_together_are_as_the_command_line_page_says(
    tmp_path, monkeypatch
):
    page = (REPOSITORY / "docs" / "cli.md").read_text(encoding="utf-8")
    table = page.split("Cases that lie close together")[1].split("\n## ")[0]
    told = [int(code) for code in re.findall(r"\| (\d+) \|$", table, re.MULTILINE)]
    monkeypatch.chdir(tmp_path)
    given = [call(["plan"])]
    write_study(tmp_path / "project")
    call(["init", "project"])
    monkeypatch.chdir(tmp_path / "project")
    given += [
        call(["plan", "--project", "nowhere"]),
        call(["plan", "nowhere.yaml"]),
        call(["plan", "--set", "data.stocks.paths=[nowhere.csv]"]),
        call(["plan", "--set", "data.stocks.paths=[prices]"]),
        call(["ingest", "x", "prices", "--calendar", "XNYS"]),
        call(["ingest", "x", "prices", "--calendar", "XNYS", "--source", "csv"]),
    ]
    assert given == told
    assert call(["plan", "prices"]) == told[2]  # the recipe is a folder


def test_contributings_signal_passes_the_contract_and_runs(tmp_path):
    (code,) = blocks("CONTRIBUTING.md", "python")
    folder = tmp_path / "signals"
    folder.mkdir()
    (folder / "nearness_to_high.py").write_text(code)
    extend = (
        f"import sys, plumbline.features.signals as room; room.__path__.append({str(folder)!r}); "
    )
    suite = str(REPOSITORY / "tests" / "contracts")
    program = (
        f"{extend}import pytest; "
        "options = ['-q', '-p', 'no:cacheprovider', '-k', 'nearness_to_high']; "
        f"sys.exit(pytest.main([*options, {suite!r}]))"
    )
    report = sh([sys.executable, "-c", program], REPOSITORY)
    assert re.search(r"[1-9]\d* passed", report)

    recipe = write_study(tmp_path / "study")
    study = f"plumbline.run({str(recipe)!r}, overrides=['signals.nearness_to_high.window_bars=60'])"
    program = f"{extend}import plumbline; print(set({study}.tables['summary']['signal']))"
    assert "nearness_to_high" in sh([sys.executable, "-c", program], tmp_path)


def contract_report(folder, name, code):
    """Return what the contract suite says of a signal that a package in a folder registers."""
    (entry,) = [b for b in blocks("CONTRIBUTING.md", "toml") if "entry-points" in b]
    group, line = re.findall(r'"(.+)"\]\n(.+)', entry)[0]
    package = folder / "my_package"
    package.mkdir(parents=True)
    (package / f"{name}.py").write_text(code)
    wheel = folder / "my_package-0.1.dist-info"
    wheel.mkdir()
    (wheel / "METADATA").write_text("Metadata-Version: 2.1\nName: my_package\nVersion: 0.1\n")
    line = line.replace('"', "").replace("nearness_to_high", name)
    (wheel / "entry_points.txt").write_text(f"[{group}]\n{line}\n")
    page = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    _, after = page.split("-m pip install -e ../my_package\n")
    _, *words = after.splitlines()[0].split()
    command = [sys.executable, *words[:-1], name, "-q", "-p", "no:cacheprovider"]
    surroundings = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, check=False, env=surroundings
    )
    return done.stdout


def test_the_contract_suite_passes_an_installed_signal_and_fails_one_that_reads_the_future(
    tmp_path,
):
    (code,) = blocks("CONTRIBUTING.md", "python")
    report = contract_report(tmp_path / "own", "nearness_to_high", code)
    assert re.search(r"^[1-9]\d* passed", report, re.MULTILINE), report
    start = '        price = positive_prices(panel["close"])\n'
    assert start in code
    future = code.replace(start, f"{start}        price = np.roll(price, -1, axis=0)\n")
    report = contract_report(tmp_path / "future", "nearness_tomorrow", future)
    failed = "test_other_data_after_a_bar_change_nothing_at_or_before_it[nearness_tomorrow]"
    assert re.search(rf"^FAILED .*{re.escape(failed)}", report, re.MULTILINE), report


def test_contributings_signal_is_clean_by_the_projects_own_linters(tmp_path):
    (code,) = blocks("CONTRIBUTING.md", "python")
    path = tmp_path / "nearness_to_high.py"
    path.write_text(code)
    config = str(REPOSITORY / "pyproject.toml")
    ruff = [sys.executable, "-m", "ruff"]
    sh([*ruff, "check", "--config", config, str(path)], REPOSITORY)
    sh([*ruff, "format", "--check", "--config", config, str(path)], REPOSITORY)


def test_the_example_recipe_is_the_one_that_the_readme_shows():
    (shown,) = blocks("README.md", "yaml")
    real = (EXAMPLES / "us_equity.yaml").read_text(encoding="utf-8")
    assert shown.strip() in real


def test_the_readmes_kernels_give_the_residuals_that_it_says():
    (code,) = [block for block in blocks("README.md", "python") if "plumbline.kernels" in block]
    rng = np.random.default_rng(5)
    y, x = 0.01 * rng.standard_normal((300, 4)), 0.01 * rng.standard_normal((300, 2))
    names = {"y": y, "x": x}
    exec(code, names)  # noqa: S102  # our own page
    moved = {"y": y + (np.arange(300) == 299)[:, None], "x": x}
    exec(code, moved)  # noqa: S102
    own = moved["fit"].residual[-1] - names["fit"].residual[-1]
    assert (own < 0.999).all(), "the bar's own coefficients take part of its move"
    assert_allclose(moved["causal"][-1] - names["causal"][-1], 1.0)


@pytest.mark.parametrize("function", [kernels.rolling_ols, Plumb.rolling_ols])
def test_rolling_ols_says_how_to_get_causal_residuals(function):
    told = inspect.getdoc(function)
    assert "in-sample" in told
    assert "RollingOptions(as_of_lag=1)" in told


def test_the_readmes_python_uses_the_project_that_the_demo_made():
    study, *_ = blocks("README.md", "python")
    (plan,) = [line for line in blocks("README.md", "")[1].splitlines() if "plumbline plan" in line]
    folder = plan.split("--project ")[1].split()[0]
    assert f'plumbline.run("examples/us_equity.yaml", project="{folder}")' in study

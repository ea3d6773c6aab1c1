"""One file of the package edited: which blocks of a study that outdates, and how `keep` marks them.

The edit is made in a copied package tree, which a process of its own runs on the same project.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

import plumbline
from plumbline.api import init, run
from plumbline.engine.project import open_project
from plumbline.ledger.models import Artefact, TaskRecord
from plumbline.ledger.queries import metrics_of_run, tasks_of_run
from tests.study_files import write_study

PACKAGE = Path(plumbline.__file__).parent
SIGNALS = {"signal:momentum", "signal:residual_momentum"}
EVALUATIONS = {"evaluation:momentum", "evaluation:residual_momentum"}
FIGURES = {"figures:momentum", "figures:residual_momentum"}
NULLS = {f"{kind}:{x}" for kind in ("nulls", "shuffles") for x in ("momentum", "residual_momentum")}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("code") / "p"
    return run(write_study(folder), project=init(folder))


@pytest.fixture
def tree(tmp_path) -> Path:
    """Return a copy of the package, to be edited."""
    shutil.copytree(
        PACKAGE, tmp_path / "tree" / "plumbline", ignore=shutil.ignore_patterns("*.pyc")
    )
    return tmp_path / "tree"


def edit(tree: Path, file: str) -> None:
    """Add a statement that changes no result; a comment would not count."""
    path = tree / "plumbline" / file
    path.write_text(path.read_text() + "\n\n_EDITED = 1\n")


def said(tree: Path, folder: Path, *words: str) -> dict[str, object]:
    """Return what a command of the copied package prints."""
    command = [sys.executable, "-m", "plumbline", words[0], str(folder / "study.yaml"), *words[1:]]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(
        [*command, "--json"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def places(plan, *states: str) -> set[str]:
    return {block["node"] for block in plan["blocks"] if block["state"] in states}


def test_an_untouched_copy_outdates_nothing(study, tree):
    plan = said(tree, study.workspace.project.root, "plan")
    assert plan["counts"] == {"cached": len(study.result.digests)}


@pytest.mark.parametrize(
    ("file", "users"),
    [
        ("features/signals/momentum.py", {"signal:momentum"}),
        ("kernels/rolling.py", {"signal:residual_momentum", "liquidity", *FIGURES, *EVALUATIONS}),
        ("factors/models/rolling_regression.py", {"factor_model"}),
        ("factors/quantiles.py", {*FIGURES, *EVALUATIONS}),
        ("factors/shuffled_nulls.py", {"shuffles:momentum", "shuffles:residual_momentum"}),
        (
            "features/returns.py",
            {
                *("returns", "factor_returns", "changes", "liquidity", "forward_ranks"),
                *("signal:momentum", *FIGURES),
            },
        ),
    ],
)
def test_an_edited_file_outdates_the_stages_that_use_it_and_no_others(study, tree, file, users):
    edit(tree, file)
    plan = said(tree, study.workspace.project.root, "plan")
    must = {block["node"]: block["reason"] for block in plan["blocks"] if block["state"] == "run"}
    readers = places(plan, "follows")
    assert set(must) <= users <= set(must) | readers
    name = "plumbline." + file.removesuffix(".py").replace("/", ".")
    assert set(must.values()) == {f"code of {name} changed"}
    if file == "factors/quantiles.py":
        assert readers == NULLS | EVALUATIONS
        spared = {n for n, _ in study.result.digests} - FIGURES - EVALUATIONS - NULLS
        assert places(plan, "cached") == spared


def test_keep_computes_nothing_and_marks_results_with_the_code_that_made_them(study, tree):
    folder = study.workspace.project.root
    edit(tree, "features/signals/momentum.py")
    kept = ("--set", "on_code_change=keep")
    plan = said(tree, folder, "plan", *kept)
    assert places(plan, "run", "follows") == set()
    assert places(plan, "kept") == {"signal:momentum"}

    done = said(tree, folder, "run", *kept)
    database = open_project(folder).database
    blocks = {(n, b): d for (n, b), d in study.result.digests.items()}
    tasks = tasks_of_run(database, str(done["run_id"]))
    assert {(t["node"], t["block"]) for t in tasks} == set(blocks)
    marked = [t for t in tasks if t["state"] == "kept"]
    assert {t["node"] for t in marked} == {"signal:momentum"}
    assert {t["state"] for t in tasks} == {"cached", "kept"}
    with database.read() as connection:
        found = {row.key: row for row in connection.execute(select(Artefact))}
    for task in marked:
        made = found[task["key"]]
        assert made.run_id == study.result.run_id
        assert made.digest == blocks[task["node"], task["block"]]
        code = json.loads(made.parts)["code"]
        assert task["reason"] == (
            f"kept, made by code {code[:12]}: code of plumbline.features.signals.momentum changed"
        )


def test_recompute_runs_the_edited_signal_and_spares_readers_of_equal_results(study, tree):
    folder = study.workspace.project.root
    edit(tree, "features/signals/momentum.py")
    done = said(tree, folder, "run")
    database = open_project(folder).database
    with database.read() as connection:
        query = select(TaskRecord.node).where(
            TaskRecord.run_id == str(done["run_id"]), TaskRecord.state == "computed"
        )
        assert set(connection.execute(query).scalars()) == {"signal:momentum"}


def replace(tree: Path, file: str, old: str, new: str) -> None:
    path = tree / "plumbline" / file
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_numbers_for_gates_are_taken_again_by_other_code(study, tree):
    folder = study.workspace.project.root
    before = {m["subject"]: m["value"] for m in metrics(folder, study.result.run_id)}
    untouched = said(tree, folder, "run")
    assert untouched["blocks"] == {"cached": len(study.result.digests)}
    replace(tree, "stages/gates.py", "return float(value)", "return -float(value)")
    done = said(tree, folder, "run")
    assert done["blocks"] == {"cached": len(study.result.digests)}
    after = {m["subject"]: m["value"] for m in metrics(folder, str(done["run_id"]))}
    assert after == {subject: -value for subject, value in before.items()}


def metrics(folder: Path, run_id: str) -> list[dict[str, object]]:
    database = open_project(folder).database
    return [m for m in metrics_of_run(database, run_id) if m["name"] == "mean_ic"]


def test_a_report_is_written_again_if_code_of_what_it_shows_changed(study, tree):
    folder = study.workspace.project.root
    said(tree, folder, "run")
    assert said(tree, folder, "run")["report_written"] is False
    replace(
        tree,
        "factors/conventions.py",
        "Mean of the rank IC over the bars that",
        "Average of the rank IC over the bars that",
    )
    done = said(tree, folder, "run")
    assert done["report_written"] is True
    assert "Average of the rank IC" in Path(str(done["report"])).read_text()
    assert "Average of the rank IC" in Path(str(done["report_json"])).read_text()

"""The process of a command: told to stop at any moment, and read by somebody who stops reading."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from plumbline.engine.project import open_project
from plumbline.ledger import queries
from tests.study_files import copied

_SWALLOWS = """
import os, signal, sys

def pressed_and_lost(function):
    def press(*arguments, **named):
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:  # as a library does whose compiled code calls back
            pass
        {then}
        return function(*arguments, **named)
    return press

import {module} as module
{place} = pressed_and_lost({place})
from plumbline.cli import main
main()
"""


@pytest.fixture
def folder(planned_study: Path, tmp_path: Path) -> Path:
    """Return a project with a study."""
    return copied(planned_study, tmp_path)


def typed(
    folder: Path, program: str, *words: str, **streams: int
) -> subprocess.CompletedProcess[str]:
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    return subprocess.run(
        [sys.executable, "-c", program, *words], cwd=folder, text=True, check=False, **given
    )


@pytest.mark.parametrize(
    ("words", "module", "place"),
    [
        (["plan"], "plumbline.stages.validation", "module.plugin_schema"),
        (["plan"], "plumbline.engine.run", "module.Engine.plan"),
        (["run"], "plumbline.stages.validation", "module.plugin_schema"),
        (["run"], "plumbline.stages.workspace", "module.Workspace.losses"),
        (["run"], "plumbline.stages.workspace", "module.Workspace.store_data"),
        (["run"], "plumbline.engine.session", "module.Session._computed"),
    ],
)
def test_ctrl_c_that_a_library_swallows_still_stops_the_command(
    folder: Path, words: list[str], module: str, place: str
) -> None:
    done = typed(folder, _SWALLOWS.format(module=module, place=place, then=""), *words)
    assert (done.returncode, done.stdout) == (130, ""), done.stderr
    assert done.stderr.splitlines()[-1] == "plumbline: interrupted"
    assert "Traceback" not in done.stderr
    runs = queries.list_runs(open_project(folder).database)
    assert {run["state"] for run in runs} <= {"interrupted"}


@pytest.mark.parametrize("error", ["ImportError('half-way')", "SystemExit(7)"])
def test_ctrl_c_that_a_library_turns_into_an_error_of_its_own_is_an_interrupt(
    folder: Path, error: str
) -> None:
    program = _SWALLOWS.format(
        module="plumbline.engine.run", place="module.Engine.plan", then=f"raise {error}"
    )
    done = typed(folder, program, "plan")
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.splitlines()[-1] == "plumbline: interrupted"
    assert "half-way" not in done.stderr


def test_ctrl_c_in_code_that_is_made_while_it_runs_is_exit_code_130(folder: Path) -> None:
    """Under ``python -m`` Python would die of the signal, although the interrupt was caught."""
    (folder / "typed.py").write_text("""
import plumbline.cli.console as module

def emit(*_, **__):
    exec("import os, signal; os.kill(os.getpid(), signal.SIGINT)")

module.emit = emit
from plumbline.cli import main
main()
""")
    done = subprocess.run(
        [sys.executable, "-m", "typed", "runs"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "plumbline: interrupted\n")


@pytest.mark.parametrize("module", ["typer", "plumbline.cli.app", "plumbline.core.errors"])
def test_ctrl_c_while_the_command_loads_is_an_interrupt(folder: Path, module: str) -> None:
    program = f"""
import os, signal, sys

class Press:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Press())
from plumbline.cli import main
main()
"""
    done = typed(folder, program, "plan")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "plumbline: interrupted\n")


def test_little_is_loaded_before_ctrl_c_is_heard() -> None:
    program = "import sys; import plumbline.cli.process; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not {"numpy", "typer", "sqlalchemy", "pydantic"} & set(done.stdout.split())


def test_a_command_that_was_started_to_ignore_ctrl_c_ignores_it(folder: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        program = _SWALLOWS.format(
            module="plumbline.engine.run", place="module.Engine.plan", then=""
        )
        assert typed(folder, program, "plan").returncode == 0
    finally:
        signal.signal(signal.SIGINT, before)


def closed_pipe() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def test_a_run_whose_progress_nobody_reads_goes_on(folder: Path) -> None:
    writing = closed_pipe()
    program = "from plumbline.cli import main; main()"
    done = typed(folder, program, "run", "--no-cache", stdout=writing, stderr=writing)
    os.close(writing)
    assert done.returncode == 0
    assert [run["state"] for run in queries.list_runs(open_project(folder).database)] == ["done"]
    assert (folder / "reports" / "small" / "study.html").is_file()


@pytest.mark.parametrize("words", [["runs", "last"], ["plan", "--all", "--json"], ["doctor"]])
def test_a_reader_that_stops_reading_is_no_error(finished_study: Path, words: list[str]) -> None:
    writing = closed_pipe()
    done = typed(finished_study, "from plumbline.cli import main; main()", *words, stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_run_that_failed_for_no_block_s_sake_says_why(folder: Path) -> None:
    program = """
import plumbline
from plumbline.engine.watcher import Silent

def fails(self, plan):
    raise ValueError("the watcher fell asleep")

Silent.planned = fails
plumbline.run("study.yaml", project=".")
"""
    assert "fell asleep" in typed(folder, program).stderr
    database = open_project(folder).database
    (run,) = queries.list_runs(database)
    (failure,) = queries.failures_of_run(database, run["id"])
    assert (run["state"], failure["kind"]) == ("failed", "ValueError")
    assert failure["message"] == "the watcher fell asleep"
    assert "in fails" in failure["trace"]

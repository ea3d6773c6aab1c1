"""Memory: what a block takes is measured, what a run takes is said before, and kept to."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plumbline.core import memory
from plumbline.core.errors import MemoryLimitError, OutOfMemoryError, RunError
from plumbline.core.memory import PeakMeter, machine_bytes, process_bytes
from plumbline.engine import fitting
from plumbline.engine import session as session_module
from plumbline.engine.executor import Executor
from plumbline.engine.executors import processes as processes_module
from plumbline.engine.executors.processes import Processes
from plumbline.engine.executors.serial import Serial
from plumbline.engine.expectation import Expected, bars_of, expected_costs
from plumbline.engine.fitting import Footing
from plumbline.engine.pipeline import Node, Pipeline
from plumbline.engine.plan import Plan
from plumbline.engine.project import Project, open_project
from plumbline.engine.retries import Retries
from plumbline.engine.run import RunOptions
from plumbline.ledger.queries import list_runs, tasks_of_run
from tests.engine.pipelines import computed, failures, last_run
from tests.engine.toys import DiesOnce, Prices, Takes

MEGA = 1_000_000
linux = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the system has no mark to set back"
)


def taking(bytes_a_bar: int = MEGA, block_bars: int = 32) -> Pipeline:
    nodes = (
        Node("prices", Prices(96, first_bar=32)),
        Node("takes", Takes(bytes_a_bar, block_bars), {"returns": "prices"}),
    )
    return Pipeline("taking", nodes)


RISES = """
import numpy as np
from plumbline.core.memory import PeakMeter, process_bytes

MEGA = 1_000_000
before = np.ones(400 * MEGA, dtype=np.uint8)
del before
meter = PeakMeter()
small = np.ones(80 * MEGA, dtype=np.uint8)  # so large that it is no memory that was freed
del small
first = meter.peak_bytes()
held = np.ones(100 * MEGA, dtype=np.uint8)
print(first, meter.peak_bytes(), process_bytes() - held.nbytes)
"""


@linux
def test_a_peak_is_what_is_added_from_the_mark_on_and_not_that_of_the_whole_life() -> None:
    done = subprocess.run(  # no other thread gives memory back meanwhile
        [sys.executable, "-c", RISES], capture_output=True, text=True, check=True
    )
    first, second, beside = map(int, done.stdout.split())
    assert 79 * MEGA <= first <= 160 * MEGA
    assert second >= 99 * MEGA
    assert beside >= 0


def test_without_a_mark_the_rise_of_the_highest_is_a_peak_and_no_rise_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "_MARK", Path("/nosuch/mark"))
    meter = PeakMeter()
    assert meter.peak_bytes() is None
    monkeypatch.setattr(memory, "highest_bytes", lambda: meter._highest + 7)
    assert meter.peak_bytes() == 7


@linux
@pytest.mark.parametrize("executor", [Serial(), Processes(2)], ids=["serial", "processes"])
def test_the_ledger_holds_the_peak_of_each_block(project: Project, executor: Executor) -> None:
    result = project.engine.run(taking(2 * MEGA), executor)
    peaks = {
        task["block"]: task["peak_bytes"]
        for task in tasks_of_run(project.database, result.run_id)
        if task["node"] == "takes"
    }
    assert len(peaks) == 3
    assert all(60 * MEGA <= peak <= 180 * MEGA for peak in peaks.values())


@linux
def test_what_a_run_will_take_is_told_by_past_peaks_scaled_by_bars(project: Project) -> None:
    before = project.engine.plan(taking(2 * MEGA)).node_costs()
    assert [row["measured"] for row in before] == [False, False]
    project.engine.run(taking(2 * MEGA), Serial())
    rows = {row["node"]: row for row in project.engine.plan(taking(2 * MEGA, 64)).node_costs()}
    assert rows["takes"]["measured"]
    assert 128 * MEGA <= rows["takes"]["block_bytes"] <= 300 * MEGA
    assert rows["takes"]["blocks"] == 2
    assert rows["takes"]["seconds"] > 0


def test_without_a_past_the_extent_tells() -> None:
    from plumbline.engine.blocks import tasks_of

    tasks = tasks_of(taking())
    costs = expected_costs(tasks, {}, {})
    field = 96 * 7 * 8
    assert costs[0] == Expected(None, 3 * field, is_known=False)
    (block,) = {costs[n] for n in (1, 2, 3)}
    assert block.n_bytes == pytest.approx(3 * (field / 3 + field / 3), rel=0.01)
    known = expected_costs(tasks, {0: 30 * field}, {})
    assert known[1].n_bytes == pytest.approx(3 * (30 * field / 3 + field / 3), rel=0.01)


def test_a_label_tells_its_bars() -> None:
    assert (bars_of("bars 32-63"), bars_of("bars -5-4"), bars_of("all")) == (32, 10, 1)


class Listens:
    def __init__(self) -> None:
        self.plans: list[Plan] = []

    def planned(self, plan: Plan) -> None:
        self.plans.append(plan)

    def damaged(self, tasks: Any, error: Any) -> None: ...
    def accompanied(self, run_ids: Any) -> None: ...
    def differed(self, node: str, block: str, message: str) -> None: ...
    def finished(self, task: Any, state: str, seconds: float | None) -> None: ...


def test_a_run_says_its_peak_before_its_first_block(project: Project) -> None:
    told = Listens()
    project.engine.run(taking(), Serial(), RunOptions(watcher=told))
    assert told.plans[0].peak_bytes is not None
    assert told.plans[0].peak_bytes > 20 * MEGA


def heavy(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the ledger know blocks of 100 MB, and processes of 50 MB."""
    project.engine.run(taking(3 * MEGA), Serial())
    monkeypatch.setattr(session_module, "process_bytes", lambda: 50 * MEGA)


@linux
def test_a_run_that_does_not_fit_is_refused_with_what_would(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy(project, monkeypatch)
    options = RunOptions(memory=120 * MEGA, use_cache=False)
    with pytest.raises(MemoryLimitError) as caught:
        project.engine.run(taking(3 * MEGA), Serial(), options)
    told = str(caught.value)
    assert "may take 120 MB: takes [bars 32-63] takes 1" in told
    assert "by past runs" in told
    assert "say --memory " in told
    bars = int(told.rpartition("set block_bars of the recipe to ")[2].split()[0])
    assert 8 <= bars <= 23
    needed = int(told.partition("say --memory ")[2].partition("MB")[0]) * MEGA
    run_id = last_run(project)
    assert computed(project, run_id) == set()
    assert list_runs(project.database)[0]["state"] == "failed"
    fits = RunOptions(memory=needed, use_cache=False)
    assert project.engine.run(taking(3 * MEGA), Serial(), fits).counts == {"computed": 4}
    smaller = RunOptions(memory=120 * MEGA, use_cache=False)
    small = project.engine.run(taking(3 * MEGA, bars // 4), Serial(), smaller)
    assert set(small.counts) == {"computed"}


@linux
def test_fewer_workers_are_started_where_not_all_fit(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy(project, monkeypatch)
    opened: list[Processes] = []
    original = Processes.open

    def noted(self: Processes, blocks: int | None = None) -> Any:
        opened.append(self)
        return original(self, blocks)

    monkeypatch.setattr(Processes, "open", noted)
    options = RunOptions(memory=320 * MEGA, use_cache=False)
    project.engine.run(taking(3 * MEGA), Processes(4), options)
    (chosen,) = opened
    assert chosen.workers < 4
    assert chosen.memory_bytes == 320 * MEGA - 50 * MEGA * (1 + chosen.workers)


@linux
def test_two_processes_that_do_not_fit_are_told_that_one_would(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy(project, monkeypatch)
    options = RunOptions(memory=190 * MEGA, use_cache=False)
    with pytest.raises(MemoryLimitError, match="use the executor serial, which needs"):
        project.engine.run(taking(3 * MEGA), Processes(2), options)


def test_the_largest_blocks_that_run_at_once_make_the_peak() -> None:
    blocks = {i: Expected(None, size, is_known=True) for i, size in enumerate((5, 40, 20, 10))}
    footing = Footing(100, blocks)
    assert footing.peak_bytes(0) == 100 + 40
    assert footing.peak_bytes(2) == 300 + 60
    assert footing.peak_bytes(9) == 1000 + 75
    assert fitting.fitted(Serial(), Plan(()), footing, 140) == Serial()


def test_a_block_that_the_system_killed_for_memory_says_so_and_is_tried_alone(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.engine.pipelines import study

    kills = iter([3])
    monkeypatch.setattr(processes_module, "kills_for_memory", lambda: next(kills, 4))
    node = Node("fragile", DiesOnce(str(tmp_path / "marker")), {"returns": "returns"})
    pipeline = Pipeline("study", (*study().nodes, node))
    retries = Retries(base_seconds=0.01)
    result = project.engine.run(pipeline, Processes(2), RunOptions(retries=retries))
    rows = [f for f in failures(project, result.run_id) if f[0] == "fragile"]
    assert rows == [("fragile", "all", 1, "OutOfMemoryError")]
    assert issubclass(OutOfMemoryError, Exception)


def test_a_stage_that_gets_no_memory_is_told_what_to_do(project: Project) -> None:
    with pytest.raises(RunError, match="there is no memory left: use fewer workers or smaller"):
        project.engine.run(taking(10**15), Serial())
    assert {row[2:] for row in failures(project, last_run(project))} == {(1, "StageError")}


def test_the_machine_has_some_memory() -> None:
    assert 100 * MEGA < machine_bytes() < 2**50
    assert machine_bytes() >= process_bytes()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0


GROUP = Path("/sys/fs/cgroup/memory/plumbline_test")
KILLED = """
import sys
from pathlib import Path
if __name__ == "__main__":
    from plumbline.engine.executors.processes import Processes
    from plumbline.engine.project import create_project
    from plumbline.engine.retries import Retries
    from plumbline.engine.run import RunOptions
    from tests.engine.test_memory import taking
    project = create_project(Path(sys.argv[1]))
    options = RunOptions(retries=Retries(attempts=2, base_seconds=0.01))
    project.engine.run(taking(40_000_000), Processes(1), options)
"""


@pytest.fixture
def small_group() -> Iterator[Path]:
    """Return a group of processes that may take 900 MB together; skipped where none can be made."""
    try:
        GROUP.mkdir()
        (GROUP / "memory.limit_in_bytes").write_text("900000000")
    except OSError as error:
        pytest.skip(f"no group of processes with a limit of memory can be made here: {error}")
    yield GROUP
    GROUP.rmdir()


def test_a_kill_by_the_kernel_as_memory_runs_out_is_told_as_such(
    tmp_path: Path, small_group: Path
) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    enter = f"echo $$ > {small_group}/cgroup.procs; exec {sys.executable} {script} {tmp_path}/p"
    repository = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        ["sh", "-c", enter],
        cwd=repository,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join([str(repository), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "killed by the system as memory ran out, beside no other block" in done.stderr
    project = open_project(tmp_path / "p")
    assert {row[3] for row in failures(project, last_run(project))} == {"OutOfMemoryError"}

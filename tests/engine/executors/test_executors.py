"""The contract of executors: what is accepted comes back once, whatever becomes of it."""

import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from multiprocessing import active_children
from pathlib import Path
from typing import Any, ClassVar, final

import pytest

from plumbline.core.errors import ParameterError, StageError, WorkerLostError
from plumbline.engine.blocks import Task, tasks_of
from plumbline.engine.executor import Executor, executors
from plumbline.engine.executors.processes import Processes
from plumbline.engine.pipeline import Node, Pipeline
from plumbline.engine.stage import Resources, Stage
from plumbline.engine.wiring import work_of
from plumbline.engine.work import Outcome, Work
from tests.engine.toys import DiesAlways, Fails, Prices, Rounded, Waits


@pytest.fixture(params=list(executors))
def executor(request: pytest.FixtureRequest) -> Executor:
    return executors[request.param]()


def works(folder: Path, *stages: Any) -> list[Work]:
    tasks = tasks_of(Pipeline("p", tuple(Node(f"n{i}", s) for i, s in enumerate(stages))))
    return [work_of(task, tasks, {}, folder) for task in tasks]


def drained(pool: Any, count: int) -> dict[str, Outcome | Exception]:
    found: dict[str, Outcome | Exception] = {}
    while len(found) < count:
        for work, outcome in pool.finished():
            assert work.place[0] not in found
            found[work.place[0]] = outcome
    return found


def test_everything_accepted_comes_back_once(executor: Executor, tmp_path: Path) -> None:
    stages = [Prices(seed=seed) for seed in range(5)]
    with executor.open() as pool:
        for work in works(tmp_path, *stages):
            pool.submit(work)
        found = drained(pool, 5)
    assert set(found) == {f"n{i}" for i in range(5)}
    outcomes = [o for o in found.values() if isinstance(o, Outcome)]
    assert len({o.stored.digest for o in outcomes}) == 5
    assert all(o.seconds > 0 and o.worker for o in outcomes)
    assert all(o.peak_bytes is None or 0 <= o.peak_bytes < 10**9 for o in outcomes)


def test_a_failure_comes_back_as_an_error_with_its_trace(
    executor: Executor, tmp_path: Path
) -> None:
    nodes = (Node("prices", Rounded()), Node("bad", Fails(), {"returns": "prices"}))
    tasks: tuple[Task, ...] = tasks_of(Pipeline("p", nodes))
    with executor.open() as pool:
        pool.submit(work_of(tasks[0], tasks, {}, tmp_path))
        first = drained(pool, 1)["prices"]
        assert isinstance(first, Outcome)
        from plumbline.engine.cache import Entry

        entry = Entry("", first.stored.digest, None, first.stored.manifest, first.stored.n_bytes)
        pool.submit(work_of(tasks[1], tasks, {0: entry}, tmp_path))
        error = drained(pool, 1)["bad"]
    assert isinstance(error, StageError)
    assert str(error).startswith("bad [all]: ZeroDivisionError: planted [")
    assert "toys.py, line " in str(error)
    assert "in run" in error.trace


def test_an_executor_that_is_given_nothing_ends(executor: Executor) -> None:
    with executor.open():
        pass


def test_an_exception_ends_the_workers_at_once(executor: Executor, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="planted"), executor.open() as pool:  # noqa: PT012
        pool.submit(works(tmp_path, Prices())[0])
        raise RuntimeError("planted")


def test_a_lost_worker_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    (good,) = works(tmp_path, Prices())
    deadly = Work(1, ("deadly", "all"), DiesAlways(), good.block, (), tmp_path, tmp_path)
    with Processes(2).open() as pool:
        pool.submit(deadly)
        pool.submit(good)
        found = drained(pool, 2)
    assert isinstance(found["deadly"], WorkerLostError)
    ends = (f"exit code {-signal.SIGKILL}", "all worker processes ended")  # by when the other began
    assert any(end in str(found["deadly"]) for end in ends)
    assert isinstance(found["n0"], Outcome)


def test_a_stage_that_a_worker_cannot_know_comes_back_as_an_error(tmp_path: Path) -> None:
    (good,) = works(tmp_path, Prices())

    class Local(type(Waits())):  # type: ignore[misc]  # final, and not importable by name
        pass

    unknown = Work(1, ("unknown", "all"), Local(), good.block, (), tmp_path, tmp_path)
    import sys
    import types

    module = types.ModuleType("only_in_this_process")
    named = type("Named", (Prices,), {"__module__": module.__name__})
    module.Named = named
    sys.modules[module.__name__] = module
    try:
        foreign = Work(2, ("foreign", "all"), named(), good.block, (), tmp_path, tmp_path)
        with Processes(1).open() as pool:
            for work in (unknown, foreign, good):
                pool.submit(work)
            found = drained(pool, 3)
    finally:
        del sys.modules[module.__name__]
    for name in ("unknown", "foreign"):
        assert isinstance(found[name], StageError)
        assert f"{name} [all]: the stage cannot be sent to a worker process" in str(found[name])
    assert isinstance(found["n0"], Outcome)


def test_a_number_of_workers_below_one_is_refused() -> None:
    with pytest.raises(ParameterError, match="workers=0 must be at least 1"):
        Processes(0)


@final
@dataclass(frozen=True)
class Heavy(Stage):
    """Notes in a file when it begins and when it ends."""

    name: str
    marker: str
    resources: ClassVar[Resources] = Resources(memory_bytes=600)

    def run(self, inputs: Mapping[str, Any]) -> Any:
        for word in ("begins", "ends"):
            with open(self.marker, "a") as file:  # noqa: PTH123  # one write, appended at once
                file.write(f"{word}\n")
            time.sleep(0.1)
        return Prices(5).run({})


@pytest.mark.parametrize(("memory", "together"), [(100, 1), (1300, 2)])
def test_no_more_blocks_run_at_once_than_fit_into_memory(
    tmp_path: Path, memory: int, together: int
) -> None:
    marker = tmp_path / "marker"
    with Processes(2, memory).open() as pool:
        for work in works(tmp_path, *(Heavy(f"h{i}", str(marker)) for i in range(4))):
            pool.submit(work)
        assert all(isinstance(o, Outcome) for o in drained(pool, 4).values())
    steps = [1 if line == "begins" else -1 for line in marker.read_text().split()]
    assert max(accumulate(steps)) == together


def test_no_more_processes_are_started_than_there_are_blocks(tmp_path: Path) -> None:
    with Processes(100).open(2) as pool:
        for work in works(tmp_path, Prices(seed=1), Prices(seed=2)):
            pool.submit(work)
        drained(pool, 2)
        assert len(active_children()) <= 2

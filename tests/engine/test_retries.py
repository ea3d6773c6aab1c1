"""What may pass is tried again, after a while; what does not is given up with its cause."""

import errno
import itertools
import sqlite3
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.engine import Engine as Database

from plumbline.core.errors import (
    MissingDataError,
    ParameterError,
    RunError,
    StageError,
    TimeLimitError,
    TransientError,
    WorkerLostError,
)
from plumbline.engine.blocks import tasks_of
from plumbline.engine.dead import dead_blocks, subset
from plumbline.engine.executor import Executor
from plumbline.engine.executors.processes import Processes
from plumbline.engine.executors.serial import Serial
from plumbline.engine.pipeline import Node, Pipeline
from plumbline.engine.project import Project
from plumbline.engine.retries import Delayed, Retries
from plumbline.engine.run import RunOptions
from plumbline.engine.transient import may_pass
from plumbline.engine.wiring import work_of
from plumbline.ledger.queries import (
    dead_letters_of_run,
    origin_of_run,
    runs_with_dead_letters,
    tasks_of_run,
)
from tests.engine.pipelines import BLOCKS, computed, failures, in_state, last_run, states, study
from tests.engine.toys import Demean, Fails, Flaky, Prices, Sluggish, Waits

QUICK = Retries(base_seconds=0.01)


def with_flaky(stage: Any, *more: Node) -> Pipeline:
    return Pipeline("study", (*study().nodes, Node("flaky", stage, {"returns": "returns"}), *more))


def tries(marker: Path) -> list[float]:
    return [float(line) for line in marker.read_text().split()]


@pytest.mark.parametrize("executor", [Serial(), Processes(2)], ids=["serial", "processes"])
@pytest.mark.parametrize("error", ["transient", "full"])
def test_a_failure_that_passes_costs_an_attempt_and_changes_no_bit(
    project: Project, tmp_path: Path, executor: Executor, error: str
) -> None:
    marker = tmp_path / "marker"
    result = project.engine.run(
        with_flaky(Flaky(str(marker), 2, error)), executor, RunOptions(retries=QUICK)
    )
    assert len(tries(marker)) == 3
    assert failures(project, result.run_id) == [
        ("flaky", "all", attempt, "TransientError") for attempt in (1, 2)
    ]
    assert dead_letters_of_run(project.database, result.run_id) == []
    returns = project.engine.output(result, "returns")["return"]
    assert project.engine.output(result, "flaky")["return"].tobytes() == returns.tobytes()


@pytest.mark.parametrize("error", ["value", "missing"])
def test_an_error_that_would_come_again_ends_the_block_at_once(
    project: Project, tmp_path: Path, error: str
) -> None:
    marker = tmp_path / "marker"
    with pytest.raises(RunError):
        project.engine.run(with_flaky(Flaky(str(marker), 1, error)), Serial())
    assert len(tries(marker)) == 1
    assert failures(project, last_run(project)) == [("flaky", "all", 1, "StageError")]


def test_a_block_that_is_given_up_is_a_dead_letter_with_its_cause(
    project: Project, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    with pytest.raises(RunError, match="planted"):
        project.engine.run(with_flaky(Flaky(str(marker), 9)), Serial(), RunOptions(retries=QUICK))
    run_id = last_run(project)
    (dead,) = dead_letters_of_run(project.database, run_id)
    assert (dead["node"], dead["block"], dead["attempts"]) == ("flaky", "all", 3)
    assert (dead["kind"], dead["message"]) == ("TransientError", "flaky [all]: planted")
    assert "toys.py" in dead["trace"]
    assert dead["at"] is not None
    assert runs_with_dead_letters(project.database) == [run_id]


def test_a_stage_may_say_how_often_it_is_tried(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plumbline.engine.stage import Resources

    marker = tmp_path / "marker"
    monkeypatch.setattr(Flaky, "resources", Resources(attempts=5))
    project.engine.run(with_flaky(Flaky(str(marker), 4)), Serial(), RunOptions(retries=QUICK))
    assert len(tries(marker)) == 5


def test_a_run_may_say_how_long_a_block_takes(project: Project) -> None:
    retries = Retries(attempts=1, time_limit=8.0)  # a worker loads libraries in that time, too
    with pytest.raises(RunError, match=r"flaky \[all\]: over its time limit of 8 s"):
        project.engine.run(with_flaky(Waits(seconds=60)), Processes(2), RunOptions(retries=retries))
    run_id = last_run(project)
    assert failures(project, run_id) == [("flaky", "all", n, "TimeLimitError") for n in (1,)]
    assert computed(project, run_id) == BLOCKS


@pytest.mark.parametrize("executor", [Serial(), Processes(2)], ids=["serial", "processes"])
def test_a_block_that_waits_for_its_next_attempt_holds_up_no_other(
    project: Project, tmp_path: Path, executor: Executor
) -> None:
    """All other blocks are done by the time of the second attempt, which is seconds away."""
    marker = tmp_path / "marker"
    nodes = (
        Node("prices", Prices()),
        Node("flaky", Flaky(str(marker)), {"returns": "prices"}),
        Node("slow", Sluggish(4), {"returns": "prices"}),
    )
    ends: dict[str, float] = {}

    class Clock:
        def planned(self, plan: Any) -> None: ...
        def damaged(self, tasks: Any, error: Any) -> None: ...
        def accompanied(self, run_ids: Any) -> None: ...
        def differed(self, node: str, block: str, message: str) -> None: ...
        def finished(self, task: Any, state: str, seconds: float | None) -> None:
            ends[task.node.name] = time.monotonic()

    retries = Retries(base_seconds=4.0, cap_seconds=4.0)
    options = RunOptions(retries=retries, watcher=Clock())
    project.engine.run(Pipeline("p", nodes), executor, options)
    first, second = tries(marker)
    assert second - first >= retries.wait(("flaky", "all"), 1) >= 2.0
    assert ends["slow"] < second


def test_what_is_finished_is_committed_while_a_block_waits(
    project: Project, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    seen: list[int] = []

    def peek(self: Retries, place: Any, attempt: int) -> float:
        return 4.0

    original = time.sleep
    pipeline = with_flaky(Flaky(str(marker)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Retries, "wait", peek)

        def counting(seconds: float) -> None:
            seen.append(len(computed(project, last_run(project))))
            original(min(seconds, 0.05))

        patch.setattr(time, "sleep", counting)
        project.engine.run(pipeline, Serial())
    assert seen[0] == len(BLOCKS)


@given(
    attempt=st.integers(1, 200),
    base=st.floats(0, 10),
    over=st.floats(0, 1000),
    seed=st.integers(0, 2**32),
)
def test_waits_double_up_to_the_cap_less_a_jitter_of_at_most_half(
    attempt: int, base: float, over: float, seed: int
) -> None:
    retries = Retries(base_seconds=base, cap_seconds=base + over, seed=seed)
    longest = min(base + over, base * 2.0 ** min(attempt - 1, 60))
    wait = retries.wait(("node", "block"), attempt)
    assert longest / 2 <= wait <= longest
    assert wait == retries.wait(("node", "block"), attempt)


def test_jitter_differs_by_block_attempt_and_seed() -> None:
    retries = Retries(base_seconds=1.0, cap_seconds=1.0)
    waits = {
        retries.wait(("n", "a"), 1),
        retries.wait(("n", "b"), 1),
        retries.wait(("m", "a"), 1),
        retries.wait(("n", "a"), 2),
        Retries(base_seconds=1.0, cap_seconds=1.0, seed=1).wait(("n", "a"), 1),
    }
    assert len(waits) == 5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"attempts": 0}, "attempts=0 must be at least 1"),
        ({"base_seconds": 2.0, "cap_seconds": 1.0}, "need 0 <= base_seconds <= cap_seconds"),
        ({"time_limit": 0.0}, "time_limit=0.0 must be above 0"),
        ({"seed": -1, "attempts": 0}, "attempts=0 .*; seed=-1"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Retries(**wrong)


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


class HungUpError(Exception):
    connection_invalidated = True


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (TransientError("x"), True),
        (WorkerLostError("x"), True),
        (TimeLimitError("x"), True),
        (OSError(errno.ENOSPC, "x"), True),
        (OSError(errno.EIO, "x"), True),
        (ConnectionResetError("x"), True),
        (caused(StageError("x"), OSError(errno.ENOSPC, "x")), True),
        (HungUpError(), True),
        (StageError("x"), False),
        (caused(StageError("x"), ValueError("x")), False),
        (FileNotFoundError(errno.ENOENT, "x"), False),
        (PermissionError(errno.EACCES, "x"), False),
        (OSError(errno.EROFS, "x"), False),
        (MemoryError(), False),
        (ValueError("x"), False),
    ],
    ids=repr,
)
def test_which_failures_may_pass(error: Exception, passes: bool) -> None:
    assert may_pass(error) is passes


def test_blocks_that_wait_come_in_the_order_of_their_time() -> None:
    (task,) = tasks_of(Pipeline("p", (Node("n", Prices()),)))
    work = work_of(task, [task], {}, Path("objects"))
    delayed = Delayed()
    assert delayed.seconds is None
    for number, seconds in ((1, 30.0), (2, -1.0), (3, 0.0), (4, -1.0)):
        delayed.add(replace(work, number=number), seconds)
    time.sleep(0.001)
    assert [work.number for work in delayed.due()] == [2, 4, 3]
    assert len(delayed) == 1
    assert 29.0 < (delayed.seconds or 0.0) <= 30.0


class Hangup:
    """Ends the connection to the database at some of the statements that write."""

    def __init__(self, at: set[int]) -> None:
        self.at = at
        self.n_statements = 0
        self.n_dropped = 0

    def before(self, _c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.lstrip().upper().startswith(("INSERT INTO TASKS", "INSERT INTO FAILURES")):
            self.n_statements += 1
            if self.n_statements in self.at:
                self.n_dropped += 1
                raise sqlite3.OperationalError("planted: server closed the connection")

    def handle(self, context: Any) -> None:
        if "planted" in str(context.original_exception):
            context.is_disconnect = True


def test_a_dropped_connection_of_the_ledger_costs_an_attempt_and_loses_nothing(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plumbline.engine import session

    monkeypatch.setattr(session, "_COMMIT_SECONDS", 0.0)
    hangup = Hangup({1, 2, 5})
    engine: Database = project.database.engine
    event.listen(engine, "before_cursor_execute", hangup.before)
    event.listen(engine, "handle_error", hangup.handle)
    marker = tmp_path / "marker"
    result = project.engine.run(with_flaky(Flaky(str(marker))), Serial(), RunOptions(retries=QUICK))
    assert hangup.n_dropped == 3
    assert computed(project, result.run_id) == BLOCKS | {("flaky", "all")}
    assert len(failures(project, result.run_id)) == 1


def failed_run(project: Project, marker: Path) -> tuple[Pipeline, str]:
    """Run a study in which one block fails for good and two others wait for it."""
    pipeline = with_flaky(Flaky(str(marker), 3), Node("after", Demean(), {"returns": "flaky"}))
    with pytest.raises(RunError):
        project.engine.run(pipeline, Serial(), RunOptions(retries=QUICK))
    return pipeline, last_run(project)


def test_a_retry_computes_the_dead_and_what_waited_for_them_and_nothing_else(
    project: Project, tmp_path: Path
) -> None:
    pipeline, old = failed_run(project, tmp_path / "marker")
    dead = set(dead_blocks(project.database, old))
    assert dead == {("flaky", "all"), *(("after", f"assets {i}-{i + 2}") for i in (0, 3, 6))}
    options = RunOptions(retried=old, base=project.root / "recipes")
    result = project.engine.run(pipeline, Serial(), options)
    assert computed(project, result.run_id) == dead
    ends = states(project, result.run_id)
    assert {place for place, state in ends.items() if state == "cached"} <= BLOCKS
    assert ("summary", "all") not in ends  # nothing dead is made from it
    assert origin_of_run(project.database, result.run_id) == {"base": "recipes", "retried": old}
    whole = project.engine.run(pipeline, Serial())
    assert whole.counts == {"cached": len(BLOCKS) + 4}
    assert {p: whole.digests[p] for p in dead} == {p: result.digests[p] for p in dead}


def test_a_retry_whose_inputs_are_gone_is_refused_and_leaves_no_run(
    project: Project, tmp_path: Path
) -> None:
    pipeline, old = failed_run(project, tmp_path / "marker")
    for path in (project.store / "objects").glob("*/*.npy"):
        path.unlink()
    with pytest.raises(
        MissingDataError, match=r"not there any more: prices \[all\] .* and \d+ more"
    ):
        project.engine.run(pipeline, Serial(), RunOptions(retried=old))
    assert last_run(project) == old


def test_a_retry_of_blocks_that_the_recipe_has_no_more_is_refused(
    project: Project, tmp_path: Path
) -> None:
    _, old = failed_run(project, tmp_path / "marker")
    with pytest.raises(MissingDataError, match=r"gave up after \[assets 0-2\] and 3 more, which"):
        project.engine.run(study(), Serial(), RunOptions(retried=old))


def test_a_part_of_the_tasks_keeps_its_wires_and_its_keys(project: Project) -> None:
    tasks = tasks_of(study())
    part = subset(tasks, [("wealth", "bars 64-79")])
    assert [task.number for task in part] == list(range(len(part)))
    places = [task.place for task in part]
    assert ("wealth", "bars 80-95") not in places
    assert {("wealth", "bars 32-47"), ("returns", "bars 32-63"), ("prices", "all")} < set(places)
    for task in part:
        whole = next(other for other in tasks if other.place == task.place)
        assert [part[n].place for n in task.needs] == [tasks[n].place for n in whole.needs]
    project.engine.run(study(), Serial())
    with project.database.hold():
        assert project.engine.planner(study()).plan(part).is_done


def test_blocked_blocks_are_no_dead_letters(project: Project) -> None:
    pipeline = with_flaky(Fails(), Node("after", Demean(), {"returns": "flaky"}))
    with pytest.raises(RunError):
        project.engine.run(pipeline, Serial())
    run_id = last_run(project)
    dead = [(row["node"], row["block"]) for row in dead_letters_of_run(project.database, run_id)]
    assert dead == [("flaky", "all")]
    assert len(in_state(project, run_id, "blocked")) == 3
    rows = tasks_of_run(project.database, run_id)
    assert all(b["finished"] >= a["finished"] for a, b in itertools.pairwise(rows))

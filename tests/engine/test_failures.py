import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plumbline.core.errors import RunError
from plumbline.engine.executor import Executor
from plumbline.engine.executors.processes import Processes
from plumbline.engine.executors.serial import Serial
from plumbline.engine.pipeline import Node, Pipeline
from plumbline.engine.project import Project
from plumbline.engine.retries import Retries
from plumbline.engine.run import RunOptions
from plumbline.ledger.queries import failures_of_run, get_run
from tests.engine import toys
from tests.engine.pipelines import BLOCKS, computed, failures, in_state, last_run, study
from tests.engine.toys import (
    Counter,
    Demean,
    DiesAlways,
    DiesOnce,
    Fails,
    Hangs,
    Odd,
    Quits,
    Stateless,
    Waits,
)


def beside(*stages: tuple[str, Any], readers: tuple[tuple[str, str], ...] = ()) -> Pipeline:
    """Return the study with further nodes on its returns, and demeaned readers of those."""
    nodes = [Node(name, stage, {"returns": "returns"}) for name, stage in stages]
    nodes += [Node(name, Demean(), {"returns": source}) for name, source in readers]
    return Pipeline("study", (*study().nodes, *nodes))


@pytest.mark.parametrize("executor", [Serial(), Processes(2)], ids=["serial", "processes"])
def test_a_failure_blocks_its_readers_and_nothing_else(
    project: Project, executor: Executor
) -> None:
    pipeline = beside(
        ("bad", Fails()), ("worse", Quits()), readers=(("after", "bad"), ("last", "after"))
    )
    with pytest.raises(RunError) as caught:
        project.engine.run(pipeline, executor)
    assert sorted(re.sub(r"line \d+", "line n", p) for p in caught.value.problems) == [
        f"bad [all]: ZeroDivisionError: planted [{toys.__file__}, line n]",
        f"worse [all]: SystemExit: 5 [{toys.__file__}, line n]",
    ]
    run_id = last_run(project)
    assert computed(project, run_id) == BLOCKS
    assert in_state(project, run_id, "failed") == {("bad", "all"), ("worse", "all")}
    blocked = in_state(project, run_id, "blocked")
    assert {node for node, _ in blocked} == {"after", "last"}
    assert len(blocked) == 6
    assert get_run(project.database, run_id)["state"] == "failed"
    rows = failures_of_run(project.database, run_id)
    (trace,) = (row["trace"] for row in rows if row["node"] == "bad")
    assert "ZeroDivisionError: planted" in trace
    assert "toys.py" in trace


def test_a_mended_pipeline_goes_on_from_what_a_failed_run_finished(project: Project) -> None:
    with pytest.raises(RunError):
        project.engine.run(beside(("bad", Fails())), Serial())
    result = project.engine.run(beside(("bad", Waits(seconds=0))), Serial())
    assert computed(project, result.run_id) == {("bad", "all")}


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (Odd("number"), "returns a panel or tables by name, got int"),
        (Odd("frame"), "tables are polars frames by name, got Table under 'table'"),
        (Odd("step"), "must return a panel or tables, got Step"),
        (Odd("short"), "the output holds bars 37 … 39, but the stage declares 37 … 136 in axes"),
        (Odd("assets"), "assets ('A00', 'A01')… are not those that the stage declares"),
        (Odd("none"), "KeyError: 'none'"),
        (Stateless(), "must return a Step, as its partition is a Scan, got Panel"),
        (Stateless(state=True), "a scan's state is arrays of numbers, times or text by name"),
    ],
    ids=lambda value: "" if isinstance(value, str) else repr(value),
)
def test_an_output_that_a_stage_must_not_return_is_a_failure_of_that_block(
    project: Project, stage: Any, message: str
) -> None:
    with pytest.raises(RunError, match=re.escape(message)):
        project.engine.run(beside(("odd", stage)), Serial())
    assert computed(project, last_run(project)) == BLOCKS


def test_a_state_without_axes_keeps_its_shape(project: Project) -> None:
    result = project.engine.run(beside(("count", Counter())), Serial())
    seen = project.engine.output(result, "count")["seen"]
    np.testing.assert_array_equal(seen[:, 0], np.arange(1, 101))


def test_a_killed_process_costs_one_attempt(project: Project, tmp_path: Path) -> None:
    pipeline = beside(("fragile", DiesOnce(str(tmp_path / "marker"))))
    result = project.engine.run(pipeline, Processes(2))
    assert computed(project, result.run_id) == BLOCKS | {("fragile", "all")}
    assert failures(project, result.run_id) == [("fragile", "all", 1, "WorkerLostError")]


def test_a_block_that_always_kills_its_process_fails_after_three_attempts(project: Project) -> None:
    with pytest.raises(RunError, match=r"fragile \[all\]: its process ended with exit code -9"):
        project.engine.run(beside(("fragile", DiesAlways())), Processes(2))
    run_id = last_run(project)
    assert failures(project, run_id) == [
        ("fragile", "all", attempt, "WorkerLostError") for attempt in (1, 2, 3)
    ]
    assert computed(project, run_id) == BLOCKS


def test_a_block_over_its_time_limit_is_killed(project: Project) -> None:
    once = RunOptions(retries=Retries(attempts=1))
    with pytest.raises(RunError, match=r"stuck \[all\]: over its time limit of 1 s"):
        project.engine.run(beside(("stuck", Hangs())), Processes(2), once)
    run_id = last_run(project)
    assert computed(project, run_id) == BLOCKS
    assert failures(project, run_id) == [("stuck", "all", 1, "TimeLimitError")]

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select, update

from plumbline.core.errors import MissingDataError
from plumbline.engine.executors.serial import Serial
from plumbline.engine.project import Project, create_project
from plumbline.engine.run import RunOptions
from plumbline.ledger.models import Artefact, Lineage, Run
from plumbline.ledger.processes import is_dead, this_process
from plumbline.ledger.queries import (
    failures_of_run,
    get_run,
    lineage_of,
    list_runs,
    metrics_of_run,
    run_that_told_the_same,
    tasks_of_run,
    warnings_of_run,
)
from plumbline.ledger.session import Completion, Mishap
from tests.engine.pipelines import BLOCKS, study


@pytest.fixture
def project(tmp_path: Path, each_database: str) -> Project:
    return create_project(tmp_path)


def start(project: Project, process: str | None = None) -> str:
    run_id = project.engine.ledger.start_run("p", "text", "d" * 64, "Serial()")
    if process is not None:
        with project.database.begin() as connection:
            connection.execute(update(Run).where(Run.id == run_id).values(process=process))
    return run_id


def states(project: Project) -> dict[str, str]:
    return {run["id"]: run["state"] for run in list_runs(project.database)}


def test_a_run_whose_process_is_gone_is_called_killed_when_another_starts(
    project: Project,
) -> None:
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    )
    host, gone = socket.gethostname(), int(child.stdout)
    dead = start(project, f"{host}:{gone}:12345")
    reused = start(project, f"{host}:{os.getpid()}:12345")
    elsewhere = start(project, f"elsewhere.{host}:{gone}:12345")
    alive = start(project)
    odd = start(project, "no process at all")
    last = start(project)
    found = states(project)
    assert (found[dead], found[reused]) == ("killed", "killed")
    assert {found[r] for r in (elsewhere, alive, odd, last)} == {"running"}
    project.engine.ledger.finish_run(alive, "done")
    start(project)
    assert states(project)[alive] == "done"
    assert get_run(project.database, dead)["finished"] is None


def test_a_run_elsewhere_is_called_unknown_after_a_day_without_a_word(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUMBLINE_NOW", "2024-03-01T12:00:00Z")
    silent = start(project, "elsewhere:1:2")
    talking = start(project, "elsewhere:1:3")
    here = start(project)
    monkeypatch.setenv("PLUMBLINE_NOW", "2024-03-02T11:59:00Z")
    assert set(states(project).values()) == {"running"}
    project.engine.ledger.commit(talking, [Completion("n", "b", None, "failed", "why")], {})
    monkeypatch.setenv("PLUMBLINE_NOW", "2024-03-02T12:01:00Z")
    assert get_run(project.database, silent)["state"] == "unknown"  # as seen; nothing is written
    start(project)
    with project.database.read() as connection:
        written = dict(connection.execute(select(Run.id, Run.state)).all())
    assert (written[silent], written[talking], written[here]) == ("unknown", "running", "running")
    project.engine.ledger.finish_run(silent, "done")  # it lived
    assert states(project)[silent] == "done"


def test_a_list_calls_a_run_killed_before_another_begins(project: Project) -> None:
    run_id = start(project, f"{socket.gethostname()}:{os.getpid()}:12345")
    assert states(project)[run_id] == "killed"
    assert get_run(project.database, "last")["state"] == "killed"


def test_a_child_that_ended_but_was_not_waited_for_is_dead() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    try:
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        start = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[19]
        assert is_dead(f"{socket.gethostname()}:{child}:{start}")
    finally:
        os.waitpid(child, 0)
    assert not is_dead(this_process())


def test_a_block_is_recorded_as_what_became_of_it_last(project: Project) -> None:
    ledger = project.engine.ledger
    run_id = start(project)
    ledger.commit(run_id, [Completion("n", "b", None, "cached", "nothing changed")], {})
    again = Completion("n", "b", None, "computed", "damaged", seconds=1.5, worker="process 1")
    ledger.commit(run_id, [again], {})
    (task,) = tasks_of_run(project.database, run_id)
    assert (task["state"], task["reason"], task["seconds"]) == ("computed", "damaged", 1.5)


def test_failures_keep_their_cause_and_order(project: Project) -> None:
    run_id = start(project)
    for attempt in (1, 2):
        mishap = Mishap("n", "b", attempt, "StageError", f"message {attempt}", "Traceback …")
        project.engine.ledger.record_mishap(run_id, mishap)
    found = failures_of_run(project.database, run_id)
    assert [(f["attempt"], f["message"], f["trace"]) for f in found] == [
        (1, "message 1", "Traceback …"),
        (2, "message 2", "Traceback …"),
    ]
    assert failures_of_run(project.database, "other") == []


def test_metrics_are_kept_by_name_and_subject(project: Project) -> None:
    run_id = start(project)
    metrics = {("ic", "b"): 0.5, ("ic", "a"): None, ("decay", "a"): -1.0}
    project.engine.ledger.record_findings(run_id, metrics, [], "code")
    found = metrics_of_run(project.database, run_id)
    assert [(m["subject"], m["name"], m["value"]) for m in found] == [
        ("a", "decay", -1.0),
        ("a", "ic", None),
        ("b", "ic", 0.5),
    ]


def test_what_one_database_cannot_hold_is_the_same_in_both(project: Project) -> None:
    run_id = start(project)
    metrics = {("ic", "a"): float("nan"), ("ic", "b"): float("inf"), ("ic", "B"): 5e-324}
    project.engine.ledger.record_findings(run_id, metrics, [], "code")
    found = metrics_of_run(project.database, run_id)
    assert [(m["subject"], m["value"]) for m in found] == [
        ("B", 5e-324),  # in the order of code points, whatever the server's language
        ("a", None),
        ("b", float("inf")),
    ]
    long, zero = "n" * 500, "a zero \0 character"
    project.engine.ledger.record_mishap(run_id, Mishap(long, long, 1, "k", zero, zero))
    block = Completion(long, long, None, "computed", zero, peak_bytes=2**40)
    project.engine.ledger.commit(run_id, [block], {})
    (failure,) = failures_of_run(project.database, run_id)
    assert (failure["node"], failure["message"]) == (long, "a zero \\0 character")
    (task,) = tasks_of_run(project.database, run_id)
    assert (task["node"], task["peak_bytes"]) == (long, 2**40)
    assert task["reason"] == failure["trace"] == "a zero \\0 character"


def test_many_metrics_arrive_as_few_do_and_those_that_are_there_stay(project: Project) -> None:
    run_id = start(project)
    few = {("ic", "a\tb\\c"): 1.0, ("ic", "none"): None}
    project.engine.ledger.record_findings(run_id, few, [], "code")
    many = {("ic", f"s{i}"): i / 7 for i in range(3000)} | dict.fromkeys(few, 9.0)
    project.engine.ledger.record_findings(run_id, many, [], "code")
    project.engine.ledger.record_findings(run_id, many, [], "code")  # by the same connection
    found = {
        (m["name"], m["subject"]): m["value"] for m in metrics_of_run(project.database, run_id)
    }
    assert found == many | few


def test_warnings_are_kept_in_their_order(project: Project) -> None:
    run_id = start(project)
    told = [("summary", "b", "no rank IC"), ("data", "", "short"), ("summary", "a", "no rank IC")]
    project.engine.ledger.record_findings(run_id, {("ic", "a"): 1.0}, told, "code")
    found = warnings_of_run(project.database, run_id)
    assert [(w["part"], w["subject"], w["text"]) for w in found] == told
    assert warnings_of_run(project.database, "other") == []


def test_only_a_run_of_the_same_recipe_on_the_same_results_told_the_same(project: Project) -> None:
    first = project.engine.run(study(), Serial())
    again = project.engine.run(study(), Serial())
    assert run_that_told_the_same(project.database, again.run_id, "code") is None
    for done in (first, again):
        project.engine.ledger.record_findings(done.run_id, {("ic", "a"): 1.0}, [], "code")
    third = project.engine.run(study(), Serial())
    assert run_that_told_the_same(project.database, third.run_id, "code") == again.run_id
    assert run_that_told_the_same(project.database, third.run_id, "other code") is None
    other = project.engine.run(study(), Serial(), RunOptions(recipe=("text", "other")))
    assert run_that_told_the_same(project.database, other.run_id, "code") is None
    anew = project.engine.run(study(), Serial(), RunOptions(use_cache=False))
    assert run_that_told_the_same(project.database, anew.run_id, "code") is None


def test_a_frozen_clock_leaves_the_order_of_runs(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUMBLINE_NOW", "2024-03-01T12:00:00Z")
    ids = [project.engine.run(study(scale=float(n)), Serial()).run_id for n in range(1, 6)]
    assert [run["id"] for run in list_runs(project.database)] == ids[::-1]
    assert get_run(project.database, "last")["id"] == ids[-1]
    stored = project.engine.cache.statistics().n_results
    with project.database.begin() as connection:
        connection.exec_driver_sql("UPDATE artefacts SET used = '2000-01-01 00:00:00.000000'")
    project.engine.cache.trim(1)
    assert project.engine.cache.statistics().n_results < stored
    assert project.engine.plan(study(scale=5.0)).is_done


def test_runs_are_listed_newest_first_with_their_counts(project: Project) -> None:
    first = project.engine.run(study(), Serial())
    second = project.engine.run(study(scale=2.0), Serial())
    found = list_runs(project.database)
    assert [run["id"] for run in found] == [second.run_id, first.run_id]
    assert found[0]["counts"] == {"cached": len(BLOCKS) - 1, "computed": 1}
    assert found[1]["counts"] == {"computed": len(BLOCKS)}
    assert [run["id"] for run in list_runs(project.database, limit=1)] == [second.run_id]
    assert get_run(project.database, "last")["id"] == second.run_id
    assert get_run(project.database, first.run_id)["machine"]["cores"] == os.cpu_count()
    wrong = first.run_id[:-1] + "~"
    with pytest.raises(MissingDataError, match="did you mean"):
        get_run(project.database, wrong)


def test_an_empty_ledger_says_that_it_knows_no_run(project: Project) -> None:
    assert list_runs(project.database) == []
    with pytest.raises(MissingDataError, match="no run 'last'; known: none"):
        get_run(project.database, "last")


def test_every_result_can_be_walked_back_to_its_sources(project: Project) -> None:
    result = project.engine.run(study(), Serial())
    with project.database.read() as connection:
        columns = (Artefact.key, Artefact.digest, Artefact.node, Artefact.block)
        rows = connection.execute(select(*columns)).all()
    by_digest: dict[str, list[tuple[str, str, str]]] = {}
    for key, digest, node, block in rows:
        by_digest.setdefault(digest, []).append((key, node, block))
    waiting = [(k, n, b) for k, _, n, b in rows if n == "summary"]
    seen: set[tuple[str, str]] = set()
    while waiting:
        key, node, block = waiting.pop()
        if (node, block) in seen:
            continue
        seen.add((node, block))
        inputs = lineage_of(project.database, key)
        assert [row["position"] for row in inputs] == list(range(len(inputs)))
        assert bool(inputs) == (node != "prices")
        for row in inputs:
            assert row["dataset_id"] is None
            waiting += by_digest[row["digest"]]
    assert seen == {place for place in BLOCKS if place[0] != "demeaned"}
    assert set(result.digests.values()) == set(by_digest)


def test_forgotten_results_take_their_lineage_with_them(project: Project) -> None:
    project.engine.run(study(), Serial())
    with project.database.read() as connection:
        keys = list(connection.execute(select(Artefact.key)).scalars())
    project.engine.ledger.drop_artefacts(keys)
    project.engine.ledger.drop_artefacts([])
    with project.database.read() as connection:
        assert connection.execute(select(Lineage.key)).first() is None
        assert connection.execute(select(Artefact.key)).first() is None


def test_using_a_result_is_noted(project: Project) -> None:
    project.engine.run(study(), Serial())

    def used() -> dict[str, object]:
        with project.database.read() as connection:
            rows = connection.execute(select(Artefact.key, Artefact.used)).all()
        return {row[0]: row[1] for row in rows}

    before = used()
    project.engine.run(study(), Serial())
    assert all(used()[key] > before[key] for key in before)  # type: ignore[operator]  # times

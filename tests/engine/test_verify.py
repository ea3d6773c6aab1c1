from collections.abc import Sequence

import pytest
from sqlalchemy import func, select

from plumbline.core.errors import ParameterError
from plumbline.engine.executor import Executor
from plumbline.engine.executors.processes import Processes
from plumbline.engine.executors.serial import Serial
from plumbline.engine.health import checks_of
from plumbline.engine.pipeline import Node, Pipeline
from plumbline.engine.project import Project, open_project
from plumbline.engine.run import RunOptions
from plumbline.engine.verify import verify
from plumbline.ledger.models import Artefact, FailureRecord, Run, TaskRecord
from plumbline.ledger.queries import unstable_blocks
from tests.engine.pipelines import BLOCKS, failures, files_of, study
from tests.engine.test_damage import flip, truncate
from tests.engine.toys import Demean, Drift, Reset, Summary


def counts(project: Project) -> list[int]:
    with project.database.read() as connection:
        return [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (Run, TaskRecord, Artefact, FailureRecord)
        ]


@pytest.mark.parametrize("executor", [Serial(), Processes(2)], ids=["serial", "processes"])
def test_all_blocks_verify_and_nothing_is_stored(project: Project, executor: object) -> None:
    project.engine.run(study(), Serial())
    before = (counts(project), sorted(project.store.rglob("*")))
    found = verify(project.engine, study(), executor)  # type: ignore[arg-type]
    assert {(v.node, v.block) for v in found.compared} == BLOCKS
    assert all(v.equal for v in found.compared)
    assert (found.uncompared, found.damaged) == ((), {})
    assert (found.wrong, set(found.left_out.values())) == ([], {0})
    names = [p for p in sorted(project.store.rglob("*")) if "plumbline.db" not in p.name]
    assert names == [p for p in before[1] if "plumbline.db" not in p.name]
    assert counts(project) == before[0]


def test_a_sample_is_drawn_by_its_seed(project: Project) -> None:
    project.engine.run(study(), Serial())

    def drawn(sample: int, seed: int) -> list[tuple[str, str]]:
        found = verify(project.engine, study(), Serial(), sample=sample, seed=seed)
        assert found.left_out["not drawn into the sample"] == max(0, len(BLOCKS) - sample)
        return [(v.node, v.block) for v in found.compared]

    assert drawn(4, 1) == drawn(4, 1)
    assert len(set(drawn(4, 1))) == 4
    assert len({tuple(drawn(4, seed)) for seed in range(5)}) > 1
    assert set(drawn(100, 1)) == BLOCKS
    with pytest.raises(ParameterError, match="sample=0 must be at least 1"):
        drawn(0, 1)


def test_a_stage_that_is_not_deterministic_is_found(project: Project) -> None:
    nodes = (
        *study().nodes,
        Node("clock", Reset(), {"returns": "returns"}),
        Node("after", Demean(), {"returns": "clock"}),
    )
    pipeline = Pipeline("study", nodes)
    project.engine.run(pipeline, Serial())
    wrong = verify(project.engine, pipeline, Serial()).wrong
    assert [(v.node, v.block) for v in wrong] == [("clock", "all")]
    assert wrong[0].note.startswith("stored ")
    assert "computed again" in wrong[0].note


def test_a_tampered_result_and_what_reads_it_are_found(project: Project) -> None:
    project.engine.run(study(), Serial())
    flip(files_of(project, "wealth", "bars 48-63")[0])
    flip(files_of(project, "demeaned", "assets 0-2")[0])
    found = verify(open_project(project.root).engine, study(), Serial())
    wrong = {(v.node, v.block): v.note for v in found.wrong}
    assert set(wrong) == {("wealth", "bars 48-63"), ("demeaned", "assets 0-2"), ("summary", "all")}
    assert all("is damaged: its bytes differ from its digest" in note for note in wrong.values())


def test_blocks_behind_one_damaged_file_name_it(project: Project) -> None:
    project.engine.run(study(), Serial())
    path = files_of(project, "returns", "bars 96-127")[0]
    flip(path)
    found = verify(open_project(project.root).engine, study(), Serial())
    assert len(found.uncompared) > 1
    assert {v.damaged for v in found.uncompared} == {(str(path),)}
    assert {v.note for v in found.uncompared} == set(found.damaged.values())


@pytest.mark.parametrize("executor", [Serial(), Processes(2)], ids=["serial", "processes"])
def test_every_damaged_file_is_named_also_behind_a_block_with_another(
    project: Project, executor: Executor
) -> None:
    project.engine.run(study(), Serial())
    places = [
        ("returns", "bars 96-127"),
        ("wealth", "bars 48-63"),
        ("demeaned", "assets 0-2"),
        ("summary", "all"),
    ]
    paths = [files_of(project, *place)[0] for place in places]
    for path in paths:
        flip(path)
    found = verify(open_project(project.root).engine, study(), executor)
    assert set(found.damaged) == {str(path) for path in paths}
    assert all(str(path) in text for path, text in found.damaged.items())
    behind = {(v.node, v.block): v.damaged for v in found.uncompared}
    assert set(behind["demeaned", "assets 0-2"]) == {str(paths[2]), str(paths[0])}
    assert set(behind["summary", "all"]) == {str(paths[3]), str(paths[0]), str(paths[1])}
    assert all(v.equal for v in found.compared)
    assert {(v.node, v.block) for v in found.compared} == BLOCKS - behind.keys()
    assert len(found.wrong) == len(found.uncompared)


def test_a_damaged_end_state_leaves_the_next_block_uncompared(project: Project) -> None:
    project.engine.run(study(), Serial())
    path = files_of(project, "wealth", "bars 64-79", "state")[0]
    flip(path)
    found = verify(open_project(project.root).engine, study(), Serial())
    places = {("wealth", "bars 64-79"), ("wealth", "bars 80-95")}
    assert {(v.node, v.block) for v in found.uncompared} == places
    assert set(found.damaged) == {str(path)}


def test_every_file_that_was_cut_short_is_named_and_its_block_counted(project: Project) -> None:
    project.engine.run(study(), Serial())
    paths = files_of(project, "summary", "all")
    for path in paths:
        truncate(path)
    found = verify(open_project(project.root).engine, study(), Serial(), sample=2)
    assert set(found.damaged) == {str(path) for path in paths}
    assert [(v.node, v.block) for v in found.uncompared] == [("summary", "all")]
    assert len(found.compared) + 1 + sum(found.left_out.values()) == len(BLOCKS)
    assert found.left_out["not stored yet"] == 0


def test_a_stage_that_fails_when_computed_again_is_not_compared(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.engine.run(study(), Serial())

    def fail(*_: object) -> None:
        raise ValueError("no luck")

    engine = open_project(project.root).engine
    monkeypatch.setattr(Summary, "run", fail)
    found = verify(engine, study(), Serial())
    assert [(v.node, v.block, v.damaged) for v in found.uncompared] == [("summary", "all", ())]
    assert "no luck" in found.uncompared[0].note


def test_nothing_stored_is_said(project: Project) -> None:
    with pytest.raises(ParameterError, match="nothing is stored for 'study'; run it first"):
        verify(project.engine, study(), Serial())


def test_what_is_left_out_is_counted_with_its_reason(project: Project) -> None:
    project.engine.run(study(), Serial())
    files_of(project, "summary", "all")[0].unlink()
    found = verify(project.engine, study(), Serial(), sample=3)
    assert found.left_out == {
        "not drawn into the sample": len(BLOCKS) - 1 - 3,
        "kept from other code": 0,
        "not stored yet": 1,
    }


def test_a_key_that_gave_two_results_is_recorded_warned_of_and_reported(project: Project) -> None:
    pipeline = Pipeline("study", (*study().nodes, Node("clock", Reset(), {"returns": "returns"})))
    told: list[tuple[str, str, str]] = []

    class Listener:
        def planned(self, plan: object) -> None: ...

        def finished(self, task: object, state: str, seconds: float | None) -> None: ...

        def damaged(self, tasks: object, error: object) -> None: ...

        def accompanied(self, run_ids: Sequence[str]) -> None: ...

        def differed(self, node: str, block: str, message: str) -> None:
            told.append((node, block, message))

    options = RunOptions(watcher=Listener(), use_cache=False)
    first = project.engine.run(pipeline, Serial(), options)
    assert told == []
    second = project.engine.run(pipeline, Serial(), options)
    assert [(node, block) for node, block, _ in told] == [("clock", "all")]
    for part in (first.run_id, second.run_id, first.digests["clock", "all"][:12], "a clock"):
        assert part in told[0][2]
    assert failures(project, second.run_id) == [("clock", "all", 0, "Nondeterministic")]
    (check,) = [c for c in checks_of(project) if c.name == "determinism"]
    assert not check.ok
    assert "clock [all]" in check.found
    wrong = verify(project.engine, pipeline, Serial()).wrong
    assert [(v.node, v.is_stable) for v in wrong] == [("clock", False)]
    project.engine.run(study(), Serial())
    assert all(check.ok for check in checks_of(project)), "the stage is no part of the study now"
    assert unstable_blocks(project.database)


def test_a_scan_that_ends_in_another_state_is_no_less_unstable(project: Project) -> None:
    pipeline = Pipeline("study", (*study().nodes, Node("drift", Drift(), {"returns": "returns"})))
    options = RunOptions(use_cache=False)
    first = project.engine.run(pipeline, Serial(), options)
    second = project.engine.run(pipeline, Serial(), options)
    assert {d for (n, _), d in first.digests.items() if n == "drift"} == {
        d for (n, _), d in second.digests.items() if n == "drift"
    }
    unstable = unstable_blocks(project.database)
    assert {row["node"] for row in unstable} == {"drift"}
    assert all("another end state" in row["message"] for row in unstable)
    wrong = [v for v in verify(project.engine, pipeline, Serial()).wrong if not v.equal]
    assert {v.node for v in wrong} == {"drift"}
    assert all("ends in another state" in v.note for v in wrong)

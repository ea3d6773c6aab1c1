from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from plumbline.core.errors import CorruptEntryError, RunError
from plumbline.engine.executor import Executor
from plumbline.engine.executors.processes import Processes
from plumbline.engine.executors.serial import Serial
from plumbline.engine.health import checks_of
from plumbline.engine.pipeline import Node, Pipeline
from plumbline.engine.plan import State
from plumbline.engine.project import Project, open_project
from plumbline.engine.run import RunOptions
from tests.engine.pipelines import BLOCKS, computed, failures, files_of, in_state, study
from tests.engine.toys import Demean, Prices, Wealth


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def empty(path: Path) -> None:
    path.write_bytes(b"")


damages = pytest.mark.parametrize("damage", [flip, truncate, empty])


@damages
@pytest.mark.parametrize("fresh", [True, False], ids=["another process", "the same"])
def test_a_damaged_final_result_is_found_and_computed_again(
    project: Project, damage: Callable[[Path], None], fresh: bool
) -> None:
    first = project.engine.run(study(), Serial())
    damage(files_of(project, "summary", "all")[0])
    engine = (open_project(project.root) if fresh else project).engine
    second = engine.run(study(), Serial())
    assert computed(project, second.run_id) == {("summary", "all")}
    assert in_state(project, second.run_id, "cached") == BLOCKS - {("summary", "all")}
    assert failures(project, second.run_id) == [("summary", "all", 0, "CorruptEntryError")]
    assert second.digests == first.digests
    assert engine.run(study(), Serial()).counts == {"cached": len(BLOCKS)}


@damages
@pytest.mark.parametrize("executor", [Serial(), Processes(2)], ids=["serial", "processes"])
def test_damaged_intermediate_results_are_found_by_their_readers_and_computed_again(
    project: Project, damage: Callable[[Path], None], executor: Executor
) -> None:
    first = project.engine.run(study(), Serial())
    places = {("wealth", "bars 48-63"), ("wealth", "bars 96-111"), ("returns", "bars 96-127")}
    for place in places:
        damage(files_of(project, *place)[0])
    second = open_project(project.root).engine.run(study(scale=3.0), executor)
    assert computed(project, second.run_id) == places | {("summary", "all")}
    assert {f[:2] for f in failures(project, second.run_id)} == places
    assert {f[3] for f in failures(project, second.run_id)} == {"CorruptEntryError"}
    same = {place for place in BLOCKS if place[0] != "summary"}
    assert {p: second.digests[p] for p in same} == {p: first.digests[p] for p in same}


@damages
def test_a_damaged_end_state_is_found_by_the_next_block(
    project: Project, damage: Callable[[Path], None]
) -> None:
    project.engine.run(study(), Serial())
    damage(files_of(project, "wealth", "bars 112-127", "state")[0])
    longer = study(Prices(n_bars=130))
    result = open_project(project.root).engine.run(longer, Serial())
    assert ("wealth", "bars 112-127") in computed(project, result.run_id)
    assert ("wealth", "bars 112-127", 0, "CorruptEntryError") in failures(project, result.run_id)
    assert ("wealth", "bars 96-111") in in_state(project, result.run_id, "cached")


@pytest.mark.parametrize("place", [("summary", "all"), ("wealth", "bars 48-63"), ("prices", "all")])
def test_a_deleted_file_is_seen_by_the_plan_and_made_again(
    project: Project, place: tuple[str, str]
) -> None:
    first = project.engine.run(study(), Serial())
    files_of(project, *place)[0].unlink()
    plan = open_project(project.root).engine.plan(study())
    (reason,) = (d.reason for d in plan.decisions if d.task.place == place)
    assert reason == "its stored result is gone"
    second = open_project(project.root).engine.run(study(), Serial())
    assert computed(project, second.run_id) == {place}
    assert second.digests == first.digests


@pytest.mark.parametrize("damage", [truncate, empty])
def test_a_file_of_another_length_is_seen_by_the_plan_and_a_run_does_what_it_says(
    project: Project, damage: Callable[[Path], None]
) -> None:
    first = project.engine.run(study(), Serial())
    for path in (project.store / "objects").glob("*/*"):
        damage(path)
    plan = open_project(project.root).engine.plan(study())
    assert plan.count(State.CACHED, State.KEPT) == 0
    (damaged,) = (d for d in plan.decisions if d.state is State.RUN)
    assert "is damaged: its bytes differ from its digest" in damaged.reason
    second = open_project(project.root).engine.run(study(), Serial())
    assert computed(project, second.run_id) == BLOCKS
    assert {found[:2] for found in failures(project, second.run_id)} == BLOCKS
    assert second.digests == first.digests
    assert open_project(project.root).engine.plan(study()).is_done
    assert all(check.ok for check in checks_of(project, deep=True))


def test_any_number_of_damaged_files_is_healed_in_one_run(project: Project) -> None:
    nodes = (*study().nodes, Node("fine", Wealth(2), {"returns": "returns"}))
    many = Pipeline("study", (*nodes, Node("all", Demean(), {"returns": "returns"})))
    first = project.engine.run(many, Serial())
    for path in (project.store / "objects").glob("*/*"):
        flip(path)
    second = open_project(project.root).engine.run(many, Serial())
    assert computed(project, second.run_id) == set(first.digests)
    assert len(failures(project, second.run_id)) > 50
    assert second.digests == first.digests


def test_a_damaged_result_that_is_asked_for_is_dropped_and_made_by_the_next_run(
    project: Project,
) -> None:
    result = project.engine.run(study(), Serial())
    flip(files_of(project, "demeaned", "assets 0-2")[0])
    flip(files_of(project, "wealth", "bars 48-63")[0])
    with pytest.raises(CorruptEntryError, match="its bytes differ from its digest"):
        project.engine.output(result, "wealth")
    again = project.engine.run(study(), Serial())
    assert ("wealth", "bars 48-63") in computed(project, again.run_id)
    assert project.engine.output(again, "wealth").n_bars == 100


def test_a_deep_check_drops_damaged_results(project: Project) -> None:
    project.engine.run(study(), Serial())
    flip(files_of(project, "wealth", "bars 48-63")[0])
    assert all(check.ok for check in checks_of(project))
    checks = {check.name: check for check in checks_of(project, deep=True)}
    assert not checks["results"].ok
    assert "1 of " in checks["results"].found
    assert "dropped, and a run makes those again" in checks["results"].found
    assert len(checks["results"].problems) == 1
    assert all(check.ok for check in checks_of(project, deep=True))
    result = project.engine.run(study(), Serial())
    assert computed(project, result.run_id) == {("wealth", "bars 48-63")}
    assert all(check.ok for check in checks_of(project, deep=True))


def test_a_run_without_the_cache_mends_files_that_are_damaged(project: Project) -> None:
    project.engine.run(study(), Serial())
    flip(files_of(project, "returns", "bars 64-95")[0])
    project.engine.run(study(), Serial(), RunOptions(use_cache=False))
    assert all(check.ok for check in checks_of(project, deep=True))


def test_damage_while_the_cache_is_off_takes_no_result_of_an_earlier_run(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.engine.run(study(), Serial())
    done: list[str] = []

    class Saboteur:
        def planned(self, plan: object) -> None: ...

        def damaged(self, tasks: object, error: CorruptEntryError) -> None:
            done.append(error.digest)

        def accompanied(self, run_ids: Sequence[str]) -> None: ...

        def differed(self, node: str, block: str, message: str) -> None: ...

        def finished(self, task: object, state: str, seconds: float | None) -> None:
            if getattr(task, "place", None) == ("wealth", "bars 48-63") and not done:
                flip(files_of(project, "wealth", "bars 48-63")[0])

    options = RunOptions(use_cache=False, watcher=Saboteur())
    result = project.engine.run(study(), Serial(), options)
    assert done
    assert computed(project, result.run_id) == BLOCKS


def test_a_disk_that_damages_everything_ends_the_run(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plumbline.core.errors import StageError
    from plumbline.engine.objects import ObjectStore

    def check(self: ObjectStore, name: str) -> Path:
        raise CorruptEntryError(name, "somewhere", "planted")

    monkeypatch.setattr(ObjectStore, "check", check)
    with pytest.raises((StageError, RunError), match="check the disk"):
        project.engine.run(study(), Serial())

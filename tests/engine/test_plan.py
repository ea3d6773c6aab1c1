import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from plumbline.engine.code_digest import CodeDigest, CodeDigests
from plumbline.engine.executors.serial import Serial
from plumbline.engine.pipeline import Node, Pipeline
from plumbline.engine.plan import Decision, State
from plumbline.engine.project import Project, open_project
from plumbline.engine.run import Engine, RunOptions
from plumbline.ledger.models import Artefact, TaskRecord
from tests.engine.pipelines import BLOCKS, computed, in_state, study
from tests.engine.toys import Demean, Prices, Returns, Rounded, Summary, Wealth


def reasons(engine: Engine, pipeline: Pipeline) -> dict[str, str]:
    """Return the reasons of the blocks that are to run, by node and block."""
    found = engine.plan(pipeline).decisions
    return {" ".join(d.task.place): d.reason for d in found if d.state is State.RUN}


def planned(engine: Engine, pipeline: Pipeline) -> dict[State, list[Decision]]:
    found: dict[State, list[Decision]] = {}
    for decision in engine.plan(pipeline).decisions:
        found.setdefault(decision.state, []).append(decision)
    return found


def test_a_plan_before_any_run_says_so_and_stores_nothing(project: Project) -> None:
    found = planned(project.engine, study())
    assert [d.task.place for d in found[State.RUN]] == [("prices", "all")]
    assert found[State.RUN][0].reason == "never computed"
    assert len(found[State.FOLLOWS]) == len(BLOCKS) - 1
    follows = {d.task.node.name: d.reason for d in found[State.FOLLOWS]}
    assert follows["summary"] == "never computed; follows returns, wealth"
    assert project.engine.cache.statistics().n_files == 0
    plan = project.engine.plan(study())
    assert (plan.is_done, plan.expected_seconds) == (False, None)


def test_a_plan_after_a_run_has_nothing_to_do_and_otherwise_guesses_the_time(
    project: Project,
) -> None:
    project.engine.run(study(), Serial())
    plan = open_project(project.root).engine.plan(study())
    assert plan.is_done
    assert plan.count(State.CACHED) == len(BLOCKS)
    changed = project.engine.plan(study(Prices(seed=5)))
    assert changed.expected_seconds is not None
    assert changed.expected_seconds > 0


def test_a_changed_parameter_is_named_with_both_values(project: Project) -> None:
    project.engine.run(study(), Serial())
    assert reasons(project.engine, study(Prices(seed=2, n_bars=90))) == {
        "prices all": "parameter n_bars: 100 -> 90; parameter seed: 1 -> 2; "
        "the block has another extent"
    }
    assert reasons(project.engine, study(scale=1.5)) == {
        "summary all": "parameter scale: 1.0 -> 1.5"
    }


def test_another_stage_is_named(project: Project) -> None:
    project.engine.run(study(), Serial())
    found = reasons(project.engine, study(Rounded()))
    assert found["prices all"].startswith(
        "another stage: tests.engine.toys.Prices -> tests.engine.toys.Rounded"
    )
    assert "parameter digits: absent -> 3" in found["prices all"]
    assert "parameter seed: 1 -> absent" in found["prices all"]


def test_a_changed_input_is_named(project: Project) -> None:
    def wired(source: str) -> Pipeline:
        extra = (
            Node("others", Prices(seed=9)),
            Node("other", Returns(), {"prices": "others"}),
            Node("late", Demean(), {"returns": source}),
        )
        return Pipeline("study", (*study().nodes, *extra))

    project.engine.run(wired("returns"), Serial())
    found = reasons(project.engine, wired("other"))
    assert set(found.values()) == {"input returns changed"}
    assert {place.partition(" ")[0] for place in found} == {"late"}


def test_a_block_that_follows_says_whether_it_runs_in_any_case(project: Project) -> None:
    def why(pipeline: Pipeline, node: str) -> set[str]:
        follows = planned(project.engine, pipeline)[State.FOLLOWS]
        return {d.reason for d in follows if d.task.node.name == node}

    project.engine.run(study(), Serial())
    late = Pipeline("study", (*study(Prices(seed=5)).nodes, Node("late", Demean(), LATE)))
    assert why(late, "demeaned") == {"runs if returns comes out different"}
    assert why(late, "late") == {"never computed; follows returns"}
    other = Prices(seed=5, n_bars=130)
    assert why(study(other), "wealth") >= {
        "runs if returns, wealth comes out different",
        "never computed; follows returns, wealth",
    }


LATE = {"returns": "returns"}


def test_a_changed_extent_and_state_are_named(project: Project) -> None:
    project.engine.run(study(), Serial())
    project.engine.run(study(Prices(n_bars=130)), Serial())
    with project.database.read() as connection:
        rows = connection.execute(
            select(Artefact.key).where(Artefact.node == "wealth", Artefact.block == "bars 128-143")
        )
        assert len(rows.all()) == 2
    found = reasons(project.engine, study())
    assert found == {}  # both are stored
    explained = explain(project, lambda parts: {**parts, "state": "0" * 64})
    assert explained == ["the block before it ended in another state"]
    explained = explain(project, lambda parts: {**parts, "block": ["time", 0, 16, "", ""]})
    assert explained == ["the block has another extent"]
    explained = explain(
        project, lambda parts: {**parts, "reads": {"returns": [[48, 60], None, None]}}
    )
    assert explained == ["another part of input returns is read"]


def test_another_processor_is_named(project: Project) -> None:
    project.engine.run(study(), Serial())
    (found,) = explain(project, lambda parts: {**parts, "device": "Linux riscv"})
    assert found.startswith("another processor: Linux riscv -> Linux ")


def explain(project: Project, edit: Callable[[dict[str, Any]], Mapping[str, Any]]) -> list[str]:
    """Return what the engine says of a wealth block if the ledger's record of it is edited."""
    from plumbline.engine.plan import differences, latest_parts

    place = ("wealth", "bars 48-63")
    decision = next(d for d in project.engine.plan(study()).decisions if d.task.place == place)
    assert decision.key is not None
    before = json.loads(latest_parts(project.database, "study")[place][0])
    assert differences(before, decision.key, project.database) == []
    return differences(edit(dict(before)), decision.key, project.database)


class Edited(CodeDigests):
    """Code digests of a process in which a file, or a library, is another."""

    files: Mapping[str, str] = {}
    libraries: Mapping[str, str] = {}

    def of(self, plugin: object) -> CodeDigest:
        code = super().of(plugin)
        if not isinstance(plugin, (Wealth, Summary)):
            return code
        return CodeDigest(
            "f" * 64, {**code.files, **self.files}, {**code.libraries, **self.libraries}
        )


def edited(project: Project, **parts: Mapping[str, str]) -> Engine:
    codes = Edited(project.database)
    for name, value in parts.items():
        setattr(codes, name, value)
    return replace(project.engine, codes=codes)


def test_changed_code_is_named_by_file_and_by_library(project: Project) -> None:
    project.engine.run(study(), Serial())
    engine = edited(project, files={"tests.engine.toys": "0"}, libraries={"numpy": "9.9"})
    import numpy

    expected = f"code of tests.engine.toys changed; library numpy: {numpy.__version__} -> 9.9"
    found = reasons(engine, study())
    assert set(found.values()) == {expected}
    assert set(found) == {"wealth bars 32-47"}  # what comes after it follows
    gone = edited(project, libraries={"scipy": "1.0"})
    assert set(reasons(gone, study()).values()) == {"library scipy: absent -> 1.0"}


def test_changed_code_computes_the_stages_that_use_it_until_results_are_equal(
    project: Project,
) -> None:
    project.engine.run(study(), Serial())
    engine = edited(project, files={"tests.engine.toys": "0"})
    result = engine.run(study(), Serial())
    nodes = {node for node, _ in computed(project, result.run_id)}
    assert nodes == {"wealth", "summary"}


def test_a_pipeline_may_keep_results_when_only_code_changes(project: Project) -> None:
    kept = study(on_code_change="keep")
    first = project.engine.run(kept, Serial())
    engine = edited(project, files={"tests.engine.toys": "0"})
    plan = engine.plan(kept)
    assert plan.is_done
    places = {p for p in BLOCKS if p[0] in ("wealth", "summary")}
    assert {d.task.place for d in plan.decisions if d.state is State.KEPT} == places
    made_by = project.codes.of(Wealth()).digest
    assert {d.reason for d in plan.decisions if d.state is State.KEPT} == {
        f"kept, made by code {made_by[:12]}: code of tests.engine.toys changed"
    }
    second = engine.run(kept, Serial())
    assert in_state(project, second.run_id, "kept") == places
    assert second.digests == first.digests
    with project.database.read() as connection:
        query = (
            select(Artefact.parts)
            .join(TaskRecord, TaskRecord.key == Artefact.key)
            .where(TaskRecord.run_id == second.run_id, TaskRecord.state == "kept")
        )
        codes = {json.loads(text)["code"] for text in connection.execute(query).scalars()}
    assert codes == {made_by}  # the code that made them, not the new
    again = engine.run(study(Prices(seed=3), on_code_change="keep"), Serial())
    assert computed(project, again.run_id) == BLOCKS


def test_a_result_whose_files_are_gone_is_not_kept_and_not_cached(project: Project) -> None:
    project.engine.run(study(), Serial())
    for path in (project.store / "objects").glob("*/*.parquet"):
        path.unlink()
    engine = edited(project, files={"tests.engine.toys": "0"})
    assert set(reasons(engine, study(on_code_change="keep"))) == {"summary all"}


def test_the_newest_result_of_a_block_is_what_a_change_is_told_against(project: Project) -> None:
    for scale in (1.0, 2.0, 3.0):
        project.engine.run(study(scale=scale), Serial())
    assert reasons(project.engine, study(scale=4.0)) == {
        "summary all": "parameter scale: 3.0 -> 4.0"
    }


def test_prepare_is_told_the_plan_only_if_there_is_work(project: Project) -> None:
    told: list[int] = []
    options = RunOptions(prepare=lambda plan: told.append(plan.count(State.RUN, State.FOLLOWS)))
    project.engine.run(study(), Serial(), options)
    project.engine.run(study(), Serial(), options)
    assert told == [len(BLOCKS)]


@pytest.mark.parametrize("column", ["digest", "manifest"])
def test_a_result_computed_anew_replaces_a_row_that_says_otherwise(
    project: Project, column: str
) -> None:
    first = project.engine.run(study(), Serial())
    with project.database.begin() as connection:
        values: dict[str, str] = {"digest": "0" * 64}
        if column == "manifest":
            values["manifest"] = json.dumps({"kind": "tables", "tables": {"x": "00.parquet"}})
        connection.execute(update(Artefact).where(Artefact.node == "summary").values(values))
    again = project.engine.run(study(), Serial(), RunOptions(use_cache=False))
    third = open_project(project.root).engine.run(study(), Serial())
    assert third.digests == again.digests == first.digests
    assert third.counts == {"cached": len(BLOCKS)}

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.core.errors import UnhashableError
from plumbline.core.plugin import Plugin
from plumbline.engine.blocks import tasks_of
from plumbline.engine.executors.processes import Processes
from plumbline.engine.executors.serial import Serial
from plumbline.engine.key import Key, KeyMaker
from plumbline.engine.pipeline import DataInput, Node, Pipeline
from plumbline.engine.project import Project
from plumbline.engine.stage import Axes, Resources, Stage
from plumbline.ledger.queries import tasks_of_run
from tests.engine.pipelines import BLOCKS, computed, study
from tests.engine.test_bar_dates import Bars
from tests.engine.toys import Prices, Returns, Wealth


@final
@dataclass(frozen=True)
class Free(Stage):
    """A stage with a parameter of any type."""

    value: Any = None
    optional: ClassVar[tuple[str, ...]] = ("prices",)

    def axes(self, inputs: Mapping[str, Axes]) -> Axes:
        return Prices().axes(inputs)

    def run(self, inputs: Mapping[str, Any]) -> Any:
        return Prices().run(inputs)


@final
@dataclass(frozen=True)
class Left(Plugin):
    """One plug-in."""

    ratio: float = 1.0


@final
@dataclass(frozen=True)
class Right(Plugin):
    """Another plug-in with the same fields."""

    ratio: float = 1.0


def key_of(project: Project, stage: Stage) -> Key:
    (task,) = tasks_of(Pipeline("p", (Node("n", stage),)))
    return KeyMaker(project.codes).key_of(task, {}, None)


def test_the_bars_that_a_data_set_spans_count(project: Project) -> None:
    """A panel of one asset reaches over all bars of the data set, wherever the asset's own end."""

    def key(last_bar: int) -> str:
        data = DataInput(Bars(10, last_bar), ("close",), ("A",))
        node = Node("n", Free(), {"prices": data})
        (task,) = tasks_of(Pipeline("p", (node,)))
        return KeyMaker(project.codes).key_of(task, {}, None).digest

    assert key(20) == key(20)
    assert key(20) != key(21)


def test_the_type_of_a_parameter_counts(project: Project) -> None:
    values = [
        1, 1.0, True, "1", None, 0.0, -0.0, np.float64(1), np.int64(1), (1,), [1], {1}, {"a": 1},
        {"a": 1.0}, np.array([1.0]), np.array([1]), np.array([[1.0]]), np.datetime64("2020-01-01"),
        Left(), Right(), Left(2.0), (Left(),), {"a": Left()}, {"a": Right()}, b"1", "",
    ]  # fmt: skip
    keys = [key_of(project, Free(value)).digest for value in values]
    assert len(set(keys)) == len(values)
    assert keys == [key_of(project, Free(value)).digest for value in values]


def test_every_nan_is_one_value(project: Project) -> None:
    odd = np.frombuffer(b"\x01\x00\x00\x00\x00\x00\xf8\xff", dtype=np.float64)
    assert np.isnan(odd).all()
    other = np.array([np.nan])
    assert key_of(project, Free(odd)).digest == key_of(project, Free(other)).digest


def test_a_parameter_without_a_digest_is_named(project: Project) -> None:
    with pytest.raises(UnhashableError, match="function"):
        key_of(project, Free(lambda x: x))
    with pytest.raises(UnhashableError):
        key_of(project, Free((1, {"deep": [object()]})))


def test_what_cannot_be_hashed_runs_every_time_with_a_reason_and_is_not_stored(
    project: Project,
) -> None:
    pipeline = Pipeline(
        "p",
        (
            Node("free", Free(print)),
            Node("returns", Returns(), {"prices": "free"}),
        ),
    )
    first = project.engine.run(pipeline, Serial())
    second = project.engine.run(pipeline, Serial())
    assert computed(project, second.run_id) == {("free", "all")}  # its readers find it unchanged
    assert second.digests == first.digests
    (task,) = (t for t in tasks_of_run(project.database, second.run_id) if t["node"] == "free")
    assert task["reason"].startswith("cannot be cached: ")
    assert "builtin_function_or_method" in task["reason"]
    assert task["key"] is None


def test_a_stage_typed_at_a_prompt_runs_uncached_in_this_process(project: Project) -> None:
    from plumbline.core.errors import RunError

    space: dict[str, Any] = {"__name__": "typed_at_a_prompt", "Prices": Prices, "Stage": Stage}
    source = (
        "from dataclasses import dataclass\n"
        "@dataclass(frozen=True)\n"
        "class Typed(Stage):\n"
        "    def axes(self, inputs): return Prices().axes(inputs)\n"
        "    def run(self, inputs): return Prices().run(inputs)\n"
    )
    exec(source, space)  # noqa: S102  # as a prompt does
    pipeline = Pipeline("p", (Node("typed", space["Typed"]()),))
    for _ in range(2):
        result = project.engine.run(pipeline, Serial())
        assert result.counts == {"computed": 1}
    (task,) = tasks_of_run(project.database, result.run_id)
    assert "has no source file that Plumbline can read" in task["reason"]
    assert project.engine.cache.statistics().n_results == 0
    with pytest.raises(RunError, match="cannot be sent to a worker process"):
        project.engine.run(pipeline, Processes(1))


def test_executor_workers_and_resources_are_in_no_key(project: Project) -> None:
    result = project.engine.run(study(), Serial())
    keys = {t["key"] for t in tasks_of_run(project.database, result.run_id)}
    again = project.engine.run(study(), Processes(3))
    assert again.counts == {"cached": len(BLOCKS)}
    assert {t["key"] for t in tasks_of_run(project.database, again.run_id)} == keys
    task = tasks_of(study())[0]
    before = KeyMaker(project.codes).key_of(task, {}, None)
    original = Prices.resources
    try:
        Prices.resources = Resources(seconds=5.0, memory_bytes=1)
        assert KeyMaker(project.codes).key_of(task, {}, None) == before
    finally:
        Prices.resources = original


def test_block_inputs_state_and_selection_are_in_the_key(project: Project) -> None:
    tasks = tasks_of(study())
    wealth = [t for t in tasks if isinstance(t.node.stage, Wealth)]
    outputs = {t.number: f"{t.number:064x}" for t in tasks}
    maker = KeyMaker(project.codes)
    base = maker.key_of(wealth[1], outputs, "a" * 64)
    assert maker.key_of(wealth[1], outputs, "a" * 64) == base
    others = [
        maker.key_of(wealth[1], outputs, "b" * 64),
        maker.key_of(wealth[1], outputs, None),
        maker.key_of(wealth[1], {**outputs, wealth[1].needs[0]: "c" * 64}, "a" * 64),
        maker.key_of(wealth[2], outputs, "a" * 64),
    ]
    read = wealth[1].reads[0]
    narrower = replace(read, selection=replace(read.selection, bars=(48, 60)))
    others.append(maker.key_of(replace(wealth[1], reads=(narrower,)), outputs, "a" * 64))
    assert len({key.digest for key in (base, *others)}) == 6
    assert len({key.basis for key in (base, *others)}) == 6
    unread = {**outputs, wealth[-1].number: "d" * 64}
    assert maker.key_of(wealth[1], unread, "a" * 64) == base


@given(seed=st.integers(0, 3), n_bars=st.integers(1, 4), first=st.integers(-2, 2))
def test_keys_are_equal_exactly_when_parameters_are(
    tmp_path_factory: pytest.TempPathFactory, seed: int, n_bars: int, first: int
) -> None:
    project = _shared(tmp_path_factory)
    key = key_of(project, Prices(n_bars, seed, first))
    seen = _SEEN.setdefault((n_bars, seed, first), key.digest)
    assert seen == key.digest
    assert len(set(_SEEN.values())) == len(_SEEN)
    assert json.loads(json.dumps(key.parts))["stage"] == "tests.engine.toys.Prices"


_SEEN: dict[tuple[int, int, int], str] = {}
_PROJECTS: list[Project] = []


def _shared(factory: pytest.TempPathFactory) -> Project:
    from plumbline.engine.project import create_project

    if not _PROJECTS:
        _PROJECTS.append(create_project(factory.mktemp("keys")))
    return _PROJECTS[0]


def test_the_processor_counts_where_a_library_computes_by_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plumbline.engine import key as module

    before = key_of(project, Prices())
    assert before.parts["device"]
    monkeypatch.setattr(module, "device_profile", lambda _libraries: "Linux riscv")
    after = key_of(project, Prices())
    assert (after.digest != before.digest, after.basis) == (True, before.basis)


def test_a_switch_of_a_library_counts(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key_of(project, Prices())
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    after = key_of(project, Prices())
    assert (after.digest != before.digest, after.basis) == (True, before.basis)
    told = {*before.parts["device"].split(), "NUMBA_DISABLE_JIT=1"}
    assert set(after.parts["device"].split()) == told

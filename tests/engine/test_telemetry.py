"""Spans, metrics and logs of runs: all that happened is told, and nothing when nobody asks."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from plumbline.core.errors import MissingExtraError, RunError
from plumbline.engine import run as run_module
from plumbline.engine import telemetry
from plumbline.engine.executor import Executor
from plumbline.engine.executors.processes import Processes
from plumbline.engine.executors.serial import Serial
from plumbline.engine.observer import LogObserver, observers
from plumbline.engine.pipeline import Node, Pipeline
from plumbline.engine.project import Project, create_project
from plumbline.engine.retries import Retries
from plumbline.engine.run import RunOptions
from plumbline.engine.telemetry import Telemetry
from tests.engine.pipelines import BLOCKS, study
from tests.engine.toys import Fails, Flaky

REPOSITORY = Path(__file__).resolve().parents[2]
QUICK = Retries(base_seconds=0.01)


class Memory:
    """Holds what telemetry would send."""

    def __init__(self) -> None:
        self.spans = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        self.meters = MeterProvider([self.reader])
        self.telemetry = Telemetry(tracers, self.meters)

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans.get_finished_spans() if span.name == name]

    def metric(self, name: str) -> list[Any]:
        found = self.reader.get_metrics_data()
        assert found is not None
        return [
            point
            for resource in found.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def sums(self, name: str, label: str) -> dict[str, float]:
        sums: dict[str, float] = {}
        for point in self.metric(name):
            key = str(point.attributes[label])
            value = getattr(point, "value", None)
            sums[key] = sums.get(key, 0) + (point.count if value is None else value)
        return sums


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Memory:
    memory = Memory()
    monkeypatch.setattr(run_module, "observers", lambda: (LogObserver(), memory.telemetry))
    return memory


@pytest.mark.parametrize("executor", [Serial(), Processes(2)], ids=["serial", "processes"])
def test_a_run_holds_its_nodes_and_these_their_blocks(
    project: Project, sent: Memory, executor: Executor
) -> None:
    result = project.engine.run(study(), executor)
    (run,) = sent.named("run")
    nodes = {span.context.span_id: span for span in sent.named("node")}
    blocks = sent.named("block")
    assert run.attributes["plumbline.run"] == result.run_id
    assert run.attributes["plumbline.state"] == "done"
    assert run.status.is_ok
    assert {span.parent.span_id for span in nodes.values()} == {run.context.span_id}
    found = {
        (nodes[b.parent.span_id].attributes["plumbline.node"], b.attributes["plumbline.block"])
        for b in blocks
    }
    assert found == BLOCKS
    for block in blocks:
        node = nodes[block.parent.span_id]
        assert node.start_time <= block.start_time < block.end_time <= node.end_time
    assert {span.context.trace_id for span in (*blocks, *nodes.values())} == {run.context.trace_id}


def test_metrics_count_blocks_by_state_seconds_bytes_and_hits(
    project: Project, sent: Memory
) -> None:
    project.engine.run(study(), Serial())
    project.engine.run(study(scale=2.0), Serial())
    n = len(BLOCKS)
    states = sent.sums("plumbline.blocks", "plumbline.state")
    assert states == {"computed": n + 1, "cached": n - 1}
    assert sum(sent.sums("plumbline.cache.hits", "plumbline.node").values()) == n - 1
    assert sum(sent.sums("plumbline.block.duration", "plumbline.node").values()) == n + 1
    stored = sum(sent.sums("plumbline.results.size", "plumbline.node").values())
    assert stored > project.engine.cache.statistics().n_bytes * 0.9
    assert sent.sums("plumbline.run.duration", "plumbline.state") == {"done": 2}


def test_a_failed_block_is_an_error_with_its_attempts(
    project: Project, sent: Memory, tmp_path: Path
) -> None:
    flaky = Node("flaky", Flaky(str(tmp_path / "marker"), 1), {"returns": "returns"})
    bad = Node("bad", Fails(), {"returns": "returns"})
    pipeline = Pipeline("study", (*study().nodes, flaky, bad))
    with pytest.raises(RunError):
        project.engine.run(pipeline, Serial(), RunOptions(retries=QUICK))
    (run,) = sent.named("run")
    assert not run.status.is_ok
    assert run.attributes["plumbline.state"] == "failed"
    names = {s.context.span_id: s.attributes["plumbline.node"] for s in sent.named("node")}
    by_node = {names[s.parent.span_id]: s for s in sent.named("block")}
    assert not by_node["bad"].status.is_ok
    assert "planted" in str(by_node["bad"].status.description)
    assert by_node["flaky"].status.is_ok
    (event,) = by_node["flaky"].events
    assert event.attributes["kind"] == "TransientError"
    kinds = sent.sums("plumbline.attempts.failed", "plumbline.kind")
    assert kinds == {"TransientError": 1, "StageError": 1}


def test_logs_tell_a_run_with_its_ids(
    project: Project, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flaky = Node("flaky", Flaky(str(tmp_path / "marker"), 1), {"returns": "returns"})
    with caplog.at_level(logging.DEBUG, "plumbline"):
        pipeline = Pipeline("study", (*study().nodes, flaky))
        result = project.engine.run(pipeline, Serial(), RunOptions(retries=QUICK))
    records = [r for r in caplog.records if r.name == "plumbline.engine"]
    assert {getattr(record, "run_id", None) for record in records} == {result.run_id}
    events = [record.getMessage() for record in records]
    assert (events[0], events[-1]) == ("run began", "run ended")
    assert events.count("block computed") == len(BLOCKS) + 1
    (warned,) = [record for record in records if record.levelno == logging.WARNING]
    assert vars(warned)["node"] == "flaky"
    assert vars(warned)["next_in_seconds"] > 0


def test_nothing_is_observed_but_logs_unless_the_settings_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in list(os.environ):
        if name.startswith("OTEL_") or name == "PLUMBLINE_TELEMETRY":
            monkeypatch.delenv(name)
    assert [type(found) for found in observers()] == [LogObserver]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:9")
    monkeypatch.setenv("PLUMBLINE_TELEMETRY", "off")
    assert [type(found) for found in observers()] == [LogObserver]


def test_absent_libraries_are_told_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'plumbline\[telemetry\]'"):
        telemetry.telemetry_of_environment()


RUN = """
import sys
from pathlib import Path
from plumbline.core.logs import configure_logs
from plumbline.engine.executors.processes import Processes
from plumbline.engine.executors.serial import Serial
from plumbline.engine.project import create_project
from tests.engine.pipelines import study
configure_logs()
create_project(Path(sys.argv[1])).engine.run(study(), Serial())
print("opentelemetry" in {name.partition(".")[0] for name in sys.modules})
"""


def in_a_process(folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    names = ("PLUMBLINE_", "OTEL_")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(names)}
    command = [sys.executable, "-c", RUN, str(folder)]
    return subprocess.run(
        command, cwd=REPOSITORY, env=clean | variables, capture_output=True, text=True, check=True
    )


def test_a_run_that_nobody_asked_to_tell_loads_nothing_and_says_nothing(tmp_path: Path) -> None:
    done = in_a_process(tmp_path / "p")
    assert done.stdout == "False\n"
    assert done.stderr == ""


def test_the_standard_variables_turn_telemetry_on(tmp_path: Path) -> None:
    consoles = {"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "console"}
    done = in_a_process(tmp_path / "p", **consoles)
    assert done.stdout == "True\n"
    assert done.stderr.count('"name": "block"') == len(BLOCKS)
    assert '"name": "plumbline.blocks"' in done.stderr
    assert '"service.name": "plumbline"' in done.stderr
    off = in_a_process(tmp_path / "p", **consoles, OTEL_SDK_DISABLED="true")
    assert (off.stdout, off.stderr) == ("False\n", "")


def test_a_collector_that_is_not_there_stops_no_run(tmp_path: Path) -> None:
    done = in_a_process(
        tmp_path / "p",
        PLUMBLINE_TELEMETRY="on",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
    )
    assert done.stdout == "True\n"
    assert create_project(tmp_path / "p").engine.plan(study()).is_done


def test_json_logs_of_a_run_are_a_line_an_event(tmp_path: Path) -> None:
    done = in_a_process(tmp_path / "p", PLUMBLINE_LOG="json")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines].count("block computed") == len(BLOCKS)
    assert all(line["run_id"] == lines[0]["run_id"] for line in lines)
    blocks = {(line["node"], line["block"]) for line in lines if "block" in line}
    assert blocks == BLOCKS

"""Spans and metrics of runs by OpenTelemetry: run, node, block; loaded only if asked for."""

import time
from typing import Any, NamedTuple, final

from plumbline.core.errors import MissingExtraError
from plumbline.core.settings import telemetry_exporters
from plumbline.engine.observer import Begun
from plumbline.ledger.session import Completion, Mishap

_NAME = "plumbline"
_FLUSH_MS = 5000
_providers: list[tuple[Any, Any]] = []  # of this process, made once


def telemetry_of_environment() -> "Telemetry":
    """Return the telemetry that the standard ``OTEL_`` variables describe.

    A program that has set providers of its own keeps them.

    Raises
    ------
    MissingExtraError
        If the libraries are not installed.
    """
    try:
        from opentelemetry import metrics, trace
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.trace import TracerProvider
    except ImportError as error:
        raise MissingExtraError("opentelemetry-sdk", "telemetry") from error
    tracers, meters = trace.get_tracer_provider(), metrics.get_meter_provider()
    if isinstance(tracers, TracerProvider) or isinstance(meters, MeterProvider):
        return Telemetry(tracers, meters)
    if not _providers:
        _providers.append(_made_providers())
    return Telemetry(*_providers[0])


def _made_providers() -> tuple[Any, Any]:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    spans, numbers = telemetry_exporters()
    resource = Resource.create()
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: _NAME}))
    tracers = TracerProvider(resource=resource)
    if (exporter := _span_exporter(spans)) is not None:
        tracers.add_span_processor(BatchSpanProcessor(exporter))
    readers = []
    if (sink := _metric_exporter(numbers)) is not None:
        readers.append(PeriodicExportingMetricReader(sink))
    return tracers, MeterProvider(readers, resource=resource)


def _span_exporter(name: str) -> Any:
    if name == "console":
        import sys

        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter(out=sys.stderr)
    if name == "none":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise MissingExtraError("opentelemetry-exporter-otlp-proto-http", "telemetry") from error
    return OTLPSpanExporter()


def _metric_exporter(name: str) -> Any:
    if name == "console":
        import sys

        from opentelemetry.sdk.metrics.export import ConsoleMetricExporter

        return ConsoleMetricExporter(out=sys.stderr)
    if name == "none":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    except ImportError as error:
        raise MissingExtraError("opentelemetry-exporter-otlp-proto-http", "telemetry") from error
    return OTLPMetricExporter()


class _Block(NamedTuple):
    """A block that ended: what became of it, when, and its failed attempts."""

    done: Completion
    start: int
    end: int
    failed: list[tuple[int, Mishap]]


def _block(done: Completion, began: float | None, failed: list[tuple[int, Mishap]]) -> _Block:
    moments = [moment for moment, _ in failed]
    own = [] if began is None else [int(began * 1e9)]
    start = min([*own, *moments], default=time.time_ns())
    ends = [moment + int((done.seconds or 0.0) * 1e9) for moment in own]
    return _Block(done, start, max([start, *ends, *moments]), failed)


@final
class Telemetry:
    """Follows a run with spans and metrics.

    A run is a span, below it each node that computes, below that each block and its failed
    attempts as events; nodes and blocks are sent when the run ends, as a node begins with the
    earliest of its blocks. Blocks that were there already have no span and are counted.

    Parameters
    ----------
    tracers, meters : providers of OpenTelemetry.
    """

    def __init__(self, tracers: Any, meters: Any) -> None:
        self._tracers, self._meters = tracers, meters
        self._tracer = tracers.get_tracer(_NAME)
        meter = meters.get_meter(_NAME)
        self._blocks = meter.create_counter("plumbline.blocks", "{block}", "blocks by state")
        self._hits = meter.create_counter("plumbline.cache.hits", "{block}", "blocks found stored")
        self._attempts = meter.create_counter("plumbline.attempts.failed", "{attempt}")
        self._bytes = meter.create_counter("plumbline.results.size", "By", "bytes of new results")
        self._seconds = meter.create_histogram("plumbline.block.duration", "s")
        self._whole = meter.create_histogram("plumbline.run.duration", "s")
        self._about: dict[str, str] = {}
        self._run: Any = None
        self._nodes: dict[str, list[_Block]] = {}
        self._failed: dict[tuple[str, str], list[tuple[int, Mishap]]] = {}

    def run_began(self, run: Begun) -> None:
        """Open the span of the run."""
        self._about = {"plumbline.recipe": run.pipeline}
        facts = {"plumbline.run": run.run_id, "plumbline.executor": run.executor}
        self._run = self._tracer.start_span("run", attributes={**self._about, **facts})

    def block_ended(self, done: Completion, began: float | None) -> None:
        """Count a block; one that was begun has a span, which ends here."""
        labels = {**self._about, "plumbline.node": done.node}
        self._blocks.add(1, {**labels, "plumbline.state": done.state})
        if done.state in ("cached", "kept"):
            self._hits.add(1, labels)
        if done.artefact is not None:
            self._bytes.add(int(done.artefact["n_bytes"]), labels)
        if done.seconds is not None:
            self._seconds.record(done.seconds, labels)
        if done.seconds is not None or done.state == "failed":
            failed = self._failed.pop((done.node, done.block), [])
            self._nodes.setdefault(done.node, []).append(_block(done, began, failed))

    def attempt_failed(self, mishap: Mishap, wait: float | None) -> None:  # noqa: ARG002  # of logs
        """Note a failed attempt for the span of its block, and count it."""
        if not mishap.attempt:  # a stored result that was found damaged
            return
        kinds = {"plumbline.node": mishap.node, "plumbline.kind": mishap.kind}
        self._attempts.add(1, {**self._about, **kinds})
        found = self._failed.setdefault((mishap.node, mishap.block), [])
        found.append((time.time_ns(), mishap))

    def run_ended(self, state: str, seconds: float) -> None:
        """Close the spans, and see that all are sent."""
        from opentelemetry.trace import StatusCode

        self._whole.record(seconds, {**self._about, "plumbline.state": state})
        for name, blocks in self._nodes.items():
            self._send_node(name, blocks)
        self._nodes.clear()
        self._run.set_attribute("plumbline.state", state)
        self._run.set_status(StatusCode.OK if state == "done" else StatusCode.ERROR)
        self._run.end()
        for provider in (self._tracers, self._meters):
            flush = getattr(provider, "force_flush", None)
            if flush is not None:
                flush(_FLUSH_MS)

    def _send_node(self, name: str, blocks: list[_Block]) -> None:
        """Send the span of a node and those of its blocks."""
        from opentelemetry.trace import set_span_in_context

        facts = {"plumbline.node": name}
        start, end = min(block.start for block in blocks), max(block.end for block in blocks)
        above = set_span_in_context(self._run)
        node = self._tracer.start_span("node", above, attributes=facts, start_time=start)
        for block in blocks:
            self._send_block(block, set_span_in_context(node))
        node.end(end)

    def _send_block(self, block: _Block, above: Any) -> None:
        from opentelemetry.trace import StatusCode

        done = block.done
        facts: dict[str, Any] = {"plumbline.block": done.block, "plumbline.state": done.state}
        facts |= {} if done.key is None else {"plumbline.key": done.key}
        facts |= {} if done.peak_bytes is None else {"plumbline.peak_bytes": done.peak_bytes}
        span = self._tracer.start_span("block", above, attributes=facts, start_time=block.start)
        for moment, mishap in block.failed:
            about = {"kind": mishap.kind, "attempt": mishap.attempt, "message": mishap.message}
            span.add_event("attempt failed", about, moment)
        if done.state == "failed":
            span.set_status(StatusCode.ERROR, done.reason)
        else:
            span.set_status(StatusCode.OK)
        span.end(block.end)

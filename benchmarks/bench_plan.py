"""How long the engine thinks: a plan in which nothing changed, and its share of each block.

A chain of stages that each add a number to a table of one row: the work is next to nothing, so
what is measured is keys, look-ups, files and commits. Plans are made as a new command makes them,
by an engine that has just been opened.

Run: python -m benchmarks.bench_plan
"""

import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, final

from benchmarks.harness import Report

import polars as pl  # isort: skip

from plumbline.engine.executors.serial import Serial  # isort: skip
from plumbline.engine.pipeline import Node, Pipeline  # isort: skip
from plumbline.engine.project import create_project, open_project  # isort: skip
from plumbline.engine.stage import Stage  # isort: skip

STAGES = (100, 1_000, 10_000)
PLANS = 5
LIMIT_SECONDS = 1.0  # of the longest plan


@final
@dataclass(frozen=True)
class Add(Stage):
    """One link of a chain."""

    number: int = 0
    optional: ClassVar[tuple[str, ...]] = ("before",)

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, pl.DataFrame]:
        """Add a number to the table before, or begin one."""
        before = inputs["before"]["n"]["n"][0] if "before" in inputs else 0
        return {"n": pl.DataFrame({"n": [before + self.number]})}


def chain(n_stages: int) -> Pipeline:
    links = [Node(f"n{i}", Add(i), {"before": f"n{i - 1}"} if i else {}) for i in range(n_stages)]
    return Pipeline("chain", tuple(links))


def main() -> None:
    report = Report("plan")
    with tempfile.TemporaryDirectory() as name:
        for n_stages in STAGES:
            folder = Path(name) / f"{n_stages}"
            pipeline = chain(n_stages)
            start = time.perf_counter()
            create_project(folder).engine.run(pipeline, Serial())
            computed = time.perf_counter() - start
            times = []
            for _ in range(PLANS):
                engine = open_project(folder).engine
                start = time.perf_counter()
                plan = engine.plan(pipeline)
                times.append(time.perf_counter() - start)
                assert plan.is_done
            start = time.perf_counter()
            open_project(folder).engine.run(pipeline, Serial())
            cached = time.perf_counter() - start
            report.add(
                f"{n_stages} stages",
                plan_s=statistics.median(times),
                plan_ms_a_stage=1e3 * statistics.median(times) / n_stages,
                computed_ms_a_stage=1e3 * computed / n_stages,
                cached_ms_a_stage=1e3 * cached / n_stages,
            )
    slowest = statistics.median(times)
    print(f"plan of {STAGES[-1]} stages: {slowest:.2f} s, at most {LIMIT_SECONDS} s")
    report.save()


if __name__ == "__main__":
    main()

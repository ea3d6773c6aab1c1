"""A run in a process of its own, for tests that end it from outside."""

import signal
import sys
from pathlib import Path

from plumbline.engine.executor import Executor
from plumbline.engine.executors.processes import Processes
from plumbline.engine.executors.serial import Serial
from plumbline.engine.pipeline import Node, Pipeline
from plumbline.engine.project import create_project
from tests.engine.pipelines import study
from tests.engine.toys import Waits


def waiting(marker: str, seconds: float) -> Pipeline:
    nodes = [Node(f"w{i}", Waits(seconds, marker), {"returns": "returns"}) for i in range(2)]
    return Pipeline("study", (*study().nodes, *nodes))


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    folder, marker, seconds, workers = sys.argv[1:]
    executor: Executor = Processes(int(workers)) if int(workers) else Serial()
    project = create_project(Path(folder))
    result = project.engine.run(waiting(marker, float(seconds)), executor)
    for (node, block), digest in sorted(result.digests.items()):
        print(node, block, digest, sep="\t")

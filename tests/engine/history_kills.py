"""Kills each step of a project's history in forked children: at its points, or at any moment."""

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

from plumbline.engine import code_digest, session
from tests.engine.crash_server import Points, forked
from tests.engine.history import (
    HISTORY,
    Place,
    Step,
    left,
    meanings,
    pipeline,
    write_files,
    wrong,
)

RANDOM_STEPS = ("ingest", "append", "compact", "gc")


def counted(place: Place, step: Step) -> Any:
    """Do a step undisturbed; return its points, how long it took, and what names meant before."""
    project = place.project()
    before = meanings(project)
    points = Points(None)
    points.install()
    started = time.monotonic()
    step.act(project)
    return [points.hits, time.monotonic() - started, before]


def crashed(place: Place, step: Step, kill_at: int) -> Any:
    project = place.project()
    Points(kill_at).install()
    step.act(project)


def again(place: Place, step: Step) -> dict[str, Any]:
    """Look at what a crash left, do the step again, and look again."""
    project = place.project()
    found = {"means at first": meanings(project), "wrong at first": wrong(project)}
    step.act(project)
    return {**found, **left(project)}


def undisturbed(place: Place, step: Step) -> dict[str, Any]:
    """Do a step; return what it left, its points, and what a second time leaves."""
    hits, seconds, before = forked(lambda: counted(place, step))[1]
    place.keep(f"after_{step.name}")
    after = forked(lambda: left(place.project()))[1]
    place.put_back(f"after_{step.name}")
    twice = forked(lambda: again(place, step))[1]
    return {"hits": hits, "seconds": seconds, "before": before, "after": after, "twice": twice}


def at_points(place: Place, step: Step, told: dict[str, Any], every: int) -> list[Any]:
    """Kill a step at its points, one of so many; the first is another for each step."""
    crashes = []
    first = [one.name for one in HISTORY].index(step.name) * 3 % every
    for i in range(min(first, len(told["hits"]) - 1), len(told["hits"]), every):
        place.put_back(f"before_{step.name}")
        status, _ = forked(lambda i=i: crashed(place, step, i))
        crashes.append([told["hits"][i], status, forked(lambda: again(place, step))[1]])
    return crashes


def at_random(
    place: Place, step: Step, told: dict[str, Any], count: int, draws: random.Random
) -> list[Any]:
    """Kill a step at so many moments of the time that it takes."""
    crashes: list[Any] = []
    most = told["seconds"]
    for _ in range(20 * count):
        if len(crashes) == count:
            break
        wait = draws.uniform(0, most)
        place.put_back(f"before_{step.name}")
        reader, writer = os.pipe()

        def act(pipe: int = writer) -> None:
            project = place.project()
            os.write(pipe, b".")
            step.act(project)

        def kill(child: int, pipe: int = reader, wait: float = wait) -> None:
            os.read(pipe, 1)
            time.sleep(wait)
            os.killpg(child, signal.SIGKILL)

        status, _ = forked(act, kill)
        os.close(reader)
        os.close(writer)
        if status == signal.SIGKILL:
            after = forked(lambda: again(place, step))[1]
            crashes.append([f"after {wait:.4f} s", status, after])
        else:
            most = wait  # the step had ended before its moment came: it takes less time than it did
    return crashes


def history(place: Place, every: int, count: int, seed: int) -> Any:
    """Go through the history; kill each step first."""
    report = {}
    draws = random.Random(seed)  # noqa: S311  # moments, no secrets
    shares = dict.fromkeys(RANDOM_STEPS, count // len(RANDOM_STEPS))
    shares["append"] += count % len(RANDOM_STEPS)
    for step in HISTORY:
        forked(lambda step=step: step.before(place.project()))
        place.keep(f"before_{step.name}")
        told = undisturbed(place, step)
        crashes = at_points(place, step, told, every) if every else []
        if shares.get(step.name):
            crashes += at_random(place, step, told, shares[step.name], draws)
        report[step.name] = {**told, "hits": Counter(told["hits"]), "crashes": crashes}
        place.put_back(f"after_{step.name}")
    return report


def warm_up(place: Place) -> None:
    """Read the source files and load the libraries that every child would."""
    import plumbline.lake.appending
    import plumbline.lake.compaction
    import plumbline.lake.derived
    import plumbline.lake.preparation

    assert plumbline.lake.appending
    assert plumbline.lake.compaction
    assert plumbline.lake.derived
    assert plumbline.lake.preparation
    code_digest.parse = lru_cache(code_digest.parse)  # type: ignore[assignment]  # for the children
    project = place.project()
    for node in pipeline(1).nodes:
        project.codes.of(node.stage)


def main() -> None:
    """Serve ``FOLDER EVERY COUNT SEED``; 0: no kills of that kind. Started by -c, to start fast."""
    session._COMMIT_SECONDS = 0.0  # as many commits in every child, however busy the machine is
    folder, every, count, seed = Path(sys.argv[1]), *map(int, sys.argv[2:])
    place = Place(folder, os.environ.get("PLUMBLINE_TEST_SERVER"))
    forked(lambda: write_files(place.root))  # no table is computed here: its threads do not fork
    written = time.monotonic()
    warm_up(place)
    time.sleep(max(0.0, written + 2.1 - time.monotonic()))  # so that files are remembered, always
    print(json.dumps(history(place, every, count, seed)))

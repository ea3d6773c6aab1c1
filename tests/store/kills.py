"""Kills writers of a store in forked children, while another child reads all the time.

The parent computes no table: the threads of the libraries would not come along into its children.
"""

import json
import os
import random
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Copy
from sqlalchemy import Engine as Database
from sqlalchemy import event
from sqlalchemy.engine.default import DefaultDialect

from plumbline.core.errors import PlumblineError
from plumbline.store.tables import TABLES
from tests.engine.crash_server import Points, die, forked
from tests.store.durable_history import DAYS, Place, digest, look, mixed, operations


class ServerPoints(Points):
    """The points of a client of a server: statements, pieces of COPY, before and after a commit."""

    def install(self) -> None:
        event.listen(Database, "before_cursor_execute", self._statement)
        write, finish, commit = Copy.write, Copy.finish, DefaultDialect.do_commit

        def written(copy: Any, piece: Any) -> None:
            if self.hit("copy"):
                write(copy, bytes(piece)[: len(piece) // 2])
                copy.connection.pgconn.flush()
                die()
            write(copy, piece)

        def finished(copy: Any, error: Any = None) -> None:
            if self.hit("copied"):
                die()
            finish(copy, error)

        def committed(dialect: Any, connection: Any) -> None:
            if self.hit("commit"):
                die()
            commit(dialect, connection)
            if self.hit("committed"):
                die()

        Copy.write = written  # type: ignore[method-assign]
        Copy.finish = finished  # type: ignore[method-assign]
        DefaultDialect.do_commit = committed  # type: ignore[method-assign]

    def _statement(self, _connection: Any, _cursor: Any, _text: str, *_rest: Any) -> None:
        if self.hit("statement"):
            die()


def points_of(place: Place, kill_at: int | None) -> Points:
    kind = Points if place.server is None else ServerPoints
    points = kind(kill_at)
    points.install()
    return points


def prepared(place: Place) -> None:
    """Make the store, with what readers look at first."""
    operations(place.tables())[0](place.open())


def undisturbed(place: Place) -> Any:
    """Do all; return how the store looks before, in between and after, and what mixes."""
    store, steps = place.open(), operations(place.tables())[1:]
    looks, wrong = [look(store)], mixed(store.sql(DAYS))
    for step in steps:
        step(store)
        looks.append(look(store))
        wrong += mixed(store.sql(DAYS))
    return [looks, wrong, place.cleared()]


def counted(place: Place) -> Any:
    """Do all; return the points of each step, and how long it took."""
    steps = operations(place.tables())[1:]
    points = points_of(place, None)
    began = time.monotonic()
    store, ends = place.open(), []
    for step in steps:
        step(store)
        ends.append(len(points.hits))
    return [points.hits, ends, time.monotonic() - began]


def crashed(place: Place, kill_at: int | None, told: int) -> Any:
    """Do all, with a death at a point; say of each step that it is done."""
    steps = operations(place.tables())[1:]
    os.write(told, b"+")
    if kill_at is not None:
        points_of(place, kill_at)
    store = place.open()
    for step in steps:
        step(store)
        os.write(told, b".")
    return "went on"


def again(place: Place) -> Any:
    """Look at what a death left; do all, and look again."""
    store, steps = place.open(), operations(place.tables())[1:]
    first, wrong = look(store), mixed(store.sql(DAYS))
    for step in steps:
        step(store)
    left = place.cleared()
    return {
        "first": first,
        "last": look(store),
        "mixed": wrong + mixed(store.sql(DAYS)),
        "left": left,
    }


def polled(place: Place, stop: int, expected: list[dict[str, str]]) -> Any:
    """Look again and again until told to stop; return how often, at which states, and what not."""
    allowed = {name: {one[name] for one in expected} for name in expected[0]}
    places = {one["days"]: i for i, one in enumerate(expected)}
    store, n_looks, states, wrong = place.open(), 0, set(), []
    os.set_blocking(stop, False)
    while True:
        rows = store.sql(DAYS)
        table = TABLES[n_looks % len(TABLES)]
        found = {"days": digest(rows), table: digest(store.read(table))}
        wrong += [name for name in found if found[name] not in allowed[name]]
        wrong += mixed(rows)
        states.add(places.get(found["days"], -1))
        n_looks += 1
        try:
            os.read(stop, 1)
        except BlockingIOError:
            continue
        return {"looks": n_looks, "states": sorted(states), "wrong": wrong}


class Reader:
    """A child that reads meanwhile."""

    def __init__(self, place: Place, expected: list[dict[str, str]]) -> None:
        self._stop, stopper = os.pipe()
        self._answer, writer = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.setpgid(0, 0)
            os.close(stopper)
            with os.fdopen(writer, "w") as pipe:
                pipe.write(json.dumps(polled(place, self._stop, expected)))
            os._exit(0)
        os.close(writer)
        self._stopper = stopper

    def stopped(self) -> Any:
        os.close(self._stopper)
        with os.fdopen(self._answer) as pipe:
            text = pipe.read()
        os.waitpid(self._child, 0)
        os.close(self._stop)
        return json.loads(text)


def trial(
    place: Place, expected: Any, kill_at: int | None, kill: Callable[[int], None] | None = None
) -> Any:
    """Kill one writer, and let another do it again; return what there was to see."""
    forked(lambda: prepared(place))
    reader = Reader(place, expected)
    told, teller = os.pipe()

    def killed(child: int) -> None:
        os.read(told, 1)
        if kill is not None:
            kill(child)

    status, _ = forked(lambda: crashed(place, kill_at, teller), killed)
    os.close(teller)
    with os.fdopen(told, "rb") as pipe:
        n_done = len(pipe.read())
    after = forked(lambda: again(place))[1]
    seen = reader.stopped()
    return {"status": status, "done": n_done, "after": after, "seen": seen}


def places(folder: Path, server: str | None, frames: Path) -> Callable[[str], Place]:
    """Return what gives each trial a place of its own."""

    def place(name: str) -> Place:
        here = folder / name
        here.mkdir(parents=True)
        url = None if server is None else f"{server}&schema=kills_{secrets.token_hex(6)}"
        return Place(here, url, frames)

    return place


def report(place: Callable[[str], Place], every: int, count: int, seed: int) -> Any:
    """Kill at points, one of so many, and at random times."""
    calm, numbered = place("calm"), place("counted")
    for one in (calm, numbered):
        forked(lambda one=one: prepared(one))
    expected, wrong, left = forked(lambda: undisturbed(calm))[1]
    hits, ends, seconds = forked(lambda: counted(numbered))[1]
    trials = {}
    for i in range(seed % every, len(hits), every):
        trials[f"{i} {hits[i]}"] = trial(place(f"{i}"), expected, i)
    draws = random.Random(seed)  # noqa: S311  # moments, no secrets
    for i in range(count):
        wait = draws.uniform(0, seconds)

        def kill(child: int, wait: float = wait) -> None:
            time.sleep(wait)
            try:
                os.killpg(child, signal.SIGKILL)
            except ProcessLookupError:
                return  # it was done by then

        trials[f"after {wait:.4f} s"] = trial(place(f"random {i}"), expected, None, kill)
    return {
        "expected": expected,
        "mixed": wrong,
        "left": left,
        "hits": Counter(hits),
        "ends": ends,
        "trials": trials,
    }


def main() -> None:
    """Serve ``FOLDER FRAMES EVERY COUNT SEED``; started by -c: children start fast."""
    folder, frames = map(Path, sys.argv[1:3])
    every, count, seed = map(int, sys.argv[3:])
    server = os.environ.get("PLUMBLINE_TEST_SERVER")
    warm_up()
    print(json.dumps(report(places(folder, server, frames), every, count, seed)))


def warm_up() -> None:
    """Load the libraries that every child would."""
    import plumbline.engine.collect
    import plumbline.store.duck

    assert plumbline.store.duck
    assert plumbline.engine.collect
    assert PlumblineError
    assert psycopg.__version__

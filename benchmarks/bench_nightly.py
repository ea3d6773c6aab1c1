"""Nightly runs of portfolios end to end: prices and book read, all figures computed, all stored.

Loads are made, book and prices are in the project, and a run was planned once before it is timed:
taking them in is a row of its own. Kernels are compiled. A run is timed from the recipe's file to
the compacted store, in a process of its own with all cores; that of the interpreter's start is not
counted, and the memory is the most that the process had, with its libraries. The server is that of
the tests, on this machine, with fsync, full pages and synchronous commits, and with all indexes;
its memory is not counted. Before anything is timed, figures of a sample of portfolio-days equal
plain loops.

Run: python -m benchmarks.bench_nightly [--short] [--only sample thousand many portfolios …]
"""

import argparse
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import Report

from tests.postgres import Server  # isort: skip

REPOSITORY: Final = Path(__file__).resolve().parents[1]
THREADS: Final = ("POLARS_MAX", "RAYON_NUM", "OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "NUMBA_NUM")
SETTINGS: Final = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
}
SEED: Final = 11
ROUNDS: Final = 3
MOST_SECONDS: Final = 15 * 60.0  # of all parts together
LEAST_SECONDS: Final = 120.0  # that must be left for another size of a load
PARQUET: Final = "parquet"
WARMING: Final = {"portfolios": 6, "positions": 5, "dates": 8, "symbols": 24}
THOUSAND: Final = {"portfolios": 1_000, "positions": 21, "dates": 87, "symbols": 1_500}
MANY: Final = {"portfolios": 10_000, "positions": 21, "dates": 88, "symbols": 1_500}
BASE: Final = {"portfolios": 100, "positions": 10, "dates": 10, "symbols": 700}
SIZES: Final = {
    "portfolios": (100, 1_000, 5_000, 20_000),
    "positions": (5, 20, 100, 500),
    "dates": (1, 10, 100, 500),
    "symbols": (100, 300, 1_000, 5_000),
}
BEFORE_LAST: Final = (5, 40, 87)  # sessions, of prices that are corrected one after the other
HOLDERS: Final = 0.05  # share of the portfolios that hold what it is of
GOALS: Final = {
    "thousand parquet": 4.0,
    "thousand postgresql": 10.0,
    "many": 90.0,
    "new day": 8.0,
    "late price": 0.10,
}
MOST_GIB: Final = 8.0

Found = dict[str, Any]


@dataclass
class Bench:
    """What all parts share.

    Parameters
    ----------
    report : that rows go to.
    folder : for projects.
    is_short : a tenth of the portfolios, a third of the shares, and one round.
    """

    report: Report
    folder: Path
    is_short: bool
    started: float = field(default_factory=time.perf_counter)
    _server: Server | None = None

    @property
    def left(self) -> float:
        """Return the seconds that are left."""
        return MOST_SECONDS - (time.perf_counter() - self.started)

    def sized(self, load: dict[str, int]) -> dict[str, int]:
        """Return a load, or a small one in its place."""
        if not self.is_short:
            return load
        return load | {"portfolios": load["portfolios"] // 10, "symbols": load["symbols"] // 3}

    def place(self) -> str:
        """Return a schema of the server that is not there, of a role that is no superuser."""
        if self._server is None:
            self._server = Server(**SETTINGS)
        role = f"writer_{secrets.token_hex(4)}"
        self._server.execute(
            f"CREATE ROLE {role} LOGIN", f"GRANT CREATE ON DATABASE postgres TO {role}"
        )
        return re.sub(r"//\w+@", f"//{role}@", self._server.fresh())

    def close(self) -> None:
        """Stop the server."""
        if self._server is not None:
            self._server.close()

    def do(self, work: str, **arguments: object) -> Found:
        """Have a process of its own do a piece of work; return what it found.

        Raises
        ------
        RuntimeError
            If it fails.
        TimeoutExpired
            If it would take more time than is left.
        """
        unbound = {f"{name}_THREADS" for name in THREADS}
        environment = {name: text for name, text in os.environ.items() if name not in unbound}
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.nightly_work"],
            input=json.dumps({"work": work, "arguments": arguments}),
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            timeout=max(self.left, 1.0),
        )
        if done.returncode:
            raise RuntimeError(f"{work} failed with {done.returncode}; its error is above")
        found: Found = json.loads(done.stdout.splitlines()[-1])
        return found | {"process_s": time.perf_counter() - started}


def main() -> None:
    """Do all parts, or those that are named; save the figures of full ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="small loads; saves nothing")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="NAME", help=", ".join(PARTS))
    asked = parser.parse_args()
    names = asked.only or list(PARTS)
    report = Report("nightly" if asked.only is None else f"nightly_{'_'.join(names)}")
    with tempfile.TemporaryDirectory(prefix="plumbline-nightly-") as folder:
        bench = Bench(report, Path(folder), asked.short)
        try:
            warm(bench)
            for name in names:
                print(f"\n{name}", flush=True)
                PARTS[name](bench)
        finally:
            bench.close()
            print(f"\n{MOST_SECONDS - bench.left:.0f} s in all")
            if report.comparisons and not asked.short:
                report.save()  # of parts that were done, where one failed


def warm(bench: Bench) -> None:
    """Compile what a run needs."""
    folder = str(bench.folder / "warming")
    bench.do("make", folder=folder, load=WARMING, seed=SEED)
    bench.do("run", folder=folder, place=PARQUET)


def sample(bench: Bench) -> None:
    """Check figures of some portfolio-days of the first load."""
    folder = made(bench, "thousand", bench.sized(THOUSAND))
    bench.report.add("equal to plain loops, 1e-8", **bench.do("sample", folder=folder))


def thousand(bench: Bench) -> None:
    """Time 1,000 portfolios into files and into a server, each from nothing, several times."""
    load = bench.sized(THOUSAND)
    folder = made(bench, "thousand", load)
    rounds: dict[str, list[Found]] = {"parquet": [], "postgresql": []}
    for at in range(1 if bench.is_short else ROUNDS):
        copy = str(bench.folder / f"thousand-{at}")
        shutil.copytree(folder, copy)
        rounds["parquet"].append(bench.do("run", folder=copy, place=PARQUET))
        shutil.rmtree(copy)
        shutil.copytree(folder, copy)
        rounds["postgresql"].append(bench.do("run", folder=copy, place=bench.place()))
        shutil.rmtree(copy)
    for kind, found in rounds.items():
        assert {one["portfolio_days"] for one in found} == {load["portfolios"] * load["dates"]}
        middle = sorted(found, key=lambda one: one["seconds"])[len(found) // 2]
        taken = [one["seconds"] for one in found]
        spread = {"fastest_s": min(taken), "slowest_s": max(taken)}
        row(bench, f"{words(load)} into {kind}", middle | spread, goal=GOALS[f"thousand {kind}"])


def many(bench: Bench) -> None:
    """Time 10,000 portfolios in full, on one new day, and after corrected prices."""
    load = bench.sized(MANY)
    folder = made(bench, "many", load, popular=HOLDERS, held_back=1)
    place = bench.place()
    n_days = load["portfolios"] * (load["dates"] - 1)
    whole = bench.do("run", folder=folder, place=place)
    assert whole["portfolio_days"] == n_days
    row(bench, f"{words(load | {'dates': 87})} into postgresql", whole, goal=GOALS["many"])
    bench.report.add(f"  its memory, at most {MOST_GIB:g} GiB", gib=whole["peak_mib"] / 1024)

    bench.report.add("one more day of prices", **bench.do("new_day", folder=folder))
    night = bench.do("run", folder=folder, place=place)
    assert night["portfolio_days"] == load["portfolios"]
    row(bench, "one new day of them into postgresql", night, goal=GOALS["new day"])

    late = {}
    for before_last in BEFORE_LAST:
        found = bench.do(
            "correct", folder=folder, place=place, before_last=before_last, share=HOLDERS
        )
        day, symbol = found.pop("day"), found.pop("symbol")
        bench.report.add(f"a close of {symbol} on {day} is another", **found)
        late[day] = bench.do("run", folder=folder, place=place)
        assert late[day]["dates"] == before_last + 1
        assert late[day]["portfolios"] >= found["holders"]
        row(bench, f"the portfolio-days from {day} on that hold it, into postgresql", late[day])

    in_full = bench.do("run", folder=folder, place=PARQUET)
    assert in_full["portfolio_days"] == n_days + load["portfolios"]
    row(bench, "all of them from nothing, into parquet", in_full)
    places = [place, PARQUET]
    bench.report.add(
        "the same as that, bit for bit", **bench.do("same", folder=folder, places=places)
    )
    kept = bench.do("conservation", folder=folder, place=place)
    assert kept["portfolio_days"] == n_days + load["portfolios"]
    bench.report.add("equity that does not reconcile, the largest share of it", **kept)

    goal = GOALS["late price"]
    for day, repair in late.items():
        forced = bench.do("run", folder=folder, place=place, first=day, is_forced=True)
        assert forced["portfolio_days"] == load["portfolios"] * repair["dates"]
        row(bench, f"all of them from {day} on, as asked, into postgresql", forced)
        bench.report.add(
            f"after the price of {day} beside all of the same dates, at most {goal:g}",
            ratio=repair["seconds"] / forced["seconds"],
            ratio_of_portfolio_days=repair["portfolio_days"] / forced["portfolio_days"],
            ratio_run_alone=repair["run_s"] / forced["run_s"],
        )


def growth(axis: str, bench: Bench) -> None:
    """Time loads along one axis from a small one, into files."""
    for size in SIZES[axis]:
        if (bench.is_short and size == SIZES[axis][-1]) or bench.left < LEAST_SECONDS:
            print(f"{axis}={size:,}: left out, {bench.left:.0f} s are left", flush=True)
            continue
        load = BASE | {axis: size}
        folder = made(bench, f"{axis}-{size}", load)
        found = bench.do("run", folder=folder, place=PARQUET)
        shutil.rmtree(folder)
        n_days = found["portfolio_days"]
        assert n_days == load["portfolios"] * load["dates"]
        bench.report.add(
            f"{axis}={size:,}",
            seconds=found["seconds"],
            us_a_portfolio_day=1e6 * found["seconds"] / n_days,
            us_a_position_day=1e6 * found["seconds"] / found["position_days"],
            peak_mib=found["peak_mib"],
            mib_stored=found["mib_stored"],
            statements=found["statements"],
        )


PARTS: Final[dict[str, Callable[[Bench], None]]] = {
    "sample": sample,
    "thousand": thousand,
    "many": many,
    **{axis: partial(growth, axis) for axis in SIZES},
}


def made(bench: Bench, name: str, load: dict[str, int], **more: object) -> str:
    """Return the folder of a load's project, made if it is not there, and tell what it took."""
    folder = str(bench.folder / name)
    if not Path(folder).exists():
        found = bench.do("make", folder=folder, load=load, seed=SEED, **more)
        names = ("import_s", "trades", "ingest_s", "prices", "making_s", "peak_mib")
        told = {name: found[name] for name in names}
        bench.report.add(f"{words(load)} taken in", **told)
    return folder


def row(bench: Bench, case: str, found: Found, goal: float | None = None) -> None:
    """Record a run."""
    wanted = "" if goal is None else f", at most {goal:g} s"
    per_second = found["portfolio_days"] / found["seconds"]
    rest = {name: value for name, value in found.items() if name != "seconds"}
    bench.report.add(
        f"{case}{wanted}", seconds=found["seconds"], portfolio_days_a_second=per_second, **rest
    )


def words(load: dict[str, int]) -> str:
    """Return a load's size as text."""
    return (
        f"{load['portfolios']:,} portfolios x {load['positions']} positions x {load['dates']} "
        f"dates, {load['symbols']:,} shares"
    )


if __name__ == "__main__":
    main()

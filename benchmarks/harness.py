"""Time contenders side by side on one thread, after their outputs have been compared.

Contenders take turns, so that a busy moment of the machine hits all of them, and the figure is the
median; a ratio is one of medians of the same run. Import this module before numpy or polars: it
keeps every library to one thread.
"""

import gc
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

for _name in (
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
):
    os.environ[_name] = "1"

RESULTS = Path(__file__).parent / "results"
LIBRARIES = (
    "numpy",
    "numba",
    "polars",
    "polars-ols",
    "statsmodels",
    "scikit-learn",
    "alphalens-reloaded",
    "scipy",
    "pandas",
)


@dataclass(frozen=True)
class Contender:
    """Something to time.

    Parameters
    ----------
    name : what the table shows.
    run : the work; its result is thrown away before the next turn.
    scale : what a time is multiplied by, where ``run`` does a stated part of the work.
    note : what is said about it, such as the part that ``scale`` stands for.
    rounds : turns at most; slow peers need few.
    """

    name: str
    run: Callable[[], object]
    scale: float = 1.0
    note: str = ""
    rounds: int = 1_000


@dataclass(frozen=True)
class Timing:
    """Times of one contender, seconds, and the memory its work added at its peak, bytes."""

    name: str
    median_s: float
    fastest_s: float
    quartiles_s: tuple[float, float]
    rounds: int
    peak_bytes: int
    scale: float
    note: str


@dataclass
class Report:
    """Comparisons of one benchmark, printed as they come and saved as JSON."""

    name: str
    comparisons: list[dict[str, object]] = field(default_factory=list)

    def compare(
        self, case: str, ours: Contender, peers: Sequence[Contender], targets: dict[str, float]
    ) -> None:
        """Time a contender against its peers and print how many times faster it is."""
        timings = _take_turns([ours, *peers])
        mine = timings[0]
        print(f"\n{case}")
        print(f"  {mine.name:<44} {_milliseconds(mine)}")
        ratios = {}
        for peer in timings[1:]:
            ratio = peer.median_s / mine.median_s
            ratios[peer.name] = ratio
            target = targets.get(peer.name)
            verdict = "" if target is None else f" (at least {target:g}x)"
            print(f"  {peer.name:<44} {_milliseconds(peer)}  {ratio:8.1f}x{verdict} {peer.note}")
        self.comparisons.append(
            {
                "case": case,
                "timings": [asdict(timing) for timing in timings],
                "ratios": ratios,
                "targets": targets,
            }
        )

    def add(self, case: str, **figures: object) -> None:
        """Record figures that are no comparison."""
        shown = ", ".join(f"{key} {value:.3g}" for key, value in figures.items())
        print(f"{case}: {shown}")
        self.comparisons.append({"case": case, **figures})

    def save(self) -> Path:
        """Write everything, with the machine it was measured on; return the file."""
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{self.name}.json"
        record = {"benchmark": self.name, "machine": machine(), "comparisons": self.comparisons}
        path.write_text(json.dumps(record, indent=1) + "\n")
        print(f"\nsaved {path}")
        return path


def machine() -> dict[str, object]:
    """Return what a figure depends on: processor, load, versions, threads."""
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "absent"
    listing = Path("/proc/cpuinfo")
    models = [
        line.split(":", 1)[1].strip()
        for line in (listing.read_text().splitlines() if listing.is_file() else [])
        if line.startswith("model name")
    ]
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "threads": 1,
        "load_average": os.getloadavg(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "libraries": found,
    }


def peak_memory(run: Callable[[], object]) -> int:
    """Return the bytes that the process grew by at the peak of a call, output included."""
    gc.collect()
    clear = Path("/proc/self/clear_refs")
    if not clear.exists():
        return -1
    clear.write_text("5")  # sets the high-water mark back to what is in use
    before = _status_bytes("VmRSS")
    result = run()
    peak = _status_bytes("VmHWM") - before
    del result
    return max(peak, 0)


def _status_bytes(name: str) -> int:
    """Return one line of the kernel's account of this process, bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return 0


def _take_turns(contenders: Sequence[Contender], seconds: float = 12.0) -> list[Timing]:
    """Run every contender once to warm up and then in turn until the time is spent."""
    peaks = [peak_memory(contender.run) for contender in contenders]
    times: list[list[float]] = [[] for _ in contenders]
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < 3 or (time.perf_counter() < end and rounds < 101):
        for place, contender in enumerate(contenders):
            # A quick contender runs several times a turn: it is the denominator of every ratio.
            repeats = 5 if place == 0 else 1
            for _ in range(repeats if rounds < contender.rounds else 0):
                start = time.perf_counter()
                result = contender.run()
                times[place].append((time.perf_counter() - start) * contender.scale)
                del result
        rounds += 1
    return [
        Timing(
            name=contender.name,
            median_s=statistics.median(taken),
            fastest_s=min(taken),
            quartiles_s=_quartiles(taken),
            rounds=len(taken),
            peak_bytes=peak,
            scale=contender.scale,
            note=contender.note,
        )
        for contender, taken, peak in zip(contenders, times, peaks, strict=True)
    ]


def _quartiles(times: list[float]) -> tuple[float, float]:
    """Return first and third quartile."""
    if len(times) < 2:
        return times[0], times[0]
    low, _, high = statistics.quantiles(times, n=4)
    return low, high


def _milliseconds(timing: Timing) -> str:
    """Return median, quartiles and peak memory as text."""
    low, high = (1e3 * value for value in timing.quartiles_s)
    megabytes = timing.peak_bytes / 2**20
    return f"{1e3 * timing.median_s:10.2f} ms [{low:.2f} .. {high:.2f}] {megabytes:7.0f} MiB"

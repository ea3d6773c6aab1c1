"""Where the time of a run went: by node, and by worker."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any


def timings_by_node(tasks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return of each node what its computed blocks took, the longest in all first.

    Parameters
    ----------
    tasks : rows of a run, with node, block, seconds and peak_bytes.

    Returns
    -------
    Rows with node, number of blocks, seconds in all, their median, the slowest block and its
    seconds, the part of the run's computing, and the largest peak of a block in bytes.
    """
    computed = [task for task in tasks if task["seconds"] is not None]
    whole = sum(task["seconds"] for task in computed)
    found: dict[str, list[Mapping[str, Any]]] = {}
    for task in computed:
        found.setdefault(task["node"], []).append(task)
    rows = [_node_row(name, mine, whole) for name, mine in found.items()]
    return sorted(rows, key=lambda row: (-row["seconds"], row["node"]))


def timings_by_worker(
    tasks: Sequence[Mapping[str, Any]], seconds: float | None
) -> list[dict[str, Any]]:
    """Return of each worker how many blocks it computed, and how long it was busy and idle.

    Parameters
    ----------
    tasks : rows of a run, with worker and seconds.
    seconds : from the run's begin to its end, or None where that is not known.
    """
    busy: dict[str, list[float]] = {}
    for task in tasks:
        if task["seconds"] is not None and task["worker"] is not None:
            busy.setdefault(task["worker"], []).append(task["seconds"])
    return [
        {
            "worker": worker,
            "blocks": len(taken),
            "busy_seconds": sum(taken),
            "idle_seconds": None if seconds is None else max(0.0, seconds - sum(taken)),
        }
        for worker, taken in sorted(busy.items())
    ]


def wall_seconds(run: Mapping[str, Any]) -> float | None:
    """Return the time between a run's begin and end; None if it has none, or the clock stood."""
    if run["finished"] is None:
        return None
    taken = float((run["finished"] - run["started"]).total_seconds())
    return taken if taken > 0 else None


def _node_row(name: str, tasks: Sequence[Mapping[str, Any]], whole: float) -> dict[str, Any]:
    taken = sum(task["seconds"] for task in tasks)
    slowest = max(tasks, key=lambda task: (task["seconds"], task["block"]))
    peaks = [task["peak_bytes"] for task in tasks if task["peak_bytes"] is not None]
    return {
        "node": name,
        "blocks": len(tasks),
        "seconds": taken,
        "median": median(task["seconds"] for task in tasks),
        "slowest": slowest["seconds"],
        "slowest_block": slowest["block"],
        "share": taken / whole if whole > 0 else None,
        "peak_bytes": max(peaks, default=None),
    }

"""How fast values and files are digested, on one core.

Run: python -m benchmarks.bench_hashing
"""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness import Contender, Report

import numpy as np  # isort: skip

from plumbline.core.digest import digest  # isort: skip
from plumbline.engine.objects import ObjectStore  # isort: skip

SHAPE = (20_000, 1_000)  # bars, assets: 160 MB of float64
AT_LEAST = 1e9  # bytes a second


def main() -> None:
    rng = np.random.default_rng(3)
    dense = rng.standard_normal(SHAPE)
    gappy = np.where(rng.random(SHAPE) < 0.03, np.nan, dense)
    assert digest(dense) == digest(np.asfortranarray(dense))
    assert digest(gappy) == digest(np.where(np.isnan(gappy), -np.float64("nan"), dense))
    report = Report("hashing")
    with tempfile.TemporaryDirectory() as name:
        store = ObjectStore(Path(name))
        file = store.put(dense.tobytes(), ".bin")

        def check() -> None:
            ObjectStore(store.root).check(file)  # a new store remembers no file

        works: dict[str, Callable[[], object]] = {
            "array": lambda: digest(dense),
            "array, 3 % NaN": lambda: digest(gappy),
            "array, every other column": lambda: digest(dense[:, ::2]),
            "file": check,
        }
        peer = Contender("hashlib.sha256 of the bytes", lambda: hashlib.sha256(dense).digest())
        for case, work in works.items():
            n_bytes = dense.nbytes // (2 if "other" in case else 1)
            report.compare(f"{case}, {n_bytes / 1e6:.0f} MB", Contender(case, work), [peer], {})
            taken = report.comparisons[-1]["timings"]
            assert isinstance(taken, list)
            rate = n_bytes / taken[0]["median_s"]
            verdict = "" if rate >= AT_LEAST else f", less than {AT_LEAST / 1e9:g}"
            print(f"  {rate / 1e9:.2f} GB/s{verdict}")
    report.save()


if __name__ == "__main__":
    main()

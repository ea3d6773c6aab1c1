"""How long a process takes: imports, help, and a demo in which nothing changed.

Run: python -m benchmarks.bench_startup
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.harness import Contender, Report

BIN = Path(sys.executable).parent
EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "us_equity.yaml"
LIMITS = {"import plumbline": 0.3, "plumbline --help": 0.2, "second plumbline demo": 1.5}


def process(*command: str, folder: Path | None = None) -> Contender:
    def run() -> None:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)

    return Contender(" ".join(command[1:]), run)


def main() -> None:
    report = Report("startup")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(EXAMPLE.parent, folder / "examples")
        demo = (str(BIN / "plumbline"), "demo", "demo", "--recipe", "examples/us_equity.yaml")
        subprocess.run(demo, cwd=folder, check=True, capture_output=True)
        cases = {
            "import plumbline": process(sys.executable, "-c", "import plumbline"),
            "plumbline --help": process(str(BIN / "plumbline"), "--help"),
            "second plumbline demo": process(*demo, folder=folder),
        }
        bare = process(sys.executable, "-c", "pass")
        for case, ours in cases.items():
            report.compare(f"{case}, at most {LIMITS[case]} s", ours, [bare], {})
    report.save()


if __name__ == "__main__":
    main()

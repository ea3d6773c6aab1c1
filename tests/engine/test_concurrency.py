import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, select

from plumbline.engine.executors.serial import Serial
from plumbline.engine.health import checks_of
from plumbline.engine.project import Project, create_project
from plumbline.ledger.models import Artefact, TaskRecord
from plumbline.ledger.queries import get_run, list_runs
from tests.engine.interrupted import waiting
from tests.engine.pipelines import BLOCKS, computed, last_run, study

pytestmark = pytest.mark.usefixtures("each_database")

REPOSITORY = Path(__file__).resolve().parents[2]
START = "from tests.engine.interrupted import main; main()"


def start(
    folder: Path, marker: Path | str, seconds: float, workers: int
) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", START, str(folder), str(marker), str(seconds), str(workers)]
    return subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def is_alive(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def wait_for(condition: object, seconds: float = 60.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("number", "workers", "state"),
    [
        (signal.SIGINT, 2, "interrupted"),
        (signal.SIGTERM, 2, "interrupted"),
        (signal.SIGINT, 0, "interrupted"),
        (signal.SIGTERM, 0, "interrupted"),
        (signal.SIGKILL, 2, "killed"),
    ],
)
def test_a_run_ended_from_outside_keeps_what_it_finished_and_leaves_no_process(
    tmp_path: Path, number: signal.Signals, workers: int, state: str
) -> None:
    marker = tmp_path / "marker"
    process = start(tmp_path / "project", marker, 600, workers)
    begun = workers or 1
    wait_for(lambda: marker.exists() and len(marker.read_text().split()) == begun)
    time.sleep(0.5)  # the blocks that finished are committed while others run
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode != 0
    workers_seen = [int(line) for line in marker.read_text().split()]
    wait_for(lambda: not any(is_alive(worker) for worker in workers_seen))

    project = create_project(tmp_path / "project")
    ended = last_run(project)
    finished = computed(project, ended)
    assert ("prices", "all") in finished
    result = project.engine.run(study(), Serial())
    assert get_run(project.database, ended)["state"] == state
    assert computed(project, result.run_id) == BLOCKS - finished
    if state == "interrupted":  # the blocks that wait hold all workers before the rest is begun
        assert {node for node, _ in finished} >= {"prices", "returns"}


def test_two_processes_on_one_project_give_the_same_bits_and_one_row_a_result(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "project"
    pair = [start(folder, "", 0.3, workers) for workers in (0, 2)]
    outputs = [process.communicate(timeout=120) for process in pair]
    assert [process.returncode for process in pair] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert len(outputs[0][0].splitlines()) == len(BLOCKS) + 2

    project = create_project(folder)
    runs = list_runs(project.database)
    assert [run["state"] for run in runs] == ["done", "done"]
    with project.database.read() as connection:
        n_rows = connection.execute(select(func.count()).select_from(Artefact)).scalar_one()
        places = select(Artefact.node, Artefact.block).distinct()
        assert len(connection.execute(places).all()) == n_rows
        n_tasks = connection.execute(select(func.count()).select_from(TaskRecord)).scalar_one()
    assert n_rows == len(BLOCKS) + 1  # the two that wait are equal work: one result
    assert n_tasks == 2 * (len(BLOCKS) + 2)
    assert all(check.ok for check in checks_of(project, deep=True))
    assert project.engine.run(waiting("", 0.3), Serial()).counts == {"cached": len(BLOCKS) + 2}


def test_many_processes_may_create_one_project_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from plumbline.engine.project import create_project\n"
        "time.sleep(max(0.0, float(sys.argv[2]) - time.time()))\n"
        "create_project(Path(sys.argv[1])).engine.ledger.start_run('p', '', '', '')\n"
    )
    moment = str(time.time() + 4)
    command = [sys.executable, "-c", code, str(tmp_path / "project"), moment]
    many = [
        subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
        for _ in range(5)
    ]
    errors = [process.communicate(timeout=120)[1] for process in many]
    assert [process.returncode for process in many] == [0] * 5, errors
    assert len(list_runs(create_project(tmp_path / "project").database)) == 5


def test_results_damaged_and_dropped_by_another_process_are_made_again(project: Project) -> None:
    """Another process trims or mends between this run's plan and its work."""
    first = project.engine.run(study(), Serial())
    other = create_project(project.root)

    class Rival:
        def planned(self, plan: object) -> None:
            with other.database.read() as connection:
                rows = connection.execute(
                    select(Artefact.key).where(Artefact.node.in_(("returns", "wealth")))
                )
                keys = list(rows.scalars())
            other.engine.ledger.drop_artefacts(keys)
            for path in (other.store / "objects").glob("*/*.npy"):
                path.unlink()

        def finished(self, task: object, state: str, seconds: float | None) -> None: ...

        def damaged(self, tasks: object, error: object) -> None: ...

        def accompanied(self, run_ids: Sequence[str]) -> None: ...

        def differed(self, node: str, block: str, message: str) -> None: ...

    from plumbline.engine.run import RunOptions

    result = project.engine.run(study(scale=2.0), Serial(), RunOptions(watcher=Rival()))
    same = [place for place in BLOCKS if place[0] != "summary"]
    assert {p: result.digests[p] for p in same} == {p: first.digests[p] for p in same}
    assert all(check.ok for check in checks_of(project, deep=True))

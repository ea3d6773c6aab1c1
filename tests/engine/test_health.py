"""What the checks of a project find, and that they say what to do."""

import sqlite3

import pytest

from plumbline.core.errors import ProjectError
from plumbline.engine import health
from plumbline.engine.executors.serial import Serial
from plumbline.engine.health import checks_of
from plumbline.engine.project import Project, open_project
from plumbline.ledger.database import Database
from tests.engine.pipelines import study


def test_a_sound_project_passes_every_check(project: Project) -> None:
    project.engine.run(study(), Serial())
    for deep in (False, True):
        found = checks_of(project, deep=deep)
        assert [c.name for c in found] == ["database", "results", "determinism", "data sets"]
        assert all(check.ok for check in found), found


def test_results_that_no_run_asks_for_are_dropped_by_the_deep_check_as_it_says(
    project: Project,
) -> None:
    project.engine.run(study(), Serial())
    for path in (project.store / "objects").glob("*/*"):
        path.write_bytes(b"")
    project.engine.run(study(scale=3.0), Serial())
    check = {c.name: c for c in checks_of(project)}["results"]
    assert not check.ok
    assert (
        "a run makes those again that its recipe asks for, `plumbline doctor --deep` drops all"
        in (check.found)
    )
    deep = {c.name: c for c in checks_of(project, deep=True)}["results"]
    assert (deep.ok, deep.problems) == (False, check.problems)
    assert all(check.ok for deep in (False, True) for check in checks_of(project, deep=deep))


def test_only_the_first_of_many_problems_are_listed(project: Project) -> None:
    project.engine.run(study(), Serial())
    n_files = 0
    for path in (project.store / "objects").glob("*/*"):
        path.write_bytes(b"")
        n_files += 1
    problems = {c.name: c for c in checks_of(project)}["results"].problems
    assert len(problems) == 6
    assert problems[-1] == f"and {n_files - 5} more"


def test_a_database_that_another_process_has_locked_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_PATIENCE_MS", 50)
    other = sqlite3.connect(project.store / "plumbline.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        (check,) = checks_of(project)
        assert not check.ok
        assert "database is locked; another process holds it" in check.found
        other.execute("ROLLBACK")
    finally:
        other.close()
    assert all(check.ok for check in checks_of(project))


def test_a_database_that_cannot_be_written_is_told(project: Project) -> None:
    path = project.store / "plumbline.db"
    read_only = Project(project.root, Database(f"sqlite:///file:{path}?mode=ro&uri=true"))
    (check,) = checks_of(read_only)
    assert not check.ok
    assert "readonly database; see that its folder and its files can be written" in check.found


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to be one", b"\0" * 4096]
)
def test_garbage_in_place_of_the_database_is_told_with_what_to_do(
    project: Project, content: bytes
) -> None:
    for path in project.store.glob("plumbline.db*"):
        path.unlink()
    (project.store / "plumbline.db").write_bytes(content)
    with pytest.raises(ProjectError, match="restore it from a backup"):
        open_project(project.root)


def test_a_damaged_page_of_the_database_is_told(project: Project) -> None:
    project.engine.run(study(), Serial())
    path = project.store / "plumbline.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[4096:] = b"\x55" * (len(content) - 4096)
    path.write_bytes(content)
    (check,) = checks_of(Project(project.root, Database(f"sqlite:///{path}")))
    assert not check.ok

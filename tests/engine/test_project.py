from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline.core.errors import ProjectError
from plumbline.engine.health import checks_of
from plumbline.engine.project import create_project, open_project


def test_a_project_is_found_from_any_folder_below_it(tmp_path: Path) -> None:
    made = create_project(tmp_path / "a")
    below = tmp_path / "a" / "b" / "c"
    below.mkdir(parents=True)
    assert open_project(below).root == made.root
    assert create_project(tmp_path / "a").root == made.root
    assert all(check.ok for check in checks_of(made, deep=True))


def test_no_project_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="make one with: plumbline init"):
        open_project(tmp_path)


@pytest.mark.parametrize("text", ["1\n", ""])
def test_a_project_of_another_format_is_refused(tmp_path: Path, text: str) -> None:
    project = create_project(tmp_path)
    (project.store / "format").write_text(text)
    with pytest.raises(ProjectError, match="this version of Plumbline reads '3'"):
        open_project(tmp_path)


def test_a_creation_that_was_cut_short_is_completed(tmp_path: Path) -> None:
    project = create_project(tmp_path)
    (project.store / "format").unlink()
    assert all(check.ok for check in checks_of(create_project(tmp_path)))
    assert not [p for p in project.store.iterdir() if p.name.startswith(".format")]


def test_a_file_where_the_store_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".plumbline").write_text("x")
    with pytest.raises(ProjectError, match="cannot create"):
        create_project(tmp_path)


@pytest.mark.parametrize("loss", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_database_that_is_lost_is_told_and_not_made_anew(
    tmp_path: Path, loss: Callable[[Path], object]
) -> None:
    project = create_project(tmp_path)
    for path in project.store.glob("plumbline.db*"):
        loss(path)
    for opened in (open_project, create_project):
        with pytest.raises(ProjectError, match=r"plumbline\.db is .*; restore it from a backup"):
            opened(tmp_path)


def test_a_project_right_below_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_project(tmp_path / "demo")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProjectError, match="there is one in demo: say --project demo"):
        open_project(Path())


def test_a_broken_database_is_found(tmp_path: Path) -> None:
    project = create_project(tmp_path)
    path = project.store / "plumbline.db"
    path.write_bytes(b"no database " * 500)
    with pytest.raises(ProjectError, match="cannot be opened as a database"):
        open_project(tmp_path)

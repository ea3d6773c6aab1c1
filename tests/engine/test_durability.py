"""Whatever moment the power fails at: the ledger names no file that is lost."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plumbline.engine import objects, session
from plumbline.engine.executors.serial import Serial
from plumbline.engine.health import checks_of
from plumbline.engine.project import create_project, open_project
from plumbline.engine.root import project_root
from plumbline.lake import durable
from tests.engine.crash_server import small
from tests.engine.lossy_disk import LossyDisk


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LossyDisk]:
    root = tmp_path / "disk"
    root.mkdir()
    found = LossyDisk(root, tmp_path / "copies")
    monkeypatch.setattr(session, "_COMMIT_SECONDS", 0.0)  # as many commits as there are blocks
    found.install(monkeypatch)
    yield found
    found.remove()


def run(disk: LossyDisk) -> Any:
    return create_project(disk.root / "p").engine.run(small(), Serial()).digests


def lost(copy: Path) -> list[str]:
    """Return what the ledger names and the disk has lost."""
    return [
        problem
        for check in checks_of(open_project(copy / "p"), deep=True)
        if not check.ok
        for problem in (check.found, *check.problems)
    ]


def test_after_a_loss_of_power_no_named_file_is_lost_and_a_rerun_gives_the_same_bits(
    disk: LossyDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = run(disk)
    copies = [disk.copies / f"{i}" for i in range(disk.n_copies)]
    copies.append(disk.copy())
    monkeypatch.undo()  # the copies are looked at on a disk that loses nothing
    whole = [copy for copy in copies if project_root(copy / "p") is not None]
    assert len(whole) >= 8
    for copy in whole:
        assert lost(copy) == [], copy
        assert create_project(copy / "p").engine.run(small(), Serial()).digests == digests
    for copy in set(copies) - set(whole):  # before the project was made: it is made again
        if copy.is_dir():
            assert create_project(copy / "p").engine.run(small(), Serial()).digests == digests


def test_all_that_a_run_stores_lasts_when_it_has_ended(disk: LossyDisk) -> None:
    run(disk)
    store = disk.root / "p" / ".plumbline"
    files = [path for path in store.rglob("*") if path.is_file()]
    assert [path for path in files if not disk.lasts(path)] == []
    assert len(files) > 15


@pytest.mark.parametrize("undone", ["folder", "file", "new folders"])
def test_a_flush_that_is_left_out_is_noticed(
    disk: LossyDisk, monkeypatch: pytest.MonkeyPatch, undone: str
) -> None:
    """The twin of the tests above: with one kind of flush left out they would fail."""
    if undone == "folder":
        monkeypatch.setattr(objects, "sync_folder", lambda _folder: None)
    elif undone == "new folders":
        monkeypatch.setattr(objects, "make_folder", lambda f: f.mkdir(parents=True, exist_ok=True))
    else:
        monkeypatch.setattr(
            objects, "write_durably", lambda path, content: path.write_bytes(content)
        )
    run(disk)
    copies = [disk.copies / f"{i}" for i in range(disk.n_copies)]
    monkeypatch.undo()
    assert any(lost(copy) for copy in copies if project_root(copy / "p") is not None)


def test_a_name_that_another_process_made_is_flushed_before_it_is_relied_upon(
    disk: LossyDisk,
) -> None:
    """A writer that was killed between rename and flush leaves a name that may not last."""
    store = objects.ObjectStore(disk.root / "objects")
    name = store.put(b"12345", ".npy")
    disk.names.clear()
    assert not disk.lasts(store.path(name))
    disk.names[str(disk.root)] = {("objects", (disk.root / "objects").stat().st_ino)}
    assert objects.ObjectStore(disk.root / "objects").put(b"12345", ".npy") == name
    assert disk.lasts(store.path(name))


def test_a_file_is_flushed_before_it_is_renamed_and_its_folder_after(disk: LossyDisk) -> None:
    store = objects.ObjectStore(disk.root)
    store.put(b"first", ".npy")
    assert disk.log == ["folder", "file", "rename", "folder", "folder"]  # first its own is new
    disk.log.clear()
    run(disk)
    order = [kind for kind in disk.log if kind != "commit"]
    assert Counter(order)["file"] == Counter(order)["rename"] > 10
    for i, kind in enumerate(order):
        if kind == "rename":
            assert (order[i - 1], order[i + 1]) == ("file", "folder")


def test_a_folder_that_is_made_lasts_with_those_above_it(disk: LossyDisk) -> None:
    folder = disk.root / "a" / "b" / "c"
    durable.make_folder(folder)
    names = {str(Path(place).relative_to(disk.root)) for place in disk.names}
    assert names == {".", "a", "a/b"}
    disk.log.clear()
    durable.make_folder(folder)
    assert disk.log == []

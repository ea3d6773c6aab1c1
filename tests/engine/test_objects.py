import os
import threading
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.core.errors import CorruptEntryError, StageError
from plumbline.engine.objects import ObjectStore, names_in
from tests.engine.toys import Prices


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path)


def test_a_file_is_named_by_its_bytes_and_there_once(store: ObjectStore) -> None:
    name = store.put(b"content", ".bin")
    assert store.put(b"content", ".bin") == name
    assert store.put(b"contend", ".bin") != name
    assert store.path(name).read_bytes() == b"content"
    assert not list(store.root.rglob("*.part"))
    assert len(list(store.root.glob("*/*"))) == 2


@pytest.mark.parametrize("damage", [b"CONTENT", b"cont", b"", b"content and more"])
def test_a_damaged_file_in_the_place_is_written_again(store: ObjectStore, damage: bytes) -> None:
    name = store.put(b"content", ".bin")
    store.path(name).write_bytes(damage)
    with pytest.raises(CorruptEntryError, match="its bytes differ"):
        store.check(name)
    assert store.put(b"content", ".bin") == name
    assert store.check(name).read_bytes() == b"content"


def test_a_file_that_was_checked_is_checked_again_once_it_is_written_to(
    store: ObjectStore,
) -> None:
    name = store.put(b"content", ".bin")
    store.check(name)
    store.path(name).write_bytes(b"CONTENT")
    with pytest.raises(CorruptEntryError):
        store.check(name)
    store.drop(name)
    with pytest.raises(CorruptEntryError, match="the file is missing"):
        store.check(name)


def test_a_file_is_flushed_before_it_has_its_name_and_its_folder_after(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    store.put(b"first", ".bin")  # makes the folder
    store.path(store.put(b"content", ".bin")).unlink()
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        kind = "folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file"  # noqa: PTH112
        calls.append(f"flush {kind}")
        fsync(descriptor)

    def noted_replace(path: Path, target: Path) -> Path:
        calls.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    store.put(b"content", ".bin")
    assert calls == ["flush file", "rename", "flush folder"]


def test_a_write_that_fails_leaves_nothing(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StageError, match=r"No space left on device; see that .* has room"):
        store.put(b"content", ".bin")
    assert [p for p in store.root.rglob("*") if p.is_file()] == []


def test_writers_of_one_file_at_once_leave_one_whole_file(store: ObjectStore) -> None:
    content = bytes(range(256)) * 4000
    names: list[str] = []
    start = threading.Barrier(8)

    def write() -> None:
        own = ObjectStore(store.root)
        start.wait()
        names.extend(own.put(content, ".bin") for _ in range(10))

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (name,) = set(names)
    assert store.check(name).read_bytes() == content
    assert [p.name for p in store.root.glob("*/*")] == [name]


def test_an_old_file_that_is_named_again_is_young_again(store: ObjectStore) -> None:
    name = store.put(b"content", ".bin")
    os.utime(store.path(name), (0, 0))
    store.put(b"content", ".bin")
    assert time.time() - store.path(name).stat().st_mtime < 60


@given(
    shape=st.sampled_from([(), (0,), (3,), (0, 2), (2, 3), (2, 0)]),
    dtype=st.sampled_from(["<f8", "<f4", "<i8", "?", "<M8[us]", "<U5", "<c16"]),
    fortran=st.booleans(),
)
def test_states_come_back_with_every_bit_shape_and_type(
    tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, ...], dtype: str, fortran: bool
) -> None:
    store = ObjectStore(tmp_path_factory.getbasetemp() / "states")
    values = np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)
    if fortran:
        values = np.asfortranarray(values).reshape(shape)
    stored = store.write({"t": pl.DataFrame({"x": [1]})}, {"values": values})
    back = store.read_state(stored.manifest)["values"]
    assert (back.shape, back.dtype) == (values.shape, values.dtype)
    np.testing.assert_array_equal(back, values)
    assert stored.state_digest is not None


def test_panels_and_tables_come_back_with_every_bit(store: ObjectStore) -> None:
    panel = Prices().run({})
    stored = store.write(panel)
    assert store.read(stored.manifest) == panel
    tables = {
        "a": pl.DataFrame({"x": [1.0, float("nan"), None], "y": ["ä", None, ""]}),
        "b": pl.DataFrame({"t": [1]}).cast({"t": pl.Datetime("us")}),
    }
    back = store.read(store.write(tables).manifest)
    for name, table in tables.items():
        assert back[name].equals(table)
        assert back[name].schema == table.schema


def test_the_digest_does_not_depend_on_the_bits_of_nan_or_the_layout(store: ObjectStore) -> None:
    panel = Prices().run({})
    close = panel["close"].copy()
    close[3, 2] = np.nan
    odd = close.copy()
    odd.view(np.uint64)[3, 2] = 0xFFF8_0000_0000_1234
    digests = {
        store.write(panel.with_fields({"close": values})).digest
        for values in (close, odd, np.asfortranarray(close))
    }
    assert len(digests) == 1
    assert store.write(panel).digest not in digests
    signed = store.write(panel.with_fields({"close": np.zeros(panel.shape)})).digest
    assert store.write(panel.with_fields({"close": -np.zeros(panel.shape)})).digest != signed


def test_a_manifest_names_every_file_of_a_value(store: ObjectStore) -> None:
    stored = store.write(Prices().run({}), {"x": np.arange(3.0)})
    names = set(names_in(stored.manifest))
    assert names == {p.name for p in store.root.glob("*/*")}
    assert stored.n_bytes == sum(store.path(name).stat().st_size for name in names)

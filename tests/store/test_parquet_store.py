"""Files of portfolios: merged, cleared away, and told of when they are damaged or gone."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from plumbline.core.errors import CorruptEntryError, ParameterError, StoreError
from plumbline.engine.collect import collect_garbage
from plumbline.engine.garbage import Cleared, Keeping
from plumbline.engine.health import checks_of
from plumbline.engine.project import Project, create_project
from plumbline.lake.durable import DurableStream
from plumbline.store import parquet_files, parquet_store
from plumbline.store.opening import open_store
from plumbline.store.parquet_files import ParquetFiles
from plumbline.store.parquet_store import ParquetStore
from plumbline.store.portfolio_store import Chunk, PortfolioStore
from tests.engine.lossy_disk import LossyDisk
from tests.postgres import Server
from tests.store.made import ID, assert_holds, chunk_of

Frames = dict[str, pl.DataFrame]


@pytest.fixture
def kind() -> str:
    return "parquet"


def files(project: Project) -> list[Path]:
    return sorted((project.store / "portfolios").glob("??/*.parquet"))


def aged(project: Project) -> None:
    old = time.time() - 7200
    for path in files(project):
        os.utime(path, (old, old))


def cleared(project: Project) -> Cleared:
    return collect_garbage(project, Keeping(max_bytes=10**12))


def write_one_by_one(store: PortfolioStore, frames: Frames, salt: str = "") -> list[Chunk]:
    names = sorted(frames["snapshots"]["portfolio"].unique())
    chunks = [chunk_of(frames, [name], salt=salt) for name in names]
    for chunk in chunks:
        store.write(chunk, "run")
    return chunks


def test_many_small_files_are_merged_into_one(
    store: PortfolioStore, project: Project, frames: Frames
) -> None:
    chunks = write_one_by_one(store, frames)
    assert len(files(project)) == len(chunks) == 12
    assert store.compact() == 11
    assert_holds(store, chunks)
    assert cleared(project).others == ()  # replaced files are young: readers may be at them
    aged(project)
    assert len(cleared(project).others) == 12
    assert len(files(project)) == 1
    assert_holds(store, chunks)
    assert store.compact() == 0


def test_files_of_replaced_days_are_merged_though_they_are_few(
    store: PortfolioStore, project: Project, frames: Frames
) -> None:
    whole, again = chunk_of(frames), chunk_of(frames, salt="again")
    store.write(whole, "run")
    store.write(again, "run")
    assert store.compact() == 1
    store.remove(again.days.select(ID), "run")
    assert store.compact() == 2
    assert store.keys().height == 0
    aged(project)
    cleared(project)
    assert files(project) == []


def test_merging_keeps_files_apart_that_are_large(
    store: PortfolioStore, project: Project, frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_store, "_SMALL", 1)
    chunks = write_one_by_one(store, frames)
    assert store.compact() == 0
    monkeypatch.setattr(parquet_store, "_SMALL", 10**9)
    monkeypatch.setattr(parquet_store, "_MERGE_ROWS", {"days": 30, "dates": 3})
    assert store.compact() == 9
    assert_holds(store, chunks)


def test_a_file_of_which_days_were_replaced_is_not_split_into_more(
    store: PortfolioStore, frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no number for them between it and what comes later."""
    monkeypatch.setattr(parquet_store, "_MERGE_ROWS", {"days": 5, "dates": 1})
    names = sorted(frames["snapshots"]["portfolio"].unique())
    chunks = [chunk_of(frames), chunk_of(frames, names[:8], salt="again")]
    for chunk in chunks:
        store.write(chunk, "run")
    assert store.compact() == 0
    assert_holds(store, chunks)
    assert store.sql("SELECT count(*) AS n FROM days")["n"].item() == chunks[0].days.height


def days_after_losses(
    tmp_path: Path, frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> list[int | None]:
    """Write and merge on a disk that loses what is not flushed; return the days left, if whole.

    Power fails at each commit; None stands for a store of which a named file was lost.
    """
    (tmp_path / "disk").mkdir()
    disk = LossyDisk(tmp_path / "disk", tmp_path / "copies")
    disk.install(monkeypatch)
    project = create_project(disk.root / "p")
    store = open_store("parquet", project.store, project.database)
    write_one_by_one(store, frames)
    store.compact()
    disk.remove()
    monkeypatch.undo()
    found: list[int | None] = []
    for number in range(disk.n_copies):
        copy = disk.copies / f"{number}" / "p"
        if not (copy / ".plumbline" / "format").exists():
            continue  # it was before the project was made
        left = create_project(copy)
        kept = open_store("parquet", left.store, left.database)
        try:
            n_days = kept.keys().height
            assert kept.read("snapshots").height == n_days
            found.append(n_days)
        except (StoreError, CorruptEntryError):
            found.append(None)
    return found


def test_after_a_loss_of_power_no_named_file_is_lost(
    tmp_path: Path, frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_days = days_after_losses(tmp_path, frames, monkeypatch)
    assert None not in n_days
    assert sorted(set(n_days)) == list(range(0, 73, 6))  # type: ignore[type-var]  # none is None
    assert n_days[-1] == 72


def place_hastily(stream: DurableStream, path: Path) -> None:
    stream._file.flush()
    stream._temporary.replace(path)


@pytest.mark.parametrize("undone", ["sync_folder", "place", "make_folder"])
def test_a_flush_that_is_left_out_is_noticed(
    tmp_path: Path, frames: Frames, monkeypatch: pytest.MonkeyPatch, undone: str
) -> None:
    """The twin of the test above."""
    instead: dict[str, tuple[object, Callable[..., object]]] = {
        "sync_folder": (parquet_files, lambda _folder: None),
        "place": (DurableStream, place_hastily),
        "make_folder": (parquet_files, lambda folder: folder.mkdir(parents=True, exist_ok=True)),
    }
    owner, act = instead[undone]
    monkeypatch.setattr(owner, undone, act)
    assert None in days_after_losses(tmp_path, frames, monkeypatch)


def test_a_chunk_that_comes_while_files_are_merged_stays_the_last(
    store: PortfolioStore,
    opened: Callable[[], PortfolioStore],
    frames: Frames,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chunks = write_one_by_one(store, frames)
    later = chunk_of(frames, salt="later")
    replace = ParquetStore._replace

    def interrupted(self: ParquetStore, *given: object) -> int:
        opened().write(later, "run")
        return replace(self, *given)  # type: ignore[arg-type]  # what it was given

    monkeypatch.setattr(ParquetStore, "_replace", interrupted)
    assert store.compact() == 11
    assert_holds(store, [*chunks, later])


def test_two_that_merge_at_once_lose_nothing(
    store: PortfolioStore,
    opened: Callable[[], PortfolioStore],
    project: Project,
    frames: Frames,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chunks = write_one_by_one(store, frames)
    replace, other = ParquetStore._replace, opened()
    done = []

    def interrupted(self: ParquetStore, *given: object) -> int:
        if self is store:
            done.append(other.compact())
        return replace(self, *given)  # type: ignore[arg-type]  # what it was given

    monkeypatch.setattr(ParquetStore, "_replace", interrupted)
    assert store.compact() == 0
    assert done == [11]
    assert_holds(store, chunks)


def test_files_that_another_merged_under_the_same_numbers_are_left_alone(
    store: PortfolioStore,
    opened: Callable[[], PortfolioStore],
    frames: Frames,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parquet_store, "_MERGE_ROWS", {"days": 6, "dates": 1})
    chunks = write_one_by_one(store, frames)
    later = chunk_of(frames, salt="later")
    replace, other = ParquetStore._replace, opened()

    def interrupted(self: ParquetStore, *given: object) -> int:
        if self is store:
            other.write(later, "run")
            assert other.compact() == 1
            assert len(self._listed("days")) == 12
        return replace(self, *given)  # type: ignore[arg-type]  # what it was given

    monkeypatch.setattr(ParquetStore, "_replace", interrupted)
    assert store.compact() == 0
    assert_holds(store, [*chunks, later])


def test_what_a_reader_finds_gone_it_looks_up_anew(
    store: PortfolioStore,
    opened: Callable[[], PortfolioStore],
    project: Project,
    frames: Frames,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chunks = write_one_by_one(store, frames)
    listed = ParquetStore._listed
    other = opened()

    def interrupted(self: ParquetStore, *given: object) -> object:
        found = listed(self, *given)  # type: ignore[arg-type]  # what it was given
        if self is store and other.compact():
            aged(project)
            assert len(cleared(project).others) == 12
        return found

    monkeypatch.setattr(ParquetStore, "_listed", interrupted)
    assert_holds(store, chunks)
    query = store.sql("SELECT count(*) AS n FROM days")
    assert query["n"].item() == frames["snapshots"].height


def test_a_file_that_nothing_names_is_cleared_away_once_it_is_old(
    store: PortfolioStore, project: Project, frames: Frames
) -> None:
    chunk = chunk_of(frames)
    store.write(chunk, "run")
    orphan = project.store / "portfolios" / "ab" / f"{'ab' * 32}.parquet"
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"PAR1")
    cleared(project)
    assert orphan.exists()
    aged(project)
    assert [file.path for file in cleared(project).others] == [orphan]
    assert not orphan.exists()
    assert_holds(store, [chunk])


def test_a_damaged_file_is_told_of_and_so_is_one_that_is_gone(
    opened: Callable[[], PortfolioStore], project: Project, frames: Frames
) -> None:
    opened().write(chunk_of(frames), "run")
    (path,) = files(project)
    content = path.read_bytes()
    path.write_bytes(content[:-9] + b"x" + content[-8:])
    with pytest.raises(CorruptEntryError, match=r"file of portfolios .* is damaged"):
        opened().read("stress")
    path.unlink()
    with pytest.raises(StoreError, match="is not there, though the project names it: restore it"):
        opened().read("stress")
    opened().write(chunk_of(frames), "run")
    assert_holds(opened(), [chunk_of(frames)])


def test_the_doctor_finds_what_is_wrong_with_files_and_forgets_them(
    opened: Callable[[], PortfolioStore], project: Project, frames: Frames
) -> None:
    assert "portfolios" not in [check.name for check in checks_of(project)]
    first, other = chunk_of(frames), chunk_of(frames, salt="other")
    opened().write(first, "run")
    before = set(files(project))
    opened().write(other, "run")
    for deep in (False, True):
        check = checks_of(project, deep=deep)[-1]
        assert (check.name, check.ok) == ("portfolios", True)
        assert check.found.startswith("2 files, ")
    (path,) = set(files(project)) - before
    content = path.read_bytes()
    path.write_bytes(content[:-9] + b"x" + content[-8:])
    assert checks_of(project)[-1].ok
    path.write_bytes(content[:-9])
    (shorter,) = checks_of(project)[-1].problems
    assert f"has {len(content) - 9} bytes of {len(content)}" in shorter
    path.write_bytes(content[:-9] + b"x" + content[-8:])
    check = checks_of(project, deep=True)[-1]
    assert not check.ok
    assert check.found.startswith("1 of 2 files are wrong; they are forgotten, so that their days")
    assert "is damaged: its bytes differ" in check.problems[0]
    assert_holds(opened(), [first])
    path.unlink()
    opened().write(other, "run")
    path.unlink()
    assert "is missing" in checks_of(project)[-1].problems[0]


def unread(store: PortfolioStore) -> pl.DataFrame:
    """Return the newest dates, without a look at a file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(ParquetFiles, "rows")
        return store.latest()


def test_the_newest_dates_are_looked_up_again_when_files_came(
    store: PortfolioStore, opened: Callable[[], PortfolioStore], frames: Frames
) -> None:
    days = sorted(frames["snapshots"]["date"].unique())
    store.write(chunk_of(frames, dates=days[:3]), "run")
    assert set(store.latest()["date"]) == {days[2]}
    newest = store.latest()
    assert_frame_equal(unread(store), newest)
    opened().write(chunk_of(frames, dates=days[3:4]), "run")
    assert set(store.latest()["date"]) == {days[3]}
    store.read("stress", portfolios=["P000000"], first=days[3])
    assert_frame_equal(unread(store), store.latest())


def test_files_lie_beside_a_database_on_a_server_too(
    postgres: Server, tmp_path: Path, frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUMBLINE_DATABASE", postgres.fresh())
    project = create_project(tmp_path / "other")
    store = open_store("parquet", project.store, project.database)
    chunks = write_one_by_one(store, frames)
    store.compact()
    assert_holds(store, chunks)


def test_a_place_that_is_none_is_refused(project: Project) -> None:
    with pytest.raises(ParameterError, match="no store of portfolios 'sqlite'; give 'parquet'"):
        open_store("sqlite", project.store, project.database)
    with pytest.raises(ParameterError, match="is no address of a PostgreSQL database"):
        open_store("mysql://here/db", project.store, project.database)

"""A project's database moves between a file and a server with every row, or not at all."""

import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from plumbline.core.address import Address, parse_address
from plumbline.core.errors import ParameterError, ProjectError
from plumbline.engine import moving
from plumbline.engine.collect import collect_garbage
from plumbline.engine.executors.serial import Serial
from plumbline.engine.garbage import Keeping
from plumbline.engine.health import checks_of
from plumbline.engine.moving import move_project
from plumbline.engine.project import Project, create_project, open_project
from plumbline.lake.sources.csv import Csv
from plumbline.lake.table_sets import TableSets
from plumbline.ledger.database import Base, open_database, refusal
from plumbline.ledger.models import ProjectMark
from plumbline.ledger.queries import list_runs
from plumbline.ledger.schema import change_to, revision_of, revisions
from plumbline.ledger.session import Mishap
from plumbline.store.opening import open_store
from plumbline.store.portfolio_store import Chunk
from tests.engine.history import age
from tests.engine.pipelines import study
from tests.engine.toys import Prices
from tests.postgres import Server

BARS = "date,symbol,close\n2024-01-02,A,1.5\n2024-01-03,A,2.5\n2024-01-02,b,3\n2024-01-03,b,4\n"

UNUSED = {
    "dead_letters",
    "kept_runs",
    "lake_breakers",
    "lake_files",
    "run_origins",
    "warnings",
}


def quiet(_table: str, _n_rows: int) -> None: ...


@pytest.fixture
def address(postgres: Server) -> Address:
    return parse_address(postgres.fresh())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = create_project(tmp_path / "project")
    run_id = made.engine.run(study(), Serial()).run_id
    made.engine.ledger.record_findings(run_id, {("ic", "é"): 0.1, ("ic", "n"): None}, [], "code")
    made.engine.ledger.record_mishap(run_id, Mishap("n", "b", 1, "k", "message", "trace"))
    (tmp_path / "bars.csv").write_text(BARS)
    source = Csv("bars.csv")
    made.lake_for(source).ingest("bars", source, calendar="24/7", base=tmp_path)
    TableSets(made.store, made.database).store("book é", {"trades": pl.DataFrame({"a": [1]})}, "é")
    days = pl.DataFrame({"portfolio": ["é", "é"], "date": [date(2024, 1, 2), date(2024, 1, 3)]})
    keyed = days.with_columns(owner=pl.lit("me"), key=pl.lit("0" * 32))
    measures = days.with_columns(beta=pl.Series([0.5, None]))
    open_store("parquet", made.store, made.database).write(
        Chunk(keyed, {"measures": measures}), "run"
    )
    return made


def content(project: Project) -> dict[str, list[str]]:
    """Return the rows of every table but the mark, with times as their instants."""
    from plumbline.ledger.transfer import _plain

    tables = [t for name, t in Base.metadata.tables.items() if name != ProjectMark.__tablename__]
    with project.database.read() as connection:
        return {
            t.name: sorted(repr([_plain(v) for v in row]) for row in connection.execute(select(t)))
            for t in tables
        }


def test_a_move_to_a_server_and_back_keeps_every_row_and_result(
    project: Project, address: Address
) -> None:
    before = content(project)
    assert {name for name, rows in before.items() if not rows} <= UNUSED
    seen: list[str] = []
    copied, kept = move_project(project, address, lambda table, _n: seen.append(table))
    assert {c.table: c.n_rows for c in copied} == {name: len(rows) for name, rows in before.items()}
    assert set(seen) == {name for name, rows in before.items() if rows}
    moved = open_project(project.root)
    assert moved.database.url == str(address)
    assert content(moved) == before
    assert moved.engine.run(study(), Serial()).counts == {"cached": 16}
    stored = open_store("parquet", moved.store, moved.database)
    assert stored.read("measures")["beta"].to_list() == [0.5, None]
    moved.engine.ledger.record_mishap(  # its number goes on after those that were copied
        list_runs(moved.database)[0]["id"], Mishap("n", "b", 2, "k", "message", "trace")
    )
    assert all(check.ok for check in checks_of(moved, deep=True))
    assert [p.name for p in moved.store.glob("*.db")] == [kept]
    assert content(Project(moved.root, project.database)) == before  # as a copy to keep

    after = content(moved)
    back, schema = move_project(moved, None, quiet)
    assert sum(c.n_rows for c in back) == sum(map(len, after.values()))
    home = open_project(project.root)
    assert home.database.schema is None
    assert content(home) == after
    assert home.engine.run(study(), Serial()).counts == {"cached": 16}
    assert schema.startswith(f"{address.schema}_moved_")


def test_who_has_the_old_database_open_cannot_write_to_it(
    project: Project, address: Address
) -> None:
    notebook = open_project(project.root)
    move_project(project, address, quiet)
    with pytest.raises(DBAPIError, match="the project was moved") as caught:
        notebook.engine.run(study(), Serial())
    assert refusal(caught.value).endswith("open it again; give the command again")
    notebook = open_project(project.root)
    move_project(open_project(project.root), None, quiet)
    with pytest.raises(DBAPIError) as caught:
        notebook.engine.run(study(), Serial())
    assert "it may have been moved or dropped" in refusal(caught.value)
    assert len(list_runs(open_project(project.root).database)) == 1


def test_a_target_that_holds_another_project_is_refused_and_left_alone(
    project: Project, address: Address, tmp_path: Path
) -> None:
    other = create_project(tmp_path / "other", address)
    other.engine.run(study(), Serial())
    there, here = content(other), content(project)
    with pytest.raises(ProjectError, match=r"holds the project of .*/other; name an empty schema"):
        move_project(project, address, quiet)
    assert (content(other), content(open_project(project.root))) == (there, here)
    with pytest.raises(ParameterError, match="there already"):
        move_project(other, address, quiet)


def tables_there(server: Server, address: Address) -> list[str]:
    rows = server.execute("SELECT schemaname, tablename FROM pg_tables")
    return sorted(name for schema, name in rows if schema == address.schema)


def test_a_move_that_is_refused_makes_no_table_at_its_target(
    project: Project, postgres: Server, address: Address
) -> None:
    with project.database.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE notes (text TEXT)")
    with pytest.raises(ProjectError, match="none of Plumbline's"):
        move_project(project, address, quiet)
    assert tables_there(postgres, address) == []
    with project.database.begin() as connection:
        connection.exec_driver_sql("DROP TABLE notes")
    run_id = project.engine.ledger.start_run("p", "text", "d" * 64, "Serial()")
    with pytest.raises(ProjectError, match="runs go on"):
        move_project(project, address, quiet)
    assert tables_there(postgres, address) == []
    project.engine.ledger.finish_run(run_id, "done")
    move_project(project, address, quiet)
    assert "runs" in tables_there(postgres, address)


def test_a_refused_move_leaves_the_tables_of_an_older_project_in_their_form(
    project: Project, postgres: Server, address: Address, tmp_path: Path
) -> None:
    other = create_project(tmp_path / "other", address)
    other.engine.ledger.start_run("p", "text", "d" * 64, "Serial()")
    old, new = revisions()[0], revisions()[-1]
    assert change_to(open_database(address), old) == (new, old)
    tables = tables_there(postgres, address)
    with pytest.raises(ProjectError, match="name an empty schema"):
        move_project(project, address, quiet)
    assert tables_there(postgres, address) == tables
    with open_database(address).read() as connection:
        assert revision_of(connection) == old


def test_who_has_the_old_database_open_removes_no_file_that_the_new_one_names(
    project: Project, address: Address
) -> None:
    stale = open_project(project.root)
    orphan = project.lake.segment_folder / ("ab" * 32 + ".parquet")
    orphan.write_bytes(b"named by nothing")
    n_segments = len(content(project)["lake_segments"])
    move_project(project, address, quiet)
    moved = open_project(project.root)
    (project.root / "more.csv").write_text(BARS.replace("2024", "2025"))
    moved.lake.ingest("more", Csv("more.csv"), calendar="24/7", base=project.root)
    moved.engine.run(study(Prices(seed=5)), Serial())
    age(moved)
    before = sorted(path for path in project.store.rglob("*.*") if "plumbline.db" not in path.name)
    for act in (
        lambda: collect_garbage(stale, Keeping(max_bytes=10**12)),
        lambda: stale.engine.cache.trim(10**12),
    ):
        with pytest.raises(ProjectError, match=r"was moved to another database.*open the project"):
            act()
    after = sorted(path for path in project.store.rglob("*.*") if "plumbline.db" not in path.name)
    assert after == before
    assert len(content(moved)["lake_segments"]) > n_segments
    gone = collect_garbage(moved, Keeping(max_bytes=10**12))
    assert [file.path for file in gone.others] == [orphan]
    assert all(check.ok for check in checks_of(moved, deep=True))

    move_project(moved, None, quiet)  # who has a schema open that was left finds no table
    age(open_project(project.root))
    with pytest.raises(DBAPIError) as caught:
        collect_garbage(moved, Keeping(max_bytes=10**12))
    assert "it may have been moved or dropped" in refusal(caught.value)
    assert all(check.ok for check in checks_of(open_project(project.root), deep=True))


def test_a_project_with_a_run_going_on_is_refused(project: Project, address: Address) -> None:
    run_id = project.engine.ledger.start_run("p", "text", "d" * 64, "Serial()")
    with pytest.raises(ProjectError, match=f"runs go on: {run_id}"):
        move_project(project, address, quiet)
    assert open_project(project.root).database.schema is None


@pytest.mark.parametrize("back", [False, True])
def test_a_move_that_is_cut_short_anywhere_changes_nothing_or_is_done_and_can_be_repeated(
    project: Project, address: Address, back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if back:
        move_project(project, address, quiet)
        project = open_project(project.root)
    before = content(project)

    class Cut(BaseException):
        pass

    def cut(*_arguments: Any) -> None:
        raise Cut

    def late(act: Callable[..., object]) -> Callable[..., None]:
        def acts(*arguments: object) -> None:
            act(*arguments)
            raise Cut

        return acts

    steps: list[tuple[str, Any]] = [
        ("copy_tables", cut),
        ("copy_tables", late(moving.copy_tables)),
        ("_retire", cut),  # the new database is committed by then
        ("_retire", late(moving._retire)),
        ("_switch", cut),
    ]
    for name, act in steps:
        with monkeypatch.context() as patched:
            patched.setattr(moving, name, act)
            with pytest.raises(Cut):
                move_project(project, None if back else address, quiet)
        again = open_project(project.root)
        assert again.database.url == project.database.url
        assert content(again) == before
        again.engine.ledger.finish_run(list_runs(again.database)[0]["id"], "done")  # writes
        before = content(again)
    move_project(open_project(project.root), None if back else address, quiet)
    assert content(open_project(project.root)) == before


def test_rows_that_arrive_changed_stop_a_move(
    project: Project, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plumbline.ledger import transfer

    insert_many = transfer.insert_many

    def spoilt(connection: Any, table: Any, rows: Any) -> None:
        if table.name == "metrics":
            rows = [{**rows[0], "value": 0.10000000000000002}, *rows[1:]]
        insert_many(connection, table, rows)

    monkeypatch.setattr(transfer, "insert_many", spoilt)
    with pytest.raises(ProjectError, match="2 rows of metrics were sent, 2 arrived, and their"):
        move_project(project, address, quiet)
    assert open_project(project.root).database.schema is None


def test_tables_of_others_are_not_left_behind(project: Project, address: Address) -> None:
    with project.database.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE notes (text TEXT)")
    with pytest.raises(ProjectError, match="none of Plumbline's: notes; move or drop them first"):
        move_project(project, address, quiet)


def test_a_writer_waits_until_the_move_is_over_and_is_told(
    project: Project, address: Address
) -> None:
    rival = open_project(project.root)
    errors: list[Exception] = []

    def write() -> None:
        try:
            rival.engine.ledger.start_run("p", "text", "d" * 64, "Serial()")
        except DBAPIError as error:
            errors.append(error)

    thread = threading.Thread(target=write)

    def told(table: str, _n_rows: int) -> None:
        if table == "runs":
            thread.start()
            time.sleep(0.3)

    move_project(project, address, told)
    thread.join()
    assert ["the project was moved" in str(error) for error in errors] == [True]
    assert len(list_runs(open_project(project.root).database)) == 1


def test_a_file_that_is_in_the_way_is_refused(project: Project, address: Address) -> None:
    move_project(project, address, quiet)
    (project.store / "plumbline.db").unlink()
    (project.store / "plumbline.db").write_text("mine, and longer than the head of a database" * 9)
    with pytest.raises(ProjectError, match=r"plumbline\.db is there, and is no database that this"):
        move_project(open_project(project.root), None, quiet)
    assert open_project(project.root).database.url == str(address)

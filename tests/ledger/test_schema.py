"""The tables are made and changed by migrations, up and down, with data in them."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import String, inspect, select

import plumbline.lake.tables  # noqa: F401  # it declares tables
from plumbline.core.address import Address, parse_address
from plumbline.core.errors import ParameterError, ProjectError
from plumbline.core.settings import read_settings
from plumbline.engine.executors.serial import Serial
from plumbline.engine.project import Project, create_project, open_project
from plumbline.ledger import schema
from plumbline.ledger.database import Base, Database, open_database
from plumbline.ledger.models import ProjectMark
from plumbline.ledger.queries import list_runs, warnings_of_run
from plumbline.ledger.schema import FOLDER, change_to, revision_of, revisions
from tests.engine.pipelines import BLOCKS, study
from tests.postgres import Server

REPOSITORY = Path(__file__).resolve().parents[2]
OLDEST, NEWEST = revisions()[0], revisions()[-1]


@pytest.fixture
def project(tmp_path: Path, each_database: str) -> Project:
    made = create_project(tmp_path / "project")
    made.engine.run(study(), Serial())
    return made


def place_of(project: Project) -> Path | Address:
    return read_settings().database or project.store / "plumbline.db"


def revision(database: Database) -> str | None:
    with database.read() as connection:
        return revision_of(connection)


def content(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of every table that holds data of a project, in no order."""
    tables = [t for name, t in Base.metadata.tables.items() if name != ProjectMark.__tablename__]
    with database.read() as connection:
        there = [t for t in tables if inspect(connection).has_table(t.name)]
        rows = {
            t.name: sorted(tuple(map(repr, row)) for row in connection.execute(select(t)))
            for t in there
        }
    return {name: found for name, found in rows.items() if found}


def differences(database: Database) -> list[Any]:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, Base.metadata)


def indexes(database: Database) -> set[tuple[str, str | None]]:
    with database.read() as connection:
        seen = inspect(connection)
        return {(t, i["name"]) for t in seen.get_table_names() for i in seen.get_indexes(t)}


def test_the_migrations_make_the_tables_that_the_code_declares(project: Project) -> None:
    assert revision(project.database) == NEWEST
    assert differences(project.database) == []
    with project.database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE runs ADD COLUMN planted INTEGER")
        connection.exec_driver_sql("DROP INDEX runs_by_state")
    assert {change[0] for change in differences(project.database)} == {
        "remove_column",
        "add_index",
    }


def test_migrations_are_one_line_of_numbers() -> None:
    assert list(revisions()) == [f"{i:04d}" for i in range(1, len(revisions()) + 1)]
    for number, path in zip(revisions(), sorted((FOLDER / "versions").glob("0*.py")), strict=True):
        before = f'"{int(number) - 1:04d}"' if int(number) > 1 else "None"
        text = path.read_text(encoding="utf-8")
        assert f'revision = "{number}"' in text
        assert f"down_revision = {before}" in text


def test_down_and_up_again_keeps_every_row(project: Project) -> None:
    before, there = content(project.database), indexes(project.database)
    assert len(before["artefacts"]) == len(BLOCKS)
    for number in reversed(revisions()[:-1]):
        change_to(project.database, number)
        assert revision(project.database) == number
    assert indexes(project.database) != there
    again = open_project(project.root)
    assert revision(again.database) == NEWEST
    assert content(again.database) == before
    assert indexes(again.database) == there
    assert open_project(project.root).engine.plan(study()).is_done


def test_a_project_from_before_there_were_numbers_is_taken_over(project: Project) -> None:
    before = content(project.database)
    with project.database.read() as connection:
        marks = [dict(row._mapping) for row in connection.execute(select(ProjectMark.__table__))]
    change_to(project.database, OLDEST)
    with project.database.begin() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
        connection.exec_driver_sql("DROP TABLE warnings")  # of a version that had not all of them
        connection.exec_driver_sql("DROP INDEX ix_runs_started")
    found = open_database(place_of(project))
    found.create_tables()
    with found.begin() as connection:
        for row in marks:
            connection.execute(ProjectMark.__table__.insert(), row)  # type: ignore[attr-defined]
    again = open_project(project.root)
    assert revision(again.database) == NEWEST
    assert differences(again.database) == []
    assert content(again.database) == before
    assert warnings_of_run(again.database, "any") == []
    assert again.engine.plan(study()).is_done


def test_tables_of_a_newer_version_are_refused_with_advice(project: Project) -> None:
    before = content(project.database)
    with project.database.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ProjectError, match=r"version 9999, .* install a newer Plumbline, or with"):
        open_project(project.root)
    with pytest.raises(ProjectError, match="9999"):
        change_to(project.database, OLDEST)
    assert content(project.database) == before


def test_a_number_that_no_migration_has_is_refused(project: Project) -> None:
    with pytest.raises(ParameterError, match=f"no version '7777' of the tables; known: {OLDEST}"):
        change_to(project.database, "7777")
    assert revision(project.database) == NEWEST


def test_a_migration_that_fails_leaves_the_tables_as_they_were(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_to(project.database, OLDEST)
    with project.database.begin() as connection:  # what the last step of the next one drops
        connection.exec_driver_sql("DROP INDEX ix_runs_pipeline")
    before, there = content(project.database), indexes(project.database)
    with pytest.raises(Exception, match="ix_runs_pipeline"):
        change_to(project.database, NEWEST)
    assert revision(project.database) == OLDEST
    assert (content(project.database), indexes(project.database)) == (before, there)


def test_a_table_that_is_built_anew_keeps_the_rows_that_refer_to_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_to(project.database, OLDEST)
    before = content(project.database)
    module = schema._module

    def rebuilding(script: Any, number: str) -> Any:
        def upgrade() -> None:
            module(script, number).upgrade()
            with op.batch_alter_table("artefacts", recreate="auto") as batch:
                batch.alter_column("n_bytes", type_=sa.BigInteger())  # SQLite: a table anew

        return SimpleNamespace(upgrade=upgrade)

    monkeypatch.setattr(schema, "_module", rebuilding)
    change_to(project.database, NEWEST)
    assert len(before["lineage"]) > 0
    assert content(project.database) == before


def test_text_is_sorted_by_code_points_and_never_too_long_on_a_server(
    postgres: Server, tmp_path: Path
) -> None:
    made = create_project(tmp_path, parse_address(postgres.fresh()))
    query = (
        "SELECT table_name, column_name, collation_name, character_maximum_length FROM "
        "information_schema.columns WHERE table_schema = current_schema()"
    )
    with made.database.read() as connection:
        found = {(t, c): (o, n) for t, c, o, n in connection.exec_driver_sql(query)}
    own = [
        (table.name, column.name)
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, String) and column.type._variant_mapping
    ]
    assert len(own) > 30
    assert {found[place] for place in own} == {("C", None)}


def test_rows_that_refer_to_nothing_stop_a_migration_of_a_file(tmp_path: Path) -> None:
    database = open_database(tmp_path / "a.db")
    change_to(database, OLDEST)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql("INSERT INTO findings VALUES ('no such run', 'code')")
    with pytest.raises(ProjectError, match="rows of findings refer to rows that are not there"):
        change_to(database, NEWEST)
    assert revision(database) == OLDEST


def test_tables_of_an_older_version_that_cannot_be_written_say_so(tmp_path: Path) -> None:
    database = open_database(tmp_path / "a.db")
    change_to(database, OLDEST)
    reader = Database(database.url, is_read_only=True)
    with pytest.raises(ProjectError, match=f"tables of version {OLDEST}, this Plumbline reads"):
        reader.create_tables()


def test_many_processes_bring_one_database_up_to_date_at_once(project: Project) -> None:
    change_to(project.database, OLDEST)
    code = (
        "import sys; from pathlib import Path\n"
        "from plumbline.core.settings import read_settings\n"
        "from plumbline.ledger.database import open_database\n"
        "open_database(read_settings().database or Path(sys.argv[1])).create_tables()\n"
    )
    command = [sys.executable, "-c", code, str(project.store / "plumbline.db")]
    many = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    errors = [process.communicate(timeout=120)[1] for process in many]
    assert [process.returncode for process in many] == [0] * 4, errors
    assert revision(project.database) == NEWEST
    assert len(list_runs(project.database)) == 1


def test_opening_a_project_that_is_up_to_date_loads_no_alembic(tmp_path: Path) -> None:
    create_project(tmp_path)
    code = (
        "import sys; from pathlib import Path\n"
        "from plumbline.engine.project import open_project\n"
        "open_project(Path(sys.argv[1])).lake.datasets()\n"
        "assert 'sqlalchemy' in sys.modules\n"
        "assert not {'alembic', 'mako', 'psycopg'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)

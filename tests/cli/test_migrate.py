"""The command that moves a project's database, and what it says."""

import json
from pathlib import Path

import pytest

from plumbline.cli.app import call
from plumbline.engine.executors.serial import Serial
from plumbline.engine.project import create_project, open_project
from plumbline.ledger.schema import revisions
from tests.engine.pipelines import study
from tests.postgres import Server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create_project(tmp_path / "p").engine.run(study(), Serial())
    return tmp_path / "p"


def test_a_project_moves_there_and_back(
    folder: Path, postgres: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    url = postgres.fresh()
    at = ["--project", str(folder), "--json"]
    assert call(["migrate", "--to", url, *at]) == 0
    printed = capsys.readouterr()
    moved = json.loads(printed.out)
    assert {t["table"]: t["n_rows"] for t in moved["tables"]}["artefacts"] == 16
    assert "artefacts: 16 rows" in printed.err
    assert moved["kept"] == "plumbline.db"
    assert call(["migrate", *at]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["database"] == moved["database"] == open_project(folder).database.url
    assert told["tables"] == told["newest"] == revisions()[-1]
    assert call(["doctor", "--project", str(folder)]) == 0
    assert f"database: ok, {told['database']}" in capsys.readouterr().out
    assert call(["migrate", "--to", "sqlite", "--project", str(folder)]) == 0
    assert "tables moved, with the same digests\ndatabase: sqlite" in capsys.readouterr().out
    assert open_project(folder).engine.run(study(), Serial()).counts == {"cached": 16}


def test_tables_go_back_to_an_older_form_and_the_next_command_brings_them_up(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--project", str(folder)]
    assert call(["migrate", "--tables", revisions()[0], *at]) == 0
    expected = f"tables: version {revisions()[0]}, before: {revisions()[-1]}"
    assert expected in capsys.readouterr().out
    assert call(["migrate", *at]) == 0
    assert f"tables: version {revisions()[-1]}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--to", "mysql://h/d"], 2, "'mysql://h/d' is no address of a PostgreSQL database"),
        (["--to", "sqlite"], 2, "is there already"),
        (["--tables", "x"], 2, "no version 'x' of the tables; known: 0001"),
        (["--tables", "0001", "--to", "sqlite"], 2, "--to and --tables are two commands"),
        (["--to", "postgresql://127.0.0.1:1/d"], 1, "see that the server runs there"),
    ],
)
def test_what_cannot_be_done_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, told: str
) -> None:
    assert call(["migrate", *words, "--project", str(folder)]) == code
    assert told in capsys.readouterr().err
    assert open_project(folder).database.schema is None

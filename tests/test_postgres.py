"""The server of the tests leaves nothing behind, however the tests end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.postgres import REPOSITORY

CODE = (
    "import sys, time; from tests.postgres import Server\n"
    "server = Server(); print(server.url, flush=True)\n"
    "sys.stdin.read(); server.close()\n"
)


def servers_of(folder: Path) -> list[str]:
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            line = (place / "cmdline").read_bytes()
        except OSError:  # it ended
            continue
        if os.fsencode(folder) in line:
            found.append(place.name)
    return found


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_server_is_gone_when_its_process_ended_or_was_killed(is_killed: bool) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", CODE],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    folder = Path(process.stdout.readline().split("host=")[1].split("&")[0])
    assert servers_of(folder)
    if is_killed:
        process.send_signal(signal.SIGKILL)
    process.communicate()
    until = time.monotonic() + 30
    while folder.exists() or servers_of(folder):
        assert time.monotonic() < until, "the server is still there"
        time.sleep(0.05)

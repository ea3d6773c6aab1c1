"""Checks shape annotations while tests run, and finds the shared market data."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import type_check
from tests.postgres import Server
from tests.study_files import copied, write_study

type_check.install()

from plumbline.cli.app import call  # noqa: E402  # checked, as all of the package

# Else every child, and every start of the tests, compiles what it imports: 0.2 s and 10 s.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

settings.register_profile(
    "plumbline",
    deadline=None,  # the first example of a kernel compiles it
    derandomize=True,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("plumbline")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background of a shell
    signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED_DATA = Path(os.environ.get("PLUMBLINE_TEST_DATA", REPOSITORY.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real market data; a test that needs it is skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no market data at {SHARED_DATA}; set PLUMBLINE_TEST_DATA")
    return SHARED_DATA


@pytest.fixture(scope="session")
def planned_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project, to be copied, whose study was planned: its code is read, and no data is."""
    folder = tmp_path_factory.mktemp("planned") / "p"
    write_study(folder)
    assert call(["init", str(folder)]) == 0
    assert call(["plan", str(folder / "study.yaml"), "--project", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def finished_study(planned_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project, to be copied, whose study has run once."""
    folder = copied(planned_study, tmp_path_factory.mktemp("finished"))
    assert call(["run", str(folder / "study.yaml"), "--project", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Return a PostgreSQL server; it starts in half a second and stops with the tests."""
    server = Server()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def each_database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test on both databases: the first project it makes, here or in a child, lies there."""
    kind = str(request.param)
    if kind == "postgresql":
        server: Server = request.getfixturevalue("postgres")
        monkeypatch.setenv("PLUMBLINE_DATABASE", server.fresh())
    return kind


@pytest.fixture
def another_database(
    request: pytest.FixtureRequest, each_database: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """Return what gives the next project of a test on both databases a place of its own."""

    def switch() -> None:
        if each_database == "postgresql":
            server: Server = request.getfixturevalue("postgres")
            monkeypatch.setenv("PLUMBLINE_DATABASE", server.fresh())

    return switch

import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from plumbline.core.address import parse_address
from plumbline.engine.project import Project, create_project
from plumbline.store.opening import open_store
from plumbline.store.portfolio_store import PortfolioStore
from tests.postgres import Server
from tests.store.made import Opener, frames_of


@pytest.fixture(scope="session")
def frames() -> dict[str, pl.DataFrame]:
    """Return the frames of a small load, with failures of some days."""
    return frames_of()


@pytest.fixture(params=["parquet", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return create_project(tmp_path / "project")


@pytest.fixture
def opened(
    kind: str, project: Project, request: pytest.FixtureRequest
) -> Iterator[Callable[[], PortfolioStore]]:
    """Return what opens the same place again and again."""
    place = "parquet"
    if kind == "postgresql":
        place = writer_url(request.getfixturevalue("postgres"))
    opener = Opener(place, project)
    yield opener
    opener.close()


@pytest.fixture
def store(opened: Callable[[], PortfolioStore]) -> PortfolioStore:
    return opened()


def writer_url(server: Server) -> str:
    """Return the URL of a schema that is not there, for a role that is no superuser."""
    role = f"writer_{secrets.token_hex(4)}"
    server.execute(f"CREATE ROLE {role} LOGIN", f"GRANT CREATE ON DATABASE postgres TO {role}")
    return re.sub(r"//\w+@", f"//{role}@", server.fresh())


@pytest.fixture
def writer(postgres: Server) -> str:
    return writer_url(postgres)


__all__ = ["Any", "open_store", "parse_address"]

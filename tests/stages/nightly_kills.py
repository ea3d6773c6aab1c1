"""A nightly run that kills itself at a point of its work: FOLDER STORE POINT; prints the points."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plumbline.engine.project import open_project
from plumbline.ledger.session import Ledger
from plumbline.stages import nightly_run
from plumbline.store.parquet_store import ParquetStore
from plumbline.store.postgresql_store import PostgreSQLStore
from tests.stages.nightly_projects import Nights


def main() -> None:
    """Run; one portfolio makes a chunk."""
    folder, place, point = sys.argv[1:]
    nightly_run.BLOCK, nightly_run.CHUNK_DAYS = 1, 1
    reached = 0

    def guarded(act: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            nonlocal reached
            for is_after in (False, True):
                if is_after:
                    found = act(*given, **named)
                reached += 1
                if reached == int(point):
                    os.kill(os.getpid(), signal.SIGKILL)
            return found

        return call

    for kind in (ParquetStore, PostgreSQLStore):
        for name in ("write", "write_dates", "remove"):
            setattr(kind, name, guarded(getattr(kind, name)))
    for name in ("commit", "record_findings", "finish_run"):
        setattr(Ledger, name, guarded(getattr(Ledger, name)))
    where = Path(folder)
    Nights(open_project(where), where, None if place == "-" else place).run()
    print(reached)

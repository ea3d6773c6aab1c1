"""Ingests that are refused, and that they leave nothing behind."""

from pathlib import Path

import pytest

from plumbline.core.errors import SourceError


def state(lake) -> tuple[object, ...]:
    """Return what a lake holds: its files and its data sets."""
    files = sorted((p.name, p.stat().st_size) for p in lake.segment_folder.iterdir())
    return files, lake.datasets()


def refused(lake, source, base: Path, calendar: str = "24/7") -> tuple[str, ...]:
    """Return the problems of a refused ingest, after checking that it left nothing behind."""
    before = state(lake)
    with pytest.raises(SourceError) as caught:
        lake.ingest("bad", source, calendar=calendar, base=base)
    assert state(lake) == before
    return caught.value.problems

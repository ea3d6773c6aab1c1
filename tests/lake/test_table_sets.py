"""Sets of tables: every version whole, the same tables one version, nothing half-stored."""

import os
import time

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from plumbline.core.errors import CorruptEntryError, UnknownNameError
from plumbline.engine.collect import collect_garbage
from plumbline.engine.garbage import Keeping
from plumbline.engine.project import create_project
from plumbline.lake.table_sets import TableSets

TRADES = pl.DataFrame({"portfolio": ["a", "b"], "quantity": [1.5, None]})
FLOWS = pl.DataFrame({"amount": [0.1]})


@pytest.fixture
def project(tmp_path):
    return create_project(tmp_path)


@pytest.fixture
def sets(project):
    return TableSets(project.store, project.database)


def test_what_is_stored_is_read_back(sets):
    found = sets.store("funds", {"trades": TRADES, "flows": FLOWS}, "a note")
    assert (found.version, found.note) == (1, "a note")
    assert sets.find("funds") == found
    tables = sets.read(found)
    assert list(tables) == ["trades", "flows"]
    assert_frame_equal(tables["trades"], TRADES)
    assert_frame_equal(tables["flows"], FLOWS)


def test_equal_tables_make_no_version_and_others_do(sets):
    first = sets.store("funds", {"trades": TRADES}, "one")
    assert sets.store("funds", {"trades": TRADES.clone()}, "two") == first
    second = sets.store("funds", {"trades": TRADES.head(1)}, "three")
    back = sets.store("funds", {"trades": TRADES}, "four")
    assert [one.version for one in sets.versions("funds")] == [3, 2, 1]
    assert (second.version, back.version, back.digest) == (2, 3, first.digest)
    assert_frame_equal(sets.read(sets.find("funds", 2))["trades"], TRADES.head(1))


def test_an_unknown_name_or_version_is_told_with_what_there_is(sets):
    with pytest.raises(UnknownNameError, match="no 'fund'"):
        sets.find("fund")
    sets.store("funds", {"trades": TRADES}, "")
    with pytest.raises(UnknownNameError, match="did you mean 'funds'"):
        sets.find("fund")
    with pytest.raises(UnknownNameError, match="no version 4; it has 1"):
        sets.find("funds", 4)


def test_a_damaged_file_is_told(sets):
    found = sets.store("funds", {"trades": TRADES}, "")
    sets.path(found, "trades").write_bytes(b"PAR1")
    with pytest.raises(CorruptEntryError):
        sets.read(found)


def test_files_that_no_version_names_are_cleared_and_others_stay(project, sets):
    found = sets.store("funds", {"trades": TRADES}, "")
    loose = sets.folder / ("0" * 64 + ".parquet")
    loose.write_bytes(b"left by a killed writer")
    old = time.time() - 7200
    for path in sets.folder.iterdir():
        os.utime(path, (old, old))
    collect_garbage(project, Keeping(max_bytes=1 << 30))
    assert not loose.exists()
    assert_frame_equal(sets.read(found)["trades"], TRADES)

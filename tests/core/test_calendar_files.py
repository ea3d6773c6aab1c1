import re
import subprocess
import sys
import zoneinfo
from importlib.metadata import requires, version
from pathlib import Path

import exchange_calendars
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from plumbline.core import calendar as calendars
from plumbline.core import calendar_files
from plumbline.core.calendar import Calendar
from plumbline.core.calendar_files import LIBRARIES, kept, zone_digest

NAMES = ("XNYS", "XHKG", "XLON")  # plain, with a break, under another zone


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLUMBLINE_CACHE_DIR", str(tmp_path / "cache"))
    forget()
    yield tmp_path / "cache" / "calendars"
    forget()


def forget() -> None:
    calendars._known.cache_clear()
    calendars._sessions.cache_clear()


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def table(name: str) -> list[np.ndarray]:
    calendar = Calendar(name)
    last = int(calendar.locate(np.array(["2031-01-01"], dtype="datetime64[us]"))[0][0])
    return [calendar.dates(0, last), *calendar.sessions(0, last)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pandas, about the library's calls
@pytest.mark.parametrize("name", NAMES)
def test_a_calendar_out_of_its_file_is_that_of_the_library(name, folder, monkeypatch):
    made = table(name)
    assert len(files(folder)) == 3  # names, two spans of sessions
    forget()
    monkeypatch.delattr(exchange_calendars, "get_calendar")
    monkeypatch.delattr(exchange_calendars.calendar_utils, "get_calendar_names")
    read = table(name)
    monkeypatch.undo()
    first, last = (str(made[0][at]) for at in (0, -1))
    wanted = exchange_calendars.get_calendar(name, start=first, end=last)
    moments = [getattr(wanted, field) for field in calendars.Sessions._fields]
    plain = [wanted.sessions.to_numpy(), *(m.dt.tz_convert(None).to_numpy() for m in moments)]
    for of_file, of_making, of_library in zip(read, made, plain, strict=True):
        assert_array_equal(of_file, of_making)
        assert_array_equal(of_file, of_library.astype(of_file.dtype))


def test_a_calendar_out_of_its_file_loads_no_library():
    code = (
        "import sys\nfrom plumbline.core.calendar import Calendar\n"
        "print(Calendar('NYSE').closes(0, 9_000)[-1], 'exchange_calendars' in sys.modules)"
    )
    told = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    closes, were_loaded = zip(*(one.stdout.split() for one in told), strict=True)
    assert were_loaded == ("True", "False")
    assert closes[0] == closes[1]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:0],
        lambda content: content[:-8],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: b"\xff" + content[1:],
    ],
)
def test_a_damaged_file_is_made_again(damage, folder, caplog):
    made = table("XNYS")
    for path in files(folder):
        path.write_bytes(damage(path.read_bytes()))
    damaged = [path.read_bytes() for path in files(folder)]
    forget()
    for of_damaged, of_making in zip(table("XNYS"), made, strict=True):
        assert_array_equal(of_damaged, of_making)
    assert caplog.text.count("is damaged and made again") == len(damaged)
    assert all(path.read_bytes() != was for path, was in zip(files(folder), damaged, strict=True))


def test_what_cannot_be_kept_is_told_all_the_same(folder, caplog):
    folder.parent.mkdir()
    folder.write_text("no folder")
    assert kept("a", lambda: b"content") == b"content"
    assert "cannot be written" in caplog.text
    assert folder.read_text() == "no folder"


def test_a_failing_library_leaves_no_file(folder):
    with pytest.raises(ZeroDivisionError):
        kept("a", lambda: b"1" * (1 // 0))
    assert files(folder) == []


def test_a_zone_with_other_rules_has_another_digest(tmp_path, monkeypatch):
    digests = set()
    for rules in (b"summer time", b"none"):
        (tmp_path / "Europe").mkdir(exist_ok=True)
        (tmp_path / "Europe" / "Paris").write_bytes(rules)
        monkeypatch.setattr(zoneinfo, "TZPATH", (str(tmp_path),))
        digests.add(zone_digest("Europe/Paris"))
    monkeypatch.setattr(zoneinfo, "TZPATH", ())
    digests.add(zone_digest("Europe/Paris"))
    assert len(digests) == 3


@pytest.mark.parametrize("name", LIBRARIES)
def test_another_version_of_a_library_reads_no_file_of_this_one(name, monkeypatch):
    assert kept("a", lambda: b"old") == b"old"
    monkeypatch.setattr(
        calendar_files, "version", lambda asked: "0.0" if asked == name else version(asked)
    )
    calendar_files._libraries.cache_clear()
    assert kept("a", lambda: b"new") == b"new"
    monkeypatch.undo()
    calendar_files._libraries.cache_clear()


def test_files_hang_on_the_versions_of_all_that_the_library_needs():
    needed = [one for one in requires("exchange_calendars") if "extra ==" not in one]
    names = {re.split(r"[^\w-]", one)[0].replace("-", "_") for one in needed}
    assert names | {"exchange_calendars"} == set(LIBRARIES)

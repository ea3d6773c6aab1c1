import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plumbline.core import settings
from plumbline.core.address import Address
from plumbline.core.errors import ParameterError
from plumbline.core.settings import (
    ENVIRONMENT,
    current_time,
    kernel_cache_dir,
    read_settings,
)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith("PLUMBLINE_") and not name.startswith("PLUMBLINE_TEST_"):
            monkeypatch.delenv(name)
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)


EXAMPLES = {
    "PLUMBLINE_CACHE_DIR": ("/somewhere/kernels", "cache_dir", Path("/somewhere/kernels")),
    "PLUMBLINE_CACHE_BYTES": ("5e9", "cache_bytes", 5_000_000_000),
    "PLUMBLINE_DATABASE": (
        "postgresql://me@h/d",
        "database",
        Address("me", "h", None, "d"),
    ),
    "PLUMBLINE_EXECUTOR": ("processes", "executor", "processes"),
    "PLUMBLINE_LOG": ("json", "log", "json"),
    "PLUMBLINE_LOG_LEVEL": ("DEBUG", "log_level", "DEBUG"),
    "PLUMBLINE_MEMORY": ("4GB", "memory", 4_000_000_000),
    "PLUMBLINE_NOW": (
        "2024-01-31T21:00:00Z",
        "now",
        datetime(2024, 1, 31, 21, tzinfo=UTC),
    ),
    "PLUMBLINE_OWNER": ("ada", "owner", "ada"),
    "PLUMBLINE_SLOW_QUERY_MS": ("200", "slow_query_ms", 200),
    "PLUMBLINE_STORE": (
        "postgresql://me@h/d",
        "store",
        Address("me", "h", None, "d"),
    ),
    "PLUMBLINE_TELEMETRY": ("on", "telemetry", True),
    "PLUMBLINE_WORKERS": ("3", "workers", 3),
}


def test_every_variable_has_an_example_here_and_a_description():
    assert set(EXAMPLES) == set(ENVIRONMENT)
    assert all(ENVIRONMENT.values())


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_variable_sets_its_field_and_no_other(name, monkeypatch):
    before = vars(read_settings())
    text, field, expected = EXAMPLES[name]
    monkeypatch.setenv(name, text)
    after = vars(read_settings())
    assert after == {**before, field: expected}
    assert before[field] != expected


def test_defaults_hold_without_any_variable():
    found = read_settings()
    assert found.executor == "serial"
    assert found.cache_bytes == 20_000_000_000
    assert found.workers == (os.cpu_count() or 1)
    assert found.now is None
    assert found.owner
    assert found.cache_dir.name == "plumbline"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("PLUMBLINE_WORKERS", "0", "whole number of at least 1"),
        ("PLUMBLINE_WORKERS", "-2", "whole number of at least 1"),
        ("PLUMBLINE_WORKERS", "2.5", "whole number of at least 1"),
        ("PLUMBLINE_WORKERS", "many", "whole number of at least 1"),
        ("PLUMBLINE_WORKERS", "", "whole number of at least 1"),
        ("PLUMBLINE_WORKERS", "nan", "whole number of at least 1"),
        ("PLUMBLINE_CACHE_BYTES", "inf", "whole number of at least 1"),
        ("PLUMBLINE_CACHE_BYTES", "20GB", "whole number of at least 1"),
        ("PLUMBLINE_MEMORY", "much", "is no size such as 2GB"),
        ("PLUMBLINE_LOG", "xml", "is none of: json, text"),
        ("PLUMBLINE_LOG_LEVEL", "loud", "is none of: DEBUG, INFO, WARNING, ERROR"),
        ("PLUMBLINE_TELEMETRY", "1", "is none of: on, off"),
        ("PLUMBLINE_NOW", "yesterday", "not an ISO time"),
        ("PLUMBLINE_NOW", "", "not an ISO time"),
        ("PLUMBLINE_WORKER", "2", "PLUMBLINE_WORKER is not a setting; known: PLUMBLINE_CACHE_"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_name(name, text, message, monkeypatch):
    monkeypatch.setenv(name, text)
    with pytest.raises(ParameterError, match=message) as caught:
        read_settings()
    assert name in str(caught.value)


def test_every_problem_is_named_at_once(monkeypatch):
    monkeypatch.setenv("PLUMBLINE_WORKERS", "none")
    monkeypatch.setenv("PLUMBLINE_CACHE_BYTES", "much")
    monkeypatch.setenv("PLUMBLINE_NOW", "soon")
    monkeypatch.setenv("PLUMBLINE_NWO", "2024")
    monkeypatch.setenv("PLUMBLINE_COLOUR", "red")
    with pytest.raises(ParameterError) as caught:
        read_settings()
    for name in ("WORKERS", "CACHE_BYTES", "NOW", "NWO", "COLOUR"):
        assert f"PLUMBLINE_{name}" in str(caught.value)


def test_variables_of_tests_and_of_others_are_left_alone(monkeypatch):
    monkeypatch.setenv("PLUMBLINE_TEST_ANYTHING", "1")
    monkeypatch.setenv("PLUMBLINES", "1")
    assert read_settings().executor == "serial"


def test_a_fixed_time_replaces_the_clock(monkeypatch):
    monkeypatch.setenv("PLUMBLINE_NOW", "2024-01-31T16:00:00-05:00")
    assert current_time() == datetime(2024, 1, 31, 21, tzinfo=UTC)
    assert current_time().tzinfo is UTC
    monkeypatch.setenv("PLUMBLINE_NOW", "2024-01-31")
    assert current_time() == datetime(2024, 1, 31, tzinfo=UTC)


def test_the_clock_runs_in_utc_without_a_fixed_time():
    earlier = current_time()
    gap = datetime.now(UTC) - earlier
    assert timedelta(0) <= gap < timedelta(minutes=1)
    assert current_time().utcoffset() == timedelta(0)


def test_compiled_kernels_lie_in_a_folder_that_exists(monkeypatch, tmp_path):
    monkeypatch.setenv("PLUMBLINE_CACHE_DIR", str(tmp_path / "deep" / "cache"))
    folder = kernel_cache_dir()
    assert folder.is_dir()
    assert folder.parent == tmp_path / "deep" / "cache"


@pytest.mark.parametrize("is_given", [True, False])
def test_a_folder_that_cannot_be_made_names_the_setting(monkeypatch, tmp_path, is_given):
    (tmp_path / "file").write_text("")
    if is_given:
        monkeypatch.setenv("PLUMBLINE_CACHE_DIR", str(tmp_path / "file" / "cache"))
    else:
        monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path / "file" / "cache")
    with pytest.raises(ParameterError, match="set PLUMBLINE_CACHE_DIR, which is") as caught:
        kernel_cache_dir()
    assert "Not a directory" in str(caught.value)
    assert f"{tmp_path}/file/cache" in str(caught.value)
    assert ("not set" in str(caught.value)) is not is_given


def test_a_home_sign_in_the_cache_folder_is_resolved(monkeypatch):
    monkeypatch.setenv("PLUMBLINE_CACHE_DIR", "~/kernels")
    assert read_settings().cache_dir == Path.home().resolve() / "kernels"


def test_a_user_without_a_name_is_known_by_number(monkeypatch):
    def nameless() -> str:
        raise KeyError("no entry in the password file")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert read_settings().owner == str(os.getuid())


def test_settings_are_read_afresh_each_time(monkeypatch):
    monkeypatch.setenv("PLUMBLINE_OWNER", "ada")
    first = settings.read_settings().owner
    monkeypatch.setenv("PLUMBLINE_OWNER", "grace")
    assert (first, settings.read_settings().owner) == ("ada", "grace")

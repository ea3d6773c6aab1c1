"""Logs: silent unless asked for, a line of JSON each, and each says of which run and block."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime

import pytest

from plumbline.core.errors import ParameterError
from plumbline.core.logs import JsonFormatter, TextFormatter, configure_logs, log_ids


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Return what the package's logs write as JSON."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("plumbline")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def test_a_record_is_one_line_of_json_with_the_ids_of_its_run_and_block(
    lines: io.StringIO,
) -> None:
    log = logging.getLogger("plumbline.lake")
    with log_ids(run_id="r1"), log_ids(node="n", block="b"):
        log.info("read %d bars", 3, extra={"path": "a b.csv", "n": 3})
    log.warning("after")
    first, second = (json.loads(line) for line in lines.getvalue().splitlines())
    assert datetime.fromisoformat(first.pop("time")).utcoffset() is not None
    assert first == {
        "level": "INFO",
        "logger": "plumbline.lake",
        "event": "read 3 bars",
        "run_id": "r1",
        "node": "n",
        "block": "b",
        "path": "a b.csv",
        "n": 3,
    }
    assert list(first)[3:6] == ["run_id", "node", "block"]
    assert second.keys() == {"time", "level", "logger", "event"}


def test_a_record_may_name_another_block_than_that_around_it(lines: io.StringIO) -> None:
    with log_ids(run_id="r1", block="b"):
        logging.getLogger("plumbline.x").info("x", extra={"block": "other"})
    assert json.loads(lines.getvalue())["block"] == "other"


def test_an_exception_is_in_its_record_and_stays_one_line(lines: io.StringIO) -> None:
    try:
        raise ValueError("planted\nin two lines")
    except ValueError:
        logging.getLogger("plumbline.x").exception("failed")
    (line,) = lines.getvalue().splitlines()
    assert "ValueError: planted" in json.loads(line)["trace"]


def test_text_is_for_people() -> None:
    record = logging.makeLogRecord({"msg": "block computed", "levelname": "INFO", "seconds": 2})
    with log_ids(run_id="r1"):
        line = TextFormatter().format(record)
    assert line.endswith(" INFO    block computed run_id=r1 seconds=2")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, []),
        ({"PLUMBLINE_LOG": "json"}, ["info", "warning"]),
        ({"PLUMBLINE_LOG": "text"}, ["info", "warning"]),
        ({"PLUMBLINE_LOG": "json", "PLUMBLINE_LOG_LEVEL": "WARNING"}, ["warning"]),
        ({"PLUMBLINE_LOG": "json", "PLUMBLINE_LOG_LEVEL": "DEBUG"}, ["debug", "info", "warning"]),
        ({"PLUMBLINE_LOG_LEVEL": "DEBUG"}, []),
    ],
    ids=str,
)
def test_the_environment_says_how_much_is_written(
    variables: dict[str, str], expected: list[str]
) -> None:
    code = (
        "import logging; from plumbline.core.logs import configure_logs\n"
        "configure_logs(); configure_logs(); log = logging.getLogger('plumbline.x')\n"
        "[getattr(log, name)(name) for name in ('debug', 'info', 'warning')]"
    )
    import os

    clean = {k: v for k, v in os.environ.items() if not k.startswith("PLUMBLINE_LOG")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    found = done.stderr.splitlines()
    assert len(found) == len(expected)
    for line, word in zip(found, expected, strict=True):
        assert word in line


def test_a_form_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBLINE_LOG", "xml")
    monkeypatch.setenv("PLUMBLINE_LOG_LEVEL", "loud")
    with pytest.raises(ParameterError, match=r"PLUMBLINE_LOG='xml' .*; PLUMBLINE_LOG_LEVEL='loud'"):
        configure_logs()

"""What the files of imported modules held when they were imported."""

import importlib
import sys
from pathlib import Path

import pytest

from plumbline.core.loaded import content_of, content_when_imported, watch_imports


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [n for n in sys.modules if n.startswith("witnessed")]:
        del sys.modules[name]


def test_the_content_at_import_stays_known_when_the_file_changes(place):
    watch_imports()
    path = place / "witnessed.py"
    path.write_text("VALUE = 1\n")
    import witnessed  # type: ignore[import-not-found]

    before = content_of(path)
    assert content_when_imported("witnessed") == before
    path.write_text("VALUE = 22\n")
    assert content_when_imported("witnessed") == before != content_of(path)
    importlib.reload(witnessed)
    assert witnessed.VALUE == 22
    assert content_when_imported("witnessed") == content_of(path)


def test_modules_in_packages_are_known_and_installed_ones_are_not(place):
    (place / "witnessed_too").mkdir()
    (place / "witnessed_too" / "__init__.py").write_text("")
    (place / "witnessed_too" / "inner.py").write_text("")
    importlib.import_module("witnessed_too.inner")
    assert content_when_imported("witnessed_too") is not None
    assert content_when_imported("witnessed_too.inner") is not None
    assert content_when_imported("plumbline.core.panel") is not None
    assert content_when_imported("numpy.linalg") is None
    assert content_when_imported("json.decoder") is None


def test_watching_twice_is_watching_once():
    finders = len(sys.meta_path)
    watch_imports()
    assert len(sys.meta_path) == finders

"""The pages of signals and models say what their docstrings say."""

import runpy
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
MAKER = runpy.run_path(str(REPOSITORY / "docs" / "make_pages.py"))
PAGES: dict[Path, str] = MAKER["pages"]()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_page_is_what_make_docs_writes(path):
    assert path.is_file(), f"{path} is not there; run: make docs"
    assert path.read_text(encoding="utf-8") == PAGES[path], "run: make docs"


def test_no_page_is_left_of_a_method_that_is_gone():
    found = {path for folder in MAKER["ROOMS"] for path in (MAKER["DOCS"] / folder).glob("*.md")}
    assert found == set(PAGES), "run: make docs"


def test_a_page_has_the_parameters_the_recipe_and_the_source_of_its_method():
    text = PAGES[REPOSITORY / "docs" / "signals" / "momentum.md"]
    assert "| `skip_bars` | `21` | bars back to the last close" in text
    assert "  momentum: {lookback_bars: 252, skip_bars: 21}" in text
    assert "Journal of Finance 48 (1993) 65-91." in text
    assert "reads `close`, looks back over 252 bars" in text

import json
import re
from dataclasses import replace
from importlib.resources import files

import polars as pl
import pytest

from plumbline.core.errors import ParameterError
from plumbline.report import write
from plumbline.report.page import study_page
from plumbline.report.paths import sheet_stems
from plumbline.report.sheet import sheet_page
from plumbline.report.twin import sheet_json, study_json
from plumbline.report.write import write_report
from tests.report.markup_check import StrictReader
from tests.report.samples import SIGNALS, empty_study, study


def test_every_file_holds_what_its_function_returns(tmp_path):
    results = study(60)
    paths = write_report(results, tmp_path / "new" / "folder")
    assert paths.html == tmp_path / "new" / "folder" / "study.html"
    sheets = {name: f"{name}.html" for name in SIGNALS}
    assert paths.html.read_bytes() == study_page(results, sheets).encode()
    assert paths.json.read_bytes() == study_json(results).encode()
    assert [name for name, _ in paths.sheets] == list(SIGNALS)
    for name, sheet in paths.sheets:
        mine = results.of_signal(name)
        page = sheet_page(mine, "study.html", f"{name}.json")
        assert sheet.html.read_bytes() == page.encode()
        assert sheet.json.read_bytes() == sheet_json(mine).encode()
    names = {f"{stem}.{kind}" for stem in ("study", *SIGNALS) for kind in ("html", "json")}
    assert {p.name for p in paths.html.parent.iterdir()} == names


def test_every_link_of_a_written_page_leads_to_an_anchor_or_a_file_beside_it(tmp_path):
    results = study(60)
    frame = results.tables["summary"].with_columns(signal=pl.lit("a/../<b> %41 ü"))
    renamed = replace(results, tables={**empty_study().tables, "summary": frame})
    for some in (results, renamed):
        paths = write_report(some, tmp_path)
        for page in [path for path in paths.files() if path.suffix == ".html"]:
            reader = StrictReader(page.read_text())
            for target in (attrs["href"] for attrs in reader.of("a")):
                is_inside = target.startswith("#") and target[1:] in reader.ids
                assert is_inside or (tmp_path / target).is_file(), target


def test_the_page_that_leads_to_the_others_is_written_last(tmp_path, monkeypatch):
    written = []
    real = write.write_durably
    monkeypatch.setattr(
        write, "write_durably", lambda path, text: (written.append(path.name), real(path, text))
    )
    write_report(study(60), tmp_path)
    assert written[-1] == "study.html"


def test_every_signal_has_a_file_name_of_its_own_on_any_system():
    names = ["a", "A", "study", "Study", "..", "", "a/b", "a_b", "x" * 300, "x" * 301, "ü", "-c"]
    stems = sheet_stems(names)
    assert list(stems) == names
    assert stems["a"] == "a"
    assert stems["a_b"] == "a_b"
    folded = [stem.casefold() for stem in stems.values()]
    assert len({*folded, "study"}) == len(names) + 1
    for stem in stems.values():
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,119}", stem)
    assert sheet_stems(names) == stems


def test_an_earlier_report_is_replaced(tmp_path):
    write_report(study(60), str(tmp_path))
    paths = write_report(study(30), str(tmp_path))
    twin = json.loads(paths.json.read_text())
    assert twin["tables"]["coverage"]["n_rows"] == 30


def test_who_reads_the_old_file_keeps_reading_it(tmp_path):
    paths = write_report(study(60), tmp_path)
    before = paths.html.read_bytes()
    with paths.html.open("rb") as reader:
        write_report(study(30), tmp_path)
        assert reader.read() == before
    assert paths.html.read_bytes() != before


def test_a_write_that_breaks_leaves_the_old_file_and_no_draft(tmp_path, monkeypatch):
    paths = write_report(study(60), tmp_path)
    before = paths.html.read_bytes(), paths.json.read_bytes()

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    n_files = len(list(tmp_path.iterdir()))
    monkeypatch.setattr(write.os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_report(study(30), tmp_path)
    assert (paths.html.read_bytes(), paths.json.read_bytes()) == before
    assert len(list(tmp_path.iterdir())) == n_files


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    file = tmp_path / "report"
    file.write_text("mine")
    for folder in (file, file / "below"):
        with pytest.raises(ParameterError, match="is or lies under a file"):
            write_report(study(30), folder)
    assert file.read_text() == "mine"


def test_the_files_of_others_carry_their_licence_and_version():
    folder = files("plumbline.report") / "assets"
    version = (folder / "uPlot.iife.min.js").read_text("utf-8").split("(v", 1)[1].split(")", 1)[0]
    assert version in (folder / "README.md").read_text("utf-8")
    licence = (folder / "uPlot.LICENSE").read_text("utf-8")
    assert "MIT License" in licence
    assert licence.strip() in study_page(study(30))

import json
from importlib.resources import files

import pytest

from plumbline.core.errors import ParameterError
from plumbline.report import write
from plumbline.report.page import study_page
from plumbline.report.twin import study_json
from plumbline.report.write import write_report
from tests.report.samples import study


def test_both_files_hold_what_the_functions_return(tmp_path):
    results = study(60)
    paths = write_report(results, tmp_path / "new" / "folder")
    assert paths.html == tmp_path / "new" / "folder" / "study.html"
    assert paths.html.read_bytes() == study_page(results).encode()
    assert paths.json.read_bytes() == study_json(results).encode()
    assert sorted(p.name for p in paths.html.parent.iterdir()) == ["study.html", "study.json"]


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

    monkeypatch.setattr(write.os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_report(study(30), tmp_path)
    assert (paths.html.read_bytes(), paths.json.read_bytes()) == before
    assert len(list(tmp_path.iterdir())) == 2


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

import re

import pytest

from plumbline.core.errors import ParameterError
from plumbline.report import portfolio_write
from plumbline.report.paths import portfolio_stem
from plumbline.report.portfolio_page import portfolio_page
from plumbline.report.portfolio_twin import portfolio_json
from plumbline.report.portfolio_write import write_portfolio_index, write_portfolio_report
from plumbline.stages.portfolio_index import portfolio_index
from tests.report.markup_check import StrictReader
from tests.report.portfolio_samples import HOSTILE, odd_results, usual, usual_results


def listed():
    result, portfolios, _ = usual()
    return portfolio_index(portfolios, result.snapshots, result.measures, result.failures)


def test_both_files_hold_what_their_functions_return(tmp_path):
    results = usual_results()
    paths = write_portfolio_report(results, tmp_path / "new" / "folder", "index.html")
    assert paths.html.parent == tmp_path / "new" / "folder"
    assert paths.html.read_text() == portfolio_page(results, paths.json.name, "index.html")
    assert paths.json.read_text() == portfolio_json(results)
    assert {p.name for p in paths.html.parent.iterdir()} == {paths.html.name, paths.json.name}


def test_the_index_leads_to_the_reports_beside_it(tmp_path):
    for at in range(4):
        write_portfolio_report(usual_results(at), tmp_path, "index.html")
    paths = write_portfolio_index(listed(), tmp_path)
    assert paths.html.name == "index.html"
    for page in tmp_path.glob("*.html"):
        reader = StrictReader(page.read_text())
        targets = [attrs["href"] for attrs in reader.of("a")]
        assert all(
            target[1:] in reader.ids if target.startswith("#") else (tmp_path / target).is_file()
            for target in targets
        )
    assert len(list(tmp_path.iterdir())) == 10


def test_the_page_is_written_after_its_twin_and_again_only_when_it_differs(tmp_path, monkeypatch):
    written = []
    real = portfolio_write.write_durably
    monkeypatch.setattr(
        portfolio_write,
        "write_durably",
        lambda path, text: (written.append(path.suffix), real(path, text)),
    )
    write_portfolio_report(odd_results("one"), tmp_path)
    assert written == [".json", ".html"]
    paths = write_portfolio_report(odd_results("one"), tmp_path)
    assert written == [".json", ".html"]
    paths.html.write_text("edited")
    write_portfolio_report(odd_results("one"), tmp_path)
    assert written == [".json", ".html", ".html"]
    assert paths.html.read_text() != "edited"


def test_a_write_that_breaks_leaves_the_old_files(tmp_path, monkeypatch):
    paths = write_portfolio_report(odd_results("one"), tmp_path)
    before = [path.read_bytes() for path in paths.files()]

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("plumbline.lake.durable.os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_portfolio_report(odd_results("one"), tmp_path, "index.html")
    assert [path.read_bytes() for path in paths.files()] == before
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    file = tmp_path / "report"
    file.write_text("mine")
    with pytest.raises(ParameterError, match="is or lies under a file"):
        write_portfolio_report(odd_results("one"), file)
    with pytest.raises(ParameterError, match="is or lies under a file"):
        write_portfolio_index(listed(), file)
    assert file.read_text() == "mine"


def test_every_portfolio_has_a_file_name_of_its_own_on_any_system():
    names = ["P1", "p1", "INDEX", "index", "Index", "..", "", "A/B", "A_B", "X" * 300, "X" * 301]
    names += ["ü", "Ü", "-C", HOSTILE, "A.B-1"]
    stems = [portfolio_stem(name) for name in names]
    assert [stem for name, stem in zip(names, stems, strict=True) if name == stem] == [
        "P1",
        "A_B",
        "A.B-1",
    ]
    folded = {stem.casefold() for stem in stems}
    assert len({*folded, "index"}) == len(names) + 1
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,119}", stem) for stem in stems)

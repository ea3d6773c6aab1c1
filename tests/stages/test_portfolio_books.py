"""Books of a project: whole or not at all, in versions, and the same after export and import."""

import json
from datetime import date

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from plumbline.core.errors import BookError, ExportError, ParameterError, UnknownNameError
from plumbline.engine.project import create_project
from plumbline.lake.delimited import Marks
from plumbline.risk.book import TABLES, Conventions
from plumbline.risk.synthesis import synthesize
from plumbline.risk.synthetic_load import Load
from plumbline.stages.portfolio_books import (
    Import,
    book_names,
    book_versions,
    export_book,
    import_book,
    stored_book,
)

PORTFOLIOS = "portfolio,opened_on,opening_cash\na,2024-01-02,1000\nb,2024-01-02,5\n"
TRADES = "portfolio,date,symbol,quantity,price,trade_id\na,2024-01-03,SPY,2,470.5,t1\n"
MORE = "portfolio,date,symbol,quantity,price,trade_id\nb,2024-01-04,SPY,-1,3.25,t2\n"


@pytest.fixture
def project(tmp_path):
    return create_project(tmp_path / "project")


def file(folder, name, text):
    path = folder / name
    path.write_text(text)
    return path


@pytest.fixture
def files(tmp_path):
    return {
        "portfolios": file(tmp_path, "portfolios.csv", PORTFOLIOS),
        "trades": file(tmp_path, "trades.csv", TRADES),
    }


def test_a_book_is_kept_in_versions_and_the_same_files_make_none(project, files, tmp_path):
    first = import_book(project, "funds", files)
    assert (first.version.version, first.is_new, first.rows["trades"]) == (1, True, 1)
    again = import_book(project, "funds", files)
    assert (again.version.version, again.is_new) == (1, False)
    later = import_book(
        project, "funds", {"trades": file(tmp_path, "more.csv", TRADES + MORE.split("\n", 1)[1])}
    )
    assert (later.version.version, later.rows["trades"], later.before["trades"]) == (2, 2, 1)
    assert [one.version for one in book_versions(project, "funds")] == [2, 1]
    assert stored_book(project, "funds", 1)[0].trades.height == 1
    assert stored_book(project, "funds")[0].portfolios.height == 2
    assert book_names(project) == ["funds"]


def test_appended_rows_come_beside_those_that_are_there(project, files, tmp_path):
    import_book(project, "funds", files)
    how = Import(is_appended=True)
    done = import_book(project, "funds", {"trades": file(tmp_path, "more.csv", MORE)}, how)
    assert done.rows == {"portfolios": 2, "trades": 2, "cash_flows": 0, "instruments": 1}
    whole = tmp_path / "whole"
    whole.mkdir()
    other = create_project(tmp_path / "other")
    both = {**files, "trades": file(whole, "trades.csv", TRADES + MORE.split("\n", 1)[1])}
    import_book(other, "funds", both)
    for table in TABLES:
        frames = [getattr(stored_book(p, "funds")[0], table) for p in (project, other)]
        assert_frame_equal(*frames)


def test_appending_keeps_decimal_commas_apart_from_points(project, files, tmp_path):
    import_book(project, "funds", files)
    text = MORE.replace(",", ";").replace("3.25", "3,25")
    how = Import(is_appended=True, marks=Marks(decimal=","))
    import_book(project, "funds", {"trades": file(tmp_path, "more.csv", text)}, how)
    assert stored_book(project, "funds")[0].trades["price"].to_list() == [470.5, 3.25]


def test_nothing_is_imported_if_a_row_is_wrong_and_all_are_named(project, files, tmp_path):
    import_book(project, "funds", files)
    bad = MORE + "b,2024-01-04,SPY,0,3,t3\nc,2024-01-04,SPY,1,3,t4\na,2024-01-05,SPY,1,3,t1\n"
    how = Import(is_appended=True)
    with pytest.raises(BookError) as caught:
        import_book(project, "funds", {"trades": file(tmp_path, "bad.csv", bad)}, how)
    told = "\n".join(caught.value.problems)
    assert "line 3, column 'quantity': '0'" in told
    assert "line 4, column 'portfolio': 'c'" in told
    assert "line 5, column 'trade_id': 't1' stands there already" in told
    assert [one.version for one in book_versions(project, "funds")] == [1]


def test_a_date_in_the_future_is_refused(project, files, tmp_path, monkeypatch):
    monkeypatch.setenv("PLUMBLINE_NOW", "2024-01-03T22:00:00Z")
    late = {**files, "trades": file(tmp_path, "late.csv", MORE)}
    with pytest.raises(BookError, match="2024-01-04"):
        import_book(project, "funds", late)
    assert book_names(project) == []


def test_positions_stand_for_all_trades_unless_they_are_added(project, files, tmp_path):
    import_book(project, "funds", files)
    text = "portfolio,symbol,quantity,entry_price,entry_date\nb,IBM,3,10,2024-01-03\n"
    positions = {"positions": file(tmp_path, "positions.csv", text)}
    import_book(project, "funds", positions, Import(is_appended=True))
    assert set(stored_book(project, "funds")[0].trades["symbol"]) == {"SPY", "IBM"}
    import_book(project, "funds", positions)
    assert set(stored_book(project, "funds")[0].trades["symbol"]) == {"IBM"}


def test_another_calendar_and_an_empty_import_are_refused(project, files, tmp_path):
    import_book(project, "funds", files)
    with pytest.raises(ParameterError, match="has the calendar XNYS, not XLON"):
        import_book(project, "funds", files, Import(calendar="XLON"))
    with pytest.raises(ParameterError, match="at least one table"):
        import_book(project, "funds", {})
    empty = {"portfolios": file(tmp_path, "none.csv", PORTFOLIOS.split("\n")[0] + "\n")}
    with pytest.raises(BookError, match="no portfolio stands in"):
        import_book(project, "others", empty)


def test_an_unknown_book_is_told_with_those_that_are_there(project, files):
    with pytest.raises(UnknownNameError, match="there are: none; to make one: plumbline portf"):
        stored_book(project, "funds")
    import_book(project, "funds", files)
    with pytest.raises(UnknownNameError, match="there are: funds"):
        stored_book(project, "fund")
    with pytest.raises(UnknownNameError, match="has no version 7"):
        stored_book(project, "funds", 7)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_what_is_exported_is_imported_as_the_same_book(project, tmp_path, form):
    book, _ = synthesize(Load(portfolios=4, positions=4, dates=6, symbols=12), seed=3)
    folder = tmp_path / "made"
    files = export_book(book, folder, form)
    assert sorted(files) == sorted(TABLES)
    import_book(project, "made", files)
    found, stored = stored_book(project, "made", conventions=Conventions(by_lots=True))
    for table in TABLES:
        assert_frame_equal(getattr(found, table), getattr(book, table))
    assert json.loads(stored.note)["calendar"] == "XNYS"
    assert found.conventions.by_lots
    with pytest.raises(ExportError, match="there already"):
        export_book(book, folder, form)
    with pytest.raises(ParameterError, match="csv, parquet"):
        export_book(book, folder, "xls")


def test_a_book_until_a_date_knows_nothing_of_later(project, files, tmp_path):
    both = {**files, "trades": file(tmp_path, "both.csv", TRADES + MORE.split("\n", 1)[1])}
    import_book(project, "funds", both)
    book = stored_book(project, "funds")[0].until(date(2024, 1, 3))
    assert book.trades["trade_id"].to_list() == ["t1"]
    assert book.portfolios.filter(pl.col("opened_on") > date(2024, 1, 3)).height == 0

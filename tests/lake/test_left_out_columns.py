"""Columns that are no field are left out by stated rules, and the quality report names them."""

from pathlib import Path

import polars as pl
import pytest

from plumbline.core.errors import SourceError
from plumbline.lake.lake import Lake
from plumbline.lake.quality import unadjusted
from plumbline.lake.source import sources
from plumbline.lake.sources.csv import Csv

YAHOO = "Date,Symbol,Close,Adj Close\n2024-01-02,A,10,5\n2024-01-03,A,11,6\n"


def ingest(lake: Lake, base: Path, **options):
    return lake.ingest("demo", Csv("p.csv", **options), calendar="24/7", base=base)


def found(done, rule: str) -> list[tuple]:
    """Return field, action and value of what a rule found."""
    return done.quality.filter(rule=rule).select("field", "action", "value").rows()


def test_a_column_that_is_named_as_a_field_is_it_and_the_one_of_that_name_is_left_out(
    lake, write, tmp_path
):
    write("p.csv", YAHOO)
    done = ingest(lake, tmp_path, columns={"close": "Adj Close"})
    assert done.dataset.fields == ("close",)
    assert lake.panel(done.dataset)["close"][:, 0].tolist() == [5.0, 6.0]
    assert found(done, "name_taken") == [("Close", "left_out", 1.0)]
    assert unadjusted(done.quality, done.dataset) == []


def test_two_columns_may_exchange_their_names(lake, write, tmp_path):
    write("p.csv", YAHOO)
    done = ingest(lake, tmp_path, columns={"close": "Adj Close", "adj_close": "Close"})
    panel = lake.panel(done.dataset)
    assert [panel[name][0, 0] for name in ("close", "adj_close")] == [5.0, 10.0]
    assert found(done, "name_taken") == []


def test_a_left_out_column_may_hold_anything(lake, write, tmp_path):
    write("p.csv", "Date,Symbol,Close,Price\n2024-01-02,A,n/k,5\n")
    done = ingest(lake, tmp_path, columns={"close": "Price"})
    assert lake.panel(done.dataset)["close"][0, 0] == 5.0


def test_close_beside_an_adjusted_close_is_told_unless_it_was_chosen(lake, write, tmp_path):
    write("p.csv", YAHOO)
    done = ingest(lake, tmp_path)
    assert done.dataset.fields == ("adj_close", "close")
    assert found(done, "unadjusted_close") == [("Adj Close", "flagged", 1.0)]
    (text,) = unadjusted(done.quality, done.dataset)
    assert text.startswith("demo: returns are of close as it stands, not of adj_close")
    assert "columns: {close: 'Adj Close'}" in text
    chosen = ingest(lake, tmp_path, columns={"close": "Close"})
    assert chosen.dataset.fields == ("adj_close", "close")
    assert unadjusted(chosen.quality, chosen.dataset) == []
    alone = ingest(lake, tmp_path, fields="close")
    assert unadjusted(alone.quality, alone.dataset) == []


@pytest.mark.parametrize("unnamed", ["", "Unnamed: 0"])
def test_a_column_without_a_name_is_no_field(lake, write, tmp_path, unnamed):
    write("p.csv", f"{unnamed},date,symbol,close\n0,2024-01-02,A,1\n1,2024-01-03,A,2\n")
    done = ingest(lake, tmp_path)
    assert done.dataset.fields == ("close",)
    assert found(done, "unnamed_column") == [(unnamed, "left_out", 1.0)]
    named = ingest(lake, tmp_path, columns={"volume": unnamed})
    assert named.dataset.fields == ("close", "volume")


def test_the_index_that_pandas_writes_into_parquet_is_no_field(lake, tmp_path):
    dates = pl.date_range(pl.date(2024, 1, 2), pl.date(2024, 1, 4), eager=True)
    table = {"date": dates, "symbol": "A", "close": [1.0, 2.0, 3.0], "__index_level_0__": [5, 7, 9]}
    pl.DataFrame(table).write_parquet(tmp_path / "p.parquet")
    done = lake.ingest("demo", sources["parquet"]("p.parquet"), calendar="24/7", base=tmp_path)
    assert done.dataset.fields == ("close",)


def test_columns_left_out_are_counted_by_file(lake, write, tmp_path):
    for day in (2, 3):
        write(f"p{day}.csv", f",date,symbol,close\n0,2024-01-0{day},A,1\n")
    done = lake.ingest("demo", Csv("p*.csv"), calendar="24/7", base=tmp_path)
    assert found(done, "unnamed_column") == [("", "left_out", 2.0)]


@pytest.mark.parametrize("unnamed", ["", "Unnamed: 0"])
@pytest.mark.parametrize("first", [0, 1])
def test_row_numbers_without_a_name_are_no_asset_of_a_wide_table(
    lake, write, tmp_path, unnamed, first
):
    write("p.csv", f"{unnamed},date,A\n{first},2024-01-02,5\n{first + 1},2024-01-03,6\n")
    done = ingest(lake, tmp_path, form="wide")
    assert done.dataset.assets == ("A",)
    assert found(done, "unnamed_column") == [(unnamed, "left_out", 1.0)]


@pytest.mark.parametrize("unnamed", ["", "Unnamed: 0"])
@pytest.mark.parametrize("cells", [("7", "9"), ("0", "x"), ("", "")])
def test_other_columns_without_a_name_are_refused_in_a_wide_table(
    lake, write, tmp_path, unnamed, cells
):
    write("p.csv", f"{unnamed},date,A\n{cells[0]},2024-01-02,5\n{cells[1]},2024-01-03,6\n")
    with pytest.raises(SourceError) as caught:
        ingest(lake, tmp_path, form="wide")
    assert f"column {unnamed!r} has no name of an asset" in caught.value.problems[0]
    assert "take it out of the file" in caught.value.problems[0]


def test_columns_that_are_all_wrong_are_told_how_to_leave_some_out(lake, write, tmp_path):
    write("p.csv", "date,symbol,name,close\n2024-01-02,A,Acme,$1\n2024-01-03,A,Acme,$2\n")
    with pytest.raises(SourceError) as caught:
        ingest(lake, tmp_path)
    assert all("say fields: [" in problem for problem in caught.value.problems)

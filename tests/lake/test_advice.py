"""What a message advises makes the same file readable."""

import polars as pl
import pytest

from plumbline.core.errors import SourceError
from plumbline.lake.cell_advice import number_advice, time_advice
from plumbline.lake.sources.csv import Csv
from plumbline.lake.sources.parquet import Parquet

LONG = "date,symbol,close\n2024-01-01,AAA,1\n2024-01-01,BBB,2\n2024-01-02,AAA,3\n"


def advised(lake, tmp_path, advice, source):
    """Check that a refusal gives an advice; the return value ingests by it."""
    with pytest.raises(SourceError) as caught:
        lake.ingest("x", source, calendar="24/7", base=tmp_path)
    assert all(advice in problem for problem in caught.value.problems), caught.value.problems

    def ingest(other):
        return lake.ingest("x", other, calendar="24/7", base=tmp_path)

    return ingest


def test_text_in_a_field(lake, write, tmp_path):
    write("p.csv", "date,symbol,name,close,note\n2024-01-01,AAA,Acme,1,\n2024-01-02,AAA,Acme,2,x\n")
    ingest = advised(lake, tmp_path, "say fields: [close]", Csv("p.csv"))
    assert ingest(Csv("p.csv", fields=["close"])).dataset.fields == ("close",)


def test_a_field_of_another_type(lake, tmp_path):
    table = {"date": ["2024-01-01"], "symbol": ["A"], "close": [1.0], "halted": [True]}
    pl.DataFrame(table).write_parquet(tmp_path / "p.parquet")
    ingest = advised(lake, tmp_path, "say fields: [close]", Parquet("p.parquet"))
    assert ingest(Parquet("p.parquet", fields=["close"])).dataset.n_rows == 1


def test_a_few_bad_cells_are_no_reason_to_leave_a_field_out(lake, write, tmp_path):
    write("p.csv", LONG + "2024-01-03,AAA,x\n")
    with pytest.raises(SourceError) as caught:
        lake.ingest("x", Csv("p.csv"), calendar="24/7", base=tmp_path)
    assert "fields:" not in str(caught.value)


@pytest.mark.parametrize("names", ["AAA,BBB", "10001,10002"])
def test_a_wide_table_read_as_long(lake, write, tmp_path, names):
    write("p.csv", f"date,{names}\n2024-01-01,1,2\n2024-01-02,3,4\n")
    ingest = advised(lake, tmp_path, "form: wide if every other column is an asset", Csv("p.csv"))
    assert ingest(Csv("p.csv", form="wide")).dataset.assets == tuple(names.split(","))


def test_a_file_of_one_asset_that_its_name_tells(lake, write, tmp_path):
    write("BRK.B.csv", "date,close\n2024-01-01,1\n2024-01-02,3\n")
    ingest = advised(lake, tmp_path, "asset: '{stem}' if a file is one asset", Csv("*.csv"))
    assert ingest(Csv("*.csv", asset="{stem}")).dataset.assets == ("BRK.B",)


@pytest.mark.parametrize("text", [LONG, LONG.replace("AAA", "10001").replace("BBB", "10002")])
def test_a_long_table_read_as_wide(lake, write, tmp_path, text):
    write("p.csv", text)
    ingest = advised(lake, tmp_path, "say form: long", Csv("p.csv", form="wide"))
    assert ingest(Csv("p.csv")).dataset.n_rows == 3


def test_a_decimal_comma(lake, write, tmp_path):
    write("p.csv", "date;symbol;close\n2024-01-01;AAA;1,5\n2024-01-02;AAA;2\n")
    ingest = advised(lake, tmp_path, "say decimal: ','", Csv("p.csv"))
    ingest(Csv("p.csv", decimal=","))
    assert lake.panel("x")["close"].tolist() == [[1.5], [2.0]]


def test_a_decimal_comma_between_commas(lake, write, tmp_path):
    write("p.csv", "date,symbol,close\n" + "".join(f"2024-01-0{d},A,1,5\n" for d in range(1, 9)))
    advised(lake, tmp_path, "8 of 8 lines, such as line 2, have 4 cells", Csv("p.csv"))
    ingest = advised(lake, tmp_path, "stands in quotes", Csv("p.csv"))
    write("p.csv", 'date,symbol,close\n2024-01-01,A,"1,5"\n')
    ingest(Csv("p.csv", decimal=","))
    assert lake.panel("x")["close"].tolist() == [[1.5]]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("date;A, Inc;B, Inc;C, D, E\n2024-01-01;1;2;3\n", {"form": "wide"}),
        (LONG.replace(",", ";"), {"delimiter": ","}),
    ],
)
def test_another_delimiter(lake, write, tmp_path, text, options):
    write("p.csv", text)
    ingest = advised(lake, tmp_path, "say delimiter: ';'", Csv("p.csv", **options))
    assert ingest(Csv("p.csv", **{**options, "delimiter": ";"})).dataset.n_rows == 3


@pytest.mark.parametrize(
    ("cells", "pattern"),
    [
        (["2/01/2024", "13/01/2024"], "%d/%m/%Y"),
        (["1/02/2024", "1/13/2024"], "%m/%d/%Y"),
        (["31.12.2023", "01.01.2024"], "%d.%m.%Y"),
        (["20231231", "20240101"], "%Y%m%d"),
        (["2023/12/31"], "%Y/%m/%d"),
        (["31-Dec-2023"], "%d-%b-%Y"),
        (["12/31/2023 16:00"], "%m/%d/%Y %H:%M"),
        (["1703980800"], "s"),
        (["1703980800000"], "ms"),
    ],
)
def test_a_format_of_times(lake, write, tmp_path, cells, pattern):
    rows = "".join(f"{cell},A,1\n" for cell in cells)
    write("p.csv", f"date,symbol,close\n{rows}")
    said = pattern if len(pattern) <= 2 else repr(pattern)
    ingest = advised(lake, tmp_path, f"say time_format: {said}", Csv("p.csv"))
    if ":" not in cells[0]:
        assert ingest(Csv("p.csv", time_format=pattern)).dataset.n_rows == len(cells)


def test_whole_numbers_that_are_dates(lake, tmp_path):
    table = pl.DataFrame({"date": [20240101, 20240102], "symbol": ["A", "A"], "close": [1.0, 2.0]})
    table.write_parquet(tmp_path / "p.parquet")
    ingest = advised(lake, tmp_path, "say time_format: '%Y%m%d'", Parquet("p.parquet"))
    assert ingest(Parquet("p.parquet", time_format="%Y%m%d")).dataset.n_rows == 2


def test_a_day_and_month_that_cannot_be_told_apart_are_both_offered():
    assert time_advice(pl.Series(["01/02/2024"])) == (
        "; say time_format: '%d/%m/%Y' or '%m/%d/%Y', whichever is meant"
    )
    assert "such as time_format:" in time_advice(pl.Series(["yesterday"]))
    assert "such as time_format:" in time_advice(pl.Series([], dtype=pl.String))


def test_one_bad_time_among_good_ones_suggests_no_other_format(lake, write, tmp_path):
    write("p.csv", LONG + "05/01/2024,AAA,1\n")
    with pytest.raises(SourceError) as caught:
        lake.ingest("x", Csv("p.csv"), calendar="24/7", base=tmp_path)
    assert "time_format" not in str(caught.value)


@pytest.mark.parametrize("cells", [["1,234.5"], ["1'234.5"], ["1 234,5"], ["1.234,5", "2.000,0"]])
def test_marks_between_thousands(cells):
    assert "no marks between thousands" in number_advice(pl.Series(cells), ".")
    assert number_advice(pl.Series([*cells, "x"]), ".") == ""


def test_a_wide_column_without_a_value_in_any_file_is_named_once(lake, write, tmp_path):
    write("a.csv", "date,AAA,BBB,CCC\n2024-01-01,1,,\n2024-01-02,2,,\n")
    write("b.csv", "date,AAA,BBB,CCC\n2024-01-03,1,5,\n")
    done = lake.ingest("x", Csv("*.csv", form="wide"), calendar="24/7", base=tmp_path)
    assert done.dataset.assets == ("AAA", "BBB")
    named = done.quality.select("asset", "rule").rows()
    assert named == [("CCC", "empty_bar"), ("CCC", "no_value")]


def test_wide_columns_that_are_all_empty_are_named_in_the_refusal(lake, write, tmp_path):
    write("a.csv", "date,SPY,IWM\n2024-01-01,,\n2024-01-02,,\n")
    with pytest.raises(SourceError, match="no value of 'IWM', 'SPY'"):
        lake.ingest("x", Csv("a.csv", form="wide"), calendar="24/7", base=tmp_path)

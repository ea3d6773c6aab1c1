import json
import re

import numpy as np
import polars as pl
import pytest

from plumbline.core.errors import ParameterError
from plumbline.report.markup import Html
from plumbline.report.portfolio_index_page import COLUMNS, STATIC_ROWS, index_page, pages_of
from plumbline.report.portfolio_twin import index_json
from plumbline.report.values import finite, number_text
from plumbline.stages.portfolio_index import INDEX_FIGURES, portfolio_index
from tests.report.markup_check import StrictReader
from tests.report.portfolio_samples import HOSTILE, ORIGIN, odd, usual


def listed(n: int = 0) -> pl.DataFrame:
    """Return the index of the measured portfolios, or of ``n`` that differ from them by noise."""
    result, portfolios, _ = usual()
    frame = portfolio_index(portfolios, result.snapshots, result.measures, result.failures)
    if not n:
        return frame.with_columns(pages_of(frame))
    rng = np.random.default_rng(2)
    many = frame.select(pl.all().gather(pl.Series(np.arange(n) % frame.height)))
    noisy = [c for c in many.columns if many.schema[c].is_float() and not c.endswith("coverage")]
    many = many.with_columns(
        pl.Series("portfolio", [f"P{i:06d}" for i in range(n)]),
        pl.Series("name", [f"Growth and income {i}" for i in range(n)]),
        *((pl.col(c) * pl.Series(rng.normal(1, 0.5, n))).alias(c) for c in noisy),
    )
    return many.with_columns(pages_of(many))


def drawn(page: str) -> dict:
    [text] = re.findall(
        r'<script type="application/json" id="portfolios-data">(.*?)</script>', page
    )
    return json.loads(text)


def values_of(column: dict, columns: list[dict]) -> list:
    if "like" in column:
        return values_of(columns[column["like"]], columns)
    if "words" in column:
        return [column["words"][at] for at in column["at"]]
    return column["text"] if "text" in column else column["y"]


def test_a_page_of_ten_thousand_is_below_two_megabytes():
    frame = listed(10_000)
    page = index_page(frame, "Portfolios", "index.json", ORIGIN)
    assert len(page.encode()) < 2_000_000
    assert page.count("<tr") < STATIC_ROWS + 40
    assert drawn(page)["n"] == 10_000
    assert len(index_json(frame, ORIGIN).encode()) < 3_000_000


def test_the_script_reads_every_figure_as_it_is_shown():
    frame = listed(300)
    data = drawn(index_page(frame, "Portfolios"))
    for column, coded in zip(COLUMNS, data["columns"], strict=True):
        found = values_of(coded, data["columns"])
        cells = frame[column.key].to_list()
        if column.style is None:
            assert found == [None if cell is None else str(cell) for cell in cells]
            continue
        shown = column.style._replace(scale=1.0)
        for value, cell in zip(found, cells, strict=True):
            assert (value is None) == (finite(cell) is None)
            assert number_text(value, shown) == number_text(finite(cell), column.style)


def test_the_rows_without_a_script_are_those_of_the_frame():
    frame = listed()
    page = index_page(frame, "Portfolios")
    reader = StrictReader(page)
    assert [attrs["href"] for attrs in reader.of("a") if attrs["href"].endswith(".html")] == [
        f"{key}.html" for key in frame["portfolio"]
    ]
    body = page[page.index("<tbody>") :].split("</tbody>")[0]
    for row, text in zip(frame.iter_rows(named=True), body.split("</tr>")[:-1], strict=True):
        for column in COLUMNS:
            cell = row[column.key]
            shown = str(cell) if column.style is None else number_text(finite(cell), column.style)
            assert f">{shown}<" in text, column.key


def test_the_twin_holds_the_frame_to_the_last_bit():
    frame = listed(40)
    twin = json.loads(index_json(frame, ORIGIN))
    columns = twin["tables"]["portfolios"]["columns"]
    for name in frame.columns:
        expected = [str(c) if name == "date" else c for c in frame[name].to_list()]
        assert columns[name] == expected
    assert (twin["schema"], twin["schema_version"]) == ("plumbline.portfolio_index", 1)
    assert twin["provenance"]["run_id"] == ORIGIN.run_id


def test_the_head_counts_what_is_behind_stale_unpriced_or_failing():
    frame = listed(8).with_columns(
        date=pl.when(pl.int_range(8) == 0)
        .then(pl.col("date").dt.offset_by("-1d"))
        .when(pl.int_range(8) > 1)
        .then(pl.col("date")),
        n_stale=pl.Series([1, 0, 0, 0, 0, 0, 0, 2]),
        n_unpriced=pl.Series([1, 1, 1, 0, 0, 0, 0, 0]),
        n_failures=pl.Series([0, 0, 0, 0, 3, 0, 0, 0]),
    )
    text = StrictReader(index_page(frame, "Portfolios")).text_in("span")
    last = frame["date"].max()
    for told in (
        *("8 portfolios", f"last date {last}", "1 not measured", f"1 behind {last}"),
        *("2 with stale prices", "3 with unpriced positions", "1 with failures"),
    ):
        assert told in text


def test_no_portfolios_are_said_to_be_none():
    page = index_page(listed().clear(), "Portfolios")
    StrictReader(page)
    assert "there are no portfolios" in page
    assert "0 portfolios" in page


def test_portfolios_without_figures_are_listed_with_gaps():
    result, _ = odd()
    named = pl.DataFrame({"portfolio": ["empty", "ruined", "absent"]})
    frame = portfolio_index(named, result.snapshots, result.measures, result.failures)
    page = index_page(frame.with_columns(pages_of(frame)), "Portfolios")
    StrictReader(page)
    data = drawn(page)
    equity = data["columns"][[c.key for c in COLUMNS].index("equity")]["y"]
    assert equity[2] is None
    assert equity[0] == 1000
    assert page.count('class="num missing">n/a<') >= len(INDEX_FIGURES) - 1


@pytest.mark.parametrize("lost", [float("nan"), float("inf"), None, 1e300, -1e18])
def test_numbers_that_cannot_be_shown_in_full_break_nothing(lost):
    frame = listed().with_columns(equity=pl.lit(lost, dtype=pl.Float64))
    page = index_page(frame, "Portfolios")
    StrictReader(page)
    shown = {c["heading"]: c for c in drawn(page)["columns"]}["Equity"]["y"]
    expected = lost if lost is not None and abs(lost) < float("inf") else None
    assert shown == [expected] * frame.height
    assert len(page) < 200_000


def test_names_that_are_markup_stay_text():
    frame = (
        listed()
        .with_columns(name=pl.lit(HOSTILE), owner=pl.lit(HOSTILE), currency=pl.lit(HOSTILE))
        .with_columns(pl.Series("portfolio", [f"{HOSTILE}{i}" for i in range(listed().height)]))
        .drop("page")
    )
    frame = frame.with_columns(pages_of(frame))
    page = index_page(frame, HOSTILE)
    reader = StrictReader(page)
    assert not reader.of("img")
    assert "<img" not in page
    assert len(reader.of("script")) == 2
    data = drawn(page)
    assert values_of(data["columns"][0], data["columns"]) == frame["portfolio"].to_list()
    assert isinstance(Html(page), str)


@pytest.mark.parametrize(
    "page",
    ["https://x.y/z.html", "javascript:alert(1)", "../a.html", "/a.html", "a//b", "a b.html", ""],
)
def test_addresses_that_leave_the_folder_are_refused(page):
    frame = listed().with_columns(page=pl.lit(page))
    with pytest.raises(ParameterError, match="below the folder"):
        pages_of(frame)


def test_addresses_that_are_given_are_taken_and_a_null_has_no_link():
    frame = listed().with_columns(
        pl.Series("page", ["a/b.html", None, None, None], dtype=pl.String)
    )
    page = index_page(frame.with_columns(pages_of(frame)), "Portfolios")
    links = [attrs["href"] for attrs in StrictReader(page).of("a") if ".html" in attrs["href"]]
    assert links == ["a/b.html"]
    assert drawn(page)["pages"] == ["a/b.html", "", "", ""]


def test_a_frame_that_lacks_columns_or_keys_is_refused():
    frame = listed()
    with pytest.raises(ParameterError, match="lacks columns 'var_95'"):
        pages_of(frame.drop("var_95"))
    with pytest.raises(ParameterError, match="have no key"):
        pages_of(frame.with_columns(portfolio=pl.lit(None, dtype=pl.String)))
    with pytest.raises(ParameterError, match="more than once"):
        pages_of(pl.concat([frame, frame]))


def test_the_page_runs_its_own_script_alone():
    page = index_page(listed(), "Portfolios")
    assert len(re.findall(r"<script>", page)) == 1
    assert "uPlot" not in page
    assert not re.findall(r"https?://", page)

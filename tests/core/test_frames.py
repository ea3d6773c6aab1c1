from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal

from plumbline.core.calendar import Calendar
from plumbline.core.errors import CalendarError, MissingDataError, ParameterError
from plumbline.core.panel import Panel

XNYS = Calendar("XNYS")
LIBRARIES = {
    "polars": lambda table: table,
    "pandas": lambda table: table.to_pandas(),
    "pyarrow": lambda table: table.to_arrow(),
}
SESSIONS = [date(2017, 11, 20), date(2017, 11, 21), date(2017, 11, 22), date(2017, 11, 24)]


@pytest.fixture(params=LIBRARIES)
def convert(request):
    return LIBRARIES[request.param]


def long_table() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "date": [SESSIONS[3], SESSIONS[0], SESSIONS[0], SESSIONS[2]],
            "symbol": ["B", "B", "A", "A"],
            "close": [4.0, 2.0, 1.0, None],
            "volume": [40, 20, 10, 30],
        }
    )


def panel_from_arrays(close: np.ndarray, volume: np.ndarray) -> Panel:
    n_bars, n_assets = close.shape
    days = np.arange(n_bars) * np.timedelta64(1, "D")
    return Panel(
        {"close": close, "volume": volume},
        np.datetime64("2024-01-01T21:00", "us") + days,
        [f"A{i}" for i in range(n_assets)],
    )


shapes = st.tuples(st.integers(1, 5), st.integers(1, 4))
columns = shapes.flatmap(lambda s: st.tuples(hnp.arrays("f8", s), hnp.arrays("f8", s)))


@pytest.mark.parametrize("backend", LIBRARIES)
@given(arrays=columns)
def test_a_panel_goes_to_a_table_and_back_unchanged(backend, arrays):
    panel = panel_from_arrays(*arrays)
    table = panel.to_frame(backend)
    assert type(table).__module__.split(".")[0] == backend
    assert Panel.from_frame(table) == panel


@given(arrays=columns)
def test_a_table_is_long_and_sorted_by_bar_then_asset(arrays):
    panel = panel_from_arrays(*arrays)
    table = panel.to_frame()
    assert table.columns == ["bar_close", "asset", "close", "volume"]
    assert table.schema["bar_close"] == pl.Datetime("us", "UTC")
    assert table.select("bar_close", "asset").equals(
        table.select("bar_close", "asset").sort("bar_close", "asset")
    )
    assert table.height == panel.n_bars * panel.n_assets
    cell = table.row(table.height - 1, named=True)
    assert cell["asset"] == panel.assets[-1]
    assert_array_equal(cell["close"], panel["close"][-1, -1])


@given(arrays=columns, seed=st.integers(0, 100))
def test_the_order_of_rows_does_not_matter(arrays, seed):
    panel = panel_from_arrays(*arrays)
    shuffled = panel.to_frame().sample(fraction=1.0, shuffle=True, seed=seed)
    assert Panel.from_frame(shuffled) == panel


def test_missing_rows_and_nulls_are_nan(convert):
    panel = Panel.from_frame(convert(long_table()), bar="date", asset="symbol", calendar=XNYS)
    assert panel.assets == ("A", "B")
    assert_array_equal(
        panel["close"], [[1.0, 2.0], [np.nan, np.nan], [np.nan, np.nan], [np.nan, 4.0]]
    )
    assert_array_equal(
        panel["volume"], [[10.0, 20.0], [np.nan, np.nan], [30.0, np.nan], [np.nan, 40.0]]
    )


def test_a_calendar_gives_each_bar_its_close_and_its_number(convert):
    panel = Panel.from_frame(convert(long_table()), bar="date", asset="symbol", calendar=XNYS)
    closes = ["2017-11-20T21:00", "2017-11-21T21:00", "2017-11-22T21:00", "2017-11-24T18:00"]
    assert_array_equal(panel.bars, np.array(closes, dtype="datetime64[us]"))
    assert panel.first_bar == int(XNYS.numbers(panel.bars)[0])
    assert_array_equal(panel.known_at, panel.bars)


def test_without_a_calendar_only_the_rows_that_are_there_become_bars(convert):
    panel = Panel.from_frame(convert(long_table()), bar="date", asset="symbol")
    assert panel.shape == (3, 2)
    assert panel.bars[0] == np.datetime64("2017-11-20", "us")
    assert panel.first_bar == 0


def test_fields_can_be_chosen(convert):
    options = {"bar": "date", "asset": "symbol"}
    panel = Panel.from_frame(convert(long_table()), **options, fields=["volume"])
    assert list(panel) == ["volume"]


def test_a_wide_table_gives_one_field(convert):
    table = pl.DataFrame({"date": SESSIONS[1:3], "B": [1.0, None], "A": [3, 4]})
    panel = Panel.from_frame(
        convert(table), bar="date", asset=None, fields=["close"], calendar=XNYS
    )
    assert panel.assets == ("A", "B")
    assert_array_equal(panel["close"], [[3.0, 1.0], [4.0, np.nan]])
    named = Panel.from_frame(convert(table), bar="date", asset=None)
    assert list(named) == ["value"]
    with pytest.raises(ParameterError, match="a wide table holds one field"):
        Panel.from_frame(convert(table), bar="date", asset=None, fields=["open", "close"])


def test_a_wide_table_with_a_gap_gets_a_row_of_nan(convert):
    table = pl.DataFrame({"date": [SESSIONS[3], SESSIONS[0]], "A": [2.0, 1.0]})
    panel = Panel.from_frame(convert(table), bar="date", asset=None, calendar=XNYS)
    assert_array_equal(panel["value"][:, 0], [1.0, np.nan, np.nan, 2.0])


def test_times_of_any_zone_and_unit_are_the_same_moment(convert):
    moment = datetime(2024, 1, 31, 21, tzinfo=UTC)
    expected = np.array(["2024-01-31T21:00", "2024-02-01T21:00"], dtype="datetime64[us]")
    column = pl.Series("bar_close", [moment, moment + timedelta(days=1)])
    for times in (
        column,
        column.dt.convert_time_zone("America/New_York"),
        column.dt.replace_time_zone(None),
        column.cast(pl.Datetime("ms", "UTC")),
        column.cast(pl.Datetime("ns", "UTC")),
    ):
        table = pl.DataFrame({"bar_close": times, "asset": ["A", "A"], "x": [1.0, 2.0]})
        assert_array_equal(Panel.from_frame(convert(table)).bars, expected)


def test_bars_of_an_endless_grid_are_filled_too(convert):
    hours = [datetime(2024, 1, 1, h, tzinfo=UTC) for h in (1, 4)]
    table = pl.DataFrame({"bar_close": hours, "asset": ["A", "A"], "x": [1.0, 4.0]})
    panel = Panel.from_frame(convert(table), calendar=Calendar(frequency="1h"))
    assert_array_equal(panel["x"][:, 0], [1.0, np.nan, np.nan, 4.0])
    assert panel.first_bar == int(np.datetime64("2024-01-01T01", "h").astype(int))


def one_column(values: pl.Series) -> pl.DataFrame:
    times = [datetime(2024, 1, 1 + i, tzinfo=UTC) for i in range(len(values))]
    return pl.DataFrame({"bar_close": times, "asset": ["A"] * len(values), "x": values})


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([1, 2**53, None], dtype=pl.Int64),
        pl.Series([0, 2**60], dtype=pl.UInt64),
        pl.Series([1, -2, None], dtype=pl.Int8),
        pl.Series([0.5, None], dtype=pl.Float32),
        pl.Series([True, False, None]),
        pl.Series([Decimal("1.25"), None, Decimal("-3.5")]),
        pl.Series([None, 1], dtype=pl.Int64),
        pl.Series([Decimal("0.10"), Decimal("1234567.89")]),
    ],
)
@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_numbers_that_float64_holds_exactly_are_taken(values, library):
    panel = Panel.from_frame(LIBRARIES[library](one_column(values)))
    expected = [np.nan if v is None else float(v) for v in values.to_list()]
    assert_array_equal(panel["x"][:, 0], expected)


@pytest.mark.parametrize(
    ("values", "count"),
    [
        (pl.Series([1, 2**53 + 1, None], dtype=pl.Int64), 1),
        (pl.Series([2**63 - 1, -(2**53) - 1, 5], dtype=pl.Int64), 2),
        (pl.Series([2**64 - 1], dtype=pl.UInt64), 1),
        (pl.Series([Decimal("12345678901234567.89")]), 1),
    ],
)
@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_numbers_that_float64_cannot_hold_are_refused_and_counted(values, count, library):
    with pytest.raises(ParameterError, match=rf"'x' of .* has {count} values that float64 cannot"):
        Panel.from_frame(LIBRARIES[library](one_column(values)))


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1])
def test_inexact_whole_numbers_of_pandas_are_refused(number):
    table = pd.DataFrame(
        {"bar_close": pd.to_datetime(["2024-01-01"]), "asset": ["A"], "x": [number]}
    )
    with pytest.raises(ParameterError, match="1 values that float64 cannot hold"):
        Panel.from_frame(table)


def test_nullable_integers_of_pandas_become_nan():
    table = pd.DataFrame(
        {
            "bar_close": pd.to_datetime(["2024-01-01", "2024-01-02"], utc=True),
            "asset": pd.Categorical(["A", "A"]),
            "x": pd.array([1, None], dtype="Int64"),
        }
    )
    assert_array_equal(Panel.from_frame(table)["x"][:, 0], [1.0, np.nan])


def test_a_bar_that_stands_twice_is_refused_and_named(convert):
    table = long_table()
    with pytest.raises(ParameterError) as caught:
        Panel.from_frame(
            convert(pl.concat([table, table.head(2)])), bar="date", asset="symbol", calendar=XNYS
        )
    text = str(caught.value)
    assert text.startswith("2 bars stand more than once: ")
    assert "2017-11-20T21:00:00.000000 B" in text
    assert "2017-11-24T18:00:00.000000 B" in text
    wide = pl.DataFrame({"date": [SESSIONS[0]] * 2, "A": [1.0, 1.0]})
    with pytest.raises(ParameterError, match="1 bars stand more than once"):
        Panel.from_frame(convert(wide), bar="date", asset=None)


def test_missing_columns_are_named_with_the_nearest(convert):
    with pytest.raises(MissingDataError) as caught:
        Panel.from_frame(convert(long_table()), bar="dates", asset="symbl", fields=["clos"])
    for pair in (("'dates'", "'date'"), ("'symbl'", "'symbol'"), ("'clos'", "'close'")):
        assert f"{pair[0]} (did you mean {pair[1]}?)" in str(caught.value)


def test_dates_without_a_session_are_refused_and_named(convert):
    table = pl.DataFrame({"date": [date(2017, 11, 23), SESSIONS[0]], "A": [1.0, 2.0]})
    with pytest.raises(CalendarError, match="no sessions of XNYS: 2017-11-23"):
        Panel.from_frame(convert(table), bar="date", asset=None, calendar=XNYS)


def test_times_off_the_grid_are_refused(convert):
    table = pl.DataFrame({"t": [datetime(2017, 11, 20, 20, 59, tzinfo=UTC)], "A": [1.0]})
    with pytest.raises(CalendarError, match="1 times are no close"):
        Panel.from_frame(convert(table), bar="t", asset=None, calendar=XNYS)


def test_missing_times_and_names_are_refused(convert):
    no_time = long_table().with_columns(
        pl.when(pl.col("symbol") == "A").then(pl.col("date")).alias("date")
    )
    with pytest.raises(ParameterError, match="column 'date' has 2 missing times"):
        Panel.from_frame(
            convert(no_time.cast({"date": pl.Datetime("us")})), bar="date", asset="symbol"
        )
    no_name = long_table().with_columns(
        pl.when(pl.col("symbol") == "A").then(pl.col("symbol")).alias("symbol")
    )
    with pytest.raises(ParameterError, match="column 'symbol' has 2 missing names"):
        Panel.from_frame(
            convert(no_name.cast({"date": pl.Datetime("us")})), bar="date", asset="symbol"
        )


def test_text_where_numbers_or_times_belong_is_refused(convert):
    table = long_table().with_columns(close=pl.lit("1.5"))
    with pytest.raises(ParameterError, match="column 'close' holds String, not numbers"):
        Panel.from_frame(convert(table), bar="date", asset="symbol")
    table = long_table().with_columns(pl.col("date").cast(pl.String))
    with pytest.raises(ParameterError, match="'date' holds String; expected dates or date-times"):
        Panel.from_frame(convert(table), bar="date", asset="symbol")


@pytest.mark.parametrize("calendar", [None, XNYS])
def test_an_empty_table_gives_an_empty_panel(convert, calendar):
    panel = Panel.from_frame(
        convert(long_table().clear()), bar="date", asset="symbol", calendar=calendar
    )
    assert panel.shape == (0, 0)
    assert list(panel) == ["close", "volume"]


def test_an_unknown_table_library_is_answered_with_the_nearest():
    with pytest.raises(ParameterError, match="no table library 'panda'; did you mean 'pandas'"):
        Panel.from_frame(long_table(), bar="date", asset="symbol").to_frame("panda")


def test_what_is_no_table_is_refused():
    with pytest.raises(ParameterError, match="not a table"):
        Panel.from_frame({"bar_close": [1]})
    with pytest.raises(ParameterError, match="not a table"):
        Panel.from_frame(long_table().lazy())


def test_an_arrow_table_in_chunks_is_read_whole():
    table = long_table().to_arrow()
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    options = {"bar": "date", "asset": "symbol"}
    assert Panel.from_frame(chunked, **options) == Panel.from_frame(table, **options)


@pytest.mark.parametrize(("bar", "asset"), [("Date", "Ticker"), ("timestamp", "symbol")])
def test_columns_of_usual_names_are_found(convert, bar, asset):
    table = long_table().rename({"date": bar, "symbol": asset})
    given = Panel.from_frame(convert(table), bar=bar, asset=asset, calendar=XNYS)
    assert Panel.from_frame(convert(table), calendar=XNYS) == given


def test_a_wide_table_is_said_by_its_form_or_by_having_no_column_of_assets(convert):
    table = convert(pl.DataFrame({"date": SESSIONS[:1], "A": [1.0]}))
    panel = Panel.from_frame(table, form="wide", fields=["close"])
    assert panel == Panel.from_frame(table, asset=None, fields=["close"])
    with pytest.raises(ParameterError, match="form='wid': did you mean 'wide'"):
        Panel.from_frame(table, form="wid")
    with pytest.raises(ParameterError, match="so asset='A' denies it"):
        Panel.from_frame(table, form="wide", asset="A")


def test_what_may_be_either_of_two_columns_is_asked_for(convert):
    table = long_table().with_columns(time=pl.col("date"), ticker=pl.col("symbol"))
    with pytest.raises(MissingDataError) as caught:
        Panel.from_frame(convert(table))
    assert "bar could be 'date' or 'time'; say which with bar=…" in str(caught.value)
    assert "asset could be 'symbol' or 'ticker'; say which with asset=…" in str(caught.value)


def test_a_column_of_times_that_is_not_found_is_not_taken_for_a_price(convert):
    table = long_table().rename({"date": "when", "symbol": "who"})
    with pytest.raises(MissingDataError) as caught:
        Panel.from_frame(convert(table))
    told = str(caught.value)
    assert "did you mean 'close'" not in told
    assert "say bar=… with one of: when, who, close, volume; " in told
    assert "say asset=… with one of: when, who, close, volume, or form='wide'" in told


def test_times_in_the_index_of_pandas_are_to_be_made_a_column():
    table = pd.DataFrame({"A": [1.0, 2.0]}, index=pd.to_datetime(SESSIONS[:2]))
    with pytest.raises(MissingDataError) as caught:
        Panel.from_frame(table)
    advice = "its index holds times and is not read: give frame.rename_axis('date').reset_index()"
    assert advice in str(caught.value)
    mended = Panel.from_frame(table.rename_axis("date").reset_index(), form="wide")
    assert mended.shape == (2, 1)
    both = long_table().to_pandas().set_index(["date", "symbol"])
    with pytest.raises(
        MissingDataError, match=r"its index is not read: give frame.reset_index\(\)"
    ):
        Panel.from_frame(both)
    assert Panel.from_frame(both.reset_index()) == Panel.from_frame(long_table())

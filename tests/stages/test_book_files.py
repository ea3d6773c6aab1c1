"""Files of a book are read whole, or every broken line of all of them is named."""

import gzip
import zipfile
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

from plumbline.core.calendar import Calendar
from plumbline.core.errors import BookError
from plumbline.lake.delimited import Marks
from plumbline.risk.book import Book
from plumbline.risk.market import Market
from plumbline.risk.measurement import measure
from plumbline.risk.result import RiskResult
from plumbline.stages.book_files import read_book, read_table_file

PORTFOLIOS = "portfolio,opened_on,opening_cash\na,2024-01-02,1000\nb,2024-01-02,5\n"
TRADES = "portfolio,date,symbol,quantity,price\na,2024-01-03,SPY,2,470.5\nb,2024-01-04,007,-1,3\n"
FLOWS = "portfolio,date,amount,kind\na,2024-01-05,5,interest\n"
INSTRUMENTS = "symbol,class\nSPY,etf\n007,equity\n"
TEXTS = {
    "portfolios": PORTFOLIOS,
    "trades": TRADES,
    "cash_flows": FLOWS,
    "instruments": INSTRUMENTS,
}
NAMES = ("portfolios", "trades", "cash_flows", "instruments")


def written(folder, **contents):
    """Write tables as text, or as the bytes that are given, and return their files."""
    files = {}
    for name, content in contents.items():
        files[name] = folder / f"{name}.csv"
        files[name].write_bytes(content.encode() if isinstance(content, str) else content)
    return files


def refused(files, **said) -> list[str]:
    with pytest.raises(BookError) as caught:
        read_book(files, **said)
    folder = next(iter(files.values())).parent
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


def tables_of(book: Book) -> list[list]:
    return [getattr(book, name).rows() for name in NAMES]


@pytest.fixture
def wanted(tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    return tables_of(read_book(written(folder, **TEXTS)))


def test_text_becomes_what_the_columns_of_a_book_are(wanted):
    assert wanted == [
        [
            ("a", "a", "USD", 1000.0, date(2024, 1, 2), "", "prices"),
            ("b", "b", "USD", 5.0, date(2024, 1, 2), "", "prices"),
        ],
        [
            ("a", date(2024, 1, 3), "SPY", 2.0, 470.5, 0.0, None, None),
            ("b", date(2024, 1, 4), "007", -1.0, 3.0, 0.0, None, None),
        ],
        [("a", date(2024, 1, 5), 5.0, "interest")],
        [
            ("007", "equity", 1.0, None, None, None, None, None, None),
            ("SPY", "etf", 1.0, None, None, None, None, None, None),
        ],
    ]


def as_is(text, path):
    path.write_text(text)


def with_mark(text, path):
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())


def with_semicolons(text, path):
    path.write_text(text.replace(",", ";"))


def with_returns(text, path):
    path.write_bytes(text.replace("\n", "\r\n").encode())


def in_quotes(text, path):
    lines = [",".join(f'"{cell}"' for cell in line.split(",")) for line in text.splitlines()]
    path.write_text("\n\n".join(lines))


def in_gzip(text, path):
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(text.encode(), mtime=0))


def in_zip(text, path):
    with zipfile.ZipFile(path.with_suffix(".zip"), "w") as archive:
        archive.writestr(path.name, text)


def as_parquet(text, path):
    frame = pl.read_csv(text.encode(), try_parse_dates=True, schema_overrides={"symbol": pl.String})
    frame.write_parquet(path.with_suffix(".parquet"))


def as_parquet_of_text(text, path):
    pl.read_csv(text.encode(), infer_schema=False).write_parquet(path)


@pytest.mark.parametrize(
    "write",
    [
        as_is,
        with_mark,
        with_semicolons,
        with_returns,
        in_quotes,
        in_gzip,
        in_zip,
        as_parquet,
        as_parquet_of_text,
    ],
)
def test_a_book_is_the_same_in_whatever_form_its_files_are(write, tmp_path, wanted):
    folder = tmp_path / "other"
    folder.mkdir()
    for name, text in TEXTS.items():
        write(text, folder / f"{name}.csv")
    files = {path.name.split(".")[0]: path for path in folder.iterdir()}
    assert set(files) == set(NAMES)
    assert tables_of(read_book(files)) == wanted


def test_decimal_commas_are_read_where_they_are_said(tmp_path):
    trades = "portfolio;date;symbol;quantity;price\na;2024-01-03;S,P;2,5;470,25\n"
    files = written(tmp_path, portfolios=PORTFOLIOS, trades=trades)
    book = read_book(files, marks=Marks(decimal=","))
    assert book.trades.select("symbol", "quantity", "price").rows() == [("S,P", 2.5, 470.25)]
    assert refused(files) == [
        "trades.csv, line 2, column 'quantity': '2,5' must be a finite number other than 0",
        "trades.csv, line 2, column 'price': '470,25' must be a finite number 0 or more",
    ]
    files = written(tmp_path, portfolios=PORTFOLIOS, trades=trades.replace("470,25", "1.470,25"))
    assert refused(files, marks=Marks(decimal=",")) == [
        "trades.csv, line 2, column 'price': '1.470,25' must be a finite number 0 or more"
    ]


def test_every_wrong_line_and_cell_of_every_file_is_named_with_its_line(tmp_path):
    trades = (
        "portfolio,date,symbol,quantity,price\n"
        "\n"
        'a,2024-01-03,"S\nPY",x,470.5\n'
        "a,2024-01-03,SPY,2\n"
        "a,2024-01-06,SPY,2,470.5\n"
        "b,2024-01-04,SPY,0,3\n"
    )
    flows = "portfolio,date,amount,kind\na,2024-01-05,5,gift\n"
    files = written(tmp_path, portfolios=PORTFOLIOS, trades=trades, cash_flows=flows)
    assert refused(files) == [
        "trades.csv, line 5: 4 cells, the header has 5",
        "trades.csv, line 3, column 'quantity': 'x' must be a finite number other than 0",
        (
            "trades.csv, line 6, column 'date': 2024-01-06 is no session of XNYS; a trade has the "
            "date of the session it was made in"
        ),
        "trades.csv, line 7, column 'quantity': '0' must be a finite number other than 0",
        (
            "cash_flows.csv, line 2, column 'kind': 'gift' must be one of contribution, dividend, "
            "fee, interest, withdrawal"
        ),
    ]


def test_names_on_a_line_that_could_not_be_read_are_not_called_unknown(tmp_path):
    cut = PORTFOLIOS.replace("b,2024-01-02,5", "b,2024-01-02")
    listed = INSTRUMENTS.replace("007,equity", "007")
    told = refused(written(tmp_path, portfolios=cut, trades=TRADES, instruments=listed))
    assert told == [
        "portfolios.csv, line 3: 2 cells, the header has 3",
        "instruments.csv, line 3: 1 cells, the header has 2",
    ]


def test_rows_of_parquet_are_counted_from_one(tmp_path):
    positions = pl.DataFrame(
        {
            "portfolio": ["a", "a"],
            "symbol": ["X", "X"],
            "quantity": [1, 0],
            "entry_price": [1.0, 2.0],
            "entry_date": [date(2024, 1, 3), date(2024, 1, 3)],
        }
    )
    path = tmp_path / "held.parquet"
    positions.write_parquet(path)
    assert refused({"positions": path}) == [
        "held.parquet, row 2, column 'quantity': 0 must be a finite number other than 0"
    ]
    positions.head(1).write_parquet(path)
    book = read_book({"positions": path}, opening_cash=9.0)
    assert book.portfolios["opening_cash"].to_list() == [9.0]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (
            PORTFOLIOS.replace("b,", "Käse,").encode("latin-1"),
            "portfolios.csv, line 3: byte 0xe4 is no UTF-8 text; save the file as UTF-8",
        ),
        (
            PORTFOLIOS.encode("utf-16"),
            "portfolios.csv, line 1: byte 0xff is no UTF-8 text; save the file as UTF-8",
        ),
        (b"", "portfolios.csv: the file is empty"),
        (b'portfolio,opened_on\na,"2024\n', "portfolios.csv: a quotation mark is opened and never"),
        (
            gzip.compress(PORTFOLIOS.encode(), mtime=0),
            "portfolios.csv: holds gzip, not text; end its name",
        ),
        (b"PAR1 and no more", "portfolios.csv: cannot be read as Parquet: "),
    ],
)
def test_a_file_that_cannot_be_read_is_told_and_hides_no_fault_of_another(tmp_path, content, fault):
    trades = TRADES.replace(",470.5", ",-1")
    told = refused(written(tmp_path, portfolios=content, trades=trades))
    assert len(told) == 2
    assert told[0].startswith(fault)
    assert told[1] == ("trades.csv, line 2, column 'price': '-1' must be a finite number 0 or more")


def test_a_file_that_is_not_there_or_is_named_wrongly_is_told(tmp_path):
    files = written(tmp_path, trades=TRADES)
    files["portfolios"] = tmp_path / "none.csv"
    files["cash_flows"] = tmp_path / "flows.parquet"
    files["cash_flows"].write_text(FLOWS)
    files["trade"] = files["trades"]
    assert refused(files) == [
        "no table 'trade' is known; did you mean 'trades'?",
        "none.csv: cannot be read: No such file or directory",
        "flows.parquet: holds no Parquet; name delimited text with .csv",
    ]


def test_a_header_without_a_row_is_a_table_without_a_row(tmp_path):
    header = FLOWS.splitlines()[0]
    for text in (header, header + "\n", header + "\r\n\r\n"):
        files = written(tmp_path, portfolios=PORTFOLIOS, trades=TRADES, cash_flows=text)
        assert read_book(files).cash_flows.height == 0
    files = written(tmp_path, portfolios=PORTFOLIOS, trades=TRADES, cash_flows="portfolio,kind\n")
    (problem,) = refused(files)
    assert problem.startswith("cash_flows.csv: the columns date, amount are missing; it has ")


def test_text_without_a_header_is_named_by_whoever_reads_it(tmp_path):
    path = tmp_path / "flows.csv"
    path.write_text("a,2024-01-05,5,interest\n")
    frame, origin = read_table_file(path, Marks(header=("portfolio", "date", "amount", "kind")))
    assert frame is not None
    assert frame.rows() == [("a", "2024-01-05", "5", "interest")]
    assert origin.numbers is not None
    assert origin.numbers.tolist() == [1]


@dataclass(frozen=True)
class Recorded:
    """A book of 9,367 trades, what was recorded of it, and what is measured of it."""

    trades: pl.DataFrame
    recorded: pl.DataFrame
    returns: pl.DataFrame
    result: RiskResult


@pytest.fixture(scope="module")
def recorded_book(shared_data, tmp_path_factory):
    reference, folder = shared_data / "reference", tmp_path_factory.mktemp("recorded")
    made = pl.read_parquet(reference / "pyfolio_transactions.parquet")
    recorded = pl.read_parquet(reference / "pyfolio_positions.parquet").sort("date")
    trades = made.select(
        pl.lit("p").alias("portfolio"),
        "date",
        "symbol",
        pl.col("amount").alias("quantity"),
        "price",
    )
    trades.write_parquet(folder / "trades.parquet")
    (folder / "portfolios.csv").write_text(
        "portfolio;opened_on;opening_cash\np;2004-01-09;100000\n"
    )
    book = read_book({"portfolios": folder / "portfolios.csv", "trades": folder / "trades.parquet"})
    assert book.trades.height == made.height == 9_367
    result = measure(book, market_of_recorded(made, recorded), analytics=[])
    returns = pl.read_parquet(reference / "pyfolio_returns.parquet")
    return Recorded(trades, recorded, returns, result)


def test_cash_value_and_returns_of_a_recorded_book_are_those_of_its_transactions(recorded_book):
    found, recorded = recorded_book.result.snapshots, recorded_book.recorded
    assert found["date"].to_list() == recorded["date"].to_list()
    held = recorded.drop("date", "cash").to_numpy()
    equity = held.sum(axis=1) + recorded["cash"].to_numpy()
    scale = 1e-9 * equity.min()
    assert_allclose(found["long"], np.maximum(held, 0).sum(axis=1), rtol=1e-9, atol=scale)
    assert_allclose(found["short"], np.minimum(held, 0).sum(axis=1), rtol=1e-9, atol=scale)
    assert_allclose(found["equity"], equity, rtol=1e-9)
    compared = found.select("date", "return").join(recorded_book.returns, on="date")
    assert compared.height == found.height
    assert_allclose(compared["return"], compared["ret"], rtol=0, atol=1e-9)


def test_cash_of_a_recorded_book_is_that_of_its_transactions_to_the_last_digits(recorded_book):
    trades, cash = recorded_book.trades, Fraction(100_000)
    spent: dict[date, Fraction] = {}
    for day, quantity, price in trades.select("date", "quantity", "price").iter_rows():
        spent[day] = spent.get(day, Fraction()) + quantity * Fraction(price)
    exact = []
    for day in recorded_book.recorded["date"]:
        cash -= spent.get(day, Fraction())
        exact.append(float(cash))
    found = recorded_book.result.snapshots
    assert_allclose(found["cash"], exact, rtol=0, atol=1e-9)
    gap = (found["cash"] - recorded_book.recorded["cash"]).abs()
    # Recorded amounts are rounded: the exact sums of the trades are as far from them.
    assert gap.max() < 1e-5
    assert (gap / found["equity"]).max() < 1e-10


def test_each_position_of_a_recorded_book_is_its_shares_at_the_close(recorded_book):
    wide = recorded_book.recorded.drop("cash")
    recorded = wide.unpivot(index="date", variable_name="symbol", value_name="recorded")
    found = recorded_book.result.exposures.select("date", "symbol", "quantity", "value")
    both = recorded.join(found, on=["date", "symbol"], how="full", coalesce=True)
    is_held = pl.col("quantity").is_not_null() & (pl.col("quantity") != 0)
    assert both.filter(~is_held)["recorded"].abs().max() == 0.0
    held = both.filter(is_held)
    assert held["recorded"].null_count() == 0
    assert_allclose(held["value"], held["recorded"], rtol=1e-10)
    # On days of a trade the close is that of the trade, which no recorded value enters.
    traded = held.join(recorded_book.trades, on=["date", "symbol"])
    assert traded.height > 9_000
    assert_allclose(traded["quantity"] * traded["price"], traded["recorded"], rtol=1e-10)


def market_of_recorded(made: pl.DataFrame, recorded: pl.DataFrame) -> Market:
    """Return closes: prices of the trades of a day, else recorded value over what is held."""
    calendar = Calendar("XNYS")
    symbols = tuple(sorted(set(recorded.columns) - {"date", "cash"}))
    closes, _ = calendar.session_closes(recorded["date"].to_numpy())
    first = int(calendar.numbers(closes[:1])[0])
    close = np.full((len(symbols), recorded.height), np.nan)
    for row, symbol in enumerate(symbols):
        days = made.filter(pl.col("symbol") == symbol).group_by("date")
        days = days.agg(pl.col("amount").sum(), pl.col("price").last())
        told = recorded.select("date", value=symbol).join(days, on="date", how="left")
        told = told.sort("date").with_columns(held=pl.col("amount").fill_null(0).cum_sum())
        told = told.with_columns(close=pl.coalesce("price", pl.col("value") / pl.col("held")))
        close[row] = told["close"].to_numpy()
    ones = np.ones(close.shape)
    return Market(recorded["date"].to_numpy(), symbols, close, ones, 0 * ones, False, first)

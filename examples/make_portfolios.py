"""Write the sample portfolios of this folder from the example prices.

    python examples/make_portfolios.py [--out examples/portfolios]

Three books on 120 US stocks, 2017: ``CORE`` is long only, ``HEDGED`` is long and short with
options on SPY, ``ENDOWMENT`` holds a private asset. They are samples and nobody's holdings. Each
trade is made at the day's close of the example data, which is adjusted, so that its adjustment is
1. The same prices give the same files.
"""

import argparse
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import polars as pl

PRICES = Path(__file__).parent / "data" / "us_equity"
OPENED, REVIEWED, TRIMMED = date(2017, 3, 1), date(2017, 6, 1), date(2017, 9, 5)
CORE = {
    "AAPL": 0.08,
    "MSFT": 0.07,
    "AMZN": 0.06,
    "JPM": 0.05,
    "JNJ": 0.05,
    "XOM": 0.04,
    "PG": 0.04,
    "HD": 0.04,
    "UNH": 0.04,
    "DIS": 0.03,
    "BA": 0.03,
    "NEE": 0.03,
    "AMT": 0.03,
    "KO": 0.03,
    "CAT": 0.03,
    "BAC": 0.03,
    "PFE": 0.03,
    "MCD": 0.03,
    "HON": 0.03,
    "IBM": 0.03,
}
HEDGED = {
    "NFLX": 0.10,
    "AMAT": 0.10,
    "MA": 0.10,
    "UNP": 0.09,
    "COST": 0.08,
    "PLD": 0.08,
    "LOW": 0.08,
    "MS": 0.08,
    "VLO": 0.07,
    "GE": -0.08,
    "M": -0.06,
    "KIM": -0.06,
    "CTL": -0.06,
    "APA": -0.06,
    "MOS": -0.05,
    "IPG": -0.05,
    "SPY": -0.10,
}
ENDOWMENT = {
    "SPY": 0.30,
    "IWM": 0.08,
    "TLT": 0.20,
    "LQD": 0.10,
    "GLD": 0.05,
    "BRK-B": 0.05,
}
REVIEW = {"CORE": {"IBM": -1.0, "TXN": 0.03, "GILD": 0.02}, "HEDGED": {"GE": -0.04, "ORCL": 0.05}}
TRIM = {"CORE": {"AAPL": -0.02, "AMZN": -0.02}, "ENDOWMENT": {"SPY": -0.05, "TLT": 0.05}}
CASH = {"CORE": 10_000_000.0, "HEDGED": 5_000_000.0, "ENDOWMENT": 20_000_000.0}
PUT, CALL = "SPY 2017-12-15 P 240", "SPY 2017-09-15 C 250"
OPTIONS = (
    ("HEDGED", OPENED, PUT, 60.0, 9.30),
    ("HEDGED", REVIEWED, CALL, -40.0, 1.85),
)
FUND = "FOREST FUND"
APPRAISALS = {OPENED: 100.0, date(2017, 5, 31): 101.5, date(2017, 8, 31): 104.2}
FLOWS = (
    ("CORE", date(2017, 7, 3), 500_000.0, "contribution"),
    ("HEDGED", date(2017, 6, 30), 12_500.0, "fee"),
    ("HEDGED", date(2017, 9, 29), 12_500.0, "fee"),
    ("ENDOWMENT", date(2017, 6, 30), 200_000.0, "withdrawal"),
    ("ENDOWMENT", date(2017, 9, 29), 200_000.0, "withdrawal"),
    ("ENDOWMENT", date(2017, 9, 29), 4_100.0, "interest"),
)


def closes() -> dict[tuple[str, date], float]:
    """Return the closes of stocks and funds."""
    stocks = pl.read_parquet(PRICES / "stocks" / "2017.parquet")
    funds = pl.read_csv(PRICES / "etfs.csv", try_parse_dates=True)
    long = funds.unpivot(index="date", variable_name="symbol", value_name="close")
    both = pl.concat(
        [
            frame.select("symbol", "date", pl.col("close").cast(pl.Float64))
            for frame in (stocks, long)
        ]
    )
    return {(symbol, day): close for symbol, day, close in both.drop_nulls().iter_rows()}


def trades(known: dict[tuple[str, date], float]) -> Iterable[dict[str, object]]:
    """Yield the trades: bought at weights of the opening cash, whole shares, at the close."""
    orders = [(name, OPENED, book) for name, book in BOOKS.items()]
    orders += [(name, REVIEWED, book) for name, book in REVIEW.items()]
    orders += [(name, TRIMMED, book) for name, book in TRIM.items()]
    held: dict[tuple[str, str], float] = {}
    for name, day, book in orders:
        for symbol, weight in book.items():
            price = known[symbol, day]
            quantity = float(round(weight * CASH[name] / price))
            if weight == -1.0:  # all of it is sold
                quantity = -held[name, symbol]
            held[name, symbol] = held.get((name, symbol), 0.0) + quantity
            yield row(name, day, symbol, quantity, price)
    for name, day, symbol, quantity, price in OPTIONS:
        yield row(name, day, symbol, quantity, price)
    yield row("ENDOWMENT", OPENED, FUND, 40_000.0, APPRAISALS[OPENED])


def row(name: str, day: date, symbol: str, quantity: float, price: float) -> dict[str, object]:
    """Return a trade; five cents a hundred shares are charged."""
    return {
        "portfolio": name,
        "date": day,
        "symbol": symbol,
        "quantity": quantity,
        "price": round(price, 6),
        "fees": round(abs(quantity) * 0.0005, 2),
        "adjustment": 1.0,
    }


def instruments(rows: pl.DataFrame) -> pl.DataFrame:
    """Return what the symbols of trades are."""
    sectors = dict(pl.read_csv(PRICES / "sectors.csv").select("symbol", "sector").iter_rows())
    options = {PUT: ("put", 240.0, date(2017, 12, 15)), CALL: ("call", 250.0, date(2017, 9, 15))}
    found = []
    for symbol in sorted({*rows["symbol"], "SPY"}):
        right, strike, expiry = options.get(symbol, (None, None, None))
        kind = "equity" if symbol in sectors else "etf"
        kind = "private" if symbol == FUND else "option" if right else kind
        found.append(
            {
                "symbol": symbol,
                "class": kind,
                "sector": sectors.get(symbol),
                "underlying": "SPY" if right else None,
                "strike": strike,
                "expiry": expiry,
                "right": right,
                "volatility": 0.12 if right else None,
            }
        )
    return pl.DataFrame(found, infer_schema_length=None)


BOOKS = {"CORE": CORE, "HEDGED": HEDGED, "ENDOWMENT": ENDOWMENT}
NAMES = {"CORE": "Core equity", "HEDGED": "Hedged equity", "ENDOWMENT": "Endowment"}


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "portfolios")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    rows = pl.DataFrame(list(trades(closes()))).sort("portfolio", "date", "symbol")
    rows.write_csv(out / "trades.csv")
    pl.DataFrame(
        [
            {"portfolio": name, "name": NAMES[name], "opened_on": OPENED, "opening_cash": cash}
            for name, cash in CASH.items()
        ]
    ).write_csv(out / "portfolios.csv")
    flows = pl.DataFrame(FLOWS, schema=["portfolio", "date", "amount", "kind"], orient="row")
    flows.sort("portfolio", "date", "kind").write_csv(out / "cash_flows.csv")
    instruments(rows).write_csv(out / "instruments.csv")
    prices = [{"date": day, "symbol": FUND, "close": worth} for day, worth in APPRAISALS.items()]
    pl.DataFrame(prices).write_csv(out / "appraisals.csv")


if __name__ == "__main__":
    main()

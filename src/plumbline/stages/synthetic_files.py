"""Made loads of portfolios as files: what an import and a nightly run take."""

from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from plumbline.core.calendar import Calendar
from plumbline.core.errors import ExportError, ParameterError
from plumbline.core.settings import current_time
from plumbline.lake.durable import write_durably
from plumbline.lake.table_sets import parquet_bytes
from plumbline.risk.market import Market
from plumbline.risk.synthesis import synthesize
from plumbline.risk.synthetic_load import CALENDAR, Load
from plumbline.stages.portfolio_books import export_book

_USUAL: Final = (date(2023, 1, 3), date(2025, 12, 31))  # first date, and the last of long loads
RECIPE: Final = f"""\
# Every portfolio of the book on every date. Keys: docs/nightly.md of the repository.
name: nightly
kind: nightly
book: synthetic
data:
  prices:
    source: parquet
    paths: [prices.parquet]
    calendar: {CALENDAR}
"""


def write_load(load: Load, seed: int, folder: Path) -> dict[str, Path]:
    """Write a made load as Parquet files, and a recipe that measures it; return name -> file.

    Parameters
    ----------
    load : its size.
    seed : the same gives the same bits.
    folder : made if it is not there; it may hold none of the files.

    Raises
    ------
    ExportError
        If a file is there already, or cannot be written.
    """
    prices, recipe = folder / "prices.parquet", folder / "nightly.yaml"
    present = [str(path) for path in (prices, recipe) if path.exists()]
    if present:
        raise ExportError(f"{', '.join(present)}: there already; name another folder")
    book, market = synthesize(load, seed)
    files = export_book(book, folder, "parquet")
    try:
        write_durably(prices, parquet_bytes(long_prices(market)))
        write_durably(recipe, RECIPE.encode())
    except OSError as error:
        raise ExportError(f"{folder} cannot be written: {error.strerror}") from error
    return {**files, "prices": prices, "recipe": recipe}


def usual_first(n_dates: int) -> date:
    """Return the first date of a load that says none: 2023-01-03, or earlier if it is long.

    It does not depend on today, so that the same numbers and seed give the same bits for ever.

    Parameters
    ----------
    n_dates : sessions with portfolios; the last lies in 2025 at the latest.
    """
    calendar = Calendar(CALENDAR)
    first, last = calendar.numbers(calendar.session_closes(np.array(_USUAL, "datetime64[D]"))[0])
    number = min(int(first), int(last) - n_dates + 1)
    day: date = calendar.dates(number, number).astype("datetime64[D]").tolist()[0]
    return day


def refuse_future(load: Load) -> None:
    """Refuse a load with dates that lie in the future, which no import takes.

    Raises
    ------
    ParameterError
        With its last date.
    """
    last, today = load.sessions()[0][-1].astype("datetime64[D]").item(), current_time().date()
    if last > today:
        raise ParameterError(
            f"{load.dates} dates from {load.first} on end on {last}, after today, {today}: an "
            "import refuses what lies in the future; ask for an earlier first date or fewer dates"
        )


def long_prices(market: Market) -> pl.DataFrame:
    """Return ``date symbol close split dividend``, a row where there is a close or an action."""
    shape = market.close.shape
    symbols = pl.Series(list(market.symbols), dtype=pl.String)
    rows = pl.Series(np.repeat(np.arange(shape[0]), shape[1]))
    dates = np.tile(market.dates.astype("datetime64[D]"), shape[0])
    frame = pl.DataFrame(
        {
            "date": dates,
            "symbol": symbols.gather(rows),
            "close": pl.Series(market.close.ravel()).fill_nan(None),
            "split": market.split.ravel(),
            "dividend": market.dividend.ravel(),
        }
    )
    happens = (pl.col("split") != 1.0) | (pl.col("dividend") != 0.0)
    return frame.filter(pl.col("close").is_not_null() | happens)

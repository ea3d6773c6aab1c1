"""The calendar number of each row, and the rows of each part."""

import numpy as np
import polars as pl
from jaxtyping import Int

from plumbline.core.calendar import Calendar
from plumbline.lake.parts import part_bars


def row_numbers(bars: pl.DataFrame, calendar: Calendar) -> Int[np.ndarray, " rows"]:
    """Return the calendar number of the bar of each row."""
    return calendar.numbers(bars["bar_close"].dt.replace_time_zone(None).to_numpy())


def cut_by_part(
    bars: pl.DataFrame, numbers: Int[np.ndarray, " rows"], frequency: str
) -> dict[int, pl.DataFrame]:
    """Return the rows of each part by its number, in the order that they have."""
    place = pl.Series("part", numbers // part_bars(frequency))
    cut = bars.with_columns(place).partition_by("part", as_dict=True, include_key=False)
    return {int(key[0]): rows for key, rows in cut.items()}

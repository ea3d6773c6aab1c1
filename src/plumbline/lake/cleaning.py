"""Cleaning rules: each one counted and reported, none silent, no price ever made up."""

from collections.abc import Callable, Sequence

import polars as pl

from plumbline.core.calendar import Calendar
from plumbline.lake.cleaning_rules import CleaningRules
from plumbline.lake.quality import report
from plumbline.lake.row_rules import (
    drop_off_calendar,
    drop_unsaid,
    merge_duplicates,
    report_vanished,
    sort_rows,
    strip_names,
    stripped_names,
)
from plumbline.lake.value_rules import (
    check_ohlc,
    drop_infinite,
    drop_negative_volumes,
    drop_nonpositive_prices,
    drop_out_of_range,
    find_empty_bars,
    find_frozen_tails,
    find_gaps,
    find_outliers,
)


def clean(
    frame: pl.DataFrame, rules: CleaningRules, calendar: Calendar
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Apply the rules to bars in the long shape.

    Parameters
    ----------
    frame : bar_close (microseconds, UTC), asset (text), float64 fields. NaN is a value said to
        be missing; null is no word about it, as from a file that holds other fields.
    rules : what to do.
    calendar : the grid.

    Returns
    -------
    bars : the same columns with fields in sorted order, rows sorted by asset, then bar, each pair
        once, all on the grid, null for missing, no bar without any value.
    quality : ``asset bar_close field rule action value``, one row a finding. A gap is one row at
        its first missing bar with its length as value; ``no_value`` names an asset of which
        nothing is left; ``no_asset`` counts the bars on which none has a value, by weekday.

    Raises
    ------
    SourceError
        If rows of one bar and asset conflict (all are listed), or too many are off the calendar.

    Notes
    -----
    Order: white space around names, off-calendar rows, sorting, duplicates, gaps, infinities,
    sizes, signs, outliers, OHLC, frozen tails. The outlier and frozen-tail rules read later bars
    (see :class:`CleaningRules`).
    Cost: a sort, and a few passes over each field.
    """
    findings: list[pl.DataFrame] = []
    bars = arranged(frame, rules, calendar, findings)
    bars = drop_unsaid(bars, findings)
    find_empty_bars(bars, calendar, findings)
    bars = judged(bars, rules, calendar, findings)
    report_vanished(stripped_names(frame), bars, findings)
    return bars, report(findings)


def arranged(
    frame: pl.DataFrame, rules: CleaningRules, calendar: Calendar, findings: list[pl.DataFrame]
) -> pl.DataFrame:
    """Apply the rules about rows: each bar of an asset once, on the calendar, in order.

    Arguments as for :func:`clean`; what is found is appended to ``findings``.
    """
    fields = sorted(set(frame.columns) - {"bar_close", "asset"})
    bars = strip_names(frame.select("bar_close", "asset", *fields), findings)
    bars = drop_off_calendar(bars, calendar, rules.max_off_calendar, findings)
    bars = sort_rows(bars, findings)
    return merge_duplicates(bars, rules.conflicts, findings)


def judged(
    bars: pl.DataFrame, rules: CleaningRules, calendar: Calendar, findings: list[pl.DataFrame]
) -> pl.DataFrame:
    """Apply the rules about values to arranged bars; rows of which nothing is left are dropped.

    What they say of a row depends on the rows right before and after it of its asset, and on the
    asset's last rows with the same close, and on no other.
    """
    fields = sorted(set(bars.columns) - {"bar_close", "asset"})
    if not bars.height:
        return bars.with_columns(pl.col("asset").cast(pl.String))
    find_gaps(bars, calendar, findings)
    for rule in _value_rules(rules, fields):
        bars = rule(bars, findings)
    is_empty = pl.all_horizontal(pl.col(name).is_null() for name in fields)
    if bars.select(is_empty.any()).item():
        bars = bars.filter(~is_empty)
    return bars.with_columns(pl.col("asset").cast(pl.String))


_Rule = Callable[[pl.DataFrame, list[pl.DataFrame]], pl.DataFrame]


def _value_rules(rules: CleaningRules, fields: Sequence[str]) -> list[_Rule]:
    prices = [name for name in fields if name in rules.prices]
    volumes = [name for name in rules.volumes if name in fields]
    chosen: list[_Rule] = [
        lambda bars, found: drop_infinite(bars, fields, found),
        lambda bars, found: drop_out_of_range(bars, prices, volumes, found),
    ]
    if rules.positive_prices:
        chosen.append(lambda bars, found: drop_nonpositive_prices(bars, prices, found))
        chosen.append(lambda bars, found: drop_negative_volumes(bars, volumes, found))
    if rules.outliers != "off" and prices:
        tolerance, outliers = rules.outlier_tolerance, rules.outliers
        chosen.append(lambda bars, found: find_outliers(bars, prices, tolerance, outliers, found))
    if rules.ohlc != "off":
        chosen.append(lambda bars, found: check_ohlc(bars, prices, rules.ohlc, found))
    if rules.frozen != "off" and volumes and "close" in prices:
        n_bars, frozen = rules.frozen_bars, rules.frozen
        chosen.append(
            lambda bars, found: find_frozen_tails(bars, volumes[0], n_bars, frozen, found)
        )
    return chosen

"""Rows added to clean bars: what cleaning all of them together would have given, found locally.

What cleaning says of a row depends on the rows right before and after it of its asset, and on an
asset's last rows with an unchanged close. So a stretch of rows around the new ones is cleaned
again. Their values as they were read stand in the quality report, which names every value that was
made missing.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import final

import polars as pl

from plumbline.core.calendar import Calendar
from plumbline.lake.cleaning import judged
from plumbline.lake.cleaning_rules import CleaningRules
from plumbline.lake.quality import SCHEMA, finding, report
from plumbline.lake.row_rules import drop_unsaid, refuse_other_values

_KEYS = ("asset", "bar_close")
LOW, HIGH, FIRST, LAST, CONTEXT = "=low", "=high", "=first", "=last", "=context"  # no fields
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEIGHBOURS = 2  # rows on either side: one that is judged anew, and the one that it is judged by
NEVER, EVER = (  # as whole numbers: a literal time starts threads, which an import must not
    pl.lit((datetime(*day, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1), dtype=pl.Int64).cast(
        pl.Datetime("us", "UTC")
    )
    for day in ((1, 1, 1), (9999, 12, 31))
)
_JUDGED = (
    "frozen_tail",
    "gap",
    "negative_volume",
    "non_finite",
    "non_positive_price",
    "ohlc",
    "out_of_range",
    "outlier",
    "same_bar",
)


@final
@dataclass(frozen=True)
class Stretch:
    """Rows of the assets that get new ones, as they were read, around the new ones.

    Parameters
    ----------
    rows : sorted by asset, then bar; ``CONTEXT`` marks those that are only there for what
        cleaning reads of them, and stay as they are.
    goes_on : assets of which rows lie behind the stretch.
    """

    rows: pl.DataFrame
    goes_on: frozenset[str]


@final
@dataclass(frozen=True)
class Revision:
    """What new rows make of a stretch.

    Parameters
    ----------
    rows : its clean rows, sorted by asset, then bar, without those of its context.
    quality : the whole quality report.
    """

    rows: pl.DataFrame
    quality: pl.DataFrame


def spans_of(new: pl.DataFrame, quality: pl.DataFrame) -> pl.DataFrame:
    """Return between which closes rows are to be looked at: ``asset``, ``LOW``, ``HIGH``, sorted.

    Parameters
    ----------
    new : arranged rows.
    quality : report of what they are added to. Frozen tails that they reach are taken in whole.
    """
    close, frozen = pl.col("bar_close"), pl.col("frozen")
    spans = new.group_by("asset").agg(close.min().alias(LOW), close.max().alias(HIGH))
    tails = quality.filter(rule="frozen_tail").group_by("asset").agg(close.max().alias("frozen"))
    is_reached = pl.col(HIGH) >= frozen
    return (
        spans.join(tails, on="asset", how="left")
        .select(
            "asset",
            pl.min_horizontal(LOW, pl.when(is_reached).then(frozen)).alias(LOW),
            pl.when(is_reached).then(EVER).otherwise(HIGH).alias(HIGH),
        )
        .sort("asset")
    )


def as_read(rows: pl.DataFrame, quality: pl.DataFrame, reach: pl.DataFrame) -> pl.DataFrame:
    """Return clean rows with the values that cleaning had made missing, sorted.

    Parameters
    ----------
    rows : clean rows.
    quality : their report.
    reach : ``asset``, ``FIRST``, ``LAST``: closes between which all rows of an asset are given.
    """
    fields = [name for name in rows.columns if name not in _KEYS]
    cells = (
        quality.filter(pl.col("field").is_in(fields), action="missing")
        .join(reach, on="asset")
        .filter(pl.col("bar_close").is_between(FIRST, LAST))
    )
    if not cells.height:
        return rows.sort(*_KEYS)
    values = cells.pivot("field", index=_KEYS, values="value", aggregate_function="first")
    return rows.update(values, on=_KEYS, how="full").sort(*_KEYS)


def stretch_of(
    rows: pl.DataFrame,
    spans: pl.DataFrame,
    ends: tuple[Collection[str], Collection[str]],
    n_around: int,
) -> Stretch:
    """Cut out what new rows concern.

    Parameters
    ----------
    rows : as they were read, sorted by asset, then bar.
    spans : ``asset``, ``LOW``, ``HIGH``, as :func:`spans_of` gives them.
    ends : assets whose first row is among the rows, and assets whose last row is.
    n_around : rows that are taken before and behind a span, as far as there are any.
    """
    close = pl.col("bar_close")
    is_before, is_behind = close < pl.col(LOW), close > pl.col(HIGH)
    begins, stops = (pl.col("asset").is_in(list(names)) for names in ends)
    at, n_rows = pl.int_range(pl.len()).over("asset"), pl.len().over("asset")
    marked = rows.join(spans, on="asset", maintain_order="left").with_columns(
        (is_before & (is_before.cum_sum(reverse=True).over("asset") > n_around)).alias(
            "=too_early"
        ),
        (is_behind & (is_behind.cum_sum().over("asset") > n_around)).alias("=too_late"),
        (begins & (at == 0)).alias("=is_first"),
        (stops & (at == n_rows - 1)).alias("=is_last"),
    )
    near = marked.filter(~pl.col("=too_early") & ~pl.col("=too_late")).with_columns(
        ((at == 0) & is_before & ~pl.col("=is_first")).alias("=left"),
        ((at == n_rows - 1) & is_behind & ~pl.col("=is_last")).alias("=right"),
    )
    goes_on = frozenset(near.filter("=right")["asset"])
    context = (pl.col("=left") | pl.col("=right")).alias(CONTEXT)
    return Stretch(near.select(*rows.columns, context), goes_on)


def to_the_end(spans: pl.DataFrame, stretch: Stretch, quality: pl.DataFrame) -> pl.DataFrame:
    """Return spans, those to the end of their asset in whose stretch a frozen tail begins."""
    close = pl.col("bar_close")
    tails = quality.filter(pl.col("asset").is_in(list(stretch.goes_on)), rule="frozen_tail")
    last = stretch.rows.group_by("asset").agg(close.max().alias(LAST))
    begun = tails.join(last, on="asset").filter(close <= pl.col(LAST))["asset"]
    is_begun = pl.col("asset").is_in(begun.implode())
    return spans.with_columns(pl.when(is_begun).then(EVER).otherwise(HIGH).alias(HIGH))


def may_begin_earlier(stretch: Stretch, quality: pl.DataFrame) -> bool:
    """Return whether a frozen tail begins with the first row that is judged, though others precede.

    Parameters
    ----------
    stretch : what was judged.
    quality : what came of it.
    """
    close = pl.col("bar_close")
    first = stretch.rows.filter(~pl.col(CONTEXT)).group_by("asset").agg(close.min().alias(FIRST))
    cut = stretch.rows.filter(CONTEXT).join(first, on="asset").filter(close < pl.col(FIRST))
    tails = quality.filter(rule="frozen_tail").join(cut.select("asset", FIRST), on="asset")
    return not tails.filter(close <= pl.col(FIRST)).is_empty()


def rows_around(rules: CleaningRules) -> int:
    """Return how many rows before and behind new ones cleaning may judge anew or by."""
    return rules.frozen_bars + _NEIGHBOURS


def revise(
    stretch: Stretch,
    new: pl.DataFrame,
    quality: pl.DataFrame,
    how: tuple[CleaningRules, Calendar],
    *,
    corrects: bool,
) -> Revision:
    """Clean a stretch again, together with new rows.

    Parameters
    ----------
    stretch : what is there around the new rows.
    new : arranged rows; null is no word about a value, NaN says that it is missing. A value where
        none is there is added, and conflicts with nothing.
    quality : report of what is there.
    how : rules and calendar.
    corrects : whether a new value takes the place of another; else they conflict.

    Raises
    ------
    ConflictError
        If rows differ from those that are there, and do not correct them; all are listed.
    """
    rules, calendar = how
    found: list[pl.DataFrame] = []
    merged = _merged(stretch.rows.drop(CONTEXT), new, found, corrects=corrects)
    names = merged["asset"].unique().sort()
    coded = merged.with_columns(pl.col("asset").cast(pl.Enum(names)))
    coded = drop_unsaid(coded, found)
    told: list[pl.DataFrame] = []
    whole = pl.col("asset").cast(pl.String).is_in(list(stretch.goes_on))
    clean = [
        judged(coded.filter(~whole), rules, calendar, told),
        judged(coded.filter(whole), replace(rules, frozen="off"), calendar, told),
    ]
    reach = _reach(stretch, names)
    rows = _within(pl.concat(clean).sort(*_KEYS), reach)
    earlier = quality.join(reach, on="asset", how="left", maintain_order="left").filter(
        ~(pl.col("rule").is_in(_JUDGED) & _is_within()).fill_null(value=False)
    )
    joined = report([earlier.select(*SCHEMA), *found, _within(report(told), reach)])
    is_empty = pl.col("rule") == "empty_bar"
    again = is_empty & ~pl.struct("rule", "asset", "bar_close").is_first_distinct()
    return Revision(rows, joined.filter(~again))


def _merged(
    old: pl.DataFrame, new: pl.DataFrame, found: list[pl.DataFrame], *, corrects: bool
) -> pl.DataFrame:
    """Return rows of both, new values over old ones; each bar of an asset once."""
    fields = sorted({*old.columns, *new.columns} - {*_KEYS})
    both = new.join(
        old.with_columns(pl.lit(value=True).alias("=was_there")),
        on=_KEYS,
        how="full",
        coalesce=True,
        suffix="=",
    )
    pairs = {n: (n, f"{n}=") for n in fields if n in old.columns and n in new.columns}
    is_said = {
        name: pl.col("=was_there") & pl.col(mine).is_not_null() for name, (mine, _) in pairs.items()
    }
    differs = {
        name: is_said[name]
        & pl.col(theirs).is_not_null()
        & pl.col(mine).fill_nan(None).ne_missing(pl.col(theirs))
        for name, (mine, theirs) in pairs.items()
    }
    if not corrects:
        refuse_other_values(both, pairs, differs)
    for name, (_, theirs) in pairs.items():
        cells = both.filter(differs[name])
        found.append(finding(cells, "correction", "kept_new", name, pl.col(theirs)))
    is_again = pl.any_horizontal(*is_said.values()) if is_said else pl.lit(value=False)
    is_other = pl.any_horizontal(*differs.values()) if differs else pl.lit(value=False)
    added = [
        pl.col(mine).is_not_nan() & pl.col(theirs).is_null() for mine, theirs in pairs.values()
    ]
    is_added = pl.any_horizontal(*added) if added else pl.lit(value=False)
    again = both.filter(is_again & ~is_other & ~is_added.fill_null(value=False))
    found.append(finding(again, "duplicate", "dropped", None, pl.lit(1.0)))
    values = [
        pl.coalesce(*pairs[name]).alias(name) if name in pairs else pl.col(name) for name in fields
    ]
    return both.select(*_KEYS, *values).sort(*_KEYS)


def _reach(stretch: Stretch, names: pl.Series) -> pl.DataFrame:
    """Return between which closes, both left out, rows of an asset are judged."""
    close = pl.col("bar_close")
    fixed = stretch.rows.filter(CONTEXT)
    goes_on = pl.col("asset").is_in(list(stretch.goes_on))
    right = fixed.filter(goes_on).group_by("asset").agg(close.max().alias(LAST))
    left = (
        fixed.join(right, on="asset", how="left")
        .filter(pl.col(LAST).is_null() | (close < pl.col(LAST)))
        .group_by("asset")
        .agg(close.min().alias(FIRST))
    )
    reach = names.to_frame().join(left, on="asset", how="left").join(right, on="asset", how="left")
    return reach.with_columns(pl.col(FIRST).fill_null(NEVER), pl.col(LAST).fill_null(EVER))


def _is_within() -> pl.Expr:
    close = pl.col("bar_close")
    return (close > pl.col(FIRST)) & (close < pl.col(LAST))


def _within(rows: pl.DataFrame, reach: pl.DataFrame) -> pl.DataFrame:
    return (
        rows.join(reach, on="asset", maintain_order="left")
        .filter(_is_within())
        .select(rows.columns)
    )

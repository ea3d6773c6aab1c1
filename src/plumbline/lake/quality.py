"""The quality report: one row for each thing that cleaning found, and what it did about it."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from plumbline.lake.dataset import Dataset

LARGE_LOSS = 0.05  # share of the rows off the calendar above which it is more than single days
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_COLUMN_ACTIONS = {
    "name_taken": "left_out",
    "not_taken": "left_out",
    "unadjusted_close": "flagged",
    "unnamed_column": "left_out",
}
SCHEMA: dict[str, Any] = {
    "asset": pl.String,
    "bar_close": pl.Datetime("us", "UTC"),
    "field": pl.String,
    "rule": pl.String,
    "action": pl.String,
    "value": pl.Float64,
}


def finding(
    rows: pl.DataFrame, rule: str, action: str, field: str | None, value: pl.Expr
) -> pl.DataFrame:
    """Return rows of the report from rows of bars that a rule found.

    Parameters
    ----------
    rows : bars, at least with bar_close and asset.
    rule, action : what was found, what was done.
    field : the field meant, or None for the whole bar.
    value : what was found there: the value, or a count.
    """
    return rows.select(
        pl.col("asset").cast(pl.String),
        pl.col("bar_close"),
        pl.lit(field, dtype=pl.String).alias("field"),
        pl.lit(rule).alias("rule"),
        pl.lit(action).alias("action"),
        value.cast(pl.Float64).alias("value"),
    )


def column_findings(files: Mapping[tuple[str, str], int]) -> pl.DataFrame:
    """Return rows of the report on columns of files.

    Parameters
    ----------
    files : rule and name of a column -> number of files in which that was found: ``name_taken``,
        ``not_taken`` and ``unnamed_column`` are left out, ``unadjusted_close`` is noted.
    """
    rows = [
        {"field": column, "rule": rule, "action": _COLUMN_ACTIONS[rule], "value": float(count)}
        for (rule, column), count in files.items()
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def report(findings: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Join findings into one report, sorted by rule, asset, bar and field."""
    joined = pl.concat([pl.DataFrame(schema=SCHEMA), *findings])
    return joined.sort("rule", "asset", "bar_close", "field", "value", nulls_last=True)


def with_columns_counted(findings: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Join findings of several readings; the files in which a column was met are counted once."""
    joined = report(findings)
    is_column = pl.col("asset").is_null() & pl.col("bar_close").is_null()
    counted = joined.filter(is_column).group_by(
        "asset", "bar_close", "field", "rule", "action", maintain_order=True
    )
    return report([joined.filter(~is_column), counted.agg(pl.col("value").sum())])


def effects(quality: pl.DataFrame) -> pl.DataFrame:
    """Return the report with ``effect``: dropped (the row), changed (a value) or noted."""
    action = pl.col("action")
    is_changed = (action == "missing") | action.str.starts_with("kept_")
    effect = pl.when(action == "dropped").then(pl.lit("dropped"))
    return quality.with_columns(
        effect.when(is_changed).then(pl.lit("changed")).otherwise(pl.lit("noted")).alias("effect")
    )


def count_effects(quality: pl.DataFrame) -> dict[str, int]:
    """Return how many bars cleaning changed, how many rows it dropped, and what it only noted."""
    found = effects(quality)
    changed = found.filter(effect="changed").unique(["asset", "bar_close"]).height
    n_rows = pl.when(pl.col("rule") == "duplicate").then(pl.col("value")).otherwise(1.0)
    dropped = found.filter(effect="dropped").select(n_rows.sum()).item()
    noted = found.filter(pl.col("rule") != "no_asset", effect="noted").height  # they are gaps
    return {"changed": changed, "dropped": int(dropped), "noted": noted}


def large_losses(quality: pl.DataFrame, dataset: Dataset) -> list[str]:
    """Return sentences that warn of rows that were dropped in such numbers that data are lost.

    Parameters
    ----------
    quality : report of an ingest.
    dataset : what it gave.

    Returns
    -------
    One sentence if more than 5 % of the rows stand off the calendar, else none.
    """
    n_rows = dataset.n_rows + count_effects(quality)["dropped"]
    n_off = quality.filter(rule="off_calendar").height
    if n_off <= LARGE_LOSS * n_rows:
        return []
    grid = f"{dataset.calendar_name} {dataset.frequency}"
    text = (
        f"{dataset.name}: {n_off} of {n_rows} rows ({n_off / n_rows:.0%}) are no bar of the "
        f"calendar {grid} and are dropped; check the calendar, the time zone and time_label"
    )
    return [text]


def holes(quality: pl.DataFrame, dataset: Dataset) -> list[str]:
    """Return a sentence if no asset has a value on more than 10 % of a dataset's bars, else none.

    Parameters
    ----------
    quality : report of an ingest.
    dataset : what it gave.
    """
    empty = dict(quality.filter(rule="no_asset").select("field", "value").rows())
    if not empty:
        return []
    n_empty, n_weekend = sum(empty.values()), sum(empty.get(day, 0) for day in WEEKDAYS[5:])
    text = (
        f"{dataset.name}: no asset has a value on {n_empty / dataset.n_bars:.0%} of the bars of "
        f"{dataset.calendar_name} {dataset.frequency} ({n_empty:.0f} of {dataset.n_bars})"
    )
    if n_weekend > n_empty / 2:
        text += f", {n_weekend / n_empty:.0%} of them on Saturdays and Sundays"
    text += "; windows and horizons count these bars too; check the calendar"
    if n_weekend > n_empty / 2 and dataset.frequency == "1d":
        text += ": an exchange has its own, such as XNYS"
    return [text]


def unadjusted(quality: pl.DataFrame, dataset: Dataset) -> list[str]:
    """Return a sentence if a dataset holds a close and an adjusted one and nobody chose, else none.

    Parameters
    ----------
    quality : report of an ingest.
    dataset : what it gave.
    """
    columns = quality.filter(rule="unadjusted_close")["field"]
    if not columns.len():
        return []
    text = (
        f"{dataset.name}: returns are of close as it stands, not of adj_close; to take that, say "
        f"columns: {{close: {columns[0]!r}}} where the source is named, to keep close name its "
        "own column there"
    )
    return [text]


def summarise(quality: pl.DataFrame) -> pl.DataFrame:
    """Return rule, action, rows of the report, and assets concerned, most frequent first."""
    counts = quality.group_by("rule", "action").agg(
        pl.len().alias("count"), pl.col("asset").drop_nulls().n_unique().alias("assets")
    )
    return counts.sort("count", "rule", "action", descending=[True, False, False])

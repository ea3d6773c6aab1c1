"""Rules about rows: on the calendar, in order, each bar of an asset once."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, final

import polars as pl

from plumbline.core.calendar import Calendar
from plumbline.core.errors import SourceError
from plumbline.lake.quality import finding

_KEYS = ("asset", "bar_close")
_LISTED = 100  # bars that conflict; the others are counted
_CORRECTING = (
    "; to take the new values in place of those that are there, say so: corrects=True, or --correct"
)
_ADVICE = "; mend the files, or take one of the rows with the rule conflicts: first (or last)"


@final
class ConflictError(SourceError):
    """Rows of one bar and asset that differ.

    Parameters
    ----------
    rows : ``asset`` and ``bar_close`` of the bars that are listed, and ``fields``, the list of
        those that differ.
    texts : what the rows of each say.
    count : how many such bars there are.
    advice : what can be done.
    """

    def __init__(
        self, rows: pl.DataFrame, texts: Sequence[str], count: int, advice: str = _ADVICE
    ) -> None:
        self.rows = rows
        self.texts = tuple(texts)
        self.count = count
        self.advice = advice
        more = [f"{count - len(texts)} more bars like these"] if count > len(texts) else []
        problems = [*texts, *more]
        problems[-1] += advice
        super().__init__("bars that conflict", problems)

    def placed(self, places: Sequence[Sequence[str]]) -> "ConflictError":
        """Return the error with the places where the rows of each bar stand."""
        texts = [
            f"{text} ({'; '.join(found)})" if found else text
            for text, found in zip(self.texts, places, strict=True)
        ]
        return ConflictError(self.rows, texts, self.count, self.advice)


def strip_names(bars: pl.DataFrame, findings: list[pl.DataFrame]) -> pl.DataFrame:
    """Take white space off both ends of asset names; report each that had some, and its rows."""
    names = bars["asset"].unique()
    padded = names.filter(names.str.strip_chars() != names)
    if not padded.len():
        return bars
    stripped = pl.col("asset").str.strip_chars()
    rows = bars.filter(pl.col("asset").is_in(padded.implode())).group_by(
        "asset", maintain_order=True
    )
    counts = rows.agg(pl.col("bar_close").min(), pl.len().alias("rows")).with_columns(stripped)
    findings.append(finding(counts, "name_space", "stripped", None, pl.col("rows")))
    return bars.with_columns(stripped)


def stripped_names(bars: pl.DataFrame) -> pl.Series:
    """Return the asset names without white space around them, each once."""
    return bars["asset"].unique().str.strip_chars().unique()


def report_vanished(before: pl.Series, bars: pl.DataFrame, findings: list[pl.DataFrame]) -> None:
    """Report assets of which no value is left.

    Parameters
    ----------
    before : asset names of the input, each once.
    bars : what is left.
    findings : list that the report's rows are appended to.
    """
    gone = before.filter(~before.is_in(bars["asset"].unique().implode())).alias("asset")
    rows = gone.to_frame().with_columns(
        pl.lit(None, dtype=pl.Datetime("us", "UTC")).alias("bar_close")
    )
    if rows.height:
        findings.append(finding(rows, "no_value", "marked", None, pl.lit(0.0)))


def drop_off_calendar(
    bars: pl.DataFrame, calendar: Calendar, max_share: float, findings: list[pl.DataFrame]
) -> pl.DataFrame:
    """Drop rows whose time is no bar's close; refuse if they are more than a share of all.

    Raises
    ------
    SourceError
        If no row, or too few, stand on the grid.
    """
    _, on_grid = calendar.locate(bars["bar_close"].dt.replace_time_zone(None).to_numpy())
    off = bars.filter(pl.Series(~on_grid))
    if off.height > max_share * bars.height or off.height == bars.height:
        shown = ", ".join(_moment(time) for time in off["bar_close"].unique().sort().head(3))
        problem = (
            f"{off.height} of {bars.height} rows are no close of a bar of {calendar.frequency} on "
            f"the calendar {calendar.name}, such as {shown}; check "
            "the calendar, the time zone, and time_label (dates with a time of day that name "
            "sessions need time_label: session)"
        )
        raise SourceError("bars off the calendar", [problem])
    if not off.height:
        return bars
    findings.append(finding(off, "off_calendar", "dropped", None, pl.lit(1.0)))
    return bars.filter(pl.Series(on_grid))


def _moment(time: datetime) -> str:
    """Return a time for a message; the last microsecond of a day stands for a date, no session."""
    is_date = (time.hour, time.minute, time.second, time.microsecond) == (23, 59, 59, 999_999)
    return f"{time:%Y-%m-%d}" if is_date else f"{time:%Y-%m-%d %H:%M:%S} UTC"


def sort_rows(bars: pl.DataFrame, findings: list[pl.DataFrame]) -> pl.DataFrame:
    """Sort by asset, then bar, stably; report for each asset how many rows stood too late.

    The asset becomes an enumeration, so that later steps compare numbers and not text.
    """
    names = sorted(bars["asset"].unique().to_list())
    coded = bars.with_columns(pl.col("asset").cast(pl.Enum(names)))
    if _is_sorted(coded):
        return coded
    ordered = coded.sort(*_KEYS, maintain_order=True)
    late = (
        coded.lazy()
        .select(
            "asset",
            "bar_close",
            late=pl.col("bar_close") < pl.col("bar_close").shift(1).over("asset"),
        )
        .filter("late")
        .group_by("asset")
        .agg(pl.col("bar_close").first(), pl.len().alias("rows"))
        .collect()
    )
    if late.height:
        findings.append(finding(late, "unsorted", "sorted", None, pl.col("rows")))
    return ordered


def _is_sorted(bars: pl.DataFrame) -> bool:
    """Return whether rows stand in order of asset, then bar."""
    codes = bars["asset"].to_physical().to_numpy()
    stamps = bars["bar_close"].to_physical().to_numpy()
    is_next = (codes[1:] == codes[:-1]) & (stamps[1:] >= stamps[:-1])
    return bool(((codes[1:] > codes[:-1]) | is_next).all())


def merge_duplicates(
    bars: pl.DataFrame,
    conflicts: Literal["refuse", "first", "last"],
    findings: list[pl.DataFrame],
) -> pl.DataFrame:
    """Keep one row for each asset and bar.

    Rows that say the same are merged, and so are rows of files that hold different fields. Rows
    that differ, a missing value against a present one included, conflict.

    Raises
    ------
    ConflictError
        If rows conflict and ``conflicts`` is ``refuse``; the bars and values are listed.
    """
    same = (pl.col("asset") == pl.col("asset").shift(1)) & (
        pl.col("bar_close") == pl.col("bar_close").shift(1)
    )
    repeated = bars.filter((same | same.shift(-1)).fill_null(value=False))
    if not repeated.height:
        return bars
    fields = [name for name in bars.columns if name not in _KEYS]
    said = [pl.col(name).drop_nulls() for name in fields]
    groups = repeated.group_by(*_KEYS, maintain_order=True)
    differs = [s.n_unique().gt(1).alias(n) for n, s in zip(fields, said, strict=True)]
    spread = groups.agg(*differs, pl.len().alias("rows"))
    is_conflict = pl.any_horizontal(fields)
    clashing = spread.filter(is_conflict)
    if clashing.height and conflicts == "refuse":
        shown = clashing.head(_LISTED)
        raise ConflictError(_differing(shown), _listed(repeated, shown), clashing.height)
    _report_duplicates(repeated, spread, conflicts, findings)
    take = [s.last() if conflicts == "last" else s.first() for s in said]
    merged = groups.agg(*(t.alias(n) for n, t in zip(fields, take, strict=True)))
    once = bars.filter(~(same | same.shift(-1)).fill_null(value=False))
    return pl.concat([once, merged.select(once.columns)]).sort(*_KEYS)


def refuse_other_values(
    rows: pl.DataFrame, pairs: Mapping[str, tuple[str, str]], differs: Mapping[str, pl.Expr]
) -> None:
    """Refuse new values that differ from those that are there.

    Parameters
    ----------
    rows : ``asset``, ``bar_close`` and values.
    pairs : field -> columns of the new value and of the one that is there.
    differs : field -> whether they differ.

    Raises
    ------
    ConflictError
        If some differ; the bars and values are listed.
    """
    is_other = pl.any_horizontal(*differs.values()) if differs else pl.lit(value=False)
    clashing = rows.with_columns(e.alias(f"?{n}") for n, e in differs.items()).filter(is_other)
    if not clashing.height:
        return
    shown = clashing.sort(*_KEYS).head(_LISTED)
    texts, fields = [], []
    for row in shown.iter_rows(named=True):
        wrong = [name for name in pairs if row[f"?{name}"]]
        said = "; ".join(
            f"{name}: {_told(row[pairs[name][1]])} or {_told(row[pairs[name][0]])}"
            for name in wrong
        )
        at = _moment(row["bar_close"])
        texts.append(f"conflicting rows of {row['asset']}, bar closing {at}: {said}")
        fields.append(wrong)
    listed = shown.select(_KEYS).with_columns(pl.Series("fields", fields, pl.List(pl.String)))
    raise ConflictError(listed, texts, clashing.height, _CORRECTING)


def _told(value: float | None) -> str:
    return "nan" if value is None else str(value)


def _report_duplicates(
    repeated: pl.DataFrame, spread: pl.DataFrame, conflicts: str, findings: list[pl.DataFrame]
) -> None:
    fields = [name for name in repeated.columns if name not in _KEYS]
    overlaps = pl.max_horizontal(pl.col(name).count() for name in fields)
    rows = repeated.group_by(*_KEYS, maintain_order=True).agg(overlaps.alias("said"))
    spread = spread.with_columns(rows["said"])
    exact = spread.filter(~pl.any_horizontal(fields) & (pl.col("said") > 1))
    clashing = spread.filter(pl.any_horizontal(fields))
    extra = pl.col("said") - 1
    findings.append(finding(exact, "duplicate", "dropped", None, extra))
    findings.append(finding(clashing, "conflict", f"kept_{conflicts}", None, extra))


def _differing(clashing: pl.DataFrame) -> pl.DataFrame:
    fields = [name for name in clashing.columns if name not in (*_KEYS, "rows")]
    differ = [[name for name in fields if row[name]] for row in clashing.iter_rows(named=True)]
    return clashing.select(_KEYS).with_columns(pl.Series("fields", differ, pl.List(pl.String)))


def _listed(repeated: pl.DataFrame, clashing: pl.DataFrame) -> list[str]:
    fields = [name for name in repeated.columns if name not in _KEYS]
    problems = []
    for row in clashing.iter_rows(named=True):
        is_it = (pl.col("asset") == row["asset"]) & (pl.col("bar_close") == row["bar_close"])
        values = repeated.filter(is_it)
        said = "; ".join(f"{name}: {_alternatives(values[name])}" for name in fields if row[name])
        at = _moment(row["bar_close"])
        problems.append(f"conflicting rows of {row['asset']}, bar closing {at}: {said}")
    return problems


def _alternatives(values: pl.Series) -> str:
    return " or ".join(str(value) for value in values.drop_nulls().unique(maintain_order=True))


def drop_unsaid(bars: pl.DataFrame, findings: list[pl.DataFrame]) -> pl.DataFrame:
    """Turn NaN into null, and drop and report rows that hold no value at all."""
    fields = [name for name in bars.columns if name not in _KEYS]
    bars = bars.with_columns(pl.col(fields).fill_nan(None))
    is_empty = pl.all_horizontal(pl.col(name).is_null() for name in fields)
    empty = bars.filter(is_empty)
    if not empty.height:
        return bars
    findings.append(finding(empty, "empty_bar", "dropped", None, pl.lit(0.0)))
    return bars.filter(~is_empty)

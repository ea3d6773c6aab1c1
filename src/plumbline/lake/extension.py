"""A dataset with rows added: the parts around them are made anew, all others are shared."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from typing import Any, NamedTuple

import polars as pl

from plumbline.core.calendar import Calendar
from plumbline.core.errors import ParameterError, StaleVersionError
from plumbline.lake.cleaning import arranged
from plumbline.lake.cleaning_rules import CleaningRules
from plumbline.lake.dataset import Dataset
from plumbline.lake.differences import Read
from plumbline.lake.numbering import cut_by_part, row_numbers
from plumbline.lake.parts import Digests, Part, make_parts
from plumbline.lake.preparation import Made, assembled
from plumbline.lake.prepared import Rows, report_bytes
from plumbline.lake.quality import report, with_columns_counted
from plumbline.lake.revision import (
    CONTEXT,
    EVER,
    FIRST,
    HIGH,
    LAST,
    LOW,
    NEVER,
    Stretch,
    as_read,
    may_begin_earlier,
    revise,
    rows_around,
    spans_of,
    stretch_of,
    to_the_end,
)
from plumbline.lake.row_rules import report_vanished
from plumbline.lake.segments import Segment

_KEYS = ("asset", "bar_close")
_SCHEMA: dict[str, Any] = {"bar_close": pl.Datetime("us", "UTC"), "asset": pl.String}
_MOST_SEGMENTS = 32  # of a part; when it would be one more, it is written as one


class Base(NamedTuple):
    """What rows are added to.

    Parameters
    ----------
    dataset : its newest version.
    quality : its quality report.
    read : reads its rows.
    segments : part_id -> the files that hold it.
    """

    dataset: Dataset
    quality: pl.DataFrame
    read: Read
    segments: Callable[[Sequence[str]], Mapping[str, tuple[Segment, ...]]]


def only_adds(base: Base, new: pl.DataFrame) -> bool:
    """Return whether all rows of each asset lie behind those that are there of it."""
    starts = dict(new.group_by("asset").agg(pl.col("bar_close").min()).iter_rows())
    for part in reversed(base.dataset.parts):
        there = starts.keys() & set(part.assets)
        if there:
            own = base.read(part.number).filter(pl.col("asset").is_in(sorted(there)))
            last = own.group_by("asset").agg(pl.col("bar_close").max())
            if any(starts.pop(asset) <= close for asset, close in last.iter_rows()):
                return False
        if not starts:
            break
    return True


def arranged_rows(
    frames: Sequence[pl.DataFrame],
    how: tuple[CleaningRules, Calendar],
    findings: list[pl.DataFrame],
) -> pl.DataFrame:
    """Return rows as a source gives them on the grid, sorted, each bar of an asset once."""
    rows = arranged(pl.concat(frames, how="diagonal"), *how, findings)
    return rows.with_columns(pl.col("asset").cast(pl.String))


def extend(
    base: Base,
    new: pl.DataFrame,
    findings: Sequence[pl.DataFrame],
    how: tuple[CleaningRules, Calendar],
    *,
    corrects: bool,
) -> Made:
    """Return the dataset that cleaning its rows and new ones together would have given.

    Rows that are there already change nothing, the report included.

    Parameters
    ----------
    base : what is there.
    new : arranged rows.
    findings : what reading and arranging them found.
    how : rules and calendar, those that the base was cleaned by.
    corrects : whether a new value takes the place of another; else they conflict.

    Raises
    ------
    ConflictError
        If rows differ from those that are there, and do not correct them.
    ParameterError
        If an asset whose end was cut off as frozen gets rows: what was cut is not kept. If another
        field than before would tell frozen ends, for all assets.

    Notes
    -----
    Cost: that of the parts which hold the rows around the new ones, whatever the dataset's size.
    """
    rules, calendar = how
    fields = sorted({*base.dataset.fields, *new.columns} - {*_KEYS})
    _refuse_thawed(base.quality, new, rules)
    _refuse_other_volume(base.dataset.fields, fields, rules)
    quality = with_columns_counted([base.quality, *findings])
    n_around = rows_around(rules)
    held, stretch = _looked_at(base, spans_of(new, base.quality), n_around)
    revision = revise(stretch, new, quality, how, corrects=corrects)
    while may_begin_earlier(stretch, revision.quality):
        n_around *= 8
        held, stretch = _looked_at(base, spans_of(new, base.quality), n_around)
        revision = revise(stretch, new, quality, how, corrects=corrects)
    looked_at = stretch.rows.filter(~pl.col(CONTEXT))
    before = _shaped(held.rows.join(looked_at, on=_KEYS, how="semi"), fields)
    after = _shaped(revision.rows, fields)
    gone, came = _others(before, after), _others(after, before)
    if not gone.height and not came.height and fields == list(base.dataset.fields):
        return Made(base.dataset, Rows({}), report_bytes(base.quality))
    dataset, rows = _revised(base, gone, came, calendar)
    added = [new["asset"], *(found["asset"].drop_nulls() for found in findings)]
    told = _vanished(revision.quality, pl.concat(added), dataset.assets)
    return Made(dataset, rows, report_bytes(told))


def _vanished(quality: pl.DataFrame, added: pl.Series, left: Sequence[str]) -> pl.DataFrame:
    """Return a report that names the assets, and no others, of which no value is left."""
    rule = pl.col("rule")
    known = quality.filter(rule="no_value")["asset"]
    told: list[pl.DataFrame] = []
    report_vanished(pl.concat([known, added]).unique(), pl.DataFrame({"asset": left}), told)
    return report([quality.filter(rule != "no_value"), *told])


def _refuse_thawed(quality: pl.DataFrame, new: pl.DataFrame, rules: CleaningRules) -> None:
    if rules.frozen != "missing":
        return
    cut = quality.filter(rule="frozen_tail")["asset"].unique().implode()
    thawed = new.filter(pl.col("asset").is_in(cut))["asset"].unique().sort()
    if thawed.len():
        raise ParameterError(
            f"the frozen ends of {', '.join(thawed)} were cut off by the rule frozen: missing, and "
            "now there are rows behind them: ingest the whole source, which has what was cut"
        )


def _refuse_other_volume(before: Sequence[str], after: Sequence[str], rules: CleaningRules) -> None:
    old, new = (next((v for v in rules.volumes if v in fields), None) for fields in (before, after))
    if rules.frozen != "off" and old is not None and old != new:
        raise ParameterError(
            f"frozen ends were told by {old!r} and would now be told by {new!r}, for every asset: "
            f"ingest the whole source, or name {old!r} first in the rule volumes"
        )


def _shaped(rows: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
    missing = [pl.lit(None, pl.Float64).alias(n) for n in fields if n not in rows.columns]
    return rows.with_columns(missing).select("bar_close", "asset", *fields)


def _others(rows: pl.DataFrame, than: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that are not among others, bit for bit."""
    return rows.join(than, on=rows.columns, how="anti", nulls_equal=True, maintain_order="left")


def _looked_at(base: Base, spans: pl.DataFrame, n_around: int) -> "tuple[_Held, Stretch]":
    """Read what spans concern; a frozen tail that begins among it is taken in whole."""
    while True:
        held = _held(base, spans, n_around)
        raw = as_read(held.rows, base.quality, held.reach)
        stretch = stretch_of(raw, spans, held.ends, n_around)
        wider = to_the_end(spans, stretch, base.quality)
        if wider.equals(spans):
            return held, stretch
        spans = wider


class _Held(NamedTuple):
    """Rows of some assets.

    Parameters
    ----------
    rows : clean rows, whole parts of them.
    ends : assets whose first row is among them, assets whose last row is.
    reach : ``asset``, ``FIRST``, ``LAST``: closes between which no row of an asset is left out.
    """

    rows: pl.DataFrame
    ends: tuple[set[str], set[str]]
    reach: pl.DataFrame


def _held(base: Base, spans: pl.DataFrame, n_around: int) -> _Held:
    """Read the rows of spans, and at least ``n_around`` before and behind them if there are any."""
    dataset = base.dataset
    parts = dataset.parts
    firsts, lasts = (
        [dataset.closes(bar, bar)[0].item().replace(tzinfo=UTC) for bar in bars]
        for bars in ((p.first_bar for p in parts), (p.last_bar for p in parts))
    )
    places = _places(parts, spans["asset"].to_list())
    wanted = {
        asset: (
            bisect_left(places[asset], low, key=lasts.__getitem__),
            bisect_right(places[asset], high, key=firsts.__getitem__),
        )
        for asset, low, high in spans.iter_rows()
    }
    rows = _rows_of(base, places, wanted)
    while _reach_out(rows, spans, places, wanted, n_around):
        rows = _rows_of(base, places, wanted)
    begins = {asset for asset, (start, _) in wanted.items() if start == 0}
    stops = {asset for asset, (_, stop) in wanted.items() if stop == len(places[asset])}
    reach = [
        (
            asset,
            None if asset in begins else lasts[places[asset][start] - 1],
            None if asset in stops else firsts[places[asset][stop - 1] + 1],
        )
        for asset, (start, stop) in wanted.items()
    ]
    moment = pl.Datetime("us", "UTC")
    schema: dict[str, Any] = {"asset": pl.String, FIRST: moment, LAST: moment}
    table = pl.DataFrame(reach, schema=schema, orient="row").with_columns(
        pl.col(FIRST).fill_null(NEVER), pl.col(LAST).fill_null(EVER)
    )
    return _Held(rows, (begins, stops), table)


def _places(parts: Sequence[Part], assets: Sequence[str]) -> dict[str, list[int]]:
    """Return for each asset the places of the parts that hold it."""
    places: dict[str, list[int]] = {asset: [] for asset in assets}
    for i, part in enumerate(parts):
        for asset in places.keys() & set(part.assets):
            places[asset].append(i)
    return places


def _rows_of(
    base: Base, places: Mapping[str, list[int]], wanted: Mapping[str, tuple[int, int]]
) -> pl.DataFrame:
    """Return the rows of each asset in the parts that are wanted of it, in no order."""
    assets_of: dict[int, list[str]] = {}
    for asset, (start, stop) in wanted.items():
        for place in places[asset][start:stop]:
            assets_of.setdefault(place, []).append(asset)
    frames = [_shaped(pl.DataFrame(schema=_SCHEMA), base.dataset.fields)]
    for place, assets in assets_of.items():
        rows = base.read(base.dataset.parts[place].number)
        frames.append(rows.filter(pl.col("asset").is_in(assets)))
    return pl.concat(frames, how="diagonal")


def _reach_out(
    rows: pl.DataFrame,
    spans: pl.DataFrame,
    places: Mapping[str, list[int]],
    wanted: dict[str, tuple[int, int]],
    n_around: int,
) -> bool:
    """Want a part more on each side on which an asset has too few rows, if there is one."""
    close = pl.col("bar_close")
    counts = (
        spans.join(rows, on="asset", how="left")
        .group_by("asset")
        .agg((close < pl.col(LOW)).sum().alias("n_before"), (close > pl.col(HIGH)).sum())
    )
    before = dict(wanted)
    for asset, n_before, n_behind in counts.iter_rows():
        start, stop = wanted[asset]
        start -= start > 0 and n_before < n_around
        stop += stop < len(places[asset]) and n_behind < n_around
        wanted[asset] = (start, stop)
    return wanted != before


def _revised(
    base: Base, gone: pl.DataFrame, came: pl.DataFrame, calendar: Calendar
) -> tuple[Dataset, Rows]:
    """Return the dataset with rows taken away and added, and what has to be written of it."""
    dataset = base.dataset
    parts = {part.number: part for part in dataset.parts}
    taken, added = (_by_part(rows, calendar) for rows in (gone, came))
    touched = sorted({*taken, *added})
    wanted = [parts[number].part_id for number in touched if number in parts]
    held = base.segments(wanted)
    if not held.keys() >= set(wanted):
        raise StaleVersionError(f"parts of {dataset.name!r} were taken away by another process")
    fresh: dict[str, Digests] = {}
    by_part, kept = {}, {}
    for number in touched:
        old = parts.pop(number, None)
        rows = added.get(number, came.head(0))
        if old is not None:
            there = _shaped(base.read(number), came.columns[2:])
            if number in taken:
                there = there.join(taken[number], on=_KEYS, how="anti")
            rows = pl.concat([there, rows]).sort("asset", "bar_close")
        if not rows.height:
            continue
        ((part, digests),) = make_parts(rows, dataset.grid, row_numbers(rows, calendar)).items()
        parts[number], fresh[part.part_id] = part, digests
        files = () if old is None else held[old.part_id]
        is_whole = number in taken or len(files) >= _MOST_SEGMENTS
        by_part[number] = rows if is_whole else added[number]
        kept[number] = () if is_whole else files
    if not parts:
        raise ParameterError("these rows would leave no value in the data set")
    return _joined(base, parts, came.columns[2:], fresh, calendar), Rows(by_part, kept)


def _by_part(rows: pl.DataFrame, calendar: Calendar) -> dict[int, pl.DataFrame]:
    if not rows.height:
        return {}
    return cut_by_part(rows, row_numbers(rows, calendar), calendar.frequency)


def _joined(
    base: Base,
    parts: Mapping[int, Part],
    fields: Sequence[str],
    fresh: Mapping[str, Digests],
    calendar: Calendar,
) -> Dataset:
    old = base.dataset

    def digests_of(wanted: Sequence[str]) -> dict[str, Digests]:
        own = {part_id: fresh[part_id] for part_id in wanted if part_id in fresh}
        return own | dict(old.digests_of([part_id for part_id in wanted if part_id not in own]))

    ordered = tuple(parts[number] for number in sorted(parts))
    assets = tuple(sorted({asset for part in ordered for asset in part.assets}))
    return assembled(calendar, (tuple(fields), assets), ordered, digests_of)

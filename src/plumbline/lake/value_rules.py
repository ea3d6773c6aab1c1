"""Rules about values: signs, wrong ticks, impossible bars, frozen tails, and gaps."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import polars as pl

from plumbline.core.calendar import Calendar
from plumbline.lake.dataset import LARGE_HOLES
from plumbline.lake.numbering import row_numbers
from plumbline.lake.quality import WEEKDAYS, finding

Findings = list[pl.DataFrame]
_LARGEST = 1e50
_ROUNDING = 1e-9  # share by which a quotient and a difference of logarithms may differ


def drop_infinite(bars: pl.DataFrame, fields: Sequence[str], findings: Findings) -> pl.DataFrame:
    """Make infinite values missing."""
    for name in fields:
        bars = _blank(bars, name, pl.col(name).is_infinite(), "non_finite", findings)
    return bars


def drop_out_of_range(
    bars: pl.DataFrame, prices: Sequence[str], volumes: Sequence[str], findings: Findings
) -> pl.DataFrame:
    """Make prices beyond 1e-50 … 1e50, and volumes above 1e50, missing.

    No market has such a value, and a return over two of them has a square that is no float64.
    """
    for name in [*prices, *volumes]:
        size = pl.col(name).abs()
        is_bad = size > _LARGEST
        if name in prices:
            is_bad |= (size > 0) & (size < 1 / _LARGEST)
        bars = _blank(bars, name, is_bad, "out_of_range", findings)
    return bars


def drop_nonpositive_prices(
    bars: pl.DataFrame, prices: Sequence[str], findings: Findings
) -> pl.DataFrame:
    """Make prices of 0 or less missing."""
    for name in prices:
        bars = _blank(bars, name, pl.col(name) <= 0, "non_positive_price", findings)
    return bars


def drop_negative_volumes(
    bars: pl.DataFrame, volumes: Sequence[str], findings: Findings
) -> pl.DataFrame:
    """Make volumes below 0 missing."""
    for name in volumes:
        bars = _blank(bars, name, pl.col(name) < 0, "negative_volume", findings)
    return bars


def _blank(
    bars: pl.DataFrame, name: str, is_bad: pl.Expr, rule: str, findings: Findings
) -> pl.DataFrame:
    bad = bars.filter(is_bad)
    if not bad.height:
        return bars
    findings.append(finding(bad, rule, "missing", name, pl.col(name)))
    return bars.with_columns(pl.when(~is_bad).then(name).alias(name))


def find_outliers(
    bars: pl.DataFrame,
    prices: Sequence[str],
    tolerance: float,
    action: Literal["missing", "flag"],
    findings: Findings,
) -> pl.DataFrame:
    """Find prices that jump by a factor of 10 or 100, either way, and are back one bar later.

    A price v between p and n, the same field's values on the asset's rows before and after, is
    an outlier if v/p and v/n both lie within a factor ``1 + tolerance`` of the same 10 or 100 (or
    1/10, 1/100). Both neighbours are read, so the finding is known one bar late.

    Parameters
    ----------
    bars : sorted rows.
    prices : fields that are prices, each looked at by itself.
    tolerance : share of the price.
    action : ``missing`` blanks all prices of the bar, ``flag`` only reports.
    findings : list that the report's rows are appended to.
    """
    hits = {name: _outlier_mask(bars, name, tolerance) for name in prices}
    if not any(mask.any() for mask in hits.values()):
        return bars
    for name, mask in hits.items():
        rows = bars.filter(pl.Series(mask))
        done = "missing" if action == "missing" else "flagged"
        findings.append(finding(rows, "outlier", done, name, pl.col(name)))
    return _without_prices(bars, prices, hits, findings) if action == "missing" else bars


def _outlier_mask(bars: pl.DataFrame, name: str, tolerance: float) -> np.ndarray:
    values = bars[name].to_numpy()
    mask = np.zeros(values.size, dtype=bool)
    if values.size < 3:
        return mask
    nearness = np.log10(1 + tolerance)
    with np.errstate(divide="ignore", invalid="ignore"):  # a price of 0 or less has no scale
        jump = values[1:-1] / values[:-2]
        least = 10 ** (1 - nearness) * (1 - _ROUNDING)
        at = np.flatnonzero((jump >= least) | (jump <= 1 / least)) + 1  # rare, and logarithms cost
        before, here, after = (np.log10(values[at + shift]) for shift in (-1, 0, 1))
        up, down = here - before, here - after
        factor = np.rint(up)
        to_factor = np.maximum(np.abs(up - factor), np.abs(down - factor))
    codes = bars["asset"].to_physical().to_numpy()
    is_same_asset = codes[at - 1] == codes[at + 1]
    is_factor = (np.abs(factor) == 1) | (np.abs(factor) == 2)
    mask[at] = is_same_asset & is_factor & (to_factor <= nearness)
    return mask


def check_ohlc(
    bars: pl.DataFrame,
    prices: Sequence[str],
    action: Literal["flag", "missing", "off"],
    findings: Findings,
) -> pl.DataFrame:
    """Find bars whose high is below, or whose low is above, another price of the bar."""
    others = [name for name in ("open", "high", "low", "close") if name in prices]
    if len(others) < 2 or not {"high", "low"} & set(others):
        return bars
    done = "missing" if action == "missing" else "flagged"
    hits: dict[str, np.ndarray] = {}
    bounds = (("high", pl.max_horizontal(others)), ("low", pl.min_horizontal(others)))
    for name, bound in bounds:
        if name not in others:
            continue
        mask = bars.select((pl.col(name) != bound).fill_null(value=False)).to_series().to_numpy()
        findings.append(finding(bars.filter(pl.Series(mask)), "ohlc", done, name, pl.col(name)))
        hits[name] = mask
    return _without_prices(bars, prices, hits, findings) if action == "missing" else bars


def _without_prices(
    bars: pl.DataFrame, prices: Sequence[str], hits: Mapping[str, np.ndarray], findings: Findings
) -> pl.DataFrame:
    """Blank all prices of the bars in which one is wrong; report those that are not wrong too."""
    is_wrong = np.logical_or.reduce(list(hits.values()))
    rows = bars.filter(pl.Series(is_wrong))
    for name in prices:
        itself = hits[name][is_wrong] if name in hits else np.zeros(rows.height, dtype=bool)
        others = rows.filter(pl.Series(~itself) & rows[name].is_not_null())
        findings.append(finding(others, "same_bar", "missing", name, pl.col(name)))
    keep = pl.lit(pl.Series(~is_wrong))
    return bars.with_columns(pl.when(keep).then(name).alias(name) for name in prices)


def find_frozen_tails(
    bars: pl.DataFrame,
    volume: str,
    n_bars: int,
    action: Literal["flag", "missing", "off"],
    findings: Findings,
) -> pl.DataFrame:
    """Find rows at an asset's end, ``n_bars`` or more, with an unchanged close and no volume.

    One row of the report stands at the first frozen bar, with the length of the tail as value.
    """
    close, traded = bars["close"].to_numpy(), bars[volume].to_numpy()
    codes = bars["asset"].to_physical().to_numpy()
    is_frozen = np.zeros(bars.height, dtype=bool)
    is_frozen[1:] = (close[1:] == close[:-1]) & (traded[1:] == 0) & (codes[1:] == codes[:-1])
    last = np.append(np.flatnonzero(codes[1:] != codes[:-1]), bars.height - 1)
    moving = np.maximum.accumulate(np.where(is_frozen, -1, np.arange(bars.height)))
    length = last - moving[last]
    is_long = length >= n_bars
    if not is_long.any():
        return bars
    starts = last[is_long] - length[is_long] + 1
    rows = bars[starts].with_columns(pl.Series("tail", length[is_long]))
    done = "missing" if action == "missing" else "flagged"
    findings.append(finding(rows, "frozen_tail", done, None, pl.col("tail")))
    if action != "missing":
        return bars
    dead = np.zeros(bars.height + 1, dtype=np.int64)
    np.add.at(dead, starts, 1)
    np.add.at(dead, last[is_long] + 1, -1)
    alive = pl.lit(pl.Series(np.cumsum(dead)[:-1] == 0))
    fields = [name for name in bars.columns if name not in ("asset", "bar_close")]
    return bars.with_columns(pl.when(alive).then(name).alias(name) for name in fields)


def find_gaps(bars: pl.DataFrame, calendar: Calendar, findings: Findings) -> None:
    """Report grid bars that are missing inside an asset's own span; nothing is filled.

    One row a run of missing bars, at its first one, with its length as value.
    """
    numbers = row_numbers(bars, calendar)
    codes = bars["asset"].to_physical().to_numpy()
    jump = np.diff(numbers)
    at = np.flatnonzero((jump > 1) & (codes[1:] == codes[:-1]))
    if not at.size:
        return
    first, last = int(numbers.min()), int(numbers.max())
    grid = calendar.closes(first, last)
    starts = pl.Series(grid[numbers[at] + 1 - first]).dt.replace_time_zone("UTC")
    runs = pl.DataFrame(
        {"asset": bars["asset"].gather(at), "bar_close": starts, "missing": jump[at] - 1}
    )
    findings.append(finding(runs, "gap", "marked", None, pl.col("missing")))


def find_empty_bars(bars: pl.DataFrame, calendar: Calendar, findings: Findings) -> None:
    """Report on how many bars no asset has a value, by weekday, if they are over a tenth of all."""
    if not bars.height:
        return
    numbers = row_numbers(bars, calendar)
    first, last = int(numbers.min()), int(numbers.max())
    is_empty = np.ones(last - first + 1, dtype=bool)
    is_empty[numbers - first] = False
    if is_empty.sum() <= LARGE_HOLES * is_empty.size:
        return
    empty = calendar.closes(first, last)[is_empty]
    stamps = pl.Series("bar_close", empty).dt.replace_time_zone("UTC").to_frame()
    day = (pl.col("bar_close") - pl.duration(microseconds=1)).dt.weekday()
    counts = stamps.group_by(day.alias("day"), maintain_order=True).agg(
        pl.col("bar_close").first(), pl.len().alias("n")
    )
    for row in counts.iter_slices(1):
        named = row.with_columns(pl.lit(None, pl.String).alias("asset"))
        weekday = WEEKDAYS[row["day"][0] - 1]
        findings.append(finding(named, "no_asset", "marked", weekday, pl.col("n")))

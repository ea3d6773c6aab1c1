"""Pieces that every part of a page is made of: figures, panels, conventions."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, final

import polars as pl

from plumbline.report.markup import Html, join, tag
from plumbline.report.study import StudyResults
from plumbline.report.values import epoch_seconds, finite_column
from plumbline.report.verdict import signal_colour


@final
class Section(NamedTuple):
    """A part of the page: anchor, name in the table of contents, heading and content."""

    anchor: str
    title: str
    heading: str
    body: Html


KEYS: Final = {
    "summary": (
        *(
            "summary",
            "forward_return",
            "rank_ic",
            "mean_ic",
            "sd_ic",
            "icir",
            "t_hac",
            "p_value",
            "critical_5pct",
        ),
        *("lag_bars", "n_bars", "mean_n_assets", "hit_rate"),
    ),
    "pearson": ("pearson",),
    "ic_rolling": ("ic_rolling",),
    "ic": ("ic", "pearson_ic"),
    "ic_histogram": ("ic_histogram",),
    "ic_by_year": ("ic_by_year",),
    "ic_by_month": ("ic_by_month",),
    "decay": ("decay", "lower", "upper"),
    "bootstrap": ("bootstrap", "level", "block_bars", "n_resamples"),
    "quantiles": ("quantiles", "quantile", "mean_return", "mean_return_demeaned"),
    "quantile_history": ("quantile_history", "cumulative_return"),
    "spread": (
        *("spread", "gross_return", "cost", "net_return", "turnover"),
        *("gross_cumulative", "net_cumulative"),
    ),
    "drawdown": ("drawdown",),
    "spread_summary": (
        *("spread_summary", "gross_annual", "cost_annual", "net_annual", "volatility_annual"),
        *("sharpe_net", "max_drawdown", "mean_turnover"),
    ),
    "turnover": ("mean_turnover",),
    "rank_autocorrelation": ("rank_autocorrelation", "mean_autocorrelation"),
    "ic_by_sector": ("ic_by_sector",),
    "ic_by_regime": ("ic_by_regime",),
    "capacity": ("capacity", "impact_annual", "participation", "capital_usd"),
    "null_suite": ("null_suite", "random_ranks", "permuted_assets", "block_shuffled"),
    "breaks": ("breaks", "statistic"),
    "signal_correlation": ("signal_correlation", "mean_rank_correlation"),
    "factor_fit": ("factor_fit", "mean_r2", "mean_beta", "mean_n_obs", "n_assets"),
    "exposures": ("exposures",),
    "portfolio_exposures": ("portfolio_exposures", "stderr"),
    "risk": ("risk",),
    "regimes": ("regimes",),
    "regime_summary": ("regime_summary",),
    "coverage": ("coverage", "n_assets_priced"),
    "uncomputed": ("uncomputed", "neutralisation"),
    "universe": ("universe",),
    "quality": ("quality",),
    "quality_examples": ("quality_examples",),
}
"""Part of the page to the keys of ``conventions`` that are shown beside it."""


def convention(results: StudyResults, part: str) -> Html:
    """Return the conventions of a part of the page; says so if none is stated."""
    given = [(key, results.conventions[key]) for key in KEYS[part] if key in results.conventions]
    if not given:
        return tag("p", "Convention: not stated.", class_="convention")
    named = [
        tag("span", text) if key == part else tag("span", tag("code", key), " ", text)
        for key, text in given
    ]
    return tag("p", join(named, " "), class_="convention")


def figure(title: str, body: Html, caption: str, stated: Html) -> Html:
    """Return a figure: content, caption with units, convention; a heading if the part has more."""
    words = tag("figcaption", tag("p", caption), stated)
    return tag("figure", tag("h3", title) if title else Html(), body, words)


def unavailable(results: StudyResults, part: str, signal: str | None = None) -> Html:
    """Return the line that stands where a figure cannot be drawn."""
    return tag("p", f"Not available: {results.reason(part, signal)}.", class_="unavailable")


def panels(drawn: Sequence[tuple[str, Html]]) -> Html:
    """Return one panel for each signal, side by side where there is room."""
    boxes = []
    for index, (name, content) in enumerate(drawn):
        swatch = tag("i", class_="solid", style=f"color:var({signal_colour(index)})")
        boxes.append(tag("div", tag("p", swatch, name, class_="name"), content, class_="panel"))
    return tag("div", *boxes, class_="panels")


def by_signal(results: StudyResults, part: str, draw: Callable[[str, str], Html]) -> Html:
    """Return a panel for each signal, drawn from its name and colour; nothing drawn says why."""
    drawn = [
        (name, draw(name, signal_colour(index)) or unavailable(results, part, name))
        for index, name in enumerate(results.signals)
    ]
    return panels(drawn) if drawn else unavailable(results, part)


def by_bar(frame: pl.DataFrame, column: str) -> dict[int, float | None]:
    """Return a column by close time, seconds since 1970 UTC; empty if it is not there."""
    if not frame.height or column not in frame.columns:
        return {}
    timed = frame.filter(pl.col("bar_close").is_not_null())
    return dict(zip(epoch_seconds(timed), finite_column(timed, column), strict=True))

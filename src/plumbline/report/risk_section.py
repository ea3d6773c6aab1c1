"""The part of the factor-research page on exposures, and where the risk of the universe is from."""

from typing import Final

import polars as pl

from plumbline.factors.risk_decomposition import SPECIFIC, TOTAL
from plumbline.report.markup import Html, join, tag
from plumbline.report.parts import Section, convention, figure, unavailable
from plumbline.report.risk_figures import Spread, row_bars, row_spreads
from plumbline.report.study import StudyResults
from plumbline.report.tables import Column, Row, table
from plumbline.report.timeplot import TimeAxis
from plumbline.report.values import COUNT, PERCENT, RATIO, dates, finite, number_text, with_unit

_SHOWN: Final = 40  # assets; the twin has all
_VOLATILITY: Final = PERCENT._replace(digits=2)  # parts are small beside the total
_PARTS: Final = ("lowest", "lower_quartile", "median", "upper_quartile", "highest")


def risk_section(results: StudyResults, axis: TimeAxis) -> Section:
    """Return exposures with their t and spread, and the decomposition of risk."""
    del axis  # every section is called alike
    body = join([_exposures(results), _risk(results), _by_asset(results)])
    return Section("risk", "Risk", "Exposures and risk", body)


def _exposures(results: StudyResults) -> Html:
    frame = results.tables["portfolio_exposures"]
    columns = (
        Column("Factor", "factor"),
        Column("Exposure", "exposure", RATIO),
        Column("Std. error", "stderr", RATIO._replace(digits=3)),
        Column("t", "t", RATIO),
        Column("Lowest", "lowest", RATIO),
        Column("Lower quartile", "lower_quartile", RATIO),
        Column("Median", "median", RATIO),
        Column("Upper quartile", "upper_quartile", RATIO),
        Column("Highest", "highest", RATIO),
        Column("Assets", "n_assets", COUNT),
    )
    body = unavailable(results, "portfolio_exposures")
    if frame.height:
        rows = frame.to_dicts()
        reason = results.unavailable.get("portfolio_exposures", "")
        numbers = table("Exposure of the universe to each factor", columns, {"": rows}, reason)
        spreads = [
            Spread(
                str(row["factor"]),
                finite(row["exposure"]),
                tuple(finite(row[part]) for part in _PARTS),
            )
            for row in rows
        ]
        drawn = row_spreads("Exposures", "beta, no unit", spreads)
        body = join([drawn and tag("div", drawn, class_="by-row"), numbers])
    caption = (
        f"Exposure of the equal-weighted universe to each factor{_moment(frame)} (dot), and its "
        "assets' betas: quartiles (box), median (line), lowest and highest (whiskers). No unit."
    )
    stated = convention(results, "portfolio_exposures")
    return figure("Exposures of the universe", body, caption, stated)


def _risk(results: StudyResults) -> Html:
    frame = results.tables["risk"]
    columns = (
        Column("Source", "source"),
        Column("Share of variance", "share", PERCENT),
        Column("Contribution", "contribution_annual", _VOLATILITY),
        Column("Exposure", "exposure", RATIO),
        Column("Marginal volatility", "marginal_annual", _VOLATILITY),
    )
    body = unavailable(results, "risk")
    caption = (
        f"Where the risk of the equal-weighted universe{_moment(frame)} comes from: shares of the "
        "variance (bars), and contributions to the volatility of a year, which is the total."
    )
    if frame.height:
        rows = [_without_own(row) for row in frame.to_dicts()]
        shares = {
            str(row["source"]): finite(row["share"])
            for row in frame.to_dicts()
            if row["source"] != TOTAL
        }
        drawn = row_bars("Share of variance", "share of variance, %", shares, PERCENT)
        reason = results.unavailable.get("risk", "")
        numbers = table("Risk of the universe by source", columns, {"": rows}, reason)
        body = join(
            [
                tag("div", drawn, class_="by-row") if drawn else unavailable(results, "risk"),
                numbers,
            ]
        )
        caption += _covered(frame)
    return figure("Risk by source", body, caption, convention(results, "risk"))


def _without_own(row: dict[str, object]) -> Row:
    """Return a row whose cells are blank that its source does not have."""
    if row["source"] not in {SPECIFIC, TOTAL}:
        return row
    return row | {"exposure": Html(), "marginal_annual": Html()}


def _covered(frame: pl.DataFrame) -> str:
    """Return how many assets the decomposition holds, and their weight."""
    row = frame.row(0, named=True)
    n_assets = number_text(finite(row["n_assets"]), COUNT)
    weight = with_unit(finite(row["weight_covered"]), PERCENT)
    return f" It holds {n_assets} assets with betas and residuals, {weight} of the weight."


def _by_asset(results: StudyResults) -> Html:
    """Return the beta of each asset to each factor with its t, folded."""
    frame = results.tables["exposures"]
    stated = convention(results, "exposures")
    if not frame.height:
        body = unavailable(results, "exposures")
        return figure(
            "Exposures by asset", body, "Betas of the assets at the last bar, no unit.", stated
        )
    factors = [str(name) for name in frame["factor"].unique(maintain_order=True)]
    assets = frame["asset"].unique(maintain_order=True).to_list()
    columns = [Column("Asset", "asset")]
    for place, name in enumerate(factors):
        columns += [Column(name, f"beta{place}", RATIO), Column("t", f"t{place}", RATIO)]
    cells = {(row["asset"], row["factor"]): row for row in frame.to_dicts()}
    rows = [
        {"asset": asset}
        | {
            f"{key}{place}": cells.get((asset, name), {}).get(key)
            for place, name in enumerate(factors)
            for key in ("beta", "t")
        }
        for asset in assets[:_SHOWN]
    ]
    reason = results.unavailable.get("exposures", "")
    numbers = table("Beta of each asset to each factor", columns, {"": rows}, reason)
    told = f"{len(assets):,} assets"
    if len(assets) > _SHOWN:
        told = f"The first {_SHOWN} of {told}"
    body = tag("details", tag("summary", told), numbers)
    caption = f"Beta of each asset to each factor{_moment(frame)} and its t. No unit."
    if len(assets) > _SHOWN:
        caption += " The JSON twin has all assets."
    return figure("Exposures by asset", body, caption, stated)


def _moment(frame: pl.DataFrame) -> str:
    """Return the day of the last bar for a caption; empty if the table does not tell it."""
    if not frame.height:
        return ""
    day = dates(frame["bar_close"])[0]
    return f" on {day}" if day else ""

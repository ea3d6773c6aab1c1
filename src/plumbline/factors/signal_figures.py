"""What an evaluation says of one signal at a time: groups, turnover, spread and its trades."""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from plumbline.factors.capacity import Impact, ImpactBars, capacity_table, square_root_impact
from plumbline.factors.figure_panel import BarFigures
from plumbline.factors.history import spread_history
from plumbline.factors.options import EvaluationOptions
from plumbline.factors.quantile_history import (
    QuantileHistory,
    quantile_history,
    quantile_history_table,
)
from plumbline.factors.quantiles import (
    GroupReturns,
    QuantileReturns,
    quantile_returns,
    quantile_table,
)
from plumbline.factors.spread import (
    SpreadBars,
    SpreadReturns,
    SpreadSummary,
    spread_returns,
    spread_summary,
    spread_summary_table,
    spread_table,
)
from plumbline.factors.tables import Axes
from plumbline.factors.turnover import (
    Autocorrelation,
    GroupMembers,
    Turnover,
    autocorrelation_table,
    quantile_turnover,
    rank_autocorrelation,
    turnover_table,
)


class SignalFigures(NamedTuple):
    """Figures of one signal over all bars."""

    quantiles: QuantileReturns
    history: QuantileHistory
    turnover: Turnover
    autocorrelation: Autocorrelation
    spread: SpreadReturns
    summary: SpreadSummary
    impact: Impact


def signal_figures(bars: BarFigures, options: EvaluationOptions) -> SignalFigures:
    """Return what the figures of all bars come to."""
    has_book = bars.has_book > 0
    spread = spread_returns(SpreadBars(bars.gross, bars.turnover, has_book), options.cost_bps)
    impact = ImpactBars(bars.paid, bars.known, bars.taken, bars.n_known)
    members = GroupMembers(bars.n_members, bars.stayed)
    return SignalFigures(
        quantiles=quantile_returns(GroupReturns(bars.group_sums, bars.group_counts)),
        history=quantile_history(bars.relative),
        turnover=quantile_turnover(members, options.horizons),
        autocorrelation=rank_autocorrelation(bars.autocorrelation),
        spread=spread,
        summary=spread_summary(spread, options.periods_per_year),
        impact=square_root_impact(impact, spread),
    )


def figure_tables(
    axes: Axes,
    figures: Sequence[SignalFigures],
    options: EvaluationOptions,
    *,
    has_liquidity: bool,
) -> dict[str, pl.DataFrame]:
    """Return the tables of what is computed one signal at a time, by name."""
    summaries = [found.summary for found in figures]
    impacts = [found.impact for found in figures] if has_liquidity else []
    return {
        "quantiles": quantile_table(axes, [found.quantiles for found in figures]),
        "quantile_history": quantile_history_table(
            axes.signals, axes.bars, [found.history for found in figures]
        ),
        "turnover": turnover_table(axes, [found.turnover for found in figures]),
        "rank_autocorrelation": autocorrelation_table(
            axes, [found.autocorrelation for found in figures]
        ),
        "spread": spread_history(spread_table(axes, [found.spread for found in figures])),
        "spread_summary": spread_summary_table(axes, summaries),
        "capacity": capacity_table(axes.signals, impacts, summaries, options),
    }

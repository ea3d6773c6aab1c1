"""What a spread earns as its capital grows, when trades move prices against it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from plumbline.factors.liquidity import Liquidity
from plumbline.factors.options import EvaluationOptions
from plumbline.factors.spread import SpreadReturns, SpreadSummary, SpreadTrades
from plumbline.factors.tables import empty_table, table
from plumbline.kernels.group_sums import fill_impact
from plumbline.kernels.inputs import as_input

_COLUMNS = (
    *("signal", "capital_usd", "gross_annual", "cost_annual", "impact_annual", "net_annual"),
    "participation",
)


class ImpactBars(NamedTuple):
    """What the trades of a spread cost by moving prices, summed over assets; (T,) each.

    Parameters
    ----------
    paid : impact, decimal of the capital of one side, for a capital of 1 USD; of the trades whose
        impact is known.
    known : value of these trades over that capital.
    taken : sum over them of the share of the asset's traded value that a trade takes, for 1 USD.
    n_known : number of these trades.
    """

    paid: Float[np.ndarray, " bars"]
    known: Float[np.ndarray, " bars"]
    taken: Float[np.ndarray, " bars"]
    n_known: Float[np.ndarray, " bars"]


class Impact(NamedTuple):
    """What trading costs a spread beside fees, as a function of its capital.

    Parameters
    ----------
    per_bar : decimal of the capital of one side per bar, for a capital of 1 USD; it grows with the
        root of the capital.
    participation : mean share of an asset's traded value that a trade takes, for 1 USD; it grows
        with the capital.
    """

    per_bar: float
    participation: float


def impact_bars(trades: SpreadTrades, liquid: Liquidity, coefficient: float) -> ImpactBars:
    """Return the impact of a spread's trades by the square-root law.

    A trade of Q USD moves its price by coefficient x σ x √(Q/V), paid on Q; σ and V belong to one
    bar, and the law is the same for every length of bar.

    Parameters
    ----------
    trades : of a spread whose side is worth 1.
    liquid : of the same bars; a trade meets that of its close, the bar before.
    coefficient : y, near 1.

    References
    ----------
    Torre, "BARRA market impact model handbook" (1997). Almgren, Thum, Hauptmann and Li, "Direct
    estimation of equity market impact", Risk 18 (2005) 57-62. Bouchaud, "Price impact",
    Encyclopedia of Quantitative Finance (2010).
    """
    n_bars = len(trades.traded)
    sums = np.zeros((4, max(n_bars - 1, 0)))
    steepness, value = as_input(liquid.steepness[:-1]), as_input(liquid.value_usd[:-1])
    fill_impact(as_input(trades.traded[1:]), steepness, value, sums)
    none = np.zeros((4, min(n_bars, 1)))  # the first bar has no close before
    paid, known, taken, n_known = np.concatenate([none, sums], axis=1)
    return ImpactBars(coefficient * paid, known, taken, n_known)


def square_root_impact(impact: ImpactBars, spread: SpreadReturns) -> Impact:
    """Return the mean impact of a spread's trades.

    What is traded in assets whose σ or V is unknown costs what the rest costs on average.

    Returns
    -------
    NaN without a trade whose impact is known.
    """
    n_known = impact.n_known.sum()
    if not n_known:
        return Impact(np.nan, np.nan)
    unit = impact.paid.sum() / impact.known.sum()
    return Impact(
        per_bar=float(unit * spread.turnover.sum() / len(spread.turnover)),
        participation=float(impact.taken.sum() / n_known),
    )


def capacity_table(
    signals: Sequence[str],
    impacts: Sequence[Impact],
    summaries: Sequence[SpreadSummary],
    options: EvaluationOptions,
) -> pl.DataFrame:
    """Return a row for each signal and capital.

    Returns
    -------
    signal, capital_usd, gross_annual, cost_annual, impact_annual, net_annual, participation.
    """
    capital = np.array(options.capitals_usd, dtype=np.float64)
    n = len(capital)
    if not n or not impacts:
        return empty_table(_COLUMNS)
    per_bar = np.repeat([impact.per_bar for impact in impacts], n)
    capitals = np.tile(capital, len(signals))
    gross = np.repeat([s.gross_annual for s in summaries], n)
    cost = np.repeat([s.cost_annual for s in summaries], n)
    impact = per_bar * np.sqrt(capitals) * options.periods_per_year
    return table(
        {
            "signal": np.repeat(np.array(signals, dtype=object), n),
            "capital_usd": capitals,
            "gross_annual": gross,
            "cost_annual": cost,
            "impact_annual": impact,
            "net_annual": gross - cost - impact,
            "participation": np.repeat([i.participation for i in impacts], n) * capitals,
        }
    )

"""The evaluation of signals: whether they rank what follows, and what that is worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, final

import numpy as np
import polars as pl
from jaxtyping import Float

from plumbline.core.errors import ParameterError
from plumbline.core.page import pages
from plumbline.core.panel import Panel
from plumbline.factors.bar_figures import Tradable, bar_figures, tradable
from plumbline.factors.conditional import regime_problems
from plumbline.factors.conventions import conventions
from plumbline.factors.evaluation_tables import Measured, tables_of
from plumbline.factors.figure_panel import BarFigures, known_sectors
from plumbline.factors.given_signals import refuse_wrong, signals_on
from plumbline.factors.market import Market, market_of
from plumbline.factors.null_suite import no_draws, null_draws
from plumbline.factors.options import EvaluationOptions
from plumbline.factors.ranked import Ranked
from plumbline.factors.signal_correlation import correlation_table, signal_correlation
from plumbline.factors.tables import Axes
from plumbline.kernels.order_statistics import centred_ranks

_TEAR_SHEET = "tear_sheet"


@final
@dataclass(frozen=True, eq=False)
class Evaluation:
    """Tables of an evaluation; a figure that does not exist is null, never NaN.

    Parameters
    ----------
    summary : a line per signal and horizon: signal, horizon_bars, mean_ic, sd_ic, icir, t_hac,
        p_value, critical_5pct, lag_bars, n_bars, mean_n_assets, hit_rate; of the rank IC.
    ic : bar_close, signal, horizon_bars, rank_ic, pearson_ic; bars without a rank IC are left out.
    ic_rolling : bar_close, signal, horizon_bars, mean_ic, mean_pearson_ic.
    ic_by_year : year, signal, horizon_bars, mean_ic, n_bars.
    ic_by_month : year, month, signal, horizon_bars, mean_ic, n_bars.
    ic_histogram : signal, horizon_bars, lower, upper, n.
    ic_by_sector : sector, signal, horizon_bars, mean_ic, t_hac, p_value, n_bars, mean_n_assets.
    ic_by_regime : regime, state, signal, horizon_bars, mean_ic, t_hac, p_value, n_bars.
    decay : signal, horizon_bars, mean_ic, lower, upper.
    pearson : signal, horizon_bars, mean_ic … n_bars as in ``summary``, of the linear IC.
    bootstrap : signal, horizon_bars, lower, upper, level, block_bars, n_resamples, seed.
    null_suite : signal, horizon_bars, null, mean, sd, p_value, n_draws, seed.
    breaks : signal, horizon_bars, statistic, p_value, bar_close, mean_before, mean_after, n_bars.
    quantiles : signal, horizon_bars, quantile, mean_return, mean_return_demeaned, n.
    quantile_history : bar_close, signal, quantile, cumulative_return.
    turnover : signal, horizon_bars, quantile, mean_turnover, n_bars.
    rank_autocorrelation : signal, horizon_bars, mean_autocorrelation, n_bars.
    spread : bar_close, signal, gross_return, cost, net_return, turnover, gross_cumulative,
        net_cumulative, drawdown.
    spread_summary : a line per signal: gross_annual, cost_annual, net_annual, volatility_annual,
        sharpe_net, t_hac, p_value, max_drawdown, mean_turnover, n_bars.
    capacity : signal, capital_usd, gross_annual, cost_annual, impact_annual, net_annual,
        participation.
    signal_correlation : signal, other, mean_rank_correlation; without rows of a lone signal.
    coverage : bar_close, n_assets_priced, n_assets_with_signal_<name> for every signal.
    uncomputed : part (rank_ic, spread), signal, horizon_bars, reason, n, of, unit: how many bars
        have no rank IC, or form no spread, and why.
    conventions : column or table -> how it was computed, one sentence each.
    unavailable : table without rows -> what it would need.
    """

    summary: pl.DataFrame
    ic: pl.DataFrame
    ic_rolling: pl.DataFrame
    ic_by_year: pl.DataFrame
    ic_by_month: pl.DataFrame
    ic_histogram: pl.DataFrame
    ic_by_sector: pl.DataFrame
    ic_by_regime: pl.DataFrame
    decay: pl.DataFrame
    pearson: pl.DataFrame
    bootstrap: pl.DataFrame
    null_suite: pl.DataFrame
    breaks: pl.DataFrame
    quantiles: pl.DataFrame
    quantile_history: pl.DataFrame
    turnover: pl.DataFrame
    rank_autocorrelation: pl.DataFrame
    spread: pl.DataFrame
    spread_summary: pl.DataFrame
    capacity: pl.DataFrame
    signal_correlation: pl.DataFrame
    coverage: pl.DataFrame
    uncomputed: pl.DataFrame
    conventions: dict[str, str]
    unavailable: dict[str, str]

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Return every table by its name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: v for name, v in values.items() if isinstance(v, pl.DataFrame)}

    def to_html(self) -> str:
        """Return the tear sheet: one HTML document that needs nothing else."""
        return pages[_TEAR_SHEET]().html(self)

    def to_json(self) -> str:
        """Return the numbers of the tear sheet as one JSON document."""
        return pages[_TEAR_SHEET]().json(self)

    def _repr_html_(self) -> str:
        return pages[_TEAR_SHEET]().summary_html(self)


def evaluate_signal(
    signal: Panel | Mapping[str, Any] | Float[np.ndarray, "bars assets"],
    prices: Panel,
    *,
    horizons: Sequence[int] = (1, 5, 21, 63),
    costs: float = 5.0,
    sectors: Mapping[str, str] | None = None,
    regimes: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Evaluate a signal, or several, against the returns that follow.

    :func:`evaluate` is the same with every option.

    Parameters
    ----------
    signal : panel with one field, whose name is the signal's; (T, A) values on the axes of the
        prices; or name -> one of these. Known at the close of each bar.
    prices : ``close``, and ``volume`` (units traded) for the capacity curve; every bar and asset of
        the signals is in it.
    horizons : bars after the signal over which returns are taken, increasing. What one that is
        longer than the prices cannot have is counted in ``uncomputed``; if all are, it is refused.
    costs : of trading, basis points of the value traded.
    sectors : asset -> sector, for ``ic_by_sector``; an asset without one is in none. At least one
        asset has prices.
    regimes : name -> (T,) state of each bar of ``prices``, known at its close, for
        ``ic_by_regime``; None, NaN and an empty text are no state.

    Returns
    -------
    Tables, conventions, and the tear sheet by :meth:`Evaluation.to_html`.

    Raises
    ------
    MissingDataError
        If the prices lack ``close``.
    ParameterError
        If axes or values do not fit; every problem is named.
    """
    told = {"horizons": horizons, "costs": costs, "sectors": sectors, "regimes": regimes}
    refuse_wrong(signal, prices, told)
    options = EvaluationOptions(horizons=tuple(horizons), cost_bps=costs)
    values = signals_on(signal, prices)
    return evaluate(values, prices, options=options, sectors=sectors, regimes=regimes)


def evaluate(
    signals: Mapping[str, Float[np.ndarray, "bars assets"]],
    prices: Panel,
    *,
    options: EvaluationOptions | None = None,
    sectors: Mapping[str, str] | None = None,
    regimes: Mapping[str, Any] | None = None,
    rolling_bars: int = 252,
) -> Evaluation:
    """Evaluate signals against the returns that follow them.

    Parameters
    ----------
    signals : name -> (T, A) values known at the close of each bar; NaN and infinite ones are
        missing. A value on a bar where the asset has no close is not used: it cannot be traded.
    prices : ``close``, and ``volume`` for the capacity curve; its axes are those of the signals.
    options : horizons, quantiles, costs and draws; default :class:`EvaluationOptions`.
    sectors, regimes : see :func:`evaluate_signal`.
    rolling_bars : window of the trailing mean of the rank IC.

    Returns
    -------
    The tables of :class:`Evaluation`, signals in the order given. None depends on the other
    signals. O(S·T·A log A + S·H·T·A).

    Raises
    ------
    MissingDataError
        If the panel lacks ``close``.
    ParameterError
        If there is no signal or shapes differ from the panel's; every problem is named.

    References
    ----------
    Grinold and Kahn, "Active Portfolio Management", 2nd ed., McGraw-Hill 2000 (information
    coefficient). Jegadeesh and Titman (1993), Journal of Finance 48, 65-91 (overlapping books).
    """
    chosen = options or EvaluationOptions()
    _check(signals, prices, regimes or {})
    market = market_of(prices, chosen)
    found = tradable(list(signals.values()), market)
    asset_sectors = [(sectors or {}).get(asset) for asset in prices.assets]
    figures = bar_figures(found, market, asset_sectors, chosen)
    measured = Measured(
        axes=Axes(list(signals), chosen.horizons, prices.bars),
        figures=figures,
        draws=_draws(found, market, figures, chosen),
        is_read=market.is_read,
        sectors=known_sectors(asset_sectors),
        has_liquidity=market.liquid is not None,
    )
    names = list(signals)
    many = correlation_table(names, found.values) if len(names) > 1 else signal_correlation({})
    return Evaluation(
        **tables_of(measured, regimes or {}, chosen, rolling_bars),
        signal_correlation=many,
        conventions=conventions(chosen, rolling_bars),
        unavailable=_unavailable(prices, chosen, sectors, regimes)
        | ({} if len(signals) > 1 else {"signal_correlation": "there is one signal"}),
    )


def _draws(
    signals: Tradable, market: Market, figures: Sequence[BarFigures], options: EvaluationOptions
) -> Float[np.ndarray, "nulls signals horizons draws"]:
    ic, n_pairs = (np.stack([getattr(f, name) for f in figures]) for name in ("ic", "n_pairs"))
    if not options.n_draws:
        return no_draws(ic)
    ranked = Ranked(signals.ranks, centred_ranks(market.forwards), ic, n_pairs)
    told = {"n_draws": options.n_draws, "seed": options.seed, "first_bar": market.first_bar}
    return null_draws(ranked, options.horizons, **told)


def _check(
    signals: Mapping[str, Float[np.ndarray, "..."]],
    prices: Panel,
    regimes: Mapping[str, Any],
) -> None:
    problems = [] if signals else ["no signal to evaluate"]
    problems += [
        f"signal {name!r} has shape {np.shape(value)}, expected {prices.shape}"
        for name, value in signals.items()
        if np.shape(value) != prices.shape
    ]
    problems += regime_problems(regimes, prices.n_bars)
    if problems:
        raise ParameterError("; ".join(problems))


def _unavailable(
    prices: Panel,
    options: EvaluationOptions,
    sectors: Mapping[str, str] | None,
    regimes: Mapping[str, Any] | None,
) -> dict[str, str]:
    """Return why tables have no rows, where that is for want of an input or by an option."""
    known = set(sectors or {}) & set(prices.assets)
    reasons = (
        ("ic_by_sector", not known, "no asset has a sector; give sectors, asset -> sector"),
        ("ic_by_regime", not regimes, "no states of the market were given; give regimes"),
        ("capacity", "volume" not in prices, "the prices have no field volume"),
        ("capacity", not options.capitals_usd, "capitals_usd is empty"),
        ("bootstrap", not options.n_resamples, "n_resamples is 0"),
        ("null_suite", not options.n_draws, "n_draws is 0"),
    )
    return {name: text for name, holds, text in reversed(reasons) if holds}

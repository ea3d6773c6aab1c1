"""One plain sentence per figure of an evaluation, to stand beside it."""

from typing import Final

from plumbline.factors.options import EvaluationOptions

_HISTORY: Final = {
    "ic_by_year": "Mean of the rank IC over the bars of a calendar year, UTC.",
    "ic_by_month": "Mean of the rank IC over the bars of a calendar month, UTC.",
    "ic_histogram": (
        "Bars counted in equal bins whose edges are multiples of their width, the lower edge in."
    ),
    "quantile_history": (
        "Each group is formed at every close, held to the next with equal weights; mean return "
        "less that of all groups, running sum without compounding, before costs."
    ),
    "signal_correlation": (
        "Spearman correlation of two signals over the assets of a bar that have both, mean over "
        "the bars that have one."
    ),
    "gross_cumulative": "Running sum of gross returns, without compounding.",
    "net_cumulative": "Running sum of net returns, without compounding.",
    "drawdown": "Running sum of net returns less its highest value so far, zero included.",
    "coverage": "Assets with a close on the bar, and of these, assets with a signal.",
}


def conventions(options: EvaluationOptions, rolling_bars: int = 252) -> dict[str, str]:
    """Return quantity or table -> how it was computed, with the options' own numbers.

    Parameters
    ----------
    options : of the evaluation.
    rolling_bars : window of the trailing mean of the rank IC.
    """
    return (
        _HISTORY
        | _ranks(options)
        | _chance(options)
        | _parts(rolling_bars)
        | _groups(options)
        | _spread(options)
        | _capacity(options)
    )


def _ranks(o: EvaluationOptions) -> dict[str, str]:
    every = "every bar" if o.every_bars == 1 else f"every {o.every_bars}th bar of the calendar"
    return {
        "forward_return": (
            "Simple return from the close of the signal's bar to the close h bars later, not "
            "annualised; missing where one of the two closes is."
        ),
        "rank_ic": (
            "Spearman correlation over the assets of a bar between the signal and the forward "
            f"return; ties share their mean rank; {every}."
        ),
        "pearson_ic": (
            "Linear correlation over the assets of a bar between the values of the signal and the "
            f"forward return; {every}."
        ),
        "mean_ic": "Mean of the rank IC over the bars that have one.",
        "pearson": "The figures of the summary, of the linear IC in place of the rank IC.",
        "sd_ic": "Standard deviation of the rank IC over bars, ddof 1.",
        "icir": "Mean over standard deviation of the rank IC, per bar, not annualised.",
        "t_hac": (
            "Newey-West t with Bartlett weights up to lag_bars, the larger of the automatic rule "
            "of 1994 and three horizons; the variance that those weights lose on overlapping "
            "returns is put back; missing bars keep their place in time."
        ),
        "p_value": (
            "Two-sided, zero mean, by the fixed-b law of Kiefer and Vogelsang (2005), whose tail "
            "widens with the lag; one test, not corrected for the number of signals tried."
        ),
        "critical_5pct": "Size of t above which a two-sided 5 % test rejects, fixed-b law.",
        "decay": "Mean rank IC with its 95 % interval: mean ± critical_5pct x standard error.",
        "n_bars": "Bars that have the figure.",
        "mean_n_assets": "Mean number of assets with both a signal and a forward return.",
        "hit_rate": "Share of bars with a rank IC above zero.",
    }


def _chance(o: EvaluationOptions) -> dict[str, str]:
    return {
        "bootstrap": (
            f"Interval of the mean rank IC from {o.n_resamples} resamples of the stationary "
            "bootstrap of Politis and Romano (1994), percentiles of their means; blocks keep "
            f"missing bars in place; seed {o.seed}."
        ),
        "block_bars": (
            "Mean length of the bootstrap's blocks by the rule of Politis and White (2004), "
            "corrected 2009."
        ),
        "null_suite": (
            f"Mean rank IC of {o.n_draws} signals that know nothing, each evaluated on the bars of "
            "the signal itself: random ranks on every bar; the signals of the assets exchanged "
            "once for all bars; blocks of the signal's bars against other blocks of the returns', "
            "each of three horizons, the root of their number or a hundredth of it, "
            "whichever is longest; the p-value counts those at least as far from the mean of all "
            "as the result, and the "
            f"result as one of them; where values are missing a bar keeps the variance of its "
            f"number of assets; seed {o.seed}."
        ),
        "breaks": (
            "CUSUM test of a constant mean rank IC (Ploberger and Krämer 1992), long-run variance "
            "as in t_hac; bar_close is the bar after which the mean differs most, mean_before and "
            "mean_after are the means up to it and after it; one break is looked for."
        ),
        "statistic": (
            "Largest size of the running sum of deviations from the mean, over the root of the "
            "number of bars times the long-run deviation; its law is Kolmogorov's."
        ),
    }


def _parts(rolling_bars: int) -> dict[str, str]:
    return {
        "ic_rolling": f"Mean of the rank IC over the last {rolling_bars} bars that have one.",
        "ic_by_sector": (
            "The rank IC among the assets of one sector alone, ranks within it; tested as in t_hac."
        ),
        "ic_by_regime": (
            "The rank IC over the bars whose close had this state; the other bars keep their place "
            "in time; tested as in t_hac."
        ),
        "uncomputed": (
            "Bars that were tried, and how many of them gave no rank IC or no spread, by reason."
        ),
    }


def _capacity(o: EvaluationOptions) -> dict[str, str]:
    return {
        "capacity": (
            "The spread at each capital of one side; its trades are those of a spread that does "
            "not move prices."
        ),
        "impact_annual": (
            f"Impact by the square-root law: a trade of Q costs {o.impact:g} x volatility x the "
            "root of Q over the value traded, on Q (Almgren et al. 2005); volatility and value per "
            f"bar are means over the last {o.impact_bars} bars known at the close; where they are "
            "unknown a trade costs what the others cost on average."
        ),
        "participation": (
            "Mean over the spread's trades of the trade over the value traded in its asset per bar."
        ),
    }


def _groups(o: EvaluationOptions) -> dict[str, str]:
    return {
        "quantile": (
            f"{o.n_quantiles} groups per bar of equal count by rank, 1 lowest; equal values share "
            "the group of the lowest of them; formed from assets that have a close on the bar."
        ),
        "mean_return": (
            "Mean forward return of a group over the horizon, every bar and asset counted once."
        ),
        "mean_return_demeaned": (
            "The same after the mean return of all groups is taken out of each bar."
        ),
        "mean_turnover": (
            "Of a group: mean share of its members that were not in it horizon_bars bars before. "
            "Of the spread: mean turnover per bar."
        ),
        "mean_autocorrelation": (
            "Mean correlation of a bar's ranks with those of the same assets horizon_bars bars "
            "before; ranks are among all assets of their own bar."
        ),
    }


def _spread(o: EvaluationOptions) -> dict[str, str]:
    year = f"{o.periods_per_year:g} bars a year"
    return {
        "gross_return": (
            f"Top group less bottom group, equal weights, each side worth 1; mean of the books of "
            f"the last {o.spread_horizon} closes; earned from a close to the next and dated by the "
            "latter; a missing close is marked at the last one known."
        ),
        "cost": (
            f"{o.cost_bps:g} basis points of the value traded; no market impact, no borrowing fee."
        ),
        "net_return": "Gross return less cost.",
        "turnover": (
            "Value traded at the close at which the position is set, from the position as prices "
            "have moved it to the next, both sides, the first purchase included, over the capital "
            "of one side."
        ),
        "gross_annual": f"Mean gross return per bar times {year}; no compounding.",
        "cost_annual": f"Mean cost per bar times {year}.",
        "net_annual": f"Mean net return per bar times {year}; no compounding.",
        "volatility_annual": (
            f"Standard deviation of net returns per bar, ddof 1, times the root of {year}."
        ),
        "sharpe_net": "Net return over volatility, both annual; no risk-free rate is taken off.",
        "max_drawdown": (
            "Largest fall of the running sum of net returns from its highest point, zero included."
        ),
        "gross_cumulative": "Running sum of gross returns, without compounding.",
        "net_cumulative": "Running sum of net returns, without compounding.",
        "drawdown": "Running sum of net returns less its highest value so far, zero included.",
    }

"""One plain sentence per figure of an evaluation, to stand beside it."""

from plumbline.factors.options import EvaluationOptions


def conventions(options: EvaluationOptions) -> dict[str, str]:
    """Return quantity -> how it was computed, with the options' own numbers."""
    return _ranks(options) | _groups(options) | _spread(options)


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
        "mean_ic": "Mean of the rank IC over the bars that have one.",
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
        "mean_turnover": "Mean turnover per bar.",
    }

"""Names of the figures of an evaluation: a recipe names them before they exist."""

from typing import Final

IC_FIGURES: Final = (
    *("mean_ic", "sd_ic", "icir", "t_hac", "p_value", "critical_5pct", "lag_bars", "n_bars"),
    *("mean_n_assets", "hit_rate"),
)
"""Figures of a signal at a horizon."""

SPREAD_FIGURES: Final = (
    *("gross_annual", "cost_annual", "net_annual", "volatility_annual", "sharpe_net", "t_hac"),
    *("p_value", "max_drawdown", "mean_turnover", "n_bars"),
)
"""Figures of a signal's spread."""

"""What the recipe says of exposures, risk and regimes: how they are made, and why some lack."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from plumbline.stages.study_parts import model_of


def study_conventions(full: Mapping[str, Any]) -> dict[str, str]:
    """Return how the tables of a study are made that belong to no signal.

    Parameters
    ----------
    full : the resolved recipe.
    """
    name, stated = full["model"]["model"], model_of(full).error_convention
    window, periods = _window(full), float(full["evaluation"]["periods_per_year"])
    members = "All assets" if full["universe"]["rules"] is None else "Members of the universe"
    own = (
        "That of the portfolio is of the model fitted to its own return, the mean over its assets "
        "with a return on a bar; t is the exposure over it."
    )
    found = {
        "exposures": f"Beta of each asset at the last bar, by {name}; t is beta over its error.",
        "portfolio_exposures": (
            f"{members} with a return on the last bar, equal weights; the exposure is the weighted "
            "sum of their betas at that bar, quartiles are of the betas, linear between two values."
        ),
        "stderr": f"{stated} {own}" if stated else f"{name} gives no standard error of a beta.",
        "risk": (
            "Variance at the last bar is b'Fb + Σw²D: b exposures, F covariance of the factors, w "
            f"weights, D variances of the assets' causal residuals, over the last {window} bars, "
            "ddof 1; residuals of different assets are taken as uncorrelated. A contribution is "
            "exposure times marginal volatility (Euler), and all add up to the total; volatility "
            f"is that of a bar times the root of {periods:g} bars a year."
        ),
    }
    return found | (_REGIMES if full["regimes"] else {})


_REGIMES = {
    "regimes": (
        "State of the highest filtered probability at each bar, from data up to the bar; never "
        "smoothed."
    ),
    "regime_summary": (
        "Share of the bars that have a state; a stay is an unbroken run of bars in one state, and "
        "a bar without a state ends it; a stay that the first or last bar cuts off counts with the "
        "bars that it has."
    ),
}


def study_gaps(full: Mapping[str, Any], tables: Mapping[str, pl.DataFrame]) -> dict[str, str]:
    """Return table -> why numbers of it are missing, for tables that belong to no signal."""
    found = {}
    if not model_of(full).error_convention:
        why = f"{full['model']['model']} gives no standard error of a beta"
        found = {"exposures": why, "portfolio_exposures": why}
    risk = tables["risk"]
    if risk.height and risk["contribution_annual"].null_count() == risk.height:
        found["risk"] = (
            f"fewer than 60 % of the last {_window(full)} bars have the return of every factor, or "
            "no asset has betas and residuals on as many"
        )
    if full["regimes"] and not tables["regimes"].height:
        why = "the bars are too few for the state of any regime"
        found |= {"regimes": why}
    return found


def _window(full: Mapping[str, Any]) -> int:
    return max(int(full["rolling_bars"]), 2)

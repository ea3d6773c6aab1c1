"""A portfolio's exposure to each factor, its standard error, and the spread over its assets."""

from typing import Any, Final

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from plumbline.core.panel import Panel
from plumbline.factors.model import FactorModel
from plumbline.factors.regime import equal_weight_return
from plumbline.factors.risk_decomposition import SPECIFIC, TOTAL

_PARTS: Final = {"lowest": 0.0, "lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75}
_SHARES: Final = {**_PARTS, "highest": 1.0}


def equal_weight_errors(
    model: FactorModel, returns: Panel, factors: Panel, is_held: Bool[np.ndarray, " assets"]
) -> dict[str, float]:
    """Return the standard error of the beta of an equal-weighted portfolio to each factor.

    The errors of assets' betas are correlated as their residuals are, so they do not add up to
    that of a portfolio. The portfolio's own return is fitted instead, as that of an asset: without
    missing returns its beta is the mean of the betas.

    Parameters
    ----------
    model : fits.
    returns, factors : as for its ``fit``; the last bar counts.
    is_held : (A,) assets of the portfolio; a bar's return is the mean over those that have one.

    Returns
    -------
    Factor -> standard error, dimensionless; NaN without a fit. Empty if no asset is held, there is
    no bar, or the model gives no errors.
    """
    held = [asset for asset, is_in in zip(returns.assets, is_held, strict=True) if is_in]
    if not held or not returns.n_bars:
        return {}
    errors = model.beta_errors(equal_weight_return(returns.select(held)), factors)
    return {name.removeprefix("stderr_"): float(errors[name][-1, 0]) for name in errors}


def portfolio_exposures(
    risk: pl.DataFrame, betas: pl.DataFrame, errors: dict[str, float]
) -> pl.DataFrame:
    """Return a portfolio's exposure to each factor beside the spread of its assets' betas.

    Parameters
    ----------
    risk : rows of one portfolio of
        :func:`plumbline.factors.risk_decomposition.risk_decomposition`.
    betas : rows of its assets of :func:`plumbline.factors.risk_decomposition.exposures`.
    errors : factor -> standard error of the exposure of a portfolio whose weights add up to 1; it
        is scaled by the weight that ``risk`` covers.

    Returns
    -------
    bar_close, portfolio, factor, exposure, stderr, t (exposure over stderr), lowest,
    lower_quartile, median, upper_quartile, highest (of the assets' betas; linear between two
    values), n_assets (with a beta). Null for what is missing. Dimensionless.
    """
    rows = []
    for row in risk.filter(~pl.col("source").is_in([SPECIFIC, TOTAL])).to_dicts():
        factor, exposure = row["source"], row["exposure"]
        mine = betas.filter(pl.col("factor") == factor)["beta"].drop_nulls().to_numpy()
        stderr = errors.get(factor, np.nan) * (row["weight_covered"] or np.nan)
        has_t = exposure is not None and stderr > 0
        rows.append(
            {
                "bar_close": row["bar_close"],
                "portfolio": row["portfolio"],
                "factor": factor,
                "exposure": exposure if row["n_assets"] else None,
                "stderr": stderr,
                "t": exposure / stderr if has_t else np.nan,
                **_spread(mine),
                "n_assets": len(mine),
            }
        )
    table = pl.DataFrame(rows, schema=_schema())
    return table.with_columns(pl.col(pl.Float64).fill_nan(None))


def _spread(values: Float[np.ndarray, " assets"]) -> dict[str, float]:
    if not len(values):
        return dict.fromkeys(_SHARES, np.nan)
    return {name: float(np.quantile(values, share)) for name, share in _SHARES.items()}


def _schema() -> dict[str, Any]:
    return {
        "bar_close": pl.Datetime("us", "UTC"),
        "portfolio": pl.String,
        "factor": pl.String,
        **dict.fromkeys(("exposure", "stderr", "t", *_SHARES), pl.Float64),
        "n_assets": pl.Int64,
    }

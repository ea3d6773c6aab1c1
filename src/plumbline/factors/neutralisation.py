"""What is left of a signal after betas and sectors are taken out of it."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from plumbline.core.errors import ParameterError, UnknownAssetError
from plumbline.core.panel import Panel
from plumbline.kernels.cross_section import neutralise


def neutralised_signal(
    signal: Float[np.ndarray, "bars assets"],
    panel: Panel,
    *,
    sectors: Mapping[str, str] | None = None,
    betas: Sequence[str] | None = None,
    weights: Float[np.ndarray, "bars assets"] | None = None,
) -> Float[np.ndarray, "bars assets"]:
    """Return the residual of a signal's regression, per bar, on betas and sector dummies.

    The regression has an intercept, so the residual of a bar sums to zero over its assets (and
    over those of each sector), and is uncorrelated with every beta.

    Parameters
    ----------
    signal : (T, A) values; NaN is left out of its bar.
    panel : the axes of the signal, with the fields ``beta_<factor>`` of a factor model; an asset
        without one of them on a bar is left out of the bar.
    sectors : asset -> sector, for every asset of the panel; None takes no sector out.
    betas : names of the fields to take out; default: every field whose name begins with ``beta_``.
    weights : (T, A) regression weights, at least 0; default: equal.

    Returns
    -------
    (T, A) residuals in the signal's unit; NaN for what was left out, and on a bar with too few
    assets for the regression (see :func:`plumbline.kernels.cross_section.neutralise`).

    Raises
    ------
    MissingDataError
        If the panel lacks a field of ``betas``.
    UnknownAssetError
        If ``sectors`` lacks assets of the panel; all are named.
    ParameterError
        If the shapes differ or there is nothing to take out.
    """
    if signal.shape != panel.shape:
        raise ParameterError(f"the signal has shape {signal.shape}, the panel {panel.shape}")
    names = [name for name in panel if name.startswith("beta_")] if betas is None else list(betas)
    columns = [panel[name] for name in names]
    if sectors is not None:
        columns += list(_dummies(sectors, panel))
    if not columns:
        raise ParameterError(
            "nothing to take out: the panel has no field beta_<factor> and at most one sector"
        )
    residual: Float[np.ndarray, "bars assets"] = neutralise(
        signal, np.stack(columns, axis=2), weights
    )
    return residual


def _dummies(sectors: Mapping[str, str], panel: Panel) -> Float[np.ndarray, "sectors bars assets"]:
    """Return a 0/1 field per sector but the first, which the intercept stands for."""
    missing = [asset for asset in panel.assets if asset not in sectors]
    if missing:
        raise UnknownAssetError(missing, sectors)
    own = np.array([sectors[asset] for asset in panel.assets], dtype=object)
    kinds = sorted(set(own))[1:]
    dummies = np.array([own == kind for kind in kinds], dtype=np.float64).reshape(len(kinds), -1)
    return np.repeat(dummies[:, None, :], panel.n_bars, axis=1)

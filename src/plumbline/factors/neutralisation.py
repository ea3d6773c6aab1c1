"""What is left of a signal after betas and sectors are taken out of it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from plumbline.core.errors import ParameterError, UnknownAssetError
from plumbline.core.panel import Panel
from plumbline.kernels.cross_section import neutralise, unfitted_assets


class Unneutralised(NamedTuple):
    """What of a signal neutralisation does not leave, by reason.

    Parameters
    ----------
    n_values : values of the signal.
    n_bars : bars with a value that has all its exposures.
    missing_exposure : values without a beta or a weight.
    alone_in_sector : values of assets whose sector has no other one on the bar.
    too_few_assets, too_large : bars that are not fitted.
    rank_deficient : bars that are, on exposures of which one is a combination of others.
    """

    n_values: int
    n_bars: int
    missing_exposure: int
    alone_in_sector: int
    too_few_assets: int
    too_large: int
    rank_deficient: int


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
    over those of each sector), and is uncorrelated with every beta. One sector for all is the
    intercept: each bar's mean is taken out. Of an asset alone in its sector on a bar nothing is
    left but rounding, which would be ranked as if it said something: it gets NaN.

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
    (T, A) residuals in the signal's unit; NaN for what was left out, for an asset alone in its
    sector, and on a bar with too few assets for the regression (see
    :func:`plumbline.kernels.cross_section.neutralise`). :func:`count_unneutralised` counts them.

    Raises
    ------
    MissingDataError
        If the panel lacks a field of ``betas``.
    UnknownAssetError
        If ``sectors`` lacks assets of the panel; all are named.
    ParameterError
        If the shapes differ, or there is nothing to take out: no beta, and no sectors.
    """
    columns, groups = _exposures(signal, panel, sectors, betas)
    residual: Float[np.ndarray, "bars assets"] = neutralise(signal, columns, weights, groups=groups)
    return residual


def count_unneutralised(
    signal: Float[np.ndarray, "bars assets"],
    panel: Panel,
    *,
    sectors: Mapping[str, str] | None = None,
    betas: Sequence[str] | None = None,
    weights: Float[np.ndarray, "bars assets"] | None = None,
) -> Unneutralised:
    """Count by reason the values of a signal of which :func:`neutralised_signal` leaves nothing.

    Parameters
    ----------
    signal, panel, sectors, betas, weights : as for :func:`neutralised_signal`.

    Returns
    -------
    :class:`Unneutralised`. Cost: that of :func:`neutralised_signal`.

    Raises
    ------
    MissingDataError, UnknownAssetError, ParameterError
        As :func:`neutralised_signal`.
    """
    columns, groups = _exposures(signal, panel, sectors, betas)
    has_signal = np.isfinite(signal)
    is_usable = has_signal & np.isfinite(columns).all(axis=2)
    if weights is not None:
        is_usable &= np.isfinite(weights) & (weights > 0)
    tried = is_usable.any(axis=1)
    kept = None if weights is None else weights[tried]
    states = unfitted_assets(signal[tried], columns[tried], kept, groups=groups)
    return Unneutralised(
        n_values=int(has_signal.sum()),
        n_bars=int(tried.sum()),
        missing_exposure=int((has_signal & ~is_usable).sum()),
        alone_in_sector=states["alone_in_group"],
        too_few_assets=states["too_few_assets"],
        too_large=states["too_large"],
        rank_deficient=states["rank_deficient"],
    )


def _exposures(
    signal: Float[np.ndarray, "bars assets"],
    panel: Panel,
    sectors: Mapping[str, str] | None,
    betas: Sequence[str] | None,
) -> tuple[Float[np.ndarray, "bars assets exposures"], Int[np.ndarray, " assets"] | None]:
    """Return the betas to take out, and the sector of every asset as a number."""
    if signal.shape != panel.shape:
        raise ParameterError(f"the signal has shape {signal.shape}, the panel {panel.shape}")
    names = [name for name in panel if name.startswith("beta_")] if betas is None else list(betas)
    columns = [panel[name] for name in names]
    stacked = np.stack(columns, axis=2) if columns else np.empty((*signal.shape, 0))
    if sectors is None:
        if not columns:
            raise ParameterError(
                "nothing to take out: the panel has no field beta_<factor> and no sectors are given"
            )
        return stacked, None
    missing = [asset for asset in panel.assets if asset not in sectors]
    if missing:
        raise UnknownAssetError(missing, sectors)
    numbers = {kind: k for k, kind in enumerate(sorted(set(sectors.values())))}
    return stacked, np.array([numbers[sectors[asset]] for asset in panel.assets], dtype=np.int64)

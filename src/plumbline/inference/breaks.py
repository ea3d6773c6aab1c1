"""Whether the mean of a series breaks: its cumulated deviations beside a Brownian bridge."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Int, Num
from scipy.special import kolmogorov

from plumbline.core.errors import ParameterError
from plumbline.inference.hac import hac_mean


@final
@dataclass(frozen=True)
class MeanBreak:
    """Where the mean of each series breaks, if it does.

    Every array has the shape of the input without its first axis.

    Parameters
    ----------
    statistic : largest size of the cumulated deviations from the mean, over √n times the root of
        the long-run variance; NaN where :func:`plumbline.inference.hac.hac_mean` has no t.
    p_value : probability of one at least as large if the mean is constant.
    row : number of the last bar before the break, where the path is furthest from zero; -1 without.
    mean_before, mean_after : means up to that bar and after it.
    n_obs : number of values that are there.
    """

    statistic: Float[np.ndarray, "*series"]
    p_value: Float[np.ndarray, "*series"]
    row: Int[np.ndarray, "*series"]
    mean_before: Float[np.ndarray, "*series"]
    mean_after: Float[np.ndarray, "*series"]
    n_obs: Int[np.ndarray, "*series"]


def mean_break(x: Num[np.ndarray, "bars *series"], *, horizon: int = 1) -> MeanBreak:
    """Return the OLS-CUSUM test of a constant mean of each column.

    The path of a constant mean tends to a Brownian bridge, whose largest size has Kolmogorov's
    law. The long-run variance is that of :func:`plumbline.inference.hac.hac_mean`; a break makes it
    larger, so the test errs on the side of none.

    Parameters
    ----------
    x : (T,) or (T, N) values; NaN and infinite ones are missing and move no path.
    horizon : bars over which each value is summed; see :func:`plumbline.inference.hac.hac_mean`.

    Returns
    -------
    Arrays of shape () or (N,). O(N·T log T).

    Raises
    ------
    ParameterError
        If ``x`` is not (T,) or (T, N) or the horizon is below 1.

    References
    ----------
    Ploberger and Krämer, "The CUSUM test with OLS residuals", Econometrica 60 (1992) 271-285.
    """
    values = np.asarray(x, dtype=np.float64)
    if values.ndim not in (1, 2):
        raise ParameterError(f"x must be (T,) or (T, N), got shape {values.shape}")
    test = hac_mean(values, horizon=horizon)
    columns = values[:, None] if values.ndim == 1 else values
    n_obs, t = test.n_obs.ravel(), test.t.ravel()
    row = np.full(len(n_obs), -1)
    figures = np.full((4, len(n_obs)), np.nan)
    for i in np.flatnonzero(np.isfinite(t)):
        there = np.flatnonzero(np.isfinite(columns[:, i]))
        series = columns[there, i]
        scale = test.stderr.ravel()[i] * n_obs[i]  # √n times the root of the variance
        path = np.cumsum((series - test.mean.ravel()[i]) / scale)[:-1]  # it ends at zero
        k = int(np.abs(path).argmax())
        row[i] = there[k]
        size = abs(path[k])
        figures[:, i] = size, kolmogorov(size), series[: k + 1].mean(), series[k + 1 :].mean()
    shape = values.shape[1:]
    statistic, p_value, before, after = (figure.reshape(shape) for figure in figures)
    return MeanBreak(statistic, p_value, row.reshape(shape), before, after, test.n_obs)

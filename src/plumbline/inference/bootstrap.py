"""The mean of a serially dependent series with an interval from the stationary bootstrap."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float, Int, Num, UInt64
from scipy.fft import irfft, next_fast_len, rfft

from plumbline.core.errors import ParameterError
from plumbline.core.random import random_stream
from plumbline.kernels.resampled_blocks import add_blocks, sure_lengths

_MIN_OBS = 3
_CHUNK = 64  # blocks a resample that are drawn at a time
_UNIT_BITS = 32  # of the probabilities of block lengths
_INSIGNIFICANT = 5  # autocorrelations in a row, at least


@final
@dataclass(frozen=True)
class BootstrapMean:
    """Means with percentile intervals of the stationary bootstrap.

    Every array has the shape of the input without its first axis.

    Parameters
    ----------
    mean : mean of the values that are there, in their unit.
    lower, upper : percentiles (1 - level)/2 and (1 + level)/2 of the resampled means.
    block_bars : mean block length, bars; NaN with fewer than 3 values.
    level, n_resamples, seed : as given.
    """

    mean: Float[np.ndarray, "*series"]
    lower: Float[np.ndarray, "*series"]
    upper: Float[np.ndarray, "*series"]
    block_bars: Float[np.ndarray, "*series"]
    level: float
    n_resamples: int
    seed: int


def bootstrap_mean(
    x: Num[np.ndarray, "bars *series"],
    *,
    n_resamples: int = 1_000,
    seed: int = 0,
    level: float = 0.95,
    block_bars: float | None = None,
) -> BootstrapMean:
    """Return the mean of each column with its stationary bootstrap interval.

    A resample is made of blocks of neighbouring bars that start anywhere with equal chance, wrap
    around the end, have geometric lengths and together are as long as the series. A missing value
    keeps its place in time; the mean of a resample is over the values in it that are there.

    Parameters
    ----------
    x : (T,) or (T, N) values; NaN and infinite ones are missing, and left off at both ends.
    n_resamples : R, at least 1.
    seed : every column draws from the same stream, so that none depends on the others.
    level : probability that the interval covers, above 0 and below 1.
    block_bars : mean block length, at least 1; default :func:`optimal_block_length`.

    Returns
    -------
    NaN interval for fewer than 3 values.

    Raises
    ------
    ParameterError
        If a parameter is outside its range; every problem is named.

    Notes
    -----
    O(R·T) a column, of which random numbers and sums take O(R·T/b): a block's sum is the difference
    of two sums from the start.

    References
    ----------
    Politis and Romano, "The stationary bootstrap", Journal of the American Statistical Association
    89 (1994) 1303-1313.
    """
    values = np.asarray(x, dtype=np.float64)
    problems = (
        [f"x must be (T,) or (T, N), got {values.shape}"] if values.ndim not in (1, 2) else []
    )
    problems += [f"n_resamples={n_resamples} must be at least 1"] if n_resamples < 1 else []
    problems += [] if 0 < level < 1 else [f"level={level} must lie between 0 and 1"]
    if block_bars is not None and not 1 <= block_bars < np.inf:
        problems.append(f"block_bars={block_bars} must be at least 1")
    if problems:
        raise ParameterError("; ".join(problems))
    columns = values[:, None] if values.ndim == 1 else values
    resamples: dict[int, _Resamples] = {}
    mean, block, bounds = (np.full((columns.shape[1], k), np.nan) for k in (1, 1, 2))
    ends = [(1 - level) / 2, (1 + level) / 2]
    for i, column in enumerate(columns.T):
        series = _trimmed(column)
        is_there = np.isfinite(series)
        if is_there.any():
            mean[i] = series[is_there].mean()
        if is_there.sum() >= _MIN_OBS:
            block[i] = optimal_block_length(series) if block_bars is None else block_bars
            resamples[i] = _Resamples(series, float(block[i, 0]), n_resamples)
    _complete(list(resamples.values()), n_resamples, seed)
    for i, found in resamples.items():
        bounds[i] = np.nanquantile(found.means(), ends)
    centre, lower, upper, length = (
        f.reshape(values.shape[1:]) for f in (mean, bounds[:, 0], bounds[:, 1], block)
    )
    return BootstrapMean(centre, lower, upper, length, level, n_resamples, seed)


def optimal_block_length(x: Num[np.ndarray, " bars"]) -> float:
    """Return the mean block length of the stationary bootstrap that suits a series.

    It balances bias and variance of the estimated variance of the mean, through autocovariances
    weighted by the flat-top window up to twice the first of several lags in a row at which
    autocorrelations are insignificant. O(T·log T).

    Parameters
    ----------
    x : (T,) values; a missing one enters no autocovariance, and the others keep their distance.

    Returns
    -------
    Bars, at least 1 and at most min(3·√T, T/3) rounded up; 1 for a constant series. NaN with fewer
    than 3 values.

    References
    ----------
    Politis and White, "Automatic block-length selection for the dependent bootstrap", Econometric
    Reviews 23 (2004) 53-70. Patton, Politis and White, "Correction", Econometric Reviews 28 (2009)
    372-375.
    """
    series = _trimmed(np.asarray(x, dtype=np.float64))
    is_there = np.isfinite(series)
    n_bars = len(series)
    if is_there.sum() < _MIN_OBS:
        return float("nan")
    largest = np.abs(series[is_there]).max()
    scaled = np.where(is_there, series, 0.0) / (largest if largest > 0 else 1.0)
    deviation = np.where(is_there, scaled - scaled[is_there].mean(), 0.0)
    run = max(_INSIGNIFICANT, int(np.log10(n_bars)))
    longest = min(int(np.ceil(np.sqrt(n_bars))) + run, n_bars - 1)
    length = next_fast_len(n_bars + longest, real=True)  # room for every lag without wrapping
    covariance = irfft(np.abs(rfft(deviation, length)) ** 2, length)[: longest + 1]
    if covariance[0] <= n_bars * 1e-24:  # what rounding leaves of a constant
        return 1.0
    bound = 2 * np.sqrt(np.log10(n_bars) / n_bars)
    lag = _first_insignificant(np.abs(covariance[1:] / covariance[0]) < bound, run)
    lag = min(2 * lag, longest)
    k = np.arange(1, lag + 1)
    weight = np.minimum(1.0, 2 * (1 - k / lag))
    variance = covariance[0] + 2 * (weight * covariance[k]).sum()
    slope = 2 * (weight * k * covariance[k]).sum()
    most = np.ceil(min(3 * np.sqrt(n_bars), n_bars / 3))
    if variance == 0:
        return float(most)
    return float(np.clip(np.cbrt(slope**2 / variance**2 * n_bars), 1.0, most))


def _first_insignificant(is_small: Bool[np.ndarray, " lags"], run: int) -> int:
    """Return the first lag of ``run`` small autocorrelations in a row; the last without any."""
    for i in range(len(is_small) - run + 1):
        if is_small[i : i + run].all():
            return i + 1
    return len(is_small)


@final
class _Resamples:
    """The resampled means of a series, as far as blocks were added."""

    def __init__(self, series: Float[np.ndarray, " bars"], block: float, n_resamples: int) -> None:
        is_there = np.isfinite(series)
        self._centre = series[is_there].mean()
        deviations = np.where(is_there, series - self._centre, 0.0)
        self._sums = np.stack(
            [_sums_to(x) for x in (deviations, is_there.astype(np.float64))], axis=1
        )
        self._longer = _tail_probabilities(block, len(series))
        self._surely = sure_lengths(self._longer)
        self._left = np.full(n_resamples, len(series))
        self._added = np.zeros((n_resamples, 2))

    @property
    def is_complete(self) -> bool:
        """Return whether every resample is as long as the series."""
        return not self._left.any()

    def add(
        self,
        draws: UInt64[np.ndarray, "resamples blocks"],
    ) -> None:
        """Add blocks; see :func:`plumbline.kernels.resampled_blocks.add_blocks`."""
        add_blocks(self._sums, self._longer, self._surely, draws, self._left, self._added)

    def means(self) -> Float[np.ndarray, " resamples"]:
        """Return the mean of every resample; NaN where it holds no value."""
        total, n = self._added.T
        excess = np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0)
        means: Float[np.ndarray, " resamples"] = self._centre + excess
        return means


def _complete(resamples: Sequence[_Resamples], n_resamples: int, seed: int) -> None:
    """Add blocks to all series, each of which meets the same random numbers."""
    shape = (n_resamples, _CHUNK)
    waiting, number = list(resamples), 0
    while waiting:
        stream = random_stream(seed, "stationary_bootstrap", number)
        draws = stream.integers(0, 2**64, shape, dtype=np.uint64)
        for series in waiting:
            series.add(draws)
        waiting = [series for series in waiting if not series.is_complete]
        number += 1


def _tail_probabilities(block_bars: float, n_bars: int) -> UInt64[np.ndarray, " lengths"]:
    """Return how likely a block is longer than 1, 2, … bars, in units of 2**-32.

    Up to where that is 0, or the series ends.
    """
    if block_bars <= 1:
        return np.zeros(0, dtype=np.uint64)
    log_longer = np.log1p(-1 / block_bars)
    longest = int(min(_UNIT_BITS * np.log(2) / -log_longer, n_bars))
    k = np.arange(1, longest + 1)
    units: UInt64[np.ndarray, " lengths"] = np.exp(k * log_longer + _UNIT_BITS * np.log(2)).astype(
        np.uint64
    )  # rounded down
    return units


def _sums_to(x: Float[np.ndarray, " bars"]) -> Float[np.ndarray, " two_rounds"]:
    """Return the sums of the first 0, 1, … values of two rounds of a series."""
    return np.concatenate([[0.0], np.cumsum(np.tile(x, 2))])


def _trimmed(column: Float[np.ndarray, " bars"]) -> Float[np.ndarray, " span"]:
    """Return a series from its first to its last value."""
    rows: Int[np.ndarray, " values"] = np.flatnonzero(np.isfinite(column))
    return column[rows[0] : rows[-1] + 1] if len(rows) else column[:0]

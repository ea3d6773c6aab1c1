"""The mean of a serially correlated series, with a Newey-West t and fixed-b critical values."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float, Int, Num
from scipy.fft import irfft, next_fast_len, rfft

from plumbline.core.errors import ParameterError
from plumbline.inference.fixed_b import fixed_b_critical_value, fixed_b_p_value

_MIN_OBS = 3
_ROUNDING = 64 * np.finfo(np.float64).eps
_CONSTANT_WITHIN = 1e-12  # of the largest value: what differences of prices keep of rounding

_OK = ""
_TOO_FEW = f"fewer than {_MIN_OBS} observations"
_CONSTANT = "the series is constant"
_NO_VARIANCE = "the long-run variance is zero to rounding"


@final
@dataclass(frozen=True)
class HacMean:
    """Means with their heteroskedasticity and autocorrelation consistent t.

    Every array has the shape of the input without its first axis: ``()`` for one series, ``(N,)``
    for N.

    Parameters
    ----------
    mean : mean of the values that are there, in their unit; NaN without any.
    stderr : √(long-run variance / n), no degrees-of-freedom correction; for overlapping values the
        variance is scaled by the share of the overlap that the weights keep.
    t : mean / stderr.
    lag : largest lag with a weight; weights fall as 1 - j/(lag + 1).
    p_value : two-sided probability under a zero mean, fixed-b law.
    critical_5pct : |t| above which a 5 % test rejects, fixed-b law.
    n_obs : number of values that are there.
    lower, upper : mean ∓ critical_5pct x stderr, the 95 % interval.
    reason : why t is NaN, one text a series; empty where it is not.
    """

    mean: Float[np.ndarray, "*series"]
    stderr: Float[np.ndarray, "*series"]
    t: Float[np.ndarray, "*series"]
    lag: Int[np.ndarray, "*series"]
    p_value: Float[np.ndarray, "*series"]
    critical_5pct: Float[np.ndarray, "*series"]
    n_obs: Int[np.ndarray, "*series"]
    lower: Float[np.ndarray, "*series"]
    upper: Float[np.ndarray, "*series"]
    reason: tuple[str, ...]


def hac_mean(
    x: Num[np.ndarray, "bars *series"], lag: int | None = None, horizon: int = 1
) -> HacMean:
    """Return mean, Newey-West t and fixed-b p-value of each column.

    A missing value stays where it is: it enters neither the mean nor any autocovariance, and the
    values around it keep their distance in time (amplitude modulation), because a horizon of h bars
    overlaps in bars and not in observations. The estimate stays non-negative.

    Parameters
    ----------
    x : (T,) or (T, N) values; NaN and infinite values are missing.
    lag : lag of the Bartlett weights, in bars. Default: the larger of the automatic rule and 3 x
        ``horizon``. The automatic rule (Newey and West 1994, Bartlett kernel) is
        1.1447 (s₁/s₀)^(2/3) T^(1/3) with s₀ and s₁ summed over 4 (T/100)^(2/9) lags, at most T/4.
        Any lag is cut to T - 1. T is the span from the first to the last value that is there.
    horizon : bars over which each value is summed. Sums of h bars that overlap have
        autocovariances that fall as h - j, of which the weights keep a known share: 8/9 at a lag
        of 3 x horizon. The variance is divided by that share, which is 1 at horizon 1, and where
        values are so far apart that none overlaps; values that overlap but are correlated less
        than sums of white noise get a wider interval.

    Returns
    -------
    Arrays of shape () or (N,). Fewer than 3 values, a series that varies by less than 1e-12 of its
    size and a long-run variance of zero give NaN in stderr, t, p_value and interval, with a reason.

    Raises
    ------
    ParameterError
        If ``x`` is not (T,) or (T, N), the lag is negative or the horizon below 1.

    Notes
    -----
    O(N T log T) by one Fourier transform a column. At horizon 1 the standard error is that of
    statsmodels with ``cov_type="HAC"`` and ``use_correction=False``.

    References
    ----------
    Newey and West, "A simple, positive semi-definite, heteroskedasticity and autocorrelation
    consistent covariance matrix", Econometrica 55 (1987) 703-708; "Automatic lag selection in
    covariance matrix estimation", Review of Economic Studies 61 (1994) 631-653. Kiefer and
    Vogelsang (2005), see :mod:`plumbline.inference.fixed_b`. Parzen, "On spectral analysis with
    missing observations and amplitude modulation", Sankhyā A 25 (1963) 383-392.
    """
    values = np.asarray(x, dtype=np.float64)
    if values.ndim not in (1, 2):
        raise ParameterError(f"x must be (T,) or (T, N), got shape {values.shape}")
    if horizon < 1 or (lag is not None and lag < 0):
        raise ParameterError(f"need horizon >= 1 and lag >= 0, got horizon={horizon}, lag={lag}")
    columns = values[:, None] if values.ndim == 1 else values
    valid = np.isfinite(columns)
    n_obs, span = valid.sum(axis=0), _span(valid)
    scale = _power_of_two(np.where(valid, columns, 0.0))
    scaled = np.where(valid, columns, 0.0) / scale
    mean = np.divide(scaled.sum(axis=0), n_obs, out=np.full(len(n_obs), np.nan), where=n_obs > 0)
    deviation = np.where(valid, scaled - mean, 0.0)

    autocovariance = _autocovariance(deviation, n_obs)
    lags = _lags(autocovariance, span, lag, horizon)
    variance = _bartlett_sum(autocovariance, lags)
    reason = _reasons(n_obs, np.abs(deviation).max(axis=0, initial=0.0), autocovariance, variance)
    usable = np.array([text == _OK for text in reason], dtype=bool)

    stderr = np.full(len(n_obs), np.nan)
    kept = _kept_of_overlap(valid, lags, horizon)
    stderr[usable] = np.sqrt(variance[usable] / (n_obs * kept)[usable])
    b = np.where(usable, (lags + 1) / np.maximum(span, 1), np.nan)
    t = mean / stderr
    critical = fixed_b_critical_value(b)
    figures = {
        "mean": mean * scale,
        "stderr": stderr * scale,
        "t": t,
        "lag": lags,
        "p_value": fixed_b_p_value(t, b),
        "critical_5pct": critical,
        "n_obs": n_obs,
        "lower": (mean - critical * stderr) * scale,
        "upper": (mean + critical * stderr) * scale,
    }
    shape = values.shape[1:]
    return HacMean(**{k: v.reshape(shape) for k, v in figures.items()}, reason=reason)


def _span(valid: Bool[np.ndarray, "bars series"]) -> Int[np.ndarray, " series"]:
    """Return the bars from the first to the last value that is there."""
    if not len(valid):
        return np.zeros(valid.shape[1], dtype=np.int64)
    first, last = valid.argmax(axis=0), len(valid) - valid[::-1].argmax(axis=0)
    return np.where(valid.any(axis=0), last - first, 0)


def _power_of_two(x: Float[np.ndarray, "bars series"]) -> Float[np.ndarray, " series"]:
    """Return the power of two next to each column's size.

    Squares of scaled values neither overflow nor underflow, and scaling loses no bit.
    """
    _, exponent = np.frexp(np.abs(x).max(axis=0, initial=0.0))
    scale: Float[np.ndarray, " series"] = np.ldexp(1.0, np.clip(exponent, -1000, 1000))
    return scale


def _autocovariance(
    deviation: Float[np.ndarray, "bars series"], n_obs: Int[np.ndarray, " series"]
) -> Float[np.ndarray, "lags series"]:
    """Return the sums of products at every lag over n; a missing value has deviation 0."""
    n_bars = len(deviation)
    if not n_bars:
        return np.zeros((1, deviation.shape[1]))
    length = next_fast_len(2 * n_bars, real=True)
    products = np.empty((n_bars, deviation.shape[1]), order="F")
    for i, column in enumerate(deviation.T):  # one at a time: their number would change last bits
        products[:, i] = irfft(np.abs(rfft(column, length)) ** 2, length)[:n_bars]
    autocovariance: Float[np.ndarray, "lags series"] = products / np.maximum(n_obs, 1)
    return autocovariance


def _lags(
    autocovariance: Float[np.ndarray, "lags series"],
    span: Int[np.ndarray, " series"],
    lag: int | None,
    horizon: int,
) -> Int[np.ndarray, " series"]:
    longest = np.maximum(span - 1, 0)
    if lag is not None:
        given: Int[np.ndarray, " series"] = np.minimum(lag, longest)
        return given
    n_pilot = np.floor(4 * (span / 100) ** (2 / 9)).astype(np.int64)
    j = np.arange(len(autocovariance))[:, None]
    pilot = np.where(j <= n_pilot, autocovariance, 0.0)
    s0 = 2 * pilot.sum(axis=0) - autocovariance[0]
    s1 = 2 * (j * pilot).sum(axis=0)
    cap = span // 4
    ratio = np.divide(s1, s0, out=np.zeros_like(s1), where=s0 > 0)
    automatic = np.minimum(1.1447 * np.cbrt(ratio**2) * np.cbrt(span), cap)
    # a spectrum estimated at or below zero says nothing about the lag: take the largest
    automatic = np.where((s0 <= 0) & (autocovariance[0] > 0), cap, automatic)
    whole = np.maximum(np.floor(automatic).astype(np.int64), 3 * horizon)
    lags: Int[np.ndarray, " series"] = np.minimum(whole, longest)
    return lags


def _bartlett_sum(
    autocovariance: Float[np.ndarray, "lags series"], lags: Int[np.ndarray, " series"]
) -> Float[np.ndarray, " series"]:
    variance = np.empty(len(lags))
    for i, lag in enumerate(lags):  # a sum as long as its own lags, whatever those of the others
        weight = 1 - np.arange(lag + 1) / (lag + 1)
        variance[i] = 2 * (weight * autocovariance[: lag + 1, i]).sum() - autocovariance[0, i]
    return variance


def _kept_of_overlap(
    valid: Bool[np.ndarray, "bars series"], lags: Int[np.ndarray, " series"], horizon: int
) -> Float[np.ndarray, " series"]:
    """Return the share of the long-run variance of h-bar sums of white noise that weights keep.

    A lag counts as often as values stand so far apart, beside how often they would without gaps.
    """
    n_obs, span = valid.sum(axis=0), _span(valid)
    full = np.full(len(lags), float(horizon))
    kept = full.copy()
    for j in range(1, min(horizon, len(valid))):
        pairs = (valid[j:] & valid[:-j]).sum(axis=0)
        possible = n_obs * np.maximum(span - j, 0) / np.maximum(span, 1)
        frequency = np.divide(pairs, possible, out=np.zeros_like(possible), where=possible > 0)
        full += 2 * (horizon - j) * frequency
        kept += 2 * (horizon - j) * frequency * np.maximum(1 - j / (lags + 1), 0.0)
    share: Float[np.ndarray, " series"] = kept / full
    return share


def _reasons(
    n_obs: Int[np.ndarray, " series"],
    largest_deviation: Float[np.ndarray, " series"],
    autocovariance: Float[np.ndarray, "lags series"],
    variance: Float[np.ndarray, " series"],
) -> tuple[str, ...]:
    """Return why each series has no t; columns are scaled to a size of 0.5 to 1."""
    rules = (
        (n_obs < _MIN_OBS, _TOO_FEW),
        (largest_deviation <= _CONSTANT_WITHIN, _CONSTANT),
        (variance <= _ROUNDING * autocovariance[0], _NO_VARIANCE),
    )
    return tuple(
        next((text for is_hit, text in rules if is_hit[i]), _OK) for i in range(len(n_obs))
    )

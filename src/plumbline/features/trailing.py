"""What signals over trailing windows share: values needed, and deviations that are not rounding."""

import math

import numpy as np
from jaxtyping import Float

LONGEST = 10_000_000  # bars: a minute's bars over 19 years
_ROUNDING = 1e-12  # a standard deviation this small beside its values is rounding


def values_needed(window_bars: int, min_obs: int | None, least: int = 1) -> int:
    """Return how many values a window needs: ``min_obs``, or 60 % of its bars, rounded up.

    Parameters
    ----------
    window_bars : bars of the window.
    min_obs : what was asked for, or None.
    least : the fewest values of which the statistic exists.
    """
    return max(math.ceil(0.6 * window_bars), least) if min_obs is None else min_obs


def window_problems(window_bars: int, min_obs: int | None, least: int = 1) -> list[str]:
    """Return what is wrong with ``window_bars`` and ``min_obs``; empty if nothing is.

    Parameters
    ----------
    least : the fewest values of which the statistic exists.
    """
    rules = (
        (least <= window_bars <= LONGEST, f"window_bars must lie in {least} … {LONGEST}"),
        (
            min_obs is None or least <= min_obs <= window_bars,
            f"min_obs must lie in {least} … window_bars",
        ),
    )
    return [text for holds, text in rules if not holds]


def trailing_deviation(
    x: Float[np.ndarray, "bars assets"], window_bars: int, needed: int, *, first_bar: int = 0
) -> tuple[Float[np.ndarray, "bars assets"], Float[np.ndarray, "bars assets"]]:
    """Return mean and standard deviation (n - 1) of trailing windows.

    Parameters
    ----------
    x : (T, A) values; what is not finite is left out.
    window_bars : bars of a window, the row's own included.
    needed : values that a window needs, at least 2.
    first_bar : calendar number of row 0.

    Returns
    -------
    Two arrays (T, A) in units of x. NaN where the window has fewer values than needed; the
    deviation also where it is zero to rounding: of what never changed, nothing varies. O(T·A).
    """
    from plumbline.kernels.rolling import rolling_moments

    found = rolling_moments(x, window_bars, min_obs=needed, first_bar=first_bar)
    varies = found.std > _ROUNDING * np.abs(found.mean)
    return found.mean, np.where(varies, found.std, np.nan)

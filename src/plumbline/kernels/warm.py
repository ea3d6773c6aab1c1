"""Compile every kernel that production paths use, once, so that later processes load them."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from plumbline.kernels.kernel_cache import has_marker, write_marker


def is_warm() -> bool:
    """Return whether the kernels, as their source is, lie compiled on disk.

    Cost: reads this package's source files, about a millisecond; imports no compiler.
    """
    return has_marker()


def warm(progress: Callable[[str, int, int], None] | None = None) -> None:
    """Compile, or load, every kernel on tiny inputs and record that it is done.

    Cost: about 30 s on a machine that has compiled nothing, under a second after that. Writes to
    the kernel cache only, and keeps the folders of the five latest states of the source.

    Parameters
    ----------
    progress : called with what is compiled next, how many kernels are done, how many there are;
        the first call has 0 done, the last has all.
    """
    kernels: tuple[tuple[str, Callable[[], None]], ...] = (
        ("rolling regression", _warm_rolling),
        ("rolling regression with gaps", _warm_rolling_with_gaps),
        ("rolling regression by QR", _warm_rolling_by_qr),
        ("neutralisation", _warm_neutralise),
        ("rank correlation", _warm_rank_ic),
        ("cross-sections", _warm_cross_sections),
        ("rolling statistics", _warm_rolling_statistics),
    )
    for done, (name, compile_kernel) in enumerate(kernels):
        if progress is not None:
            progress(name, done, len(kernels))
        compile_kernel()
    write_marker()
    if progress is not None:
        progress(kernels[-1][0], len(kernels), len(kernels))


def _warm_rolling() -> None:
    """Fit a panel without gaps; compiled code depends on no option and no shape."""
    from plumbline.kernels.regression import rolling_ols

    rolling_ols(_panel(24, 2), np.cos(np.arange(24.0))[:, None], 8)


def _warm_rolling_with_gaps() -> None:
    """Fit a panel with a gap."""
    from plumbline.kernels.regression import rolling_ols

    y = _panel(24, 2)
    y[3, 0] = np.nan
    rolling_ols(y, np.cos(np.arange(24.0))[:, None], 8)


def _warm_rolling_by_qr() -> None:
    """Fit a panel on a constant factor."""
    from plumbline.kernels.regression import rolling_ols

    rolling_ols(_panel(24, 2), np.ones((24, 1)), 8)


def _warm_neutralise() -> None:
    """Take two exposures out of a signal."""
    from plumbline.kernels.cross_section import neutralise

    neutralise(_panel(2, 6), _panel(2, 6, 2))


def _warm_rank_ic() -> None:
    """Correlate two signals with one panel of returns."""
    from plumbline.kernels.order_statistics import rank_ic

    rank_ic(_panel(2, 2, 6), _panel(1, 2, 6))


def _warm_cross_sections() -> None:
    """Clip, score, rank and orthogonalise two bars, one mask for all."""
    from plumbline.kernels import cross_scaling, orthogonal

    x = _panel(2, 6)
    inside = x < np.inf
    cross_scaling.winsorise(x, mask=inside)
    cross_scaling.zscore(x, mask=inside)
    cross_scaling.gaussian_rank(x, mask=inside)
    orthogonal.orthogonalise(_panel(2, 2, 6), mask=inside)


def _warm_rolling_statistics() -> None:
    """Take every statistic of a panel."""
    from plumbline.kernels import rolling, rolling_order, rolling_pairs

    x = _panel(24, 2)
    rolling.rolling_moments(x, 8)
    rolling.rolling_extremes(x, 8)
    rolling_order.rolling_median(x, 8)
    rolling_order.rolling_rank(x, 8)
    rolling_pairs.rolling_corr(x, x, 8)
    rolling.ewma(x, 2.0)


def _panel(*shape: int) -> Float[np.ndarray, "..."]:
    """Return values of no special structure."""
    return np.sin(np.arange(np.prod(shape), dtype=np.float64) ** 2).reshape(shape)

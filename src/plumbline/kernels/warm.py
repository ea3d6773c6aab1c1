"""Compiles, or loads from disk, every kernel variant that production paths use."""

from collections.abc import Callable

import numpy as np

from plumbline.kernels.cross_section import neutralise
from plumbline.kernels.kernel_cache import has_marker, write_marker
from plumbline.kernels.order_statistics import rank_ic
from plumbline.kernels.regression import RollingOptions, rolling_ols

_N_BARS, _N_ASSETS, _WINDOW = 24, 6, 8


def warm(progress: Callable[[str, int, int], None] | None = None) -> None:
    """Compile every kernel on tiny inputs and record that it is done.

    Cost: up to a minute on a machine that has no compiled kernels, 0.2 s on one that has; the
    compiled code is kept in ``kernel_cache.cache_folder()`` for every later process.

    Parameters
    ----------
    progress : called with what was compiled, how many kernels are done, how many there are;
        the first call has 0 done.
    """
    kernels: tuple[tuple[str, Callable[[], None]], ...] = (
        ("rolling regression", _warm_rolling_ols),
        ("neutralisation", _warm_neutralise),
        ("rank correlation", _warm_rank_ic),
    )
    for done, (name, compile_kernel) in enumerate(kernels):
        if progress is not None:
            progress(name, done, len(kernels))
        compile_kernel()
    write_marker()
    if progress is not None:
        progress(kernels[-1][0], len(kernels), len(kernels))


def is_warm() -> bool:
    """Return whether ``warm`` has run for the kernels as their source is."""
    return has_marker()


def _panel(*shape: int) -> np.ndarray:
    """Return values of no special structure."""
    return np.sin(np.arange(np.prod(shape), dtype=np.float64) ** 2).reshape(shape)


def _warm_rolling_ols() -> None:
    """Compile the shared, the masked and the exact path, coefficients to inference."""
    y, x = _panel(_N_BARS, _N_ASSETS), _panel(_N_BARS, 2)
    gappy = y.copy()
    gappy[3, 0] = np.nan
    twice = np.repeat(x[:, :1], 2, axis=1)
    for panel, factors in ((y, x), (gappy, x), (y, twice)):
        rolling_ols(panel, factors, _WINDOW, options=RollingOptions(inference=True))


def _warm_neutralise() -> None:
    """Compile the regression across assets, with weights and without."""
    signal, exposures = _panel(_N_BARS, _N_ASSETS), _panel(_N_BARS, _N_ASSETS, 2)
    neutralise(signal, exposures)
    neutralise(signal, exposures, np.ones(signal.shape))


def _warm_rank_ic() -> None:
    """Compile the ranking of panels and their correlation."""
    panels = _panel(2, _N_BARS, _N_ASSETS)
    rank_ic(panels, panels)

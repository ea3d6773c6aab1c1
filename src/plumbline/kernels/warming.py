"""Compile every kernel that production paths use, once, so that later processes load them."""

from collections.abc import Callable

from plumbline.kernels.kernel_cache import has_marker, write_marker


def is_warm() -> bool:
    """Return whether the kernels, as their source is, lie compiled on disk.

    Cost: reads this package's source files, about a millisecond; imports no compiler.
    """
    return has_marker()


def warm(progress: Callable[[str, int, int], None] | None = None) -> None:
    """Compile, or load, every kernel and record that it is done.

    Cost: about 30 s on a machine that has compiled nothing, under a second after that. Writes to
    the kernel cache only, and keeps the folders of the five latest states of the source.

    Parameters
    ----------
    progress : called with name, index (from 1) and total before each kernel.
    """
    steps: dict[str, Callable[[], object]] = {
        "rolling regressions": _rolling,
        "rolling regressions with gaps": _rolling_with_gaps,
        "rolling regressions by QR": _rolling_exact,
        "residuals across assets": _neutralise,
        "rank correlations": _rank_ic,
    }
    for index, (name, step) in enumerate(steps.items(), start=1):
        if progress is not None:
            progress(name, index, len(steps))
        step()
    write_marker()


def _rolling() -> None:
    """Fit a panel without gaps; kernels do not depend on options or shapes."""
    import numpy as np

    from plumbline.kernels.regression import rolling_ols

    y = np.sin(np.arange(40.0)).reshape(20, 2)
    rolling_ols(y, np.cos(np.arange(20.0))[:, None], 8)


def _rolling_with_gaps() -> None:
    """Fit a panel with a gap."""
    import numpy as np

    from plumbline.kernels.regression import rolling_ols

    y = np.sin(np.arange(40.0)).reshape(20, 2)
    y[3, 0] = np.nan
    rolling_ols(y, np.cos(np.arange(20.0))[:, None], 8)


def _rolling_exact() -> None:
    """Fit a panel whose factors are constant."""
    import numpy as np

    from plumbline.kernels.regression import rolling_ols

    y = np.sin(np.arange(40.0)).reshape(20, 2)
    rolling_ols(y, np.ones((20, 1)), 8)


def _neutralise() -> None:
    """Take two exposures out of a signal."""
    import numpy as np

    from plumbline.kernels.cross_section import neutralise

    neutralise(np.sin(np.arange(12.0)).reshape(2, 6), np.cos(np.arange(24.0)).reshape(2, 6, 2))


def _rank_ic() -> None:
    """Correlate two signals with one panel of returns."""
    import numpy as np

    from plumbline.kernels.order_statistics import rank_ic

    panels = np.sin(np.arange(36.0)).reshape(3, 2, 6)
    rank_ic(panels[:2], panels[2:])

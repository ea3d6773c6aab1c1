"""Compiled inner loops: arrays in, arrays out, the same bits for any cut of the same data.

``plumbline.kernels.warm`` compiles them all ahead of time.
"""

from typing import TYPE_CHECKING

from plumbline.core.fronts import front

if TYPE_CHECKING:
    from plumbline.kernels.cross_section import neutralise as neutralise
    from plumbline.kernels.cross_section import unfitted_assets as unfitted_assets
    from plumbline.kernels.order_statistics import rank_ic as rank_ic
    from plumbline.kernels.regression import RollingFit as RollingFit
    from plumbline.kernels.regression import RollingOptions as RollingOptions
    from plumbline.kernels.regression import rolling_ols as rolling_ols
    from plumbline.kernels.warm import is_warm as is_warm

_EXPORTS = {
    "RollingFit": "regression",
    "RollingOptions": "regression",
    "is_warm": "warm",
    "neutralise": "cross_section",
    "rank_ic": "order_statistics",
    "rolling_ols": "regression",
    "unfitted_assets": "cross_section",
}

__getattr__, __dir__, __all__ = front(__name__, _EXPORTS)

"""Compiled inner loops: arrays in, arrays out, the same bits for any cut of the same data.

``plumbline.kernels.warm`` compiles them all ahead of time.
"""

from importlib import import_module

_EXPORTS = {
    "RollingFit": "regression",
    "RollingOptions": "regression",
    "is_warm": "warm",
    "neutralise": "cross_section",
    "rank_ic": "order_statistics",
    "rolling_ols": "regression",
    "unfitted_assets": "cross_section",
}

__all__ = [
    "RollingFit",
    "RollingOptions",
    "is_warm",
    "neutralise",
    "rank_ic",
    "rolling_ols",
    "unfitted_assets",
]


def __getattr__(name: str) -> object:
    """Import the module of an exported name on first use, so that importing stays light."""
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)


def __dir__() -> list[str]:
    return __all__

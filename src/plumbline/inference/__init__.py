"""Inference: how sure a number is. Arrays in, statistics with their conventions out.

The room promises that every result carries what it was computed with (lag, number of observations,
law of the statistic), that a missing value stays missing in time, and that where nothing can be
said the answer is NaN with a reason.
"""

from importlib import import_module
from typing import Any

_EXPORTS = {
    "HacMean": "hac",
    "fixed_b_critical_value": "fixed_b",
    "fixed_b_p_value": "fixed_b",
    "hac_mean": "hac",
}

__all__ = sorted(_EXPORTS)


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)


def __dir__() -> list[str]:
    return __all__

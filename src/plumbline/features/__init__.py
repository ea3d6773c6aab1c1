"""Features: what is known about an asset at the close of a bar. A signal is one file.

The room promises causality: row t reads nothing after bar t, a longer panel never changes an
earlier row, and rows computed from a panel that begins ``warm_up`` bars earlier have the same bits.

The signals are found by name in ``plumbline.features.signal.signals``. That name is not given here,
because ``plumbline.features.signals`` is the folder of the signals' files.
"""

from importlib import import_module
from typing import Any

_EXPORTS = {
    "Moments": "window",
    "Signal": "signal",
    "simple_returns": "returns",
    "window_moments": "window",
    "window_sum": "window",
}

__all__ = sorted(_EXPORTS)


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)


def __dir__() -> list[str]:
    return __all__

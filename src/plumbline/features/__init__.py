"""Features: what is known about an asset at the close of a bar. A signal is one file.

The room promises causality: row t reads nothing after bar t, a longer panel never changes an
earlier row, and rows computed from a panel that begins ``warm_up`` bars earlier have the same bits.

The signals are found by name in ``plumbline.features.signal.signals``. That name is not given here,
because ``plumbline.features.signals`` is the folder of the signals' files.
"""

from typing import TYPE_CHECKING

from plumbline.core.fronts import front

if TYPE_CHECKING:
    from plumbline.features.returns import simple_returns as simple_returns
    from plumbline.features.signal import Signal as Signal
    from plumbline.features.universe import UniverseRules as UniverseRules
    from plumbline.features.universe import universe_members as universe_members
    from plumbline.features.universe import universe_reasons as universe_reasons

_EXPORTS = {
    "Signal": "signal",
    "UniverseRules": "universe",
    "simple_returns": "returns",
    "universe_members": "universe",
    "universe_reasons": "universe",
}

__getattr__, __dir__, __all__ = front(__name__, _EXPORTS)

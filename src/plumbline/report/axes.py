"""Round tick positions for axes."""

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

_LARGEST: Final = 1e300
_NARROWEST: Final = 1e-9  # relative distance of ends that are drawn as one value


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Return about ``count`` round values that enclose ``low`` to ``high``, at least two.

    Steps are 1, 2, 2.5 or 5 times a power of ten, so labels need few digits. Ends are held within
    ±1e300, so that their distance is finite.
    """
    low, high = max(low, -_LARGEST), min(high, _LARGEST)
    if high - low <= max(_NARROWEST * max(abs(low), abs(high)), 1 / _LARGEST):
        pad = max(abs(low), abs(high))
        pad = pad if pad > 1 / _LARGEST else 1.0
        low, high = low - pad, high + pad
    raw = (high - low) / max(count - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, last + 1)]


def drawable(value: float | None, scale: float = 1.0) -> float | None:
    """Return a value times a scale; None if it is missing or beyond what an axis can hold."""
    scaled = None if value is None else value * scale
    return None if scaled is None or not abs(scaled) <= _LARGEST else scaled


def digits_for(marks: Iterable[float]) -> int:
    """Return how many decimals keep neighbouring ticks apart."""
    values = list(marks)
    step = min((abs(b - a) for a, b in pairwise(values)), default=1.0)
    return next((d for d in range(10) if abs(round(step, d) - step) < step * 1e-6), 10)


def span_with_zero(values: Iterable[float | None]) -> tuple[float, float]:
    """Return least and greatest of the values that are there, and of zero."""
    present = [value for value in values if value is not None]
    return min([0.0, *present]), max([0.0, *present])

"""What every rolling statistic is asked with: a panel, a window, values needed, a first bar."""

import math

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from plumbline.core.errors import ParameterError
from plumbline.kernels.inputs import as_input, whole_number_problems

LONGEST = 2**31 - 1  # bars of a window


def as_columns(values: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "bars assets"]:
    """Return a panel; one series is a panel of one asset."""
    return values[:, None] if values.ndim == 1 else values


def checked(
    name: str,
    x: ArrayLike,
    window: int,
    min_obs: int | None,
    first_bar: int,
    problems: list[str] | None = None,
) -> tuple[Float[np.ndarray, "bars assets"], tuple[int, int, int]]:
    """Return x as a panel, and window, place of row 0 in its block, and values needed."""
    found = list(problems or ())
    panel = as_input(x)
    if panel.ndim not in (1, 2) or np.ndim(x) == 0:
        found.append(f"x has shape {np.shape(x)}, needs (bars,) or (bars, assets)")
    inexact = whole_number_problems(window=window, min_obs=min_obs, first_bar=first_bar)
    if inexact:
        found += inexact
    elif not 1 <= window <= LONGEST:
        found.append(f"window={window} must lie in 1 … {LONGEST} bars")
    elif min_obs is not None and not 1 <= min_obs <= window:
        found.append(f"min_obs={min_obs} must lie in 1 … window={window}")
    if found:
        raise ParameterError(f"{name}: " + "; ".join(found))
    least = math.ceil(0.6 * window) if min_obs is None else min_obs
    return as_columns(panel), (int(window), first_bar % int(window), least)

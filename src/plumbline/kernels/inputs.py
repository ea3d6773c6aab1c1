"""Arrays as the kernels take them."""

import numpy as np
from jaxtyping import Float, Shaped
from numpy.typing import ArrayLike

from plumbline.core.errors import ParameterError


def whole_number_problems(*, min_obs: object = None, **values: object) -> list[str]:
    """Return what of some arguments is no whole number; ``min_obs`` may be None, its default."""
    given = values if min_obs is None else {**values, "min_obs": min_obs}
    return [
        f"{name}={value!r} must be a whole number"
        for name, value in given.items()
        if isinstance(value, bool) or not isinstance(value, (int, np.integer))
    ]


def as_input(values: ArrayLike, name: str = "values") -> Float[np.ndarray, "..."]:
    """Return values as a read-only float64 array in C order, copied only where they are not.

    What a masked array hides is NaN.

    Always read-only, because kernels are compiled once for arrays that may be written to and
    once more for those that may not, such as the fields of a panel.

    Raises
    ------
    ParameterError
        If the values are complex or no numbers.
    """
    if np.iscomplexobj(values):
        raise ParameterError(f"{name} are complex numbers, need real ones; take .real or abs first")
    if isinstance(values, np.ma.MaskedArray):
        values = np.ma.filled(values.astype(np.float64), np.nan)
    try:
        array = np.ascontiguousarray(values, dtype=np.float64).view()
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{name}: {values!r:.60} is no array of numbers: {error}") from error
    array.flags.writeable = False
    return array


def as_mask(
    mask: ArrayLike | None, shape: tuple[int, ...], problems: list[str]
) -> Shaped[np.ndarray, "..."]:
    """Return a mask of (bars, assets) as kernels read it, without rows for None.

    What is wrong with it is added to ``problems``.
    """
    array = np.empty((0, 0), dtype=bool) if mask is None else np.ascontiguousarray(mask).view()
    if mask is not None and (array.dtype != bool or np.shape(mask) != shape):
        problems.append(f"mask has shape {np.shape(mask)} of {array.dtype}, needs {shape} of bool")
    array.flags.writeable = False
    return array

"""Moments as people write them: ISO text, dates, times of several libraries, all UTC."""

import re
from datetime import UTC, datetime
from typing import Any

import numpy as np

from plumbline.core.errors import ParameterError

_PERIOD = re.compile(r"\d{4}(-\d{2}){0,2}")  # a year, a month or a day
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]")  # a day and a time


def moment_of(value: Any, *, late: bool) -> np.datetime64:
    """Return a moment in microseconds, UTC.

    Parameters
    ----------
    value : ISO text, datetime or datetime64; without a zone it is UTC.
    late : whether a year, month or day without a time means its last moment, else its first.

    Raises
    ------
    ParameterError
        If it is no time.
    """
    try:
        if isinstance(value, str) and _MOMENT.match(value):
            value = datetime.fromisoformat(value)
        elif isinstance(value, str) and not _PERIOD.fullmatch(value):
            raise ValueError(value)
        if isinstance(value, datetime) and value.tzinfo is not None:
            value = value.astimezone(UTC).replace(tzinfo=None)
        moment = np.datetime64(value)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{value!r} is not a time such as 2024-01-31") from error
    if np.isnat(moment):
        raise ParameterError(f"{value!r} is not a time such as 2024-01-31")
    if late and np.datetime_data(moment.dtype)[0] in ("Y", "M", "W", "D"):
        moment = (moment + 1).astype("datetime64[us]") - np.timedelta64(1, "us")
    exact: np.datetime64 = moment.astype("datetime64[us]")
    return exact

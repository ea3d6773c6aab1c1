"""The settings of the cleaning rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

from plumbline.core.errors import ParameterError, nearest_names
from plumbline.lake.selection import names_in

_CHOICES: dict[str, tuple[str, ...]] = {
    "conflicts": ("refuse", "first", "last"),
    "ohlc": ("flag", "missing", "off"),
    "frozen": ("flag", "missing", "off"),
    "outliers": ("missing", "flag", "off"),
}


@final
@dataclass(frozen=True)
class CleaningRules:
    """What is done about dirt in bars.

    White space around asset names is taken off, rows are sorted, rows off the calendar and exact
    duplicates are dropped, infinite values, prices beyond 1e-50 … 1e50 and volumes above 1e50
    become missing, and missing bars are marked and never filled, always. The rest can be set.
    Whatever a rule finds is counted in the quality report.

    Parameters
    ----------
    conflicts : two rows of a bar and asset that differ: ``refuse`` the data, or keep the ``first``
        or ``last`` of the input.
    max_off_calendar : share of rows off the calendar above which the data are refused, because
        then the calendar, the time zone or the label is wrong and not the rows.
    positive_prices : prices of 0 or less, and negative volumes, become missing.
    ohlc : a high below, or a low above, another price of its bar: ``flag`` it, make the bar's
        prices ``missing``, or ``off``.
    outliers : a price off by a factor of 10 or 100 that is back at the next bar: make the bar's
        prices ``missing``, ``flag`` it, or ``off``. The rule for bar t reads bar t + 1, so at t
        nobody knows it yet. It removes a wrong price and makes none, yet a trader at t saw it.
    outlier_tolerance : distance from the exact factor that still counts, share of the price.
    frozen : close unchanged and volume 0 for at least ``frozen_bars`` bars up to the asset's end:
        ``flag`` them, make them ``missing``, or ``off``. It looks at the end of the data,
        so it cannot be known at those bars.
    frozen_bars : bars.
    prices : fields that are prices.
    volumes : fields that are volumes; the first one present tells a frozen tail.

    Raises
    ------
    ParameterError
        If a value is none of these.
    """

    conflicts: Literal["refuse", "first", "last"] = "refuse"
    max_off_calendar: float = 0.5
    positive_prices: bool = True
    ohlc: Literal["flag", "missing", "off"] = "flag"
    outliers: Literal["missing", "flag", "off"] = "missing"
    outlier_tolerance: float = 0.25
    frozen: Literal["flag", "missing", "off"] = "flag"
    frozen_bars: int = 20
    prices: str | Sequence[str] = ("open", "high", "low", "close", "adj_close", "vwap", "price")
    volumes: str | Sequence[str] = ("volume", "quote_volume", "taker_buy_volume", "count")

    def __post_init__(self) -> None:
        object.__setattr__(self, "prices", names_in(self.prices))
        object.__setattr__(self, "volumes", names_in(self.volumes))
        problems = [
            f"{name}={getattr(self, name)!r}: {nearest_names(str(getattr(self, name)), allowed)}"
            for name, allowed in _CHOICES.items()
            if getattr(self, name) not in allowed
        ]
        if not 0 <= self.max_off_calendar <= 1:
            problems.append(f"max_off_calendar={self.max_off_calendar} must lie in 0 … 1")
        if not 0 < self.outlier_tolerance < 2:
            problems.append(f"outlier_tolerance={self.outlier_tolerance} must lie in 0 … 2")
        if self.frozen_bars < 2:
            problems.append(f"frozen_bars={self.frozen_bars} must be at least 2")
        if problems:
            raise ParameterError("; ".join(problems))

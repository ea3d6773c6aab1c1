"""Which assets belong to a universe at each bar, from what was known at its close."""

import math
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Bool, Float, Int8

from plumbline.core.arguments import Argument, require
from plumbline.core.panel import Panel
from plumbline.core.parameters import refuse, require_kinds
from plumbline.features.returns import positive_prices

REASONS: Final = (
    "",
    "no_price",
    "short_history",
    "missing_prices",
    "frozen",
    "low_price",
    "low_dollar_volume",
    "outside_top_n",
)
"""Why an asset is no member, by code; 0 is a member. The first that holds is the reason."""
_TIED = 1e-12  # share by which two means of equal values may differ


@final
@dataclass(frozen=True)
class UniverseRules:
    """Demands on an asset at a bar; one that is None is not made.

    An asset without a price on a bar is no member on it. Every other rule looks back over a number
    of bars that its parameters fix, so that membership does not depend on where a panel begins.

    Parameters
    ----------
    min_history_bars : bars with a price among the last ``history_bars``, at least 1.
    history_bars : bars in which that history is looked for; default: twice ``min_history_bars``,
        so that an asset with gaps gets in too.
    max_missing_share : share of the last ``missing_bars`` that may lack a price, 0 … 1.
    missing_bars : bars of that share.
    max_stale_bars : an asset is out from the bar on which it has not moved for so many bars, at
        least 1. It moves on a bar with volume, and on one whose close differs from the last close
        of the ``max_stale_bars`` before; a missing close is no move. One move, and it is back.
    min_price : lowest close.
    min_dollar_volume : lowest mean of close times volume over the last ``dollar_volume_bars``;
        60 % of them must have both.
    dollar_volume_bars : bars of that mean.
    top_n_by_dollar_volume : number of members, those of the highest such mean among the assets
        that keep all other rules; equal means count alike, so ties at the end may add some.

    Raises
    ------
    ParameterError
        If a parameter is outside its range; every problem is named.
    """

    min_history_bars: int | None = None
    history_bars: int | None = None
    max_missing_share: float | None = None
    missing_bars: int = 63
    max_stale_bars: int | None = None
    min_price: float | None = None
    min_dollar_volume: float | None = None
    dollar_volume_bars: int = 63
    top_n_by_dollar_volume: int | None = None

    def __post_init__(self) -> None:
        require_kinds(self)
        problems = [
            f"{name} must be at least 1"
            for name in (
                *("min_history_bars", "missing_bars", "max_stale_bars"),
                *("dollar_volume_bars", "top_n_by_dollar_volume"),
            )
            if (value := getattr(self, name)) is not None and value < 1
        ]
        problems += [
            f"{name} must be a number above 0"
            for name in ("min_price", "min_dollar_volume")
            if (value := getattr(self, name)) is not None and not 0 < value < math.inf
        ]
        if self.max_missing_share is not None and not 0 <= self.max_missing_share <= 1:
            problems.append("max_missing_share must lie in 0 … 1")
        if self.history_bars is not None and self.min_history_bars is None:
            problems.append("history_bars needs min_history_bars")
        elif self.history_bars is not None and self.history_bars < (self.min_history_bars or 1):
            problems.append("history_bars must be at least min_history_bars")
        refuse(self, problems)

    def requires(self) -> frozenset[str]:
        """Return the fields that the rules need; ``volume`` is read besides if it is there."""
        needs_volume = (self.min_dollar_volume, self.top_n_by_dollar_volume) != (None, None)
        return frozenset({"close", "volume"} if needs_volume else {"close"})

    @property
    def warm_up(self) -> int:
        """Return how many bars before a row its membership may depend on."""
        looks_back = [0]
        if self.min_history_bars is not None:
            looks_back.append(self._history_window - 1)
        if self.max_missing_share is not None:
            looks_back.append(self.missing_bars - 1)
        if self.max_stale_bars is not None:
            looks_back.append(2 * self.max_stale_bars - 1)
        if "volume" in self.requires():
            looks_back.append(self.dollar_volume_bars - 1)
        return max(looks_back)

    @property
    def least_bars(self) -> int:
        """Return the fewest bars with a price after which an asset can be a member."""
        least = [1, self.min_history_bars or 1]
        if self.max_missing_share is not None:
            least.append(self.missing_bars - math.floor(self.max_missing_share * self.missing_bars))
        if "volume" in self.requires():
            least.append(math.ceil(0.6 * self.dollar_volume_bars))
        return max(least)

    @property
    def _history_window(self) -> int:
        return self.history_bars or 2 * (self.min_history_bars or 0)


def universe_members(panel: Panel, rules: UniverseRules) -> Bool[np.ndarray, "bars assets"]:
    """Return whether each asset is a member of the universe at each bar.

    Parameters
    ----------
    panel : holds ``close`` (any currency) and, for some rules, ``volume`` (units of the asset).
    rules : what a member must keep.

    Returns
    -------
    (T, A). Row t reads rows t - ``rules.warm_up`` … t; rows of a panel that begins so many bars
    earlier are those of the whole panel. O(T·A), and O(A) more a bar for a top n.

    Raises
    ------
    MissingDataError
        If the panel lacks a field that the rules require.
    """
    members: Bool[np.ndarray, "bars assets"] = universe_reasons(panel, rules) == 0
    return members


def universe_reasons(panel: Panel, rules: UniverseRules) -> Int8[np.ndarray, "bars assets"]:
    """Return why each asset is no member at each bar: the place of the reason in ``REASONS``.

    Parameters
    ----------
    panel, rules : as :func:`universe_members` takes them.

    Returns
    -------
    (T, A) codes, 0 for a member; of several reasons the first in ``REASONS``.

    Raises
    ------
    MissingDataError
        If the panel lacks a field that the rules require.
    """
    require(
        Argument("panel", panel, isinstance(panel, Panel), "a Panel with the field close"),
        Argument("rules", rules, isinstance(rules, UniverseRules), "UniverseRules"),
    )
    fields = panel.only(sorted(rules.requires()))
    price = positive_prices(panel["close"])
    is_priced = np.isfinite(price)
    codes = np.where(is_priced, 0, REASONS.index("no_price")).astype(np.int8)
    if rules.min_history_bars is not None:
        n_priced = _trailing_count(is_priced, rules._history_window)
        _exclude(codes, n_priced < rules.min_history_bars, "short_history")
    if rules.max_missing_share is not None:
        n_missing = rules.missing_bars - _trailing_count(is_priced, rules.missing_bars)
        is_sparse = n_missing > rules.max_missing_share * rules.missing_bars
        _exclude(codes, is_sparse, "missing_prices")
    if rules.max_stale_bars is not None:
        _exclude(codes, _is_frozen(price, _is_traded(panel), rules.max_stale_bars), "frozen")
    if rules.min_price is not None:
        _exclude(codes, price < rules.min_price, "low_price")
    if "volume" in fields:
        dollars = _dollar_volume(price, fields["volume"], rules, panel.first_bar)
        if rules.min_dollar_volume is not None:
            _exclude(codes, ~(dollars >= rules.min_dollar_volume), "low_dollar_volume")
        if rules.top_n_by_dollar_volume is not None:
            dollars[codes != 0] = np.nan
            _exclude(codes, ~_is_in_top(dollars, rules.top_n_by_dollar_volume), "outside_top_n")
    return codes


def _exclude(
    codes: Int8[np.ndarray, "bars assets"], holds: Bool[np.ndarray, "bars assets"], reason: str
) -> None:
    codes[(codes == 0) & holds] = REASONS.index(reason)


def _trailing_count(
    holds: Bool[np.ndarray, "bars assets"], window: int
) -> Float[np.ndarray, "bars assets"]:
    """Return how often something holds on the last bars; bars before the panel count as not."""
    total: Float[np.ndarray, "bars assets"] = np.cumsum(holds, axis=0, dtype=np.float64)
    total[window:] -= total[:-window].copy()  # whole numbers: nothing is lost
    return total


def _is_traded(panel: Panel) -> Bool[np.ndarray, "bars assets"]:
    if "volume" not in panel:
        return np.zeros(panel.shape, dtype=bool)
    volume = panel["volume"]
    traded: Bool[np.ndarray, "bars assets"] = (volume > 0) & (volume < np.inf)
    return traded


def _is_frozen(
    price: Float[np.ndarray, "bars assets"], traded: Bool[np.ndarray, "bars assets"], n_bars: int
) -> Bool[np.ndarray, "bars assets"]:
    """Return whether an asset has not moved on the last bars.

    A price is compared with the last one before it that is no further back than ``n_bars``: one
    missing close does not wake a frozen asset.
    """
    row = np.arange(len(price))[:, None]
    is_priced = np.isfinite(price)
    before = np.full(price.shape, -1)
    before[1:] = np.maximum.accumulate(np.where(is_priced, row, -1), axis=0)[:-1]
    is_known = (before >= 0) & (row - before <= n_bars)
    last = np.take_along_axis(price, np.maximum(before, 0), axis=0)
    moves = is_priced & (traded | ~is_known | (price != last))
    return row - np.maximum.accumulate(np.where(moves, row, -n_bars), axis=0) >= n_bars


def _dollar_volume(
    price: Float[np.ndarray, "bars assets"],
    volume: Float[np.ndarray, "bars assets"],
    rules: UniverseRules,
    first_bar: int,
) -> Float[np.ndarray, "bars assets"]:
    """Return the trailing mean of close times volume; a negative volume is missing."""
    from plumbline.kernels.rolling import rolling_mean

    with np.errstate(over="ignore", invalid="ignore"):
        value = price * np.where(volume >= 0, volume, np.nan)
    return rolling_mean(value, rules.dollar_volume_bars, first_bar=first_bar)


def _is_in_top(
    dollars: Float[np.ndarray, "bars assets"], n_members: int
) -> Bool[np.ndarray, "bars assets"]:
    """Return whether fewer than n assets of a bar have more; false where there is no value.

    Assets that differ by rounding alone are tied, and all of them are in.
    """
    is_there: Bool[np.ndarray, "bars assets"] = np.isfinite(dollars)
    n_assets = dollars.shape[1]
    if n_members >= n_assets:
        return is_there
    ordered = np.where(is_there, dollars, -np.inf)
    nth = np.partition(ordered, n_assets - n_members, axis=1)[:, [n_assets - n_members]]
    is_there &= ordered >= nth * (1 - _TIED)
    return is_there

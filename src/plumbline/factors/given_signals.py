"""What an evaluation is asked with, looked at before anything is computed."""

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Float

from plumbline.core.alignment import conform
from plumbline.core.arguments import Argument, is_count, require
from plumbline.core.errors import ParameterError, nearest_names
from plumbline.core.panel import Panel
from plumbline.kernels.inputs import as_input

_LONE = "signal"  # what values without a name are called


def refuse_wrong(signal: object, prices: object, options: Mapping[str, object]) -> None:
    """Refuse arguments of ``evaluate_signal`` that cannot be meant, all at once.

    Parameters
    ----------
    signal, prices : as given.
    options : horizons, costs, sectors, regimes.

    Raises
    ------
    ParameterError
        If any is of a wrong kind, no horizon ends within the prices, or no asset of the sectors has
        prices.
    """
    horizons, costs = options["horizons"], options["costs"]
    sectors, regimes = options["sectors"], options["regimes"]
    require(
        Argument(
            *("signal", signal, isinstance(signal, (Mapping, np.ndarray))),
            "a Panel of one field, (bars, assets) values, or several of these by name",
        ),
        Argument("prices", prices, isinstance(prices, Panel), "a Panel with the field close"),
        Argument(
            *("horizons", horizons, _are_counts(horizons)),
            "whole numbers of bars, such as (1, 5, 21)",
        ),
        *_unreached(horizons, prices),
        Argument("costs", costs, _is_number(costs), "basis points, a number of at least 0"),
        Argument(
            *("sectors", sectors, sectors is None or _is_text_by_name(sectors)),
            "a mapping of asset to sector, both text",
        ),
        *_unpriced_sectors(sectors, prices),
        Argument(
            *("regimes", regimes, regimes is None or isinstance(regimes, Mapping)),
            "a mapping of a regime's name to the state of each bar",
        ),
    )


def _unreached(horizons: Any, prices: object) -> list[Argument]:
    """Return the horizons as a wrong argument if the prices end before the first of them."""
    if not isinstance(prices, Panel) or not _are_counts(horizons):
        return []
    nearest = min(horizons, default=0)
    told = f"{prices.n_bars} bars of prices"
    is_reached = nearest < max(prices.n_bars, 1)
    return [Argument("horizons", horizons, is_reached, f"below the {told}, one of them at least")]


def _unpriced_sectors(sectors: Any, prices: object) -> list[Argument]:
    """Return the sectors as a wrong argument if no asset in them has prices."""
    if not isinstance(prices, Panel) or not _is_text_by_name(sectors) or not sectors:
        return []
    is_known = not set(prices.assets).isdisjoint(sectors)
    unknown = [f"{name!r} ({nearest_names(name, prices.assets)})" for name in list(sectors)[:5]]
    more = f" and {len(sectors) - 5} more" if len(sectors) > 5 else ""
    told = f"of assets that have prices, at least one; unknown: {', '.join(unknown)}{more}"
    return [Argument("sectors", sectors, is_known, told)]


def signals_on(
    signal: Panel | Mapping[str, Any] | np.ndarray, prices: Panel
) -> dict[str, Float[np.ndarray, "..."]]:
    """Return signals by name on the axes of the prices.

    Parameters
    ----------
    signal : panel with one field, whose name is the signal's; values, which are called ``signal``;
        or name -> one of these.
    prices : has the axes.

    Raises
    ------
    ParameterError
        If a panel has not one field, or assets without prices, or values are no numbers; every
        problem is named.
    """
    if isinstance(signal, Panel):
        given: dict[str, Any] = {"/".join(signal): signal}
    else:
        given = dict(signal) if isinstance(signal, Mapping) else {_LONE: signal}
    problems: list[str] = []
    found = {name: _values(name, value, prices, problems) for name, value in given.items()}
    if problems:
        raise ParameterError("; ".join(problems))
    return found


def _values(name: str, value: Any, prices: Panel, problems: list[str]) -> Float[np.ndarray, "..."]:
    if not isinstance(name, str):
        problems.append(f"a signal's name is text, got {name!r}")
    if not isinstance(value, Panel):
        try:
            return as_input(value, f"signal {name!r}")
        except ParameterError as error:
            problems.append(str(error))
            return np.empty(0)
    unpriced = sorted(set(value.assets) - set(prices.assets))
    if len(value) != 1:
        problems.append(f"signal {name!r} is a panel of {len(value)} fields, need one")
    elif unpriced:
        shown = ", ".join(unpriced[:5])
        problems.append(f"signal {name!r} has assets without prices: {shown}")
    else:
        return _on_axes(value, prices)
    return np.empty(0)


def _on_axes(panel: Panel, prices: Panel) -> Float[np.ndarray, "bars assets"]:
    (values,) = conform(panel, prices).values()
    full = np.full(prices.shape, np.nan)
    full[:, prices.columns_of(panel.assets)] = values
    return full


def _are_counts(values: object) -> bool:
    if isinstance(values, (str, bytes, Mapping)) or not hasattr(values, "__iter__"):
        return False
    return all(is_count(int(v) if isinstance(v, np.integer) else v) for v in values)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and float(value) >= 0


def _is_text_by_name(values: object) -> bool:
    return isinstance(values, Mapping) and all(
        isinstance(part, str) for pair in values.items() for part in pair
    )

"""Factor returns from legs that can be traded."""

import re
from collections.abc import Iterable, Mapping

import numpy as np

from plumbline.core.errors import ParameterError, nearest_names
from plumbline.core.panel import Panel

_MINUS = re.compile(r"\s+-\s+")


def factor_returns(definitions: Mapping[str, str], returns: Panel) -> Panel:
    """Return a panel of factor returns, one column a factor.

    Parameters
    ----------
    definitions : factor name -> ``A``, the return of asset A, or ``A - B``, long A and short B of
        equal size, rebalanced every bar. The minus has blanks around it, because a ticker may
        contain one.
    returns : holds ``return`` of the legs, decimal per bar.

    Returns
    -------
    A panel with the bars of ``returns``, the factors as its assets (sorted) and the field
    ``return``, decimal per bar; NaN where a leg's return is missing.

    Raises
    ------
    MissingDataError
        If the panel lacks ``return``.
    ParameterError
        If there is no definition or some cannot be read; every problem is named.
    """
    legs = {name: _legs(text) for name, text in definitions.items()}
    problems = [] if legs else ["no factor is defined"]
    for name, text in definitions.items():
        problems += _problems(name, text, returns.assets)
    if problems:
        raise ParameterError("factor definitions: " + "; ".join(problems))
    values = returns["return"]
    names = sorted(legs)
    columns = np.full((returns.n_bars, len(names)), np.nan)
    for k, name in enumerate(names):
        place = returns.columns_of(legs[name])
        columns[:, k] = values[:, place[0]]
        if len(place) == 2:
            columns[:, k] -= values[:, place[1]]
    return Panel(
        {"return": columns},
        returns.bars,
        names,
        known_at=returns.known_at,
        first_bar=returns.first_bar,
    )


def legs_of(definitions: Mapping[str, str]) -> tuple[str, ...]:
    """Return the assets that definitions name, sorted, so that they can be loaded.

    Raises
    ------
    ParameterError
        If some definitions cannot be read; every problem is named.
    """
    problems = [p for name, text in definitions.items() for p in _problems(name, text, None)]
    if problems:
        raise ParameterError("factor definitions: " + "; ".join(problems))
    return tuple(sorted({leg for text in definitions.values() for leg in _legs(text)}))


def dependent_factors(definitions: Mapping[str, str]) -> list[str]:
    """Return the factors whose legs are a linear combination of those of the factors before.

    ``market: SPY, size: IWM - SPY, small: IWM`` names ``small``: no regression on all three exists.

    Parameters
    ----------
    definitions : factor name -> definition that can be read; see :func:`legs_of`.
    """
    places = {leg: i for i, leg in enumerate(legs_of(definitions))}
    rows = np.zeros((len(definitions), len(places)))
    for row, text in zip(rows, definitions.values(), strict=True):
        for leg, sign in zip(_legs(text), (1.0, -1.0), strict=False):
            row[places[leg]] = sign
    ranks = [0, *(int(np.linalg.matrix_rank(rows[: k + 1])) for k in range(len(rows)))]
    return [name for k, name in enumerate(definitions) if ranks[k + 1] == ranks[k]]


def _legs(text: str) -> list[str]:
    return [leg.strip() for leg in _MINUS.split(text.strip())]


def _problems(name: str, text: str, known: Iterable[str] | None) -> list[str]:
    legs = _legs(text)
    if not name.strip():
        return [f"a factor without a name is defined as {text!r}"]
    if len(legs) > 2 or not all(legs) or any(re.search(r"\s", leg) for leg in legs):
        return [f"{name!r} is defined as {text!r}; allowed: 'A' or 'A - B'"]
    if len(legs) == 2 and legs[0] == legs[1]:
        return [f"{name!r} is defined as {text!r}, which is zero"]
    if known is None:
        return []
    assets = set(known)
    return [f"{name!r} needs {_unknown(leg, assets)}" for leg in legs if leg not in assets]


def _unknown(leg: str, assets: set[str]) -> str:
    parts = leg.split("-")
    if len(parts) == 2 and set(parts) <= assets:
        return f"blanks around the minus: '{parts[0]} - {parts[1]}'"
    return f"{leg!r}, which the data lack ({nearest_names(leg, assets)})"

"""Factor returns from legs that can be traded."""

import re
from collections.abc import Collection, Iterable, Mapping

import numpy as np

from plumbline.core.errors import ParameterError, nearest_names
from plumbline.core.panel import Panel

_MINUS = re.compile(r"\s+-\s+")
_LOOSE = re.compile(r"\s-|-\s|^-$")


def factor_returns(definitions: Mapping[str, str], returns: Panel) -> Panel:
    """Return a panel of factor returns, one column a factor.

    Parameters
    ----------
    definitions : factor name -> ``A``, the return of asset A, or ``A - B``, long A and short B of
        equal size, rebalanced every bar. The minus has blanks around it, because a ticker may
        contain one. A name may hold blanks (``SPX Index``), and no minus beside one.
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
    if not legs:
        raise ParameterError("factor definitions: no factor is defined")
    _refuse(definition_problems(definitions, returns.assets))
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
    _refuse(definition_problems(definitions))
    return tuple(sorted({leg for text in definitions.values() for leg in _legs(text)}))


def definition_problems(
    definitions: Mapping[str, str], known: Iterable[str] | None = None
) -> dict[str, str]:
    """Return what is wrong with definitions, by factor; empty if nothing is.

    Parameters
    ----------
    definitions : factor name -> definition; see :func:`factor_returns`.
    known : the assets that there are; None takes every name for one.
    """
    assets = None if known is None else frozenset(known)
    found = {name: _problem(name, text, assets) for name, text in definitions.items()}
    return {name: text for name, text in found.items() if text}


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


def _refuse(problems: Mapping[str, str]) -> None:
    if problems:
        told = [f"{name!r} {text}" for name, text in problems.items()]
        raise ParameterError("factor definitions: " + "; ".join(told))


def _problem(name: str, text: str, assets: frozenset[str] | None) -> str:
    """Return what is wrong with a definition, or an empty text."""
    legs = _legs(text)
    if not name.strip():
        return f"is a factor without a name, defined as {text!r}"
    if assets is not None and len(legs) > 1 and text.strip() in assets:
        return f"is defined as {text!r}, an asset and a difference in one; rename that asset"
    if len(legs) > 2 or not all(legs) or any(_LOOSE.search(leg) for leg in legs):
        more = "; a leg's name holds no minus beside a blank" if len(legs) > 2 else ""
        return f"is defined as {text!r}; allowed: 'A' or 'A - B'{more}"
    if len(legs) == 2 and legs[0] == legs[1]:
        return f"is defined as {text!r}, which is zero"
    if assets is None:
        return ""
    lacking = [_unknown(leg, assets) for leg in legs if leg not in assets]
    return f"needs {' and '.join(lacking)}" if lacking else ""


def _unknown(leg: str, assets: Collection[str]) -> str:
    pairs = [(leg[:i], leg[i + 1 :]) for i, letter in enumerate(leg) if letter == "-"]
    for long, short in pairs:
        if long in assets and short in assets:
            return f"blanks around the minus: '{long} - {short}'"
    allowed = "; allowed: 'A' or 'A - B'" if re.search(r"\s\W+\s", leg) else ""
    return f"{leg!r}, which the data lack ({nearest_names(leg, assets)}{allowed})"

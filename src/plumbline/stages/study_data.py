"""What a factor study asks for and its data do not hold: fields, assets, a common calendar."""

from collections.abc import Iterable, Mapping
from typing import Any

from plumbline.core.calendar import bars_a_year
from plumbline.core.errors import nearest_names
from plumbline.engine.pipeline import DataSet
from plumbline.factors.factor_returns import legs_of
from plumbline.features.signal import Signal
from plumbline.stages.study_parts import DERIVED


def data_problems(
    full: Mapping[str, Any], stocks: DataSet, legs: DataSet, chosen: Mapping[str, Signal]
) -> list[str]:
    """Return what a study asks for and its data lack, with the nearest names.

    Parameters
    ----------
    full : the resolved document.
    stocks, legs : the data of its universe and of its factors.
    chosen : its signals by label.
    """
    problems = []
    grids = [f"{d.calendar_name} {d.frequency}" for d in (stocks, legs)]
    if grids[0] != grids[1]:
        problems.append(
            f"universe.prices has bars of {grids[0]}, factors.data of {grids[1]}; "
            "put both on one calendar"
        )
    expected = bars_a_year(stocks.calendar_name, stocks.frequency)
    if full["data"][full["universe"]["prices"]].get("calendar") is None and (
        full["evaluation"]["periods_per_year"] != expected
    ):
        problems.append(
            f"evaluation.periods_per_year is {full['evaluation']['periods_per_year']:g}; bars of "
            f"{grids[0]} are {expected:g} a year: set it"
        )
    for leg in legs_of(full["factors"]["definitions"]):
        if leg not in legs.assets:
            hint = nearest_names(leg, legs.assets)
            problems.append(f"factors.definitions: the data lack {leg!r}; {hint}")
    for asset in full["universe"]["assets"] or ():
        if asset not in stocks.assets:
            hint = nearest_names(asset, stocks.assets)
            problems.append(f"universe.assets: unknown asset {asset!r}; {hint}")
    needed = {f"signals.{label}": signal.requires() - DERIVED for label, signal in chosen.items()}
    problems += _lacking_fields(
        full["universe"]["prices"], stocks, {"universe": {"close"}, **needed}
    )
    problems += _lacking_fields(full["factors"]["data"], legs, {"factors.data": {"close"}})
    return problems


def _lacking_fields(name: str, data: DataSet, needed: Mapping[str, Iterable[str]]) -> list[str]:
    return [
        f"{place}: the data lack the field {field!r}; {nearest_names(field, data.fields)}; "
        f"if data.{name} holds it under another name, say columns: {{{field}: …}} there, or of a "
        f"wide table field: {field}"
        for place, fields in needed.items()
        for field in sorted(set(fields) - set(data.fields))
    ]

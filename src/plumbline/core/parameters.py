"""Parameters of plug-ins and options: frozen dataclasses whose fields are checked when made."""

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from plumbline.core.errors import ParameterError

_KINDS: dict[Any, tuple[tuple[type, ...], str]] = {
    int: ((int, np.integer), "a whole number"),
    float: ((int, float, np.integer, np.floating), "a number"),
    str: ((str,), "text"),
    bool: ((bool, np.bool_), "True or False"),
    NoneType: ((NoneType,), "None"),
}


def require_kinds(record: Any) -> None:
    """Refuse fields of a dataclass that are not of the kind that they are declared as, all at once.

    Raises
    ------
    ParameterError
        If a field is declared a number, text, a truth value, one of some words, a tuple of these or
        None, and is none of that. Other declarations are not looked at.
    """
    refuse(record, kind_problems(record).values())


def kind_problems(record: Any) -> dict[str, str]:
    """Return field -> what is wrong, of fields of another kind; see :func:`require_kinds`."""
    hints = _hints(type(record))  # type: ignore[arg-type]  # classes can be hashed
    return {
        field.name: f"{field.name} must be {_words(hints[field.name])}"
        for field in fields(record)
        if not _fits(getattr(record, field.name), hints[field.name])
    }


def broken(rules: Iterable[tuple[object, str]]) -> list[str]:
    """Return the texts of the rules that do not hold."""
    return [text for holds, text in rules if not holds]


def refuse(record: Any, problems: Iterable[str]) -> None:
    """Refuse a dataclass whose fields break rules.

    Parameters
    ----------
    record : the dataclass; the error shows its fields that are not at their default.
    problems : what is wrong; empty if nothing is.

    Raises
    ------
    ParameterError
        If there is a problem; all of them are named.
    """
    found = list(problems)
    if found:
        raise ParameterError(f"{'; '.join(found)}; got {_record(record)}")


def shown(value: Any) -> str:
    """Return a value as messages show it: as Python writes it, but dates such as 2024-01-31."""
    if isinstance(value, date):
        return value.isoformat()
    if type(value) in (list, tuple):
        inside = ", ".join(map(shown, value))
        if isinstance(value, list):
            return f"[{inside}]"
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{shown(key)}: {shown(item)}' for key, item in value.items())}}}"
    if is_dataclass(value) and not isinstance(value, type):
        return _record(value)
    return repr(value)


def _record(record: Any) -> str:
    """Return a dataclass with its fields that are not at their default."""
    own = ((field, getattr(record, field.name)) for field in fields(record) if field.repr)
    told = (f"{field.name}={shown(value)}" for field, value in own if not _is_default(value, field))
    return f"{type(record).__qualname__}({', '.join(told)})"


@lru_cache(maxsize=256)
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _is_default(value: object, field: "Field[Any]") -> bool:
    if field.default_factory is not MISSING:
        return bool(value == field.default_factory())
    return value is field.default or (type(value) is type(field.default) and value == field.default)


def _fits(value: object, declared: Any) -> bool:
    origin, options = get_origin(declared), get_args(declared)
    if origin in (Union, UnionType):
        return any(_fits(value, option) for option in options)
    if origin is Literal:
        return isinstance(value, str) and value in options
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(entry, options[0]) for entry in value)
    if declared not in _KINDS:
        return True
    return isinstance(value, _KINDS[declared][0]) and (
        declared is bool or not isinstance(value, bool)
    )


def _words(declared: Any) -> str:
    origin, options = get_origin(declared), get_args(declared)
    if origin in (Union, UnionType):
        return " or ".join(_words(option) for option in options)
    if origin is Literal:
        return f"one of {', '.join(map(str, options))}"
    if origin is tuple:
        return f"a tuple, each entry {_words(options[0])}"
    if declared in _KINDS:
        return _KINDS[declared][1]
    return f"a {declared.__name__}" if isinstance(declared, type) else str(declared)

"""How annotations are checked while tests run: shapes where there are any, else types alone.

What binds the axes of arrays to each other takes ten times as long as what looks at types, and is
called for every function of the package; most of them have no array.
"""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, get_args, get_type_hints

import jaxtyping
from beartype import BeartypeConf, beartype

PACKAGE = "plumbline"
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int is fine where a float is
_with_shapes = jaxtyping.jaxtyped


def install() -> None:
    """Have every function and dataclass of the package checked that is imported from here on."""
    jaxtyping.jaxtyped = _jaxtyped  # what the hook writes above functions is looked up there
    jaxtyping.install_import_hook(PACKAGE, f"{__name__}.checked")


def _jaxtyped(*, typechecker: Any) -> Callable[[Any], Any]:
    def decorate(subject: Any) -> Any:
        if not inspect.isclass(subject):
            return _plain(subject) or _with_shapes(subject, typechecker=typechecker)
        if dataclasses.is_dataclass(subject) and "__init__" in vars(subject):
            found = _plain(subject.__init__)
            if found is not None:
                subject.__init__ = found
                return subject
        return _with_shapes(subject, typechecker=typechecker)

    return decorate


def _plain(function: Any) -> Any:
    """Return a function with its types checked, or None if it has arrays."""
    if not inspect.isfunction(function):
        return None
    known = {name: _known(function, hint) for name, hint in function.__annotations__.items()}
    if any(_has_array(hint) for hint in known.values()):
        return None
    function.__annotations__ = known
    return checked(function)


def _known(function: Any, hint: Any) -> Any:
    """Return what an annotation means; that of a name which only a type checker knows is any."""
    if not isinstance(hint, str):
        return hint

    def holder() -> None: ...

    holder.__annotations__ = {"hint": hint}
    try:
        return get_type_hints(holder, function.__globals__, include_extras=True)["hint"]
    except (NameError, AttributeError, TypeError):
        return Any


def _has_array(hint: Any) -> bool:
    if inspect.isclass(hint) and issubclass(hint, jaxtyping.AbstractArray):
        return True
    return any(_has_array(part) for part in get_args(hint))

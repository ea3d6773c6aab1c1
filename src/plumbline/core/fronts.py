"""A package's front door: public names, each imported from its module on first use."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from plumbline.core.loaded import watch_imports


def front(
    package: str, exports: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return a package's ``__getattr__``, ``__dir__`` and ``__all__`` (PEP 562).

    Importing the package stays light: a name costs the import of its module when it is first used.
    From the first front on, what is imported is noted (:mod:`plumbline.core.loaded`).

    Parameters
    ----------
    package : the package's ``__name__``.
    exports : module of each public name, without the package's own.

    Raises
    ------
    AttributeError
        By what is returned, for a name that is not public.
    """

    def getattr_(name: str) -> Any:
        if name not in exports:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{exports[name]}"), name)

    watch_imports()
    names = sorted(exports)
    return getattr_, lambda: names, names

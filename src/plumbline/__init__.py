"""From raw bars to portfolio risk in one reproducible, cached, columnar engine."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plumbline.api import init, plan, run
    from plumbline.core.calendar import Calendar
    from plumbline.core.panel import Panel
    from plumbline.lake.lake import Lake, open_lake
    from plumbline.stages.recipe import load_recipe

_EXPORTS = {
    "Calendar": "core.calendar",
    "Lake": "lake.lake",
    "Panel": "core.panel",
    "init": "api",
    "load_recipe": "stages.recipe",
    "open_lake": "lake.lake",
    "plan": "api",
    "run": "api",
}

__all__ = ["Calendar", "Lake", "Panel", "init", "load_recipe", "open_lake", "plan", "run"]


def __getattr__(name: str) -> object:
    """Import the module of an exported name on first use, so that importing stays light."""
    if name == "__version__":
        from importlib.metadata import version

        return version("plumbline")
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)


def __dir__() -> list[str]:
    return __all__

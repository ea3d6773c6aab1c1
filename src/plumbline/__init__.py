"""From raw bars to portfolio risk in one reproducible, cached, columnar engine."""

from typing import TYPE_CHECKING

from plumbline.core.fronts import front

if TYPE_CHECKING:
    from plumbline.api import Options as Options
    from plumbline.api import init as init
    from plumbline.api import plan as plan
    from plumbline.api import run as run
    from plumbline.core.calendar import Calendar as Calendar
    from plumbline.core.panel import Panel as Panel
    from plumbline.core.version import __version__ as __version__
    from plumbline.engine.retries import Retries as Retries
    from plumbline.lake.lake import Lake as Lake
    from plumbline.lake.opening import open_lake as open_lake
    from plumbline.stages.recipe import load_recipe as load_recipe

_EXPORTS = {
    "Calendar": "core.calendar",
    "Lake": "lake.lake",
    "Options": "api",
    "Panel": "core.panel",
    "Retries": "engine.retries",
    "init": "api",
    "load_recipe": "stages.recipe",
    "open_lake": "lake.opening",
    "plan": "api",
    "run": "api",
    "__version__": "core.version",
}

__getattr__, __dir__, __all__ = front(__name__, _EXPORTS)

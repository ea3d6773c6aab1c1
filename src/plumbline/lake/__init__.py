"""The lake: immutable, content-addressed datasets of bars, made from files that nobody trusts.

The room promises that equal content has one id whatever files it came from, that bad input leaves
no trace, that a crash leaves the old state or the new one, and that no price is made up.

The sources are found by name in ``plumbline.lake.source.sources``. That name is not given here,
because ``plumbline.lake.sources`` is the folder of the sources' files.
"""

from importlib import import_module
from typing import Any

_EXPORTS = {
    "CleaningRules": "cleaning_rules",
    "Dataset": "dataset",
    "Ingested": "prepared",
    "Lake": "lake",
    "PreparedDataset": "prepared",
    "Source": "source",
    "clean": "cleaning",
    "diff": "dataset",
    "open_lake": "lake",
}

__all__ = sorted(_EXPORTS)


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)


def __dir__() -> list[str]:
    return __all__

"""The lake: immutable, content-addressed datasets of bars, made from files that nobody trusts.

The room promises that equal content has one id whatever files it came from, that bad input leaves
no trace, that a crash leaves the old state or the new one, and that no price is made up.

The sources are found by name in ``plumbline.lake.source.sources``. That name is not given here,
because ``plumbline.lake.sources`` is the folder of the sources' files.
"""

from typing import TYPE_CHECKING

from plumbline.core.fronts import front

if TYPE_CHECKING:
    from plumbline.lake.cleaning import clean as clean
    from plumbline.lake.cleaning_rules import CleaningRules as CleaningRules
    from plumbline.lake.dataset import Dataset as Dataset
    from plumbline.lake.lake import Lake as Lake
    from plumbline.lake.opening import open_lake as open_lake
    from plumbline.lake.prepared import Ingested as Ingested
    from plumbline.lake.prepared import PreparedDataset as PreparedDataset
    from plumbline.lake.source import Source as Source

_EXPORTS = {
    "CleaningRules": "cleaning_rules",
    "Dataset": "dataset",
    "Ingested": "prepared",
    "Lake": "lake",
    "PreparedDataset": "prepared",
    "Source": "source",
    "clean": "cleaning",
    "open_lake": "opening",
}

__getattr__, __dir__, __all__ = front(__name__, _EXPORTS)

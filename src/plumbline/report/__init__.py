"""Pages and their JSON twins made from results; nothing is computed here.

``study_page`` and ``study_json`` turn the results of a factor study into text, ``write_report``
puts both into a folder.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plumbline.report.page import study_page
    from plumbline.report.paths import ReportPaths
    from plumbline.report.study import Provenance, StudyResults
    from plumbline.report.twin import study_json
    from plumbline.report.write import write_report

_EXPORTS = {
    "Provenance": "study",
    "ReportPaths": "paths",
    "StudyResults": "study",
    "study_json": "twin",
    "study_page": "page",
    "write_report": "write",
}

__all__ = ["Provenance", "ReportPaths", "StudyResults", "study_json", "study_page", "write_report"]


def __getattr__(name: str) -> object:
    """Import the module that defines ``name`` on first use."""
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)

"""Pages and their JSON twins made from results; nothing is computed here.

``study_page`` and ``study_json`` turn the results of a factor study into text, ``write_report``
puts both into a folder.
"""

from typing import TYPE_CHECKING

from plumbline.core.fronts import front

if TYPE_CHECKING:
    from plumbline.report.page import study_page as study_page
    from plumbline.report.paths import ReportPaths as ReportPaths
    from plumbline.report.study import DataOrigin as DataOrigin
    from plumbline.report.study import Provenance as Provenance
    from plumbline.report.study import StudyResults as StudyResults
    from plumbline.report.twin import study_json as study_json
    from plumbline.report.write import write_report as write_report

_EXPORTS = {
    "DataOrigin": "study",
    "Provenance": "study",
    "ReportPaths": "paths",
    "StudyResults": "study",
    "study_json": "twin",
    "study_page": "page",
    "write_report": "write",
}

__getattr__, __dir__, __all__ = front(__name__, _EXPORTS)

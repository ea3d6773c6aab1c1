"""Pages and their JSON twins made from results; nothing is computed here.

``study_page`` and ``study_json`` turn the results of a factor study into text, ``sheet_page`` and
``sheet_json`` those of one signal; ``write_report`` puts all into a folder. ``pages`` holds the
pages of an evaluation, which :mod:`plumbline.core.page` names. ``write_portfolio_report`` does the
same for one portfolio, ``write_portfolio_index`` for the list of all.
"""

from typing import TYPE_CHECKING

from plumbline.core.fronts import front

if TYPE_CHECKING:
    from plumbline.report.page import study_page as study_page
    from plumbline.report.paths import ReportPaths as ReportPaths
    from plumbline.report.portfolio_page import portfolio_page as portfolio_page
    from plumbline.report.portfolio_twin import portfolio_json as portfolio_json
    from plumbline.report.portfolio_write import write_portfolio_index as write_portfolio_index
    from plumbline.report.portfolio_write import write_portfolio_report as write_portfolio_report
    from plumbline.report.sheet import sheet_page as sheet_page
    from plumbline.report.study import DataOrigin as DataOrigin
    from plumbline.report.study import Provenance as Provenance
    from plumbline.report.study import StudyResults as StudyResults
    from plumbline.report.twin import sheet_json as sheet_json
    from plumbline.report.twin import study_json as study_json
    from plumbline.report.write import write_report as write_report

_EXPORTS = {
    "DataOrigin": "study",
    "Provenance": "study",
    "ReportPaths": "paths",
    "StudyResults": "study",
    "portfolio_json": "portfolio_twin",
    "portfolio_page": "portfolio_page",
    "sheet_json": "twin",
    "sheet_page": "sheet",
    "study_json": "twin",
    "study_page": "page",
    "write_portfolio_index": "portfolio_write",
    "write_portfolio_report": "portfolio_write",
    "write_report": "write",
}

__getattr__, __dir__, __all__ = front(__name__, _EXPORTS)

"""Put a report, its tear sheets and their JSON twins into a folder."""

import os
from pathlib import Path

from plumbline.core.errors import ParameterError
from plumbline.lake.durable import make_folder, sync_folder, write_durably
from plumbline.report.page import study_page
from plumbline.report.paths import HTML_NAME, ReportPaths, report_paths
from plumbline.report.sheet import sheet_page
from plumbline.report.study import StudyResults
from plumbline.report.twin import sheet_json, study_json


def write_report(results: StudyResults, folder: str | os.PathLike[str]) -> ReportPaths:
    """Write ``study.html``, ``study.json`` and a tear sheet with its twin for each signal.

    A reader sees an old or a new file, never a part. The page of the study, which leads to the
    tear sheets, is written last.

    Parameters
    ----------
    results : the study.
    folder : made if it is not there; files of an earlier report are replaced.

    Returns
    -------
    The paths of all files.

    Raises
    ------
    ParameterError
        If ``folder`` is, or lies under, a file.
    """
    place = Path(folder)
    paths = report_paths(place, results.signals)
    sheets = {name: pair.html.name for name, pair in paths.sheets}
    texts = {paths.json: study_json(results), paths.html: study_page(results, sheets)}
    for name, (page, twin) in paths.sheets:
        mine = results.of_signal(name)
        texts[page] = sheet_page(mine, HTML_NAME, twin.name)
        texts[twin] = sheet_json(mine)
    make_report_folder(place)
    for path in paths.files():
        write_durably(path, texts[path].encode())
    sync_folder(place)
    return paths


def make_report_folder(place: Path) -> None:
    """Make the folder of a report.

    Raises
    ------
    ParameterError
        If it is, or lies under, a file.
    """
    try:
        make_folder(place)
    except (FileExistsError, NotADirectoryError) as error:
        raise ParameterError(
            f"folder={str(place)!r} is or lies under a file; name a folder"
        ) from error

"""Put a report and its JSON twin into a folder."""

import os
from pathlib import Path

from plumbline.core.errors import ParameterError
from plumbline.lake.durable import write_durably
from plumbline.report.page import study_page
from plumbline.report.paths import HTML_NAME, JSON_NAME, ReportPaths
from plumbline.report.study import StudyResults
from plumbline.report.twin import study_json


def write_report(results: StudyResults, folder: str | os.PathLike[str]) -> ReportPaths:
    """Write ``study.html`` and ``study.json``; a reader sees an old or a new file, never a part.

    Parameters
    ----------
    results : the study.
    folder : made if it is not there; files of an earlier report are replaced.

    Returns
    -------
    The paths of both files.

    Raises
    ------
    ParameterError
        If ``folder`` is, or lies under, a file.
    """
    place = Path(folder)
    page, twin = study_page(results), study_json(results)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ParameterError(
            f"folder={str(place)!r} is or lies under a file; name a folder"
        ) from error
    paths = ReportPaths(place / HTML_NAME, place / JSON_NAME)
    write_durably(paths.json, twin.encode())
    write_durably(paths.html, page.encode())
    return paths

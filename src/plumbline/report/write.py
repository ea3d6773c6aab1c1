"""Put a report and its JSON twin into a folder."""

import os
import uuid
from pathlib import Path

from plumbline.core.errors import ParameterError
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
    _replace(paths.json, twin)
    _replace(paths.html, page)
    return paths


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with draft.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)

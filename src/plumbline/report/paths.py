"""What the files of a report are called."""

from pathlib import Path
from typing import Final, NamedTuple

HTML_NAME: Final = "study.html"
JSON_NAME: Final = "study.json"


class ReportPaths(NamedTuple):
    """The files of one report."""

    html: Path
    json: Path

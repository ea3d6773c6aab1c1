"""What the files of a report are called."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple, final

from plumbline.core.digest import digest_bytes

HTML_NAME: Final = "study.html"
JSON_NAME: Final = "study.json"
INDEX_STEM: Final = "index"
_LONGEST: Final = 100
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.-]")


@final
class SheetPaths(NamedTuple):
    """The tear sheet of one signal."""

    html: Path
    json: Path


@final
class ReportPaths(NamedTuple):
    """The files of one report: the page of the study, its JSON twin, a tear sheet for each signal.

    Parameters
    ----------
    html, json : the study.
    sheets : signal and its tear sheet.
    """

    html: Path
    json: Path
    sheets: tuple[tuple[str, SheetPaths], ...] = ()

    def files(self) -> tuple[Path, ...]:
        """Return every file, the study's page last."""
        return (*(path for _, pair in self.sheets for path in pair), self.json, self.html)


def report_paths(folder: Path, signals: Iterable[str]) -> ReportPaths:
    """Return the paths of a report in a folder."""
    stems = sheet_stems(signals)
    sheets = [
        (name, SheetPaths(folder / f"{stem}.html", folder / f"{stem}.json"))
        for name, stem in stems.items()
    ]
    return ReportPaths(folder / HTML_NAME, folder / JSON_NAME, tuple(sheets))


def sheet_stems(signals: Iterable[str]) -> dict[str, str]:
    """Return the file name of each signal's tear sheet, without its ending.

    It is the signal's name where that can name a file on any system and is no other's, in whatever
    case; otherwise what of it can, and the start of its digest.
    """
    taken, stems = {Path(HTML_NAME).stem}, {}
    for name in signals:
        stem = _safe(name)
        if stem != name or not stem or stem.casefold() in taken:
            stem = f"{stem or 'signal'}-{digest_bytes(name.encode())[:12]}"
        taken.add(stem.casefold())
        stems[name] = stem
    return stems


def portfolio_stem(portfolio: str) -> str:
    """Return the file name of a portfolio's report, without its ending; no other has the same.

    It is the portfolio's key where that has no small letter and can name a file on any system;
    otherwise what of it can, and the start of its digest: two keys may differ by case alone.
    """
    stem = _safe(portfolio)
    is_plain = stem == portfolio and stem == stem.upper() and stem.casefold() != INDEX_STEM
    if stem and is_plain:
        return stem
    return f"{stem or 'portfolio'}-{digest_bytes(portfolio.encode())[:12]}"


def _safe(name: str) -> str:
    return _UNSAFE.sub("_", name).lstrip(".-")[:_LONGEST]

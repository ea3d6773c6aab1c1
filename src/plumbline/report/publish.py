"""A study's report on disk, written again only when what it shows has changed."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from plumbline.core.digest import digest, digest_bytes
from plumbline.engine.code_digest import CodeDigests
from plumbline.engine.run import RunResult
from plumbline.report.paths import HTML_NAME, JSON_NAME, ReportPaths
from plumbline.stages.gates import Verdict
from plumbline.stages.recipe import Recipe
from plumbline.stages.run_code import kept_blocks
from plumbline.stages.study_warnings import StudyWarning
from plumbline.stages.workspace import Workspace

_STAMP = ".made_from"


class Published(NamedTuple):
    """The study's page and its twin, and whether the report was written by this call."""

    html: Path
    json: Path
    is_new: bool


@runtime_checkable
class Reportable(Protocol):
    """What this module needs of a study."""

    @property
    def workspace(self) -> Workspace:
        """Return recipe, project and data."""

    @property
    def result(self) -> RunResult:
        """Return what the run did."""

    @property
    def recipe(self) -> Recipe:
        """Return the recipe."""

    @property
    def folder(self) -> Path:
        """Return where the project keeps this study's report."""

    @property
    def data_digest(self) -> str:
        """Return the digest of what is known of the data."""

    @property
    def warnings(self) -> tuple[StudyWarning, ...]:
        """Return what could not be computed."""

    @property
    def gates(self) -> tuple[Verdict, ...]:
        """Return the verdicts on the recipe's gates."""

    @property
    def codes(self) -> CodeDigests:
        """Return the code digests of this process."""

    def write_report(self, folder: Path | None = None) -> ReportPaths:
        """Write the report."""


def publish(study: Reportable) -> Published:
    """Write a study's report unless the one on disk shows the same.

    The stamp beside the report holds what made it (keys of the results, which name their code,
    which of them are kept from other code, recipe, data, warnings, verdicts and the page's code)
    and the digest of every file, so that a report that was edited or damaged is written again. The
    tear sheet of a signal that the study has no longer is taken away, unless it was edited.
    """
    folder = study.folder
    result = study.result
    database = study.workspace.project.database
    kept = kept_blocks(database, result.run_id) if result.counts.get("kept") else ()
    pieces = sorted(result.pieces.items())
    made_from = digest(
        (
            study.recipe.digest,
            study.data_digest,
            [(node, [entry.key for entry in found]) for node, (_, found) in pieces],
            [tuple(found) for found in kept],
            [(warning.part, warning.signal, warning.text) for warning in study.warnings],
            [tuple(verdict) for verdict in study.gates],
            study.codes.of_package("plumbline.report"),
            study.codes.of_module("plumbline.factors.conventions").digest,
            _assets_digest(),
        )
    )
    stamp = folder / _STAMP
    before = _files_of(stamp)
    is_whole = {HTML_NAME, JSON_NAME} <= before.keys()
    if is_whole and stamp.read_text(errors="replace") == _stamp(
        made_from, [folder / name for name in before]
    ):
        return Published(folder / HTML_NAME, folder / JSON_NAME, is_new=False)
    paths = study.write_report(folder)
    written = {path.name for path in paths.files()}
    for name, found in before.items():
        if name not in written and _digest_of(folder / name) == found:
            (folder / name).unlink(missing_ok=True)
    stamp.write_text(_stamp(made_from, paths.files()))
    study.codes.save()
    return Published(paths.html, paths.json, is_new=True)


def _files_of(stamp: Path) -> dict[str, str]:
    """Return the files of the report that a stamp belongs to, and their digests."""
    if not stamp.is_file():
        return {}
    lines = [line.partition(" ") for line in stamp.read_text(errors="replace").splitlines()[1:]]
    return {name: found for found, _, name in lines if name and name == Path(name).name}


def _assets_digest() -> str:
    here = Path(__file__).parent
    files = [p for p in sorted(here.rglob("*")) if p.suffix in (".css", ".js")]
    return digest([(p.name, digest_bytes(p.read_bytes())) for p in files])


def _stamp(made_from: str, paths: Sequence[Path]) -> str:
    return "\n".join([made_from, *(f"{_digest_of(path)} {path.name}" for path in paths)]) + "\n"


def _digest_of(path: Path) -> str:
    return digest_bytes(path.read_bytes()) if path.is_file() else "absent"

"""Whether a project's parts are whole."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from sqlalchemy import select

from plumbline.core.errors import CorruptEntryError
from plumbline.engine.objects import names_in
from plumbline.engine.project import Project
from plumbline.engine.root import project_option
from plumbline.lake.soundness import Lacking, lacking_versions
from plumbline.ledger.database import REFUSALS, quick_check, refusal
from plumbline.ledger.models import Artefact
from plumbline.ledger.queries import keys_of_newest_runs, unstable_blocks
from plumbline.store.soundness import FOLDER, forget_files, lacking_files, named_files

_SHOWN = 5  # problems of a check that are listed
_PATIENCE_MS = 3000  # commits take milliseconds; a lock held longer is a process that hangs


@final
@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Parameters
    ----------
    name : of it.
    ok : whether it is whole.
    found : what was found, in a line.
    problems : what is wrong one by one, where there may be several things.
    """

    name: str
    ok: bool
    found: str
    problems: tuple[str, ...] = ()


def checks_of(project: Project, *, deep: bool = False) -> list[Check]:
    """Check the database, results, data sets and portfolios: files there, at full length.

    ``deep`` reads every file, drops the results that hold a damaged one, forgets damaged files of
    portfolios, and sets damaged segments aside, so that the next command reads their sources
    again.
    """
    database = _database(project)
    if not database.ok:  # of a database that cannot be used nothing else can be told
        return [database]
    return [
        database,
        _results(project, deep=deep),
        _determinism(project),
        _data(project, deep=deep),
        *_portfolios(project, deep=deep),
    ]


def _database(project: Project) -> Check:
    try:
        found = quick_check(project.database, _PATIENCE_MS)
    except REFUSALS as error:
        return Check("database", ok=False, found=refusal(error))
    told = f"{found}, {project.database.url}" if project.database.is_on_server else found
    return Check("database", ok=found == "ok", found=told)


def _determinism(project: Project) -> Check:
    in_use = keys_of_newest_runs(project.database)  # a stage that was mended has other keys
    blocks = [row for row in unstable_blocks(project.database) if row["key"] in in_use]
    if not blocks:
        return Check(
            "determinism", ok=True, found="no key in use is known to have given two results"
        )
    first = blocks[0]
    found = f"{first['node']} [{first['block']}]: {first['message']}"
    more = f" (and {len(blocks) - 1} more)" if len(blocks) > 1 else ""
    return Check("determinism", ok=False, found=f"{found}; mend the stage{more}")


def _results(project: Project, *, deep: bool) -> Check:
    cache = project.engine.cache
    with project.database.read() as connection:
        rows = connection.execute(select(Artefact.manifest, Artefact.n_bytes)).all()
    held_by = [(names_in(json.loads(text)), n_bytes) for text, n_bytes in rows]
    names = {name for files, _ in held_by for name in files}
    odd = [files for files, n_bytes in held_by if cache.objects.size(files) != n_bytes]
    wrong: dict[str, str] = {}
    for name in sorted(names if deep else {name for files in odd for name in files}):
        try:
            cache.objects.check(name)
        except CorruptEntryError as error:
            wrong[name] = str(error)
    n_results = sum(not wrong.keys().isdisjoint(files) for files, _ in held_by)
    if not wrong:
        held = cache.statistics()
        size = f"{held.n_results} results in {held.n_files} files, {held.n_bytes / 1e6:.1f} MB"
        return Check("results", ok=True, found=f"{size}, {_how_whole(deep=deep)}")
    for name in wrong if deep else ():
        cache.forget(name, project.engine.ledger)
    advice = (
        "they are dropped, and a run makes those again that its recipe asks for"
        if deep
        else "a run makes those again that its recipe asks for, `plumbline doctor --deep` drops all"
    )
    found = f"{len(wrong)} of {len(names)} files are wrong, {n_results} results hold them; {advice}"
    return Check("results", ok=False, found=found, problems=_first([*wrong.values()]))


def _data(project: Project, *, deep: bool) -> Check:
    versions = project.lake.datasets()
    wrong = lacking_versions(project.lake, deep=deep)
    if wrong:
        told = _first([_what_to_do(version, project_option(project.root)) for version in wrong])
        found = f"{len(wrong)} of {len(versions)} versions lack files" + (
            "; damaged ones are set aside" if deep else ""
        )
        return Check("data sets", ok=False, found=found, problems=told)
    names = {row["name"] for row in versions}
    held = f"{len(versions)} versions of {len(names)} names"
    return Check("data sets", ok=True, found=f"{held}, {_how_whole(deep=deep)}")


def _portfolios(project: Project, *, deep: bool) -> list[Check]:
    """Look at the files of portfolios, if there are any."""
    named = named_files(project.database)
    if not named:
        return []
    wrong = lacking_files(project.store / FOLDER, project.database, deep=deep)
    if not wrong:
        size = f"{len(named)} files, {sum(named.values()) / 1e6:.1f} MB"
        return [Check("portfolios", ok=True, found=f"{size}, {_how_whole(deep=deep)}")]
    if deep:
        forget_files(project.database, list(wrong))
    advice = (
        "they are forgotten, so that their days are what they were before, or gone: measure their "
        "portfolios again"
        if deep
        else "`plumbline doctor --deep` forgets them, so that their portfolios are measured again"
    )
    found = f"{len(wrong)} of {len(named)} files are wrong; {advice}"
    return [Check("portfolios", ok=False, found=found, problems=_first([*wrong.values()]))]


def _what_to_do(found: Lacking, where: str) -> str:
    """Return a sentence on a version that lacks files."""
    head = (
        f"{found.name} version {found.version} lacks {found.n_lacking} of {found.n_files} files: "
    )
    forget = f"plumbline data {found.name} --forget {found.version}{where}"
    if found.is_newest:
        return head + (
            "`plumbline run` of a recipe that names its source, or `plumbline ingest`, writes them "
            "again; if the source has changed since, that makes a version of its own"
        )
    return head + (
        "only the source as it was then can restore this earlier version, by `plumbline ingest`; "
        f"results computed from it stay; to take it away: {forget}"
    )


def _how_whole(*, deep: bool) -> str:
    """Return how closely files were looked at that are fine."""
    return "as their digests say" if deep else "there at full length; --deep compares digests"


def _first(problems: Sequence[str]) -> tuple[str, ...]:
    rest = len(problems) - _SHOWN
    return (*problems[:_SHOWN], *([f"and {rest} more"] if rest > 0 else []))

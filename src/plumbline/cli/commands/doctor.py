"""Check the installation and the project."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plumbline.cli import console
from plumbline.cli.options import AsJson, ProjectFolder
from plumbline.core.errors import ProjectError, RunError
from plumbline.core.wording import counted

if TYPE_CHECKING:
    from plumbline.engine.project import Project

_UNSET = {
    "database": "a file in each project",
    "log": "no logs",
    "memory": "no limit",
    "now": "the machine's clock",
    "slow_query_ms": "nothing is logged",
    "store": "files of the project",
}


def command(
    deep: Annotated[
        bool, typer.Option("--deep", help="Compare every stored file with its digest.")
    ] = False,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Check the installation, and the project if there is one. Exit code 1 if something is wrong.

    Stored files must be there at their full length. With --deep every one is read and compared
    with its digest; damaged results are dropped, and damaged segments of data sets set aside.
    """
    from plumbline.core.settings import ENVIRONMENT, read_settings
    from plumbline.engine.root import project_root
    from plumbline.kernels.kernel_cache import cache_folder, compiled_families
    from plumbline.ledger.session import machine

    settings = read_settings()
    compiled = ", ".join(sorted(compiled_families()))
    facts: dict[str, Any] = {
        **machine(),
        "kernels": f"compiled: {compiled or 'none yet'}; in {cache_folder()}",
        "settings": {
            name: _UNSET[name] if value is None else str(value)
            for name, value in vars(settings).items()
        },
    }
    checks: list[dict[str, Any]] = []
    root = project_root(project or Path.cwd())
    if project is None and root is None:
        facts["project"] = f"none in {Path.cwd()} or above it"
    else:
        facts["project"] = str(root)
        checks = _checks(project, deep=deep)
    data = {"facts": facts, "checks": checks, "environment": ENVIRONMENT}
    console.emit(data, lambda: _text(facts, checks), as_json=as_json)
    wrong = [
        f"{c['name']}: {told}"
        for c in checks
        if not c["ok"]
        for told in (c["found"], *c["problems"])
    ]
    if wrong:  # --json has said so in its one document
        console.note(f"plumbline: {RunError('doctor', wrong)}")
        raise typer.Exit(1)


def _checks(project: Path | None, *, deep: bool) -> list[dict[str, Any]]:
    """Return what was looked at; a project that cannot be opened is one thing that is wrong."""
    from plumbline.cli.workspace import find_project
    from plumbline.engine.health import checks_of

    try:
        opened = find_project(project)
    except ProjectError as error:
        return [{"name": "project", "ok": False, "found": str(error), "problems": ()}]
    checks = checks_of(opened, deep=deep)
    return [*map(vars, checks), *(_remote_sources(opened) if checks[0].ok else [])]


def _remote_sources(project: "Project") -> list[dict[str, Any]]:
    """Return the last state of each source across a network; one that is not asked is wrong."""
    from plumbline.lake.breaker import breaker_states

    found = []
    for breaker in breaker_states(project.database):
        told = f"{breaker.state.replace('_', ' ')} since {breaker.since:%Y-%m-%d %H:%M:%S} UTC"
        if breaker.failures:
            times = counted(breaker.failures, "failure")
            told += f", {times} in a row, the last: {breaker.last_error}"
        is_ok = breaker.state == "closed"
        row = {"name": breaker.source, "ok": is_ok, "found": told, "problems": ()}
        found.append(row)
    return found


def _text(facts: dict[str, Any], checks: list[dict[str, Any]]) -> str:
    lines = []
    for name, value in facts.items():
        if isinstance(value, dict):
            lines += [f"{name}:", *(f"  {k:14}{v}" for k, v in value.items())]
        else:
            lines.append(f"{name:16}{value}")
    lines += [f"{'ok' if c['ok'] else 'WRONG':7}{c['name']}: {c['found']}" for c in checks]
    return "\n".join(lines)

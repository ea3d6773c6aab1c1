"""The command line's edge: finds the commands, and turns errors into messages and exit codes."""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from plumbline.cli import console
from plumbline.cli.process import INTERRUPTED
from plumbline.core.errors import (
    GateError,
    ParameterError,
    PlumblineError,
    RecipeError,
    UnknownAssetError,
    UnknownCalendarError,
    UnknownNameError,
    UnknownPluginError,
)
from plumbline.core.logs import configure_logs
from plumbline.engine.interruption import is_interrupted

ORDER = (
    "init",
    "demo",
    "ingest",
    "append",
    "data",
    "plan",
    "run",
    "explain",
    "verify",
    "runs",
    "report",
    "portfolios",
    "risk",
)

DONE, FAILED, USAGE, GATE = 0, 1, 2, 3

_USAGE_ERRORS = (
    ParameterError,
    RecipeError,
    UnknownAssetError,
    UnknownCalendarError,
    UnknownNameError,
    UnknownPluginError,
)

_HELP = """From raw bars to portfolio risk: reproducible, cached, point in time.

Start with `plumbline demo`, or with `plumbline init` and a recipe (YAML) of your own;
`plumbline plan` says what a run would compute and why, `plumbline run` does it.
Exit codes: 0 done, 1 failed, 2 wrong usage, recipe or name, 3 a gate of the recipe said no,
130 interrupted.
"""


def build() -> typer.Typer:
    """Return the application: one command, or group of them, for each file in ``cli/commands``."""
    app = typer.Typer(
        help=_HELP,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in command_names():
        module = import_module(f"plumbline.cli.commands.{name}")
        if hasattr(module, "group"):
            app.add_typer(module.group, name=name)
        else:
            app.command(name)(module.command)
    return app


def command_names() -> list[str]:
    """Return the commands in the order of the help page."""
    folder = Path(__file__).parent / "commands"
    names = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    return [*(n for n in ORDER if n in names), *sorted(names - set(ORDER))]


def call(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words
    try:
        configure_logs()
        code = build()(args=words or ["--help"], prog_name="plumbline", standalone_mode=False)
    except PlumblineError as error:
        if is_interrupted():  # which a library swallowed: what failed since is its consequence
            return _interrupted()
        # The document of a run is printed before its gates are asked, and holds their verdicts.
        console.fail(error, as_json=as_json and not isinstance(error, GateError))
        return exit_code(error)
    except KeyboardInterrupt:
        return _interrupted()
    except OSError as error:
        advice = "see that the folder is there, can be written and has room"
        told = f"{error}; {advice}; what was finished is stored"
        console.fail(PlumblineError(told), as_json=as_json)
        return FAILED
    except Exception as error:
        if is_interrupted():
            return _interrupted()
        if _is_usage(error, as_json=as_json):
            return USAGE
        if _is_database(error, as_json=as_json):
            return FAILED
        raise
    if code == INTERRUPTED or is_interrupted():  # the library of the command line returns 130
        return _interrupted()
    return int(code or DONE)


def _interrupted() -> int:
    console.note("plumbline: interrupted")
    return INTERRUPTED


def exit_code(error: PlumblineError) -> int:
    """Return the exit code that tells a script what kind of error this is."""
    if isinstance(error, GateError):
        return GATE
    return USAGE if isinstance(error, _USAGE_ERRORS) else FAILED


def _is_usage(error: Exception, *, as_json: bool) -> bool:
    """Show an error of the command line's own syntax; anything else is a bug."""
    shown = getattr(error, "format_message", None)
    if shown is None:
        return False
    context = getattr(error, "ctx", None)
    hint = "" if context is None else f"\nhelp: {context.command_path} --help"
    console.fail(ParameterError(shown() + hint), as_json=as_json)
    return True


def _is_database(error: Exception, *, as_json: bool) -> bool:
    """Show what the metadata database refused: it is full, damaged, or not to be written."""
    if getattr(error, "orig", None) is None:
        return False
    from plumbline.ledger.database import refusal

    told = f"the project's database: {refusal(error)}; then: plumbline doctor"
    console.fail(PlumblineError(told), as_json=as_json)
    return True


def _show_version(value: bool | None) -> None:
    if value:
        from importlib.metadata import version

        print(f"plumbline {version('plumbline')}")
        raise typer.Exit


def _root(
    _version: Annotated[
        bool | None,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = None,
) -> None:
    pass

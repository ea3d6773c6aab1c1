"""Importing the package loads nothing heavy; what is heavy loads with the first use."""

import subprocess
import sys

import pytest

HEAVY = {
    *("torch", "pandas", "sqlalchemy", "numba", "polars", "fastapi", "matplotlib", "scipy"),
    *(
        "pyarrow",
        "duckdb",
        "exchange_calendars",
        "narwhals",
        "uvicorn",
        "starlette",
        "jinja2",
        "opentelemetry",
    ),
}


def loaded_by(program: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has loaded after a program."""
    listing = "import sys; print('\\n'.join({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\n{listing}"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "program",
    [
        "import plumbline",
        "import plumbline; dir(plumbline); plumbline.__version__",
        "import plumbline.cli",
        "import plumbline.core, plumbline.kernels, plumbline.inference, plumbline.features",
        "import plumbline.factors, plumbline.lake, plumbline.engine, plumbline.ledger",
        "import plumbline.store",
        "import plumbline.stages, plumbline.report",
        "import plumbline.core.errors, plumbline.core.settings, plumbline.core.digest",
    ],
)
def test_importing_loads_nothing_heavy(program):
    assert loaded_by(program) & HEAVY == set()


def test_the_panel_needs_no_table_library_to_exist():
    assert loaded_by("from plumbline import Panel") & HEAVY == set()


def test_help_of_the_command_line_loads_nothing_heavy():
    program = (
        "import sys, contextlib, io\n"
        "sys.argv = ['plumbline', '--help']\n"
        "from plumbline.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    main()"
    )
    assert loaded_by(program) & HEAVY == set()


def test_a_heavy_import_would_be_noticed():
    assert loaded_by("import polars") & HEAVY == {"polars"}


def test_every_public_name_can_be_imported_from_the_package():
    program = "import plumbline\nfor name in plumbline.__all__:\n    getattr(plumbline, name)"
    assert "plumbline" in loaded_by(program)


def test_an_unknown_name_of_the_package_is_an_attribute_error():
    program = (
        "import plumbline\n"
        "try:\n"
        "    plumbline.nothing_of_this_name\n"
        "except AttributeError as error:\n"
        "    assert 'nothing_of_this_name' in str(error)\n"
        "else:\n"
        "    raise SystemExit(1)"
    )
    loaded_by(program)

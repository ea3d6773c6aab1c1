"""Commands of portfolios as tests type them, and what they say."""

import json

from plumbline.cli.app import call
from tests.stages.nightly_projects import BOOK, LOAD

SIZE = (
    *("--portfolios", str(LOAD.portfolios), "--positions", str(LOAD.positions)),
    *("--dates", str(LOAD.dates), "--symbols", str(LOAD.symbols), "--seed", "7"),
)
FILES = [word for t in BOOK for word in (f"--{t.replace('_', '-')}", f"{t}.parquet")]


def said(capsys, *words):
    """Run a command and return (exit code, standard output, standard error)."""
    capsys.readouterr()
    code = call(list(words))
    return code, *capsys.readouterr()


def document(capsys, *words):
    code, out, err = said(capsys, *words, "--json")
    assert code == 0, err
    return json.loads(out)

"""The example scripts run, on the data in the repository."""

import subprocess
import sys

import pytest

from plumbline.features.signal import signals
from plumbline.stages.recipe import load_recipe
from tests.study_files import EXAMPLES


def output_of(script, *arguments):
    command = [sys.executable, str(EXAMPLES / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_kernels_on_arrays():
    assert len(output_of("kernels_on_arrays.py").splitlines()) == 7


def test_study_in_python(tmp_path):
    assert "momentum" in output_of("study_in_python.py", tmp_path / "p")
    assert (tmp_path / "p" / "reports" / "us_equity_126" / "study.json").is_file()


@pytest.mark.parametrize("name", ["signals.yaml", "crypto_1h.yaml", "us_equity_600.yaml"])
def test_a_recipe_of_ten_signals_holds_every_one_that_is_shipped(name):
    recipe = load_recipe(EXAMPLES / name)
    used = [spec["signal"] for spec in recipe.resolved["signals"].values()]
    assert len(used) == 10
    assert set(signals) <= set(used)


def test_the_sample_portfolios_are_those_that_the_script_writes(tmp_path):
    output_of("make_portfolios.py", "--out", tmp_path)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(written) == 5
    for name, content in written.items():
        assert (EXAMPLES / "portfolios" / name).read_bytes() == content

"""Arguments of public functions: a wrong one is told by its name, with what is allowed."""

import json
import subprocess
import sys

import pytest

from plumbline.core.arguments import Argument, is_count, require
from plumbline.core.errors import ParameterError
from tests.study_files import write_study

_CALLS = """
import json, sys
import plumbline
from plumbline.core.errors import ParameterError

recipe = sys.argv[1]
told = {}
for text in json.load(sys.stdin):
    try:
        eval(text)
    except ParameterError as error:
        told[text] = str(error)
    except Exception as error:
        told[text] = f"{type(error).__name__}: {error}"
    else:
        told[text] = "accepted"
print(json.dumps(told))
"""

WRONG = {
    "plumbline.Options(executor=5)": "executor=5 must be 'serial', 'processes', or None",
    "plumbline.Options(workers='2')": "workers='2' must be a whole number of at least 1, or None",
    "plumbline.Options(workers=True)": "workers=True must be a whole number",
    "plumbline.Options(workers=1.5)": "workers=1.5 must be a whole number",
    "plumbline.Options(workers=0)": "workers=0 must be a whole number of at least 1",
    "plumbline.Options(use_cache='no')": "use_cache='no' must be True or False",
    "plumbline.Options(compiling=5)": "compiling=5 must be a function to call, or None",
    "plumbline.Options(watcher=print)": "watcher=<built-in function print> must be a Watcher",
    "plumbline.Options(workers='2', use_cache='no')": "or None; use_cache='no' must be True",
    "plumbline.run(recipe, options='processes')": "options='processes' must be Options",
    "plumbline.run(recipe, options=plumbline.Options)": "must be Options, as plumbline.Options(",
    "plumbline.run(recipe, options=0)": "options=0 must be Options",
    "plumbline.run(5)": "recipe=5 must be a recipe's file, its document, or a loaded Recipe",
    "plumbline.run(None)": "recipe=None must be",
    "plumbline.run(recipe, project='')": "project='' must be a folder, as text or a Path",
    "plumbline.run(recipe, project=[], overrides='text')": "or None; overrides='text' must be",
    "plumbline.plan(5)": "recipe=5 must be",
    "plumbline.plan(recipe, project=5)": "project=5 must be a folder",
    "plumbline.plan(recipe, overrides=5)": "overrides=5 must be a list of texts key=value",
    "plumbline.plan(recipe, overrides=None)": "overrides=None must be a list",
    "plumbline.plan(recipe, overrides=[5])": "overrides=[5] must be a list of texts",
    "plumbline.plan(recipe, overrides='name=a')": "overrides='name=a' must be a list of texts",
    "plumbline.plan(recipe, reading=5)": "reading=5 must be a function to call, or None",
    "plumbline.load_recipe(None)": "source=None must be a file or a document",
    "plumbline.load_recipe(recipe, 'name=a')": "overrides='name=a' must be a list of texts",
    "plumbline.init(None)": "folder=None must be a folder",
    "plumbline.Calendar(5)": "name=5 must be a text such as 'XNYS' or '24/7'",
    "plumbline.Calendar('XNYS', 5)": "frequency=5 must be a text such as '1d'",
    "plumbline.open_lake(5)": "path=5 must be the folder of a lake",
    "plumbline.api.Study.panel(None, 5)": "node=5 must be the name of a node",
    "plumbline.api.Study.write_report(None, 5)": "folder=5 must be a folder",
}


def test_every_argument_of_the_wrong_kind_is_told_by_its_name_and_nothing_is_made(tmp_path):
    """Type checks of the test run would refuse these calls first: another process makes them."""
    recipe = write_study(tmp_path / "p")
    done = subprocess.run(
        [sys.executable, "-c", f"import plumbline.api\n{_CALLS}", str(recipe)],
        input=json.dumps(list(WRONG)),
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    assert {call: text for call, text in told.items() if WRONG[call] not in text} == {}
    assert not (tmp_path / "p" / ".plumbline").exists()


def test_all_wrong_arguments_are_told_at_once_and_long_values_are_cut():
    wrong = Argument("b", list(range(1000)), False, "short")
    with pytest.raises(ParameterError) as caught:
        require(Argument("a", 1, True, "anything"), wrong, Argument("c", None, False, "a text"))
    assert str(caught.value).startswith("b=[0, 1, 2, ")
    assert str(caught.value).endswith("… must be short; c=None must be a text")
    assert len(str(caught.value)) < 120
    require(Argument("a", 1, True, "anything"))


@pytest.mark.parametrize(
    ("value", "expected"), [(1, True), (0, False), (True, False), (1.0, False)]
)
def test_a_count_is_a_whole_number_of_at_least_one(value, expected):
    assert is_count(value) is expected

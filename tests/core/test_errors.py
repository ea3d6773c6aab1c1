import copy
import inspect
import pickle

import pytest

from plumbline.core import errors
from plumbline.core.errors import (
    CorruptEntryError,
    MissingExtraError,
    PlumblineError,
    RecipeError,
    SourceError,
    UnknownAssetError,
    UnknownPluginError,
    nearest_names,
)

PUBLIC = {
    name: cls
    for name, cls in vars(errors).items()
    if inspect.isclass(cls) and issubclass(cls, PlumblineError) and not name.startswith("_")
}
BUILTINS = {
    "ParameterError": ValueError,
    "UnknownPluginError": KeyError,
    "UnknownAssetError": KeyError,
    "UnknownTableError": KeyError,
    "BrokenPluginError": ImportError,
    "MissingDataError": LookupError,
    "MissingExtraError": ImportError,
    "UnhashableError": TypeError,
    "CalendarError": ValueError,
    "RecipeError": ValueError,
    "StageError": RuntimeError,
    "WorkerLostError": RuntimeError,
}
ARGUMENTS = {
    "UnknownPluginError": ("Signal", "momentun", ["momentum", "value"]),
    "UnknownAssetError": (["AAPK", "zzz"], ["AAPL", "MSFT"]),
    "UnknownTableError": ("sumary", ["summary"]),
    "MissingExtraError": ("pandas", "pandas"),
    "RunError": ("run 7", ["block 1 failed", "block 2 failed"]),
    "StageError": ("stage x failed", "Traceback …"),
    "WorkerLostError": ("no memory left", "Traceback …"),
    "SourceError": ("bars.csv", ["no close", "no date"]),
    "RecipeError": ("study.yaml", ["one problem"]),
    "BookError": ("book", ["one problem", "and another"]),
    "CorruptEntryError": ("0123456789abcdef", "a/b", "wrong digest"),
}


def example(name: str) -> PlumblineError:
    return PUBLIC[name](*ARGUMENTS.get(name, ("what was given",)))


def test_a_name_of_other_case_is_the_nearest_and_none_stands_twice():
    assert nearest_names("xnys", ["24/7", "XNYS", "24/7"]) == "did you mean 'XNYS'?"
    assert nearest_names("qqqqq", ["b", "a", "b"]) == "known: a, b"


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("adj_close", ["bar_close", "known_at"]),
        ("Adj Close", ["bar_close", "asset"]),
        ("open", ["permno", "date"]),
        ("nofile.csv", ["wide.csv", "prices.csv"]),
        ("window", ["winsorise"]),
    ],
)
def test_a_name_that_only_shares_letters_with_another_is_not_near(name, known):
    assert nearest_names(name, known) == f"known: {', '.join(sorted(known))}"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("momentun", "momentum"),
        ("t_hacc", "t_hac"),
        ("markett", "market"),
        ("horzons", "horizons"),
        ("cvs", "csv"),
        ("SPX", "SPY"),
        ("Volumee", "volume"),
        ("lookback", "lookback_bars"),
        ("t_hca of momentum:5", "t_hac of momentum:5"),
        ("stoks.csv", "stocks.csv"),
        ("rezidual_momentun", "residual_momentum"),
    ],
)
def test_a_slip_of_the_pen_is_answered_with_what_was_meant(name, meant):
    assert nearest_names(name, ["other", meant, "thing.csv"]) == f"did you mean {meant!r}?"


def test_the_tree_in_the_docstring_is_the_tree_in_the_code():
    lines = [line.split() for line in (errors.__doc__ or "").splitlines() if "*" in line]
    assert {words[1] for words in lines} == set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_an_error_is_the_root_and_the_builtin_that_callers_expect(name):
    error = example(name)
    assert isinstance(error, PlumblineError)
    assert isinstance(error, BUILTINS.get(name, Exception))
    builtin = BUILTINS.get(name)
    if builtin is not None and name != "WorkerLostError":  # which inherits it from StageError
        tree = {
            line.split()[1]: line for line in (errors.__doc__ or "").splitlines() if "*" in line
        }
        assert f"also a{'n' if builtin is ImportError else ''} {builtin.__name__}" in tree[name]


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.parametrize("twin", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy])  # noqa: S301  # our own bytes
def test_an_error_crosses_a_process_border_with_all_it_says(name, twin):
    error = example(name)
    error.add_note("seen in a worker")
    again = twin(error)
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.args == error.args
    assert vars(again) == vars(error)


def test_an_unknown_plugin_is_answered_with_the_nearest_name():
    error = UnknownPluginError("Signal", "momentun", ["value", "momentum"])
    assert str(error) == "no Signal named 'momentun'; did you mean 'momentum'?"


def test_a_name_far_from_all_is_answered_with_the_list():
    assert nearest_names("zzz", ["b", "a"]) == "known: a, b"
    assert nearest_names("zzz", []) == "known: none"
    many = nearest_names("zzz", [f"name_{i:03}" for i in range(30)])
    assert many.endswith("name_019, … (30 in all)")


def test_all_unknown_assets_are_named_up_to_twenty():
    assert "'AAPK' (did you mean 'AAPL'?)" in str(UnknownAssetError(["AAPK"], ["AAPL"]))
    text = str(UnknownAssetError([f"Q{i}" for i in range(25)], ["AAPL"]))
    assert "'Q19'" in text
    assert "'Q20'" not in text
    assert text.endswith("and 5 more")


@pytest.mark.parametrize("cls", [SourceError, RecipeError])
def test_several_problems_are_shown_together(cls):
    error = cls("study.yaml", ["no close", "no date"])
    assert str(error) == "study.yaml: 2 problems\n  - no close\n  - no date"
    assert error.problems == ("no close", "no date")
    assert str(cls("a", ["b"])).startswith("a: 1 problem\n")


def test_a_missing_extra_says_what_to_install():
    assert "pip install 'plumbline[nets]'" in str(MissingExtraError("torch", "nets"))


def test_a_damaged_result_says_where_it_lies():
    error = CorruptEntryError("0123456789abcdef", "store/01", "3 bytes are missing")
    assert str(error) == "stored result 0123456789ab at store/01 is damaged: 3 bytes are missing"

"""What a recipe asks for and its data lack: listed as exactly as what is wrong in the recipe."""

import importlib

import pytest

from plumbline.api import init, prepare
from plumbline.core.errors import RecipeError
from plumbline.features.signal import signals
from tests.study_files import RECIPE, write_study


@pytest.fixture
def folder(tmp_path):
    write_study(tmp_path / "p", years=(2009,))
    init(tmp_path / "p")
    return tmp_path / "p"


def unmet(folder, text, *overrides):
    """Return what is wrong with a recipe that is right in itself; its subject names the file."""
    path = folder / "study.yaml"
    path.write_text(text)
    workspace = prepare(path, overrides=overrides)
    with pytest.raises(RecipeError) as caught:
        _ = workspace.pipeline
    assert caught.value.subject == f"recipe {path}"
    return list(caught.value.problems)


def line_of(text, row):
    return text.splitlines().index(row) + 1


def test_assets_and_legs_that_the_data_lack_stand_at_their_lines(folder):
    text = (
        RECIPE.replace("market: SPY", "market: SPYY")
        .replace("size: IWM - SPY", "size: IWM-SPY")
        .replace("  prices: stocks", "  prices: stocks\n  assets:\n    - ABT\n    - ABTT")
    )
    assert [problem.split(": ", 2) for problem in unmet(folder, text)] == [
        [
            f"line {line_of(text, '    - ABTT')}",
            "universe.assets.1",
            "unknown asset 'ABTT'; did you mean 'ABT'?",
        ],
        [
            f"line {line_of(text, '    market: SPYY')}",
            "factors.definitions.market",
            "needs 'SPYY', which the data lack (did you mean 'SPY'?)",
        ],
        [
            f"line {line_of(text, '    size: IWM-SPY')}",
            "factors.definitions.size",
            "needs blanks around the minus: 'IWM - SPY'",
        ],
    ]


def test_what_several_parts_of_a_study_lack_is_told_once(folder):
    text = RECIPE.replace("SPY", "SPX").replace("field: close", "field: last")
    text = text.replace(
        "paths: [prices/*.csv]", "paths: [prices/*.csv]\n    columns: {last: close}"
    )
    assert [problem.split(": ")[1] for problem in unmet(folder, text)] == [
        "universe",
        "factors.data",
        "factors.definitions.market",
    ]


def test_what_the_command_line_has_set_has_no_line(folder):
    found = unmet(folder, RECIPE, "universe.assets=[ABT, ABTT]", "factors.definitions.size=IWMM")
    assert [problem.split(": ")[0] for problem in found] == [
        "--set universe.assets.1",
        "--set factors.definitions.size",
    ]


def test_a_section_that_the_command_line_has_changed_in_part_says_so(folder):
    found = unmet(folder, RECIPE, "universe.assets=[ABT, AAPL]", "evaluation.horizons=[1, 300]")
    places = [problem.split(": ")[:2] for problem in found]
    lines = {name: line_of(RECIPE, row) for name, row in ROWS.items()}
    assert places == [
        [f"line {lines['universe']} and --set", "universe"],
        [f"line {lines['signals.momentum']}", "signals.momentum"],
        [f"line {lines['signals.residual_momentum']}", "signals.residual_momentum"],
        [f"line {lines['evaluation.n_quantiles']}", "evaluation.n_quantiles"],
    ]


ROWS = {
    "universe": "universe:",
    "signals.momentum": "  momentum: {lookback_bars: 60, skip_bars: 5}",
    "signals.residual_momentum": "  residual_momentum: {lookback_bars: 60, skip_bars: 5}",
    "evaluation.n_quantiles": "  n_quantiles: 3",
}


def test_two_calendars_are_refused_at_the_universe(folder):
    text = RECIPE.replace("field: close\n    calendar: XNYS", "field: close\n    calendar: 24/7")
    (problem,) = unmet(folder, text)
    assert problem == (
        f"line {line_of(text, '  prices: stocks')}: universe.prices: has bars of XNYS 1d, "
        "factors.data of 24/7 1d; put both on one calendar"
    )


def test_assets_without_a_sector_are_listed_with_what_else_is_lacking(folder):
    (folder / "sectors.csv").write_text("symbol,sector\nABT,x\n")
    text = (
        RECIPE.replace("size: IWM - SPY", "size: IWM-SPY") + "neutralise: {sectors: sectors.csv}\n"
    )
    found = unmet(folder, text)
    assert "factors.definitions.size" in found[0]
    assert found[1].startswith(f"line {len(text.splitlines())}: neutralise.sectors: ")
    assert "has no sector for 13 of 14 assets: AA, AAPL, " in found[1]
    assert "add their lines to" in found[1]


SIGNAL = '''"""A signal that reads a field."""

from dataclasses import dataclass
from typing import final

from plumbline.features.signal import Signal


@final
@dataclass(frozen=True)
class Reads(Signal):
    """The field itself."""

    def requires(self):
        return frozenset({"FIELD"})

    @property
    def warm_up(self):
        return 0

    def compute(self, panel):
        return panel["FIELD"]
'''


@pytest.mark.parametrize(
    ("field", "told", "advises"),
    [
        ("retrn", "did you mean 'return'? (the study derives it)", False),
        ("residual_retrun", "did you mean 'residual_return'? (the study derives it)", False),
        ("closee", "did you mean 'close'?; if data.stocks holds it under another name", True),
        (
            "open",
            "known: beta_market, beta_size, close, residual_return, return, volume; if data",
            True,
        ),
    ],
)
def test_a_field_that_nobody_has_is_compared_with_derived_ones_too(
    folder, tmp_path, monkeypatch, field, told, advises
):
    name = f"z_reads_{field}"
    (tmp_path / f"{name}.py").write_text(SIGNAL.replace("FIELD", field))
    monkeypatch.setitem(vars(signals), "_files", (*signals, name))
    folders = importlib.import_module("plumbline.features.signals").__path__
    folders.append(str(tmp_path))
    try:
        text = RECIPE.replace("signals:\n", f"signals:\n  {name}: {{}}\n")
        (problem,) = unmet(folder, text)
    finally:
        folders.remove(str(tmp_path))
    place = f"line {line_of(text, f'  {name}: {{}}')}: signals.{name}: "
    assert problem.startswith(f"{place}the data lack the field {field!r}; {told}")
    assert ("columns:" in problem) == advises

import numpy as np

from plumbline.core.panel import Panel
from plumbline.factors.evaluation import evaluate
from plumbline.stages.evaluate_signal import EvaluateSignal
from tests.factors.test_evaluation import OPTIONS, market, ragged_signal, sectors_of


def test_the_stage_gives_the_tables_of_an_evaluation_with_all_its_inputs():
    prices = market(3, 60)
    value = ragged_signal(3, prices.shape)
    signal = Panel({"signal": value}, prices.bars, prices.assets, first_bar=prices.first_bar)
    mood = np.arange(60.0)[:, None] % 3
    mood[:5] = np.nan
    regimes = Panel({"mood": mood}, prices.bars, ["market"], first_bar=prices.first_bar)
    sectors = sectors_of(prices)
    labels = ("calm", "tense", "wild")
    stage = EvaluateSignal(
        "one", OPTIONS, 20, tuple(sorted(sectors.items())), regimes=(("mood", labels),)
    )
    found = stage.run({"signal": signal, "prices": prices, "regimes": regimes})
    expected = evaluate(
        {"one": value},
        prices,
        options=OPTIONS,
        sectors=sectors,
        regimes={"mood": [None if np.isnan(state) else labels[int(state)] for state in mood[:, 0]]},
        rolling_bars=20,
    )
    assert found.keys() == expected.tables.keys()
    for name, table in found.items():
        assert table.equals(expected.tables[name]), name
        assert table.height or name == "signal_correlation", name
    assert set(found["ic_by_regime"]["state"]) == set(labels)


def test_the_stage_does_without_what_is_optional():
    prices = market(3, 60).only(["close"])
    value = ragged_signal(3, prices.shape)
    signal = Panel({"signal": value}, prices.bars, prices.assets, first_bar=prices.first_bar)
    found = EvaluateSignal("one", OPTIONS).run({"signal": signal, "prices": prices})
    empty = {name for name, table in found.items() if not table.height}
    assert empty == {
        "ic_by_sector",
        "ic_by_regime",
        "capacity",
        "ic_rolling",
        "signal_correlation",
    }

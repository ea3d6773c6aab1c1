import pytest

from plumbline.core.errors import ParameterError
from plumbline.factors.conventions import conventions
from plumbline.factors.options import EvaluationOptions


def test_every_problem_is_named_at_once():
    with pytest.raises(ParameterError) as caught:
        EvaluationOptions(
            horizons=(5, 5),
            n_quantiles=1,
            cost_bps=-1.0,
            spread_horizon=0,
            periods_per_year=0.0,
            every_bars=0,
        )
    for name in (
        "horizons",
        "n_quantiles",
        "cost_bps",
        "spread_horizon",
        "periods_per_year",
        "every_bars",
    ):
        assert f"{name} must" in str(caught.value)


def test_conventions_are_sentences_with_the_options_numbers():
    texts = conventions(EvaluationOptions(n_quantiles=7, cost_bps=2.5, spread_horizon=13))
    assert all(
        (text.endswith(".") and text[0].isupper()) or text[0].isdigit() for text in texts.values()
    )
    assert "7 groups" in texts["quantile"]
    assert "2.5 basis points" in texts["cost"]
    assert "last 13 closes" in texts["gross_return"]

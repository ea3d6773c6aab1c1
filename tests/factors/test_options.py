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


def test_options_of_draws_and_capacity_are_refused_together():
    with pytest.raises(ParameterError) as told:
        EvaluationOptions(
            n_resamples=-1,
            n_draws=2_000_000,
            seed=-1,
            impact=float("inf"),
            impact_bars=1,
            capitals_usd=(1e6, 1e5),
        )
    for name in ("n_resamples", "n_draws", "seed", "impact", "impact_bars", "capitals_usd"):
        assert f"{name} must" in str(told.value)
    with pytest.raises(ParameterError, match="capitals_usd must"):
        EvaluationOptions(capitals_usd=(0.0, 1e5))
    assert EvaluationOptions(n_resamples=0, n_draws=0, capitals_usd=()).capitals_usd == ()

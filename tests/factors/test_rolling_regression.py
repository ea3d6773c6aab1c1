import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import ParameterError
from plumbline.factors.models.rolling_regression import RollingRegression
from tests.contracts.made_panels import FACTORS, factor_panel, ragged_panel
from tests.oracles import factor_model as oracle


@pytest.mark.parametrize(("window", "min_obs", "lag"), [(20, None, 1), (33, 10, 1), (15, 15, 4)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_fields_match_one_least_squares_solution_per_window(window, min_obs, lag, seed):
    returns = ragged_panel(90, 5, seed=seed, first_bar=seed * 11)
    factors = factor_panel(90, seed=seed, first_bar=seed * 11)
    fitted = RollingRegression(window, min_obs, lag).fit(returns, factors)
    needed = min_obs or math.ceil(0.6 * window)
    alpha, beta, residual = oracle.rolling_regression(
        returns["return"], factors["return"], window, needed, lag
    )
    assert_allclose(fitted["alpha"], alpha, rtol=1e-9, atol=1e-13)
    assert_allclose(fitted["residual_return"], residual, rtol=1e-9, atol=1e-13)
    for k, name in enumerate(FACTORS):
        assert_allclose(fitted[f"beta_{name}"], beta[:, :, k], rtol=1e-9, atol=1e-12)


def test_betas_follow_the_names_of_their_factors():
    returns, factors = ragged_panel(90), factor_panel(90)
    both = RollingRegression(30).fit(returns, factors)
    alone = RollingRegression(30).fit(returns, factors.select(["value"]))
    assert {name for name in alone if name.startswith("beta_")} == {"beta_value"}
    assert {name for name in both if name.startswith("beta_")} == {f"beta_{f}" for f in FACTORS}


def test_lag_moves_the_residual_and_no_coefficient():
    returns, factors = ragged_panel(90), factor_panel(90)
    near = RollingRegression(30, as_of_lag=1).fit(returns, factors)
    far = RollingRegression(30, as_of_lag=5).fit(returns, factors)
    for name in ("alpha", "beta_market", "r2", "n_obs"):
        assert_array_equal(near[name], far[name])
    assert not np.array_equal(near["residual_return"], far["residual_return"], equal_nan=True)
    assert RollingRegression(30, as_of_lag=5).warm_up == 34


def test_every_bad_parameter_is_named_at_once():
    with pytest.raises(ParameterError) as caught:
        RollingRegression(window=2, min_obs=9, as_of_lag=0, ridge=-1.0, half_life=0.0)
    for name in ("window", "min_obs", "as_of_lag", "ridge", "half_life"):
        assert f"{name} must" in str(caught.value)

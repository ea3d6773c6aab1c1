import numpy as np
import pytest
from numpy.testing import assert_allclose

from plumbline.core.errors import MissingDataError, ParameterError, UnknownAssetError
from plumbline.core.panel import Panel
from plumbline.factors.neutralisation import count_unneutralised, neutralised_signal
from tests.contracts.made_panels import axis, names

N_BARS, N_ASSETS = 12, 24
SECTORS = {name: "ABC"[i % 3] for i, name in enumerate(names(N_ASSETS))}


@pytest.fixture
def panel():
    rng = np.random.default_rng(0)
    fields = {
        f"beta_{name}": rng.standard_normal((N_BARS, N_ASSETS)) for name in ("market", "size")
    }
    fields["beta_size"][3, 4] = np.nan
    return Panel(fields | {"alpha": np.ones((N_BARS, N_ASSETS))}, axis(N_BARS), names(N_ASSETS))


@pytest.fixture
def signal():
    values = np.random.default_rng(1).standard_normal((N_BARS, N_ASSETS))
    values[5, :2] = np.nan
    return values


def residual(signal, columns):
    """Least squares by bar on an intercept and full sets of columns, minimum norm."""
    out = np.full(signal.shape, np.nan)
    for t in range(len(signal)):
        there = np.isfinite(signal[t]) & np.isfinite([c[t] for c in columns]).all(axis=0)
        design = np.column_stack([np.ones(there.sum()), *(c[t][there] for c in columns)])
        fit = np.linalg.lstsq(design, signal[t][there], rcond=None)[0]
        out[t, there] = signal[t][there] - design @ fit
    return out


def dummies():
    return [
        np.tile([float(SECTORS[name] == kind) for name in names(N_ASSETS)], (N_BARS, 1))
        for kind in "ABC"
    ]


def test_betas_and_sectors_are_taken_out(signal, panel):
    betas = [panel["beta_market"], panel["beta_size"]]
    assert_allclose(
        neutralised_signal(signal, panel, sectors=SECTORS),
        residual(signal, [*betas, *dummies()]),
        atol=1e-12,
    )
    assert_allclose(neutralised_signal(signal, panel), residual(signal, betas), atol=1e-12)


def test_chosen_betas_only(signal, panel):
    values = neutralised_signal(signal, panel, betas=["beta_market"])
    assert_allclose(values, residual(signal, [panel["beta_market"]]), atol=1e-12)
    assert np.isfinite(values[3, 4])


def test_what_is_left_is_uncorrelated_with_betas_and_flat_over_sectors(signal, panel):
    left = neutralised_signal(signal, panel, sectors=SECTORS)
    for column in [panel["beta_market"], *dummies()]:
        assert_allclose(np.nansum(left * column, axis=1), 0, atol=1e-12)


def test_sectors_alone_take_out_their_means(signal, panel):
    values = neutralised_signal(signal, panel, sectors=SECTORS, betas=[])
    assert_allclose(values, residual(signal, dummies()), atol=1e-12)


def test_a_sector_without_assets_on_a_bar_disturbs_no_other(signal, panel):
    own = np.array([SECTORS[name] for name in panel.assets])
    for kind in "ABC":
        signal = np.random.default_rng(2).standard_normal(signal.shape)
        signal[2, own == kind] = np.nan
        values = neutralised_signal(signal, panel, sectors=SECTORS)
        betas = [panel["beta_market"], panel["beta_size"]]
        assert_allclose(values, residual(signal, [*betas, *dummies()]), atol=1e-12)


def test_wrong_inputs_are_refused(signal, panel):
    with pytest.raises(UnknownAssetError, match="A023"):
        neutralised_signal(signal, panel, sectors={k: v for k, v in SECTORS.items() if k != "A023"})
    with pytest.raises(MissingDataError, match="beta_markt"):
        neutralised_signal(signal, panel, betas=["beta_markt"])
    with pytest.raises(ParameterError, match="nothing to take out"):
        neutralised_signal(signal, panel, betas=[])
    with pytest.raises(ParameterError, match="shape"):
        neutralised_signal(signal[:3], panel)


def test_nothing_is_left_of_an_asset_alone_in_its_sector(signal, panel):
    sectors = SECTORS | {"A007": "alone"}
    own = np.array([sectors[name] for name in panel.assets])
    signal[2, (own == "B") & (np.array(panel.assets) != "A001")] = np.nan
    values = neutralised_signal(signal, panel, sectors=sectors)
    assert np.isnan(values[:, list(panel.assets).index("A007")]).all()
    assert np.isnan(values[2, list(panel.assets).index("A001")])
    counts = count_unneutralised(signal, panel, sectors=sectors)
    assert counts.alone_in_sector == N_BARS + 1
    assert counts.n_values == np.isfinite(signal).sum()
    assert np.isfinite(values).sum() == counts.n_values - counts.alone_in_sector - 1
    assert counts.missing_exposure == 1  # the beta that the panel lacks


def test_an_asset_alone_changes_no_other_residual(signal, panel):
    sectors = SECTORS | {"A007": "alone"}
    without = signal.copy()
    without[:, list(panel.assets).index("A007")] = np.nan
    assert_allclose(
        neutralised_signal(signal, panel, sectors=sectors),
        neutralised_signal(without, panel, sectors=sectors),
        atol=1e-12,
    )


def test_one_sector_for_all_takes_the_mean_out(signal, panel):
    same = dict.fromkeys(panel.assets, "A")
    values = neutralised_signal(signal, panel, sectors=same, betas=[])
    assert_allclose(values, signal - np.nanmean(signal, axis=1, keepdims=True), atol=1e-12)
    both = neutralised_signal(signal, panel, sectors=same)
    np.testing.assert_array_equal(both, neutralised_signal(signal, panel))
    assert count_unneutralised(signal, panel, sectors=same, betas=[]).alone_in_sector == 0


def test_bars_with_too_few_assets_are_counted_and_bars_without_any_are_not(signal, panel):
    signal[0] = np.nan
    signal[1, 3:] = np.nan
    counts = count_unneutralised(signal, panel)
    assert (counts.too_few_assets, counts.n_bars) == (1, N_BARS - 1)
    assert (counts.too_large, counts.rank_deficient) == (0, 0)
    same = Panel(
        {"beta_a": panel["beta_market"], "beta_b": panel["beta_market"]}, panel.bars, panel.assets
    )
    assert count_unneutralised(signal, same).rank_deficient == N_BARS - 2


def test_a_weight_of_zero_counts_as_a_missing_exposure(signal, panel):
    weights = np.ones(signal.shape)
    weights[4, 5] = 0.0
    counts = count_unneutralised(signal, panel, weights=weights)
    assert counts.missing_exposure == 2

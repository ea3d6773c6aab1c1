import numpy as np
import pytest
from numpy.testing import assert_allclose

from plumbline.core.errors import MissingDataError, ParameterError, UnknownAssetError
from plumbline.core.panel import Panel
from plumbline.factors.neutralisation import neutralised_signal
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

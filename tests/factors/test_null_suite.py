"""Draws of signals that know nothing, beside signals permuted one at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binom
from threadpoolctl import threadpool_limits

from plumbline.core.random import random_stream
from plumbline.factors import asset_nulls
from plumbline.factors.asset_nulls import asset_sums
from plumbline.factors.evaluation import evaluate
from plumbline.factors.null_suite import NULLS, null_draws, null_table
from plumbline.factors.options import EvaluationOptions
from plumbline.factors.ranked import Ranked
from plumbline.factors.shuffled_nulls import shuffled_draws
from plumbline.factors.tables import Axes
from plumbline.kernels import centred_ranks, rank_ic
from tests.contracts.made_panels import axis
from tests.oracles import evaluation as oracle


def ranked(signals, forwards):
    ic = rank_ic(signals, forwards)
    n_pairs = np.array(
        [[(np.isfinite(s) & np.isfinite(f)).sum(axis=1) for f in forwards] for s in signals]
    )
    return Ranked(centred_ranks(signals), centred_ranks(forwards), ic, n_pairs.astype(float))


def world(seed, n_bars, n_assets, *, gaps=0.0):
    rng = np.random.default_rng(seed)
    signals, forwards = rng.standard_normal((2, 2, n_bars, n_assets))
    signals, forwards = np.round(signals, 1), np.round(forwards, 1)  # some ties
    for x in (signals, forwards):
        x[rng.random(x.shape) < gaps] = np.nan
    return signals, forwards


@pytest.mark.parametrize("n_assets", [8, 9])
def test_permuted_assets_are_rank_ics_of_permuted_signals(n_assets):
    signals, forwards = world(1, 30, n_assets)
    n_draws, seed = 2 * (n_assets - 1) + 3, 5
    draws = null_draws(ranked(signals, forwards), (1, 2), n_draws=n_draws, seed=seed)
    for d in range(n_draws):
        stream = random_stream(seed, "permuted_assets", d // (n_assets - 1))
        order, shifts = stream.permutation(n_assets), 1 + stream.permutation(n_assets - 1)
        moved = np.empty(n_assets, dtype=int)
        for i in range(n_assets):
            moved[order[i]] = order[(i + shifts[d % (n_assets - 1)]) % n_assets]
        assert sorted(moved) == list(range(n_assets))
        for s in range(2):
            for h in range(2):
                ics = oracle.permuted_rank_ics(signals[s], forwards[h], moved)
                assert_allclose(draws[1, s, h, d], np.mean(ics), atol=1e-9)


@given(
    seed=st.integers(0, 2**32 - 1),
    n_bars=st.integers(1, 40),
    n_assets=st.integers(3, 12),
    n_draws=st.integers(1, 40),
    gaps=st.sampled_from([0.0, 0.3, 0.9]),
)
@settings(max_examples=25)
def test_products_of_assets_give_the_draws_of_transforms(seed, n_bars, n_assets, n_draws, gaps):
    some = ranked(*world(seed, n_bars, n_assets, gaps=gaps))
    found = []
    for most_assets in (128, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asset_nulls, "_MOST_PRODUCTS", most_assets)
            found.append(null_draws(some, (1, 5), n_draws=n_draws, seed=seed)[:2])
    assert_allclose(*found, atol=1e-9)


@pytest.mark.parametrize(("n_assets", "first_bar"), [(9, -700), (9, 500), (140, 512)])
def test_sums_of_parts_add_up_to_those_of_the_whole_bit_for_bit(n_assets, first_bar):
    signals, forwards = world(4, 1_400, n_assets, gaps=0.2)
    some = ranked(signals, forwards)
    told = {"n_draws": 30, "seed": 2}
    cut = 512 if n_assets > 128 else 301  # transforms are cut at multiples of 512
    first, rest = (
        Ranked(*(x[:, rows] for x in some[:2]), *(x[..., rows] for x in some[2:]))
        for rows in (slice(cut), slice(cut, None))
    )
    parts = asset_sums(first, first_bar, **told) + asset_sums(rest, first_bar + cut, **told)
    assert_array_equal(parts, asset_sums(some, first_bar, **told))
    assert parts.any(axis=(1, 2, 3)).all()


@given(seed=st.integers(0, 2**32 - 1), horizon=st.integers(1, 3))
@settings(max_examples=10)
def test_block_shuffled_is_the_mean_of_rank_ics_of_moved_blocks(seed, horizon):
    signals, forwards = world(seed, 83, 6)
    some = ranked(signals[:1], forwards[:1])
    draws = null_draws(some, (horizon,), n_draws=4, seed=3)[2, 0, 0]
    rows = np.flatnonzero(np.isfinite(some.ic[0, 0]))
    length = max(3 * horizon, int(np.ceil(np.sqrt(len(rows)))))  # 83 bars make no 100 blocks
    n_blocks = len(rows) // length
    rows = rows[len(rows) - n_blocks * length :]
    stream = random_stream(3, "block_shuffled", n_blocks)
    orders = stream.permuted(np.tile(np.arange(n_blocks), (4, 1)), axis=1)
    for draw, order in zip(draws, orders, strict=True):
        ics = []
        for block, source in enumerate(order):
            for i in range(length):
                bar, other = rows[block * length + i], rows[source * length + i]
                ics.append(rank_ic(signals[:1, None, other], forwards[:1, None, bar])[0, 0, 0])
        assert_allclose(draw, np.mean(ics), atol=2e-4)  # products are rounded to integers


def test_a_long_series_has_a_hundred_blocks():
    some = ranked(*np.random.default_rng(5).standard_normal((2, 1, 20_000, 4)))
    n_ic = int(np.isfinite(some.ic).sum())
    draws = shuffled_draws(some, (1,), n_draws=3, seed=1)
    length = -(-n_ic // 100)
    assert length > np.sqrt(n_ic)
    rows = np.flatnonzero(np.isfinite(some.ic[0, 0]))
    n_blocks = len(rows) // length
    rows = rows[len(rows) - n_blocks * length :].reshape(n_blocks, length)
    stream = random_stream(1, "block_shuffled", n_blocks)
    orders = stream.permuted(np.tile(np.arange(n_blocks), (3, 1)), axis=1)
    for draw, order in zip(draws[0, 0], orders, strict=True):
        moved = some.signals[0][rows[order].ravel()]
        after = some.forwards[0][rows.ravel()]
        assert_allclose(
            draw, np.mean(rank_ic(moved[None], after[None])), atol=1e-5
        )  # a draw is near 4e-3


@given(seed=st.integers(0, 2**32 - 1), gaps=st.sampled_from([0.0, 0.1, 0.6]))
@settings(max_examples=10)
def test_a_draw_has_the_variance_of_a_mean_of_rank_correlations(seed, gaps):
    signals, forwards = world(seed, 40, 30, gaps=gaps)
    signals[0, :20, 15:] = np.nan  # late listings
    some = ranked(signals, forwards)
    draws = null_draws(some, (1, 2), n_draws=2_000, seed=seed)
    has_ic = np.isfinite(some.ic)
    n_ic = has_ic.sum(axis=2)
    expected = np.where(has_ic, 1 / np.maximum(some.n_pairs - 1, 1), 0).sum(axis=2) / n_ic**2
    for null in range(2):
        assert_allclose(draws[null].var(axis=2), expected, rtol=0.25)
        assert (np.abs(draws[null].mean(axis=2)) < 5 * np.sqrt(expected / 2_000)).all()


def test_an_autocorrelated_signal_gets_a_wider_null_from_permuted_assets():
    rng = np.random.default_rng(0)
    signal = np.repeat(rng.standard_normal((1, 1, 40)), 60, axis=1)  # one order for ever
    forwards = np.repeat(rng.standard_normal((1, 6, 40)), 10, axis=1)
    sd = null_draws(ranked(signal, forwards), (1,), n_draws=500, seed=1).std(axis=3)[:, 0, 0]
    assert_allclose(sd[0], 1 / np.sqrt(39 * 60), rtol=0.15)
    assert_allclose(sd[1], 1 / np.sqrt(39 * 6), rtol=0.35)


def test_draws_have_the_same_bits_for_any_number_of_threads():
    signals, forwards = world(3, 400, 60, gaps=0.1)
    some = ranked(signals, forwards)
    found = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            found.append(null_draws(some, (1, 5), n_draws=70, seed=1))
    assert_array_equal(*found)


def test_signals_and_draws_meet_the_same_streams_whatever_stands_beside_them():
    signals, forwards = world(2, 101, 11, gaps=0.1)
    both = null_draws(ranked(signals, forwards), (1, 2), n_draws=25, seed=1)
    alone = null_draws(ranked(signals[1:], forwards), (1, 2), n_draws=25, seed=1)
    assert_array_equal(both[:, 1:], alone)
    other = null_draws(ranked(signals, forwards), (1, 2), n_draws=25, seed=2)
    assert (both != other).all()


@pytest.mark.parametrize(("n_bars", "n_assets"), [(0, 5), (5, 0), (5, 1), (5, 2), (1, 3), (40, 3)])
def test_worlds_too_small_for_a_null_have_none(n_bars, n_assets):
    signals, forwards = np.random.default_rng(0).standard_normal((2, 1, n_bars, n_assets))
    draws = null_draws(ranked(signals, forwards), (20,), n_draws=7, seed=0)
    assert draws.shape == (3, 1, 1, 7)
    assert np.isnan(draws[2]).all()  # no eight blocks of three horizons
    assert np.isnan(draws[:2]).all() == (n_bars == 0 or n_assets < 3)


def test_the_p_value_counts_the_result_as_a_draw():
    draws = np.array([0.0, 1.0, -1.0, 2.0, -2.0]).reshape(1, 1, 1, 5).repeat(3, axis=0)
    found = null_table(Axes(["s"], (1,), axis(0)), np.array([[1.5]]), draws, 9)
    assert found["null"].to_list() == list(NULLS)
    # the mean of all six is 0.25; as far as 1.25: -1, 2 and -2
    assert_allclose(found["p_value"], [(1 + 3) / 6] * 3)
    assert_allclose(found["sd"], [np.sqrt(2.5)] * 3)
    assert found["seed"].to_list() == [9] * 3
    assert found["n_draws"].to_list() == [5] * 3


def noise_market(seed, n_bars=160, n_assets=25):
    """Return closes, and a persistent signal that knows nothing of them."""
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(0.02 * rng.standard_normal((n_bars, n_assets)), axis=0))
    signal = np.zeros(close.shape)
    shock = rng.standard_normal(close.shape)
    for t in range(1, n_bars):
        signal[t] = 0.95 * signal[t - 1] + shock[t]
    close[: n_bars // 4, :4] = np.nan
    signal[rng.random(close.shape) < 0.05] = np.nan
    return close, signal


def test_p_values_are_uniform_where_there_is_nothing_and_small_where_something_is():
    from plumbline.factors.forward_returns import forward_returns

    n_worlds, rejected = 300, np.zeros((3, 2))
    for seed in range(n_worlds):
        close, signal = noise_market(seed)
        signal = np.where(np.isfinite(close), signal, np.nan)
        some = ranked(signal[None], forward_returns(close, (1, 5)))
        draws = null_draws(some, (1, 5), n_draws=99, seed=seed)
        mean = np.nanmean(some.ic, axis=2)
        found = null_table(Axes(["s"], (1, 5), axis(160)), mean, draws, seed)
        rejected += found["p_value"].to_numpy().reshape(2, 3).T <= 0.05
    low, high = binom.interval(0.999, n_worlds, 0.05)
    assert ((low <= rejected[1]) & (rejected[1] <= high)).all(), rejected  # keeps dependence
    assert low <= rejected[0, 0] <= high, rejected  # one bar ahead rank ICs are independent
    assert low <= rejected[2, 0] <= high, rejected
    assert rejected[2, 1] <= 2 * high, rejected  # blocks of 15 bars cut some of the dependence


def test_a_planted_signal_has_small_p_values():
    from plumbline.core.panel import Panel
    from tests.contracts.made_panels import names

    close, signal = noise_market(1)
    after = np.full(close.shape, np.nan)
    after[:-1] = np.log(close[1:] / close[:-1])
    planted = signal + 40 * after
    panel = Panel({"close": close}, axis(160), names(25))
    options = EvaluationOptions(horizons=(1,), n_draws=99, n_resamples=99)
    found = evaluate({"knows": planted, "noise": signal}, panel, options=options)
    p_values = found.null_suite.filter(signal="knows")["p_value"]
    assert (p_values == 0.01).all()
    assert found.bootstrap.filter(signal="knows")["lower"][0] > 0
    assert (found.null_suite.filter(signal="noise")["p_value"] > 0.05).all()

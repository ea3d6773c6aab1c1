"""A study with rules of its universe: who is out has no signal, keeps its return, and is named."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from plumbline.api import init, prepare, run
from plumbline.core.errors import RecipeError
from plumbline.features.universe import UniverseRules, universe_members
from tests.study_files import RECIPE, write_study

CRYPTO = Path(__file__).resolve().parents[1] / "studies" / "crypto_1h.yaml"
RULES = "universe.rules={min_history_bars: 30, max_stale_bars: 5, min_price: 20}"
FROZEN = ("FTTUSDT", "RAYUSDT", "WAVESUSDT")
COINS = (
    *("ADAUSDT", "AVAXUSDT", "BTCUSDT", "DOGEUSDT", "ETHUSDT", "LINKUSDT", "XRPUSDT"),
    *FROZEN,
)


def freeze(folder: Path, asset: str, first: str) -> None:
    """Let an asset stand still, without volume, from a day on."""
    path = folder / "prices" / "2010.csv"
    table = pl.read_csv(path)
    is_frozen = (pl.col("symbol") == asset) & (pl.col("date") >= first)
    table.with_columns(
        close=pl.when(is_frozen).then(50.0).otherwise(pl.col("close")),
        volume=pl.when(is_frozen).then(0.0).otherwise(pl.col("volume")),
    ).write_csv(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("universe")
    write_study(folder)
    freeze(folder, "ABT", "2010-09-01")
    init(folder)
    return folder


@pytest.fixture(scope="module")
def plain(folder):
    return run(folder / "study.yaml")


@pytest.fixture(scope="module")
def ruled(folder, plain):
    return run(folder / "study.yaml", overrides=[RULES])


def nodes(study) -> set[str]:
    return {node for node, _ in study.result.digests}


def test_without_rules_no_node_knows_of_a_universe(plain):
    labels = ("momentum", "residual_momentum")
    kinds = ("signal", "figures", "nulls", "shuffles", "evaluation")
    each = {f"{kind}:{label}" for kind in kinds for label in labels}
    shared = {"returns", "factor_returns", "factor_model", "factor_fit", "risk_fit"}
    shared |= {"changes", "liquidity", "forward_ranks", "correlation_sums", "signal_correlation"}
    assert nodes(plain) == shared | each


def test_a_signal_is_that_of_the_members_alone(ruled, plain):
    prices = ruled.workspace.project.lake.panel(ruled.workspace.datasets["stocks"])
    rules = UniverseRules(min_history_bars=30, max_stale_bars=5, min_price=20.0)
    members = universe_members(prices, rules)
    assert 0.3 < members.mean() < 0.95
    raw = plain.panel("signal:momentum")["signal"]
    masked = ruled.panel("member:momentum")["signal"]
    np.testing.assert_array_equal(masked, np.where(members, raw, np.nan))
    counted = ruled.tables["coverage"]["n_assets_with_signal_momentum"]
    np.testing.assert_array_equal(counted, np.isfinite(masked).sum(axis=1))


def test_rules_leave_returns_model_and_raw_signals_alone(ruled, plain):
    for node in ("returns", "factor_model", "signal:momentum", "signal:residual_momentum"):
        same = [place for place in plain.result.digests if place[0] == node]
        assert all(ruled.result.digests[p] == plain.result.digests[p] for p in same)
    path = ruled.workspace.recipe.base / "study.yaml"
    other = prepare(path, overrides=["universe.rules.min_price=9"])
    plan = other.project.engine.plan(other.pipeline)
    kept = {d.task.node.name for d in plan.decisions if d.state.value == "cached"}
    assert {"returns", "factor_model", "signal:momentum", "signal:residual_momentum"} <= kept


def test_an_asset_that_leaves_keeps_its_return(ruled):
    column = ruled.panel("returns").assets.index("ABT")
    out = ruled.panel("universe")["member"][:, column] == 0
    returns = ruled.panel("returns")["return"][:, column]
    assert np.isfinite(returns[out][-20:]).all()


def test_who_is_out_stands_in_the_table_the_warnings_and_the_report(ruled):
    table = ruled.tables["universe"]
    assert set(table["asset"]) == set(ruled.panel("returns").assets)
    row = table.filter(asset="ABT", reason="frozen").to_dicts()[0]
    assert f"{row['first_excluded']:%Y-%m-%d}" == "2010-09-09", "five sessions after its last move"
    assert row["n_bars_excluded"] == (ruled.panel("universe")["reason"] == 4).sum()
    texts = [w.text for w in ruled.warnings if w.part == "universe"]
    assert "universe: 1 asset kept out as frozen: ABT from 2010-09-09" in texts
    page = ruled.write_report().html.read_text()
    assert "Kept out of the universe" in page
    assert "ABT from 2010-09-09" in page


def test_an_asset_that_is_never_a_member_is_named_with_its_reason(folder):
    done = run(folder / "study.yaml", overrides=["universe.rules={min_price: 90}"])
    (text,) = [w.text for w in done.warnings if w.part == "universe"]
    never = done.tables["universe"].filter(pl.col("n_bars_member") == 0)["asset"]
    assert text.startswith(f"universe: {len(never)} assets never a member: ")
    assert f"{never[0]} (low price)" in text


def test_a_neutralised_signal_is_that_of_the_members(folder):
    overrides = [RULES, "neutralise.betas=true"]
    done = run(folder / "study.yaml", overrides=overrides)
    members = done.panel("universe")["member"] == 1
    residual = done.panel("neutral:momentum")["signal"]
    assert not np.isfinite(residual[~members]).any()
    filled = np.isfinite(residual)
    rows = filled.sum(axis=1) > 4
    assert np.abs(np.nansum(residual[rows], axis=1)).max() < 1e-9, "neutral among members"


def test_rules_that_cannot_be_kept_are_told_at_their_place(folder):
    def problems(text: str, *overrides: str) -> str:
        path = folder / "wrong.yaml"
        path.write_text(text)
        with pytest.raises(RecipeError) as caught:
            _ = prepare(path, overrides=overrides).pipeline
        return "\n".join(caught.value.problems)

    said = problems(RECIPE, "universe.rules={max_stale_bars: 0, min_prise: 3}")
    assert "universe.rules.max_stale_bars: max_stale_bars must be at least 1; got 0" in said
    assert "min_prise" in said
    text = RECIPE.replace(
        "    calendar: XNYS\n  etfs", "    fields: [close]\n    calendar: XNYS\n  etfs"
    )
    said = problems(text, "universe.rules={min_dollar_volume: 5}")
    assert "universe.rules: the data lack the field 'volume'" in said
    said = problems(RECIPE, "universe.rules={min_history_bars: 4000}")
    assert "the first member needs 4000 bars, the data have" in said


def crypto_cut(shared_data: Path, folder: Path, first: str, end: str) -> Path:
    """Write some months of ten coins, as they are in the shared file."""
    table = pl.scan_parquet(shared_data / "crypto_1h" / "um_futures_1h.parquet")
    time = pl.col("open_time").dt.replace_time_zone(None)
    is_in = (time >= pl.lit(first).str.to_datetime()) & (time < pl.lit(end).str.to_datetime())
    wanted = pl.col("symbol").cast(pl.String).is_in(COINS)
    path = folder / "cut.parquet"
    table.filter(is_in & wanted).collect().write_parquet(path)
    return path


@pytest.mark.parametrize(
    ("first", "end", "since"),
    [
        ("2022-10-01", "2023-01-01", {"FTTUSDT": "2022-11-15", "RAYUSDT": "2022-11-16"}),
        ("2024-05-01", "2024-08-01", {"WAVESUSDT": "2024-06-12"}),
    ],
)
def test_the_frozen_coins_are_out_of_an_hourly_study_and_named(
    shared_data, tmp_path, first, end, since
):
    path = crypto_cut(shared_data, tmp_path, first, end)
    overrides = [f"data.bars.paths=[{path}]"]
    study = run(CRYPTO, project=init(tmp_path), overrides=overrides)
    universe = study.panel("universe")
    closes = universe.bars
    for asset, day in since.items():
        member = universe["member"][:, universe.assets.index(asset)] == 1
        assert not member[closes >= np.datetime64(day) + np.timedelta64(1, "D")].any()
        assert member[(closes > np.datetime64(first) + 8) & (closes < np.datetime64(day))].all()
    texts = " ".join(w.text for w in study.warnings)
    assert all(f"{asset} from {day}" in texts for asset, day in since.items())
    assert not any(coin in texts for coin in COINS if coin not in FROZEN)
    page = study.write_report().html.read_text()
    assert all(asset in page for asset in since)
    assert study.tables["summary"]["mean_ic"].is_not_null().all()
    assert study.recipe.resolved["evaluation"]["periods_per_year"] == 8760

"""Made loads are as large as asked, ragged, usable by every analytic, and fixed by their seed."""

from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import ParameterError
from plumbline.risk.analytic import all_analytics
from plumbline.risk.measurement import measure
from plumbline.risk.synthesis import synthesize
from plumbline.risk.synthetic_load import HISTORY, Load
from plumbline.risk.synthetic_market import FUNDS

SMALL = Load(portfolios=12, positions=6, dates=30, symbols=40, option_share=0.2, private_share=0.1)
TABLES = ("portfolios", "trades", "cash_flows", "instruments")
FIELDS = ("close", "split", "dividend")


@pytest.fixture(scope="module")
def made():
    return synthesize(SMALL, 5)


@pytest.fixture(scope="module")
def measured(made):
    book, market = made
    names = ["market_beta", "sector"]
    return measure(book, market, dates=list(market.dates[HISTORY:].tolist()), analytics=names)


def classes(book):
    return dict(book.instruments.select("symbol", "class").iter_rows())


def traded(book):
    kinds = book.instruments.select("symbol", "class", "multiplier")
    return book.trades.join(kinds, on="symbol", how="left", maintain_order="left")


def test_a_load_has_as_many_of_everything_as_is_asked_for(made):
    book, market = made
    count = dict(book.instruments.group_by("class").len().iter_rows())
    assert book.portfolios.height == 12
    assert count == {"equity": 40, "etf": len(FUNDS), "option": 9, "private": 5}
    assert market.symbols == tuple(book.instruments["symbol"])
    assert market.dates.size == HISTORY + 30
    assert market.dates[HISTORY] == np.datetime64("2023-01-03")
    assert set(book.portfolios["opened_on"]) == {date(2023, 1, 3)}


def test_the_history_is_as_long_as_any_analytic_looks_back():
    assert max(analytic.sessions for analytic in all_analytics().values()) <= HISTORY


def test_the_funds_that_analytics_read_have_every_close(made):
    _, market = made
    read = set().union(*(analytic.symbols for analytic in all_analytics().values()))
    assert read == set(FUNDS)
    assert all(np.isfinite(market.close[market.place[fund]]).all() for fund in FUNDS)


def test_each_portfolio_holds_so_many_positions_until_options_expire(made, measured):
    book, _ = made
    lines = book.trades.group_by("portfolio").agg(pl.col("symbol").n_unique())
    assert lines["symbol"].min() >= 6
    assert measured.snapshots["n_positions"].max() == 6
    last = measured.snapshots.filter(pl.col("date") == pl.col("date").max())
    assert last["n_positions"].mean() > 5


def test_shares_are_ragged_as_real_ones_are():
    load = Load(portfolios=1, positions=1, dates=70, symbols=200, gap_share=0.01)
    _, market = synthesize(load, 2)
    rows = [market.place[s] for s in market.symbols if s.startswith("S0") and "-" not in s]
    close = market.close[rows]
    there = np.isfinite(close)
    first, last = there.argmax(axis=1), there.shape[1] - 1 - there[:, ::-1].argmax(axis=1)
    late, gone = first > 5, last < there.shape[1] - 5
    assert late.sum() == sum(load.is_late(i) for i in range(200)) == 20
    assert gone.sum() == sum(load.is_delisted(i) for i in range(200)) == 2
    assert gone[0]
    whole = there[~late & ~gone]
    assert 0.008 < 1 - whole.mean() < 0.012
    assert whole[:, HISTORY].all()
    assert len(np.unique(first[late])) > 10
    assert (market.split != 1).sum() > 20
    assert (market.dividend > 0).sum() > 500


def test_returns_have_a_common_part_and_do_not_jump_at_splits_and_dividends():
    _, market = synthesize(Load(portfolios=1, positions=1, dates=5, symbols=400), 3)
    rows = [market.place[s] for s in market.symbols if s.startswith("S0") and "-" not in s]
    returns, common = market.returns[rows], market.returns[market.place["SPY"]]
    known = np.isfinite(returns)
    betas = [
        np.cov(own[there], common[there])[0, 1] / common[there].var()
        for own, there in zip(returns, known, strict=True)
        if there.sum() > 250
    ]
    assert 0.8 < np.mean(betas) < 1.2
    assert 0.15 < np.std(betas) < 0.5
    assert np.nanmax(np.abs(returns)) < 0.25
    at_split = returns[(market.split[rows] != 1) & known]
    at_dividend = returns[(market.dividend[rows] > 0) & known]
    assert at_split.size > 10
    assert at_split.std() < 1.5 * np.nanstd(returns)
    assert abs(at_dividend.mean() - np.nanmean(returns)) < 4 * 0.02 / at_dividend.size**0.5


def test_trades_are_spread_over_the_dates_near_the_close_and_cost_fees(made):
    book, market = made
    days = np.searchsorted(market.dates, book.trades["date"].to_numpy())
    assert (days >= HISTORY).all()
    assert len(np.unique(days)) > 15
    assert 0.65 < (days == HISTORY).sum() / (12 * 6) < 0.95
    row = [market.place[symbol] for symbol in book.trades["symbol"]]
    assert_allclose(book.trades["price"], market.last_closes[0][row, days], rtol=0.02, atol=1e-4)
    assert book.trades["fees"].min() >= 1
    assert book.trades["quantity"].to_numpy().tolist() == book.trades["quantity"].round(2).to_list()


def test_portfolios_are_long_and_short_and_private_assets_are_long(made):
    book, _ = made
    opened = traded(book).group_by("portfolio", "symbol", maintain_order=True).first()
    sides = opened.group_by("class").agg((pl.col("quantity") < 0).mean())
    share = dict(sides.iter_rows())
    assert share["private"] == 0
    assert 0.15 < share["equity"] < 0.45


def test_options_and_private_assets_have_their_shares_of_lines():
    load = Load(portfolios=200, positions=21, dates=1, symbols=60)
    book, _ = synthesize(load, 4)
    assert book.trades.height == 200 * 21
    kinds = traded(book)["class"].value_counts(normalize=True)
    share = dict(kinds.iter_rows())
    assert_allclose(share["option"], 0.05, atol=0.006)
    assert_allclose(share["private"], 0.02, atol=0.006)


def test_shares_of_zero_leave_a_kind_out():
    load = Load(
        portfolios=4,
        positions=5,
        dates=20,
        symbols=12,
        short_share=0.0,
        option_share=0.0,
        private_share=0.0,
        late_share=0.0,
        delisted_share=0.0,
        gap_share=0.0,
    )
    book, market = synthesize(load, 1)
    assert set(classes(book).values()) == {"equity", "etf"}
    assert np.isfinite(market.close).all()
    assert (book.trades.group_by("portfolio", "symbol").first()["quantity"] > 0).all()


def test_a_portfolio_of_options_and_private_assets_alone_can_be_made():
    load = Load(portfolios=3, positions=4, dates=5, symbols=10, option_share=0.5, private_share=0.5)
    book, _ = synthesize(load, 1)
    assert set(traded(book)["class"]) == {"option", "private"}


def test_flows_of_every_kind_come_and_go_on_weekends_too():
    book, market = synthesize(Load(portfolios=150, positions=1, dates=40, symbols=5), 6)
    flows = book.cash_flows
    assert set(flows["kind"]) == {"contribution", "withdrawal", "fee", "interest", "dividend"}
    assert (flows["date"].dt.weekday() > 5).any()
    assert flows["date"].is_between(market.dates[HISTORY].item(), market.dates[-1].item()).all()
    by_flows = book.portfolios.filter(dividends="cash_flows")["portfolio"]
    assert 5 < by_flows.len() < 30
    assert set(flows.filter(kind="dividend")["portfolio"]) <= set(by_flows)


def test_options_are_quoted_between_the_first_date_and_expiry_unless_the_underlying_splits():
    load = Load(portfolios=1, positions=1, dates=120, symbols=300, option_share=0.5)
    book, market = synthesize(load, 5)
    n_expired = n_split = 0
    for row in book.instruments.filter(pl.col("class") == "option").iter_rows(named=True):
        close = market.close[market.place[row["symbol"]]]
        split = market.split[market.place[row["underlying"]], HISTORY + 1 :]
        is_over = market.dates > np.datetime64(row["expiry"])
        is_changed = np.cumsum(split != 1) > 0
        assert np.isnan(close[:HISTORY]).all()
        assert np.isfinite(close[HISTORY])
        assert np.isnan(close[is_over]).all()
        assert np.isnan(close[HISTORY + 1 :][is_changed]).all()
        n_expired += is_over.any()
        n_split += is_changed.any()
        quoted = np.isfinite(close[HISTORY:][~is_over[HISTORY:]])
        if not is_changed.any() and quoted.size > 60 and not np.isnan(close[-1]):
            assert 0.5 < quoted.mean() < 1
    assert n_expired > 20
    assert n_split > 3


def test_equity_reconciles_on_every_portfolio_day(measured):
    kept = measured.snapshots.sort("portfolio", "date").with_columns(
        pl.col("equity").shift(1).over("portfolio").fill_null(0.0).alias("before")
    )
    gap = kept["equity"] - kept["before"] - kept["pnl"] - kept["external"]
    assert kept.height == 12 * 30
    assert (gap.abs() <= 1e-9 * kept["equity"].abs()).all()
    assert (kept["equity"] > 0).all()


def test_what_is_closed_is_closed_to_the_last_share_across_splits_too():
    load = Load(portfolios=800, positions=10, dates=250, symbols=100, option_share=0.0)
    book, market = synthesize(load, 8)
    growth = np.cumprod(market.split, axis=1)
    row = np.array([market.place[symbol] for symbol in book.trades["symbol"]])
    day = np.searchsorted(market.dates, book.trades["date"].to_numpy())
    shares = (book.trades["quantity"].to_numpy() * growth[row, -1]) / growth[row, day]
    lines = (
        book.trades.with_columns(left=pl.Series(shares), growth=pl.Series(growth[row, day]))
        .group_by("portfolio", "symbol")
        .agg(
            pl.col("left").sum(),
            pl.len().alias("n"),
            (pl.col("growth").last() != pl.col("growth").first()).alias("has_split"),
            (pl.col("growth").last() != pl.col("growth").slice(1, 1).first()).alias("later_split"),
        )
    )
    closed = lines.filter(pl.col("left") == 0)
    assert 0.05 < closed.height / 8_000 < 0.25
    assert closed.filter(pl.col("has_split") & (pl.col("n") == 2)).height > 3
    assert closed.filter(pl.col("later_split") & (pl.col("n") == 3)).height > 0


def test_measuring_finds_what_the_trades_leave(made, measured):
    book, market = made
    growth = np.cumprod(market.split, axis=1)
    last = market.dates.size - 1
    kinds, n_checked = classes(book), 0
    for (name, symbol), rows in book.trades.group_by("portfolio", "symbol"):
        if kinds[symbol] == "option":
            continue
        row = market.place[symbol]
        days = np.searchsorted(market.dates, rows["date"].to_numpy())
        left = (rows["quantity"].to_numpy() * growth[row, last] / growth[row, days]).sum()
        held = measured.exposures.filter(portfolio=name, symbol=symbol, date=market.dates[last])
        assert held["quantity"].sum() == left
        n_checked += 1
    assert n_checked > 50


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(made):
    again, other = synthesize(SMALL, 5), synthesize(SMALL, 6)
    for table in TABLES:
        assert getattr(made[0], table).equals(getattr(again[0], table))
    for field in FIELDS:
        assert_array_equal(getattr(made[1], field), getattr(again[1], field))
    assert not made[0].trades.equals(other[0].trades)
    assert not np.array_equal(made[1].close, other[1].close, equal_nan=True)


def changed(**fields):
    known = {name: getattr(SMALL, name) for name in SMALL.__dataclass_fields__}
    return synthesize(Load(**{**known, **fields}), 5)


@pytest.mark.parametrize("portfolios", [1, 5, 30])
def test_a_portfolio_does_not_depend_on_how_many_others_are_made(made, portfolios):
    book, market = changed(portfolios=portfolios)
    both = set(book.portfolios["portfolio"]) & set(made[0].portfolios["portfolio"])
    assert len(both) == min(portfolios, 12)
    for table in TABLES[:3]:
        mine, theirs = (
            getattr(one, table).filter(pl.col("portfolio").is_in(both)) for one in (made[0], book)
        )
        assert mine.equals(theirs)
    assert book.instruments.equals(made[0].instruments)
    assert_array_equal(market.close, made[1].close)


def test_a_symbol_does_not_depend_on_how_many_others_there_are(made):
    _, market = changed(symbols=70)
    shares = [s for s in made[1].symbols if s in market.place]
    assert len(shares) >= 40 + len(FUNDS) + 9 + 5
    for field in FIELDS:
        for symbol in shares:
            mine = getattr(made[1], field)[made[1].place[symbol]]
            assert_array_equal(mine, getattr(market, field)[market.place[symbol]])


def test_prices_do_not_depend_on_how_many_sessions_follow(made):
    _, market = changed(dates=11)
    assert market.symbols == made[1].symbols
    for field in FIELDS:
        assert_array_equal(getattr(market, field), getattr(made[1], field)[:, : HISTORY + 11])


def test_a_load_of_one_of_everything_can_be_made_and_measured():
    load = Load(portfolios=1, positions=1, dates=1, symbols=1, late_share=0.0)
    book, market = synthesize(load, 0)
    result = measure(book, market, dates=[market.dates[-1].item()], analytics="sector")
    assert result.snapshots.height == 1


def test_an_impossible_load_is_refused_with_every_reason():
    with pytest.raises(ParameterError) as caught:
        Load(portfolios=0, positions=0, dates=0, symbols=0, gap_share=2.0, short_share=-0.1)
    told = str(caught.value)
    for name in ("portfolios", "positions", "dates", "symbols", "gap_share", "short_share"):
        assert f"{name}=" in told
    with pytest.raises(ParameterError, match=r"option_share \+ private_share = 1\.2 must be at"):
        Load(option_share=0.6, private_share=0.6)


def test_more_positions_than_listed_shares_are_refused_with_what_to_do():
    assert len(Load(positions=27, symbols=30).punctual) == 27
    with pytest.raises(ParameterError, match="only 27 of symbols=30 are listed on the first date"):
        Load(positions=28, symbols=30)


def test_dates_off_the_calendar_are_refused():
    with pytest.raises(ParameterError, match="leaves the calendar"):
        Load(first=date(1900, 1, 1))
    with pytest.raises(ParameterError, match="leaves the calendar"):
        Load(first=date(1961, 1, 3))


def test_fields_of_another_kind_and_seeds_that_are_none_are_refused():
    with pytest.raises(ParameterError, match="portfolios must be a whole number"):
        Load(portfolios=True)
    with pytest.raises(ParameterError, match="first must be a date"):
        Load(first=datetime(2023, 1, 3, tzinfo=UTC))
    with pytest.raises(ParameterError, match="seed=-1"):
        synthesize(SMALL, -1)

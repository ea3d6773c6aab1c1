"""Work of the nightly benchmark, each in a process of its own, so that its memory is its alone.

A process takes a name and its arguments as JSON from the standard input, and its last line is what
it found, as JSON. It runs with all cores, as that of a user does.
"""

import gc
import json
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from polars.testing import assert_frame_equal

from plumbline.engine.project import Project, create_project, open_project
from plumbline.risk import Load, measure
from plumbline.stages.nightly import Task, inputs_of, open_portfolio_store
from plumbline.stages.nightly_parts import Span
from plumbline.stages.nightly_plan import Choice, nightly_plan
from plumbline.stages.nightly_run import NightlyOptions, run_nightly
from plumbline.stages.portfolio_books import import_book
from plumbline.stages.synthetic_files import write_load
from plumbline.stages.workspace import Workspace, prepare
from plumbline.store.parquet_store import ParquetStore
from plumbline.store.portfolio_store import PortfolioStore
from plumbline.store.soundness import FOLDER
from plumbline.store.tables import FRAMES, SHARED

BOOK = ("portfolios", "trades", "cash_flows", "instruments")
SAMPLED = 60  # portfolios that the slow reference's portfolio-days are drawn from
COMPARED = 500  # portfolios that are compared at a time

Found = dict[str, Any]


def make(
    folder: str, load: dict[str, int], seed: int, popular: float = 0.0, held_back: int = 0
) -> Found:
    """Write a load's files, make them a project, take book and prices into it, and plan once.

    A plan keeps in the project what it reads out of source files, as in a project that is in use.

    Parameters
    ----------
    folder : made.
    load : arguments of a load.
    seed : of it.
    popular : share of the portfolios that hold one share in common; 0 leaves them as they are.
    held_back : last sessions whose prices are not there yet; all are in ``prices_whole.parquet``.
    """
    root = Path(folder)
    started = time.perf_counter()
    files = write_load(Load(**load), seed, root)
    if popular:
        spread(root, popular)
    whole = root / "prices_whole.parquet"
    shutil.copyfile(files["prices"], whole)
    if held_back:
        prices = pl.read_parquet(whole)
        last = prices["date"].unique().sort()[-held_back - 1]
        prices.filter(pl.col("date") <= last).write_parquet(files["prices"])
    made_s = time.perf_counter() - started
    project = create_project(root)
    started = time.perf_counter()
    found = import_book(project, "synthetic", {table: files[table] for table in BOOK})
    import_s = time.perf_counter() - started
    taken_in = ingest(folder)
    planned(folder)
    return {
        "making_s": made_s,
        "trades": found.rows["trades"],
        "import_s": import_s,
        **taken_in,
    }


def spread(root: Path, share: float) -> None:
    """Give portfolios a trade in one share, so that a stated share of them holds it."""
    trades, prices = (pl.read_parquet(root / f"{name}.parquet") for name in ("trades", "prices"))
    portfolios = pl.read_parquet(root / "portfolios.parquet")
    opened = portfolios["opened_on"][0]
    days = prices.filter(pl.col("date") >= opened, pl.col("symbol").str.starts_with("S0"))
    n_days = prices["date"].filter(prices["date"] >= opened).n_unique()
    is_plain = (pl.col("split") == 1) & (pl.col("dividend") == 0) & pl.col("close").is_not_null()
    whole = days.group_by("symbol").agg(is_plain.sum().alias("n")).filter(n=n_days)
    n_holding = trades.group_by("symbol").agg(pl.col("portfolio").n_unique().alias("n_holding"))
    symbol = whole.join(n_holding, on="symbol").sort("n_holding", "symbol")["symbol"][-1]
    holding = trades.filter(symbol=symbol)["portfolio"].unique()
    rest = portfolios.filter(~pl.col("portfolio").is_in(holding.implode()))
    lacking = max(0, round(share * portfolios.height) - holding.len())
    chosen = rest[np.linspace(0, rest.height - 1, lacking).round().astype(int)]
    price = days.filter(symbol=symbol, date=opened)["close"][0]
    added = chosen.select(
        "portfolio",
        pl.lit(opened).alias("date"),
        pl.lit(symbol).alias("symbol"),
        (pl.col("opening_cash") * 0.02 / price).ceil().alias("quantity"),
        pl.lit(price).alias("price"),
        pl.lit(0.0).alias("fees"),
        pl.lit(None, dtype=pl.Float64).alias("adjustment"),
        (pl.col("portfolio") + "-popular").alias("trade_id"),
    )
    pl.concat([trades, added]).sort("portfolio", "date", maintain_order=True).write_parquet(
        root / "trades.parquet"
    )


def ingest(folder: str) -> Found:
    """Take what changed of the prices into the lake."""
    started = time.perf_counter()
    workspace = workspace_of(folder)
    workspace.store_data()
    seconds = time.perf_counter() - started
    rows = pl.scan_parquet(Path(folder) / "prices.parquet").select(pl.len()).collect().item()
    return {"prices": rows, "ingest_s": seconds}


def planned(folder: str) -> None:
    """Do what ``plumbline risk plan`` does."""
    workspace = workspace_of(folder)
    with closing(open_portfolio_store(workspace.project, "parquet")) as store:
        nightly_plan(inputs_of(workspace, Task()), store)


def run(
    folder: str,
    place: str,
    first: str | None = None,
    sessions: int | None = None,
    is_forced: bool = False,
) -> Found:
    """Do what ``plumbline risk run`` does, and say how long each phase took.

    Parameters
    ----------
    folder : of the project.
    place : of the store; ``parquet``, or a URL.
    first, sessions : of the span that is asked for.
    is_forced : whether what is up to date is computed again.
    """
    clock = [time.perf_counter()]
    workspace = workspace_of(folder)
    span = Span(None if first is None else date.fromisoformat(first), sessions=sessions)
    task = Task(place, Choice(is_forced=is_forced), span)
    with closing(open_portfolio_store(workspace.project, place)) as store:
        inputs = inputs_of(workspace, task)
        clock.append(time.perf_counter())
        plan = nightly_plan(inputs, store, task.choice)
        clock.append(time.perf_counter())
        result = run_nightly(plan, store, NightlyOptions())
        clock.append(time.perf_counter())
        store.compact()
        clock.append(time.perf_counter())
        statements = store.statements
        on_disk = bytes_of(store, workspace.project)
    assert result.tally.done == int(plan.is_due.sum())
    assert not result.told_failures(), result.told_failures()
    rows, columns = np.nonzero(plan.is_due)
    names = ("read_s", "plan_s", "run_s", "compact_s")
    phases = dict(zip(names, np.diff(clock).tolist(), strict=True))
    return {
        "seconds": clock[-1] - clock[0],
        "portfolio_days": result.tally.done,
        "portfolios": np.unique(rows).size,
        "dates": np.unique(columns).size,
        "position_days": result.tally.rows.get("exposures", 0),
        "statements": statements,
        "mib_written": result.tally.n_bytes / 2**20,
        "mib_stored": on_disk / 2**20,
        **phases,
        **{f"{phase}_s": spent for phase, spent in result.tally.seconds.items()},
    }


def new_day(folder: str) -> Found:
    """Make all prices known, and take them into the lake."""
    root = Path(folder)
    shutil.copyfile(root / "prices_whole.parquet", root / "prices.parquet")
    return ingest(folder)


def correct(folder: str, place: str, before_last: int, share: float) -> Found:
    """Correct a close by a hundredth, and take it into the lake.

    Parameters
    ----------
    folder, place : of the project, and of its store.
    before_last : how many sessions before the last the close is.
    share : of the portfolios; of all shares, the one is taken whose holders are nearest to it.
    """
    path = Path(folder) / "prices.parquet"
    prices = pl.read_parquet(path)
    day = prices["date"].unique().sort()[-1 - before_last]
    closes = prices.filter(pl.col("date") == day, pl.col("close").is_not_null())["symbol"]
    with closing(open_portfolio_store(open_project(Path(folder)), place)) as store:
        held = store.read("exposures", first=day, last=day).filter(pl.col("quantity") != 0)
    n_portfolios = held["portfolio"].n_unique()
    is_share = pl.col("symbol").str.starts_with("S0") & pl.col("symbol").is_in(closes.implode())
    counts = held.filter(is_share).group_by("symbol").agg(pl.col("portfolio").n_unique().alias("n"))
    gap = (pl.col("n") - share * n_portfolios).abs()
    symbol, n_holders = counts.sort(gap, "symbol").row(0)
    is_it = (pl.col("date") == day) & (pl.col("symbol") == symbol)
    factor = pl.when(is_it).then(1.01).otherwise(1.0)
    prices.with_columns(pl.col("close") * factor).write_parquet(path)
    return {"day": day.isoformat(), "symbol": symbol, "holders": n_holders, **ingest(folder)}


def conservation(folder: str, place: str) -> Found:
    """Return the largest gap of a stored portfolio-day's equity, as a share of it."""
    started = time.perf_counter()
    with closing(open_portfolio_store(open_project(Path(folder)), place)) as store:
        rows = store.read("snapshots")
        n_days = store.keys().height
    seconds = time.perf_counter() - started
    before = pl.col("equity").shift(1).over("portfolio", order_by="date").fill_null(0.0)
    gap = (pl.col("equity") - before - pl.col("pnl") - pl.col("external")).abs()
    shares = rows.select(gap / pl.col("equity").abs()).to_series()
    largest = float(shares.max())
    assert rows.height == n_days
    assert shares.null_count() == 0
    assert largest <= 1e-9, f"equity is off by {largest:g} of itself"
    return {"share": largest, "portfolio_days": rows.height, "reading_s": seconds}


def same(folder: str, places: list[str]) -> Found:
    """Check that two stores hold the same, bit for bit, keys and correlations included."""
    project = open_project(Path(folder))
    started = time.perf_counter()
    n_rows = 0
    with (
        closing(open_portfolio_store(project, places[0])) as ours,
        closing(open_portfolio_store(project, places[1])) as theirs,
        ThreadPoolExecutor(2) as threads,
    ):
        stores = (ours, theirs)

        def both(read: Callable[[PortfolioStore], pl.DataFrame]) -> int:
            found = list(threads.map(read, stores))
            assert_frame_equal(*found, check_exact=True)
            return found[0].height

        both(lambda store: store.keys())
        for day in ours.date_keys()["date"] if both(lambda store: store.date_keys()) else ():
            for table in SHARED:
                both(lambda store, t=table, day=day: store.read(t, first=day, last=day))
        names = ours.keys()["portfolio"].unique().sort()
        for first in range(0, names.len(), COMPARED):
            own = names[first : first + COMPARED].to_list()
            for table in FRAMES:
                n_rows += both(
                    lambda store, table=table, own=own: store.read(table, portfolios=own)
                )
    return {"rows": n_rows, "portfolios": names.len(), "seconds": time.perf_counter() - started}


def sample(folder: str) -> Found:
    """Check some figures of some portfolio-days of a load against plain loops over positions."""
    from benchmarks.bench_risk import FIGURES, compare_outputs, sample_of

    inputs = inputs_of(workspace_of(folder), Task())
    names = inputs.book.portfolios["portfolio"]
    some = names.gather_every(max(1, names.len() // SAMPLED)).to_list()
    book = inputs.book.only(some)
    dates = inputs.market.dates[-5:].tolist()
    result = measure(book, inputs.market, dates=dates, analytics=inputs.kinds)
    chosen, ours = sample_of(result, book, inputs.market)
    compare_outputs(chosen, ours)
    return {"portfolio_days": ours.height, "figures": len(FIGURES)}


def workspace_of(folder: str) -> Workspace:
    """Return the workspace of a load's recipe."""
    root = Path(folder)
    return prepare(root / "nightly.yaml", project=open_project(root))


def bytes_of(store: PortfolioStore, project: Project) -> int:
    """Return what a store takes on the disk, indexes included."""
    if isinstance(store, ParquetStore):
        files = (project.store / FOLDER).rglob("*")
        return sum(path.stat().st_size for path in files if path.is_file())
    query = (
        "SELECT sum(pg_total_relation_size(oid))::bigint AS n FROM pg_class "
        "WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
    )
    return int(store.sql(query)["n"][0])


def peak_mib() -> float:
    """Return the most memory that this process had, MiB; NaN where the system does not say."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    own = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
    return own[0] if own else float("nan")


WORK: dict[str, Callable[..., Found]] = {
    function.__name__: function
    for function in (make, ingest, run, new_day, correct, conservation, same, sample)
}


def main() -> None:
    """Do one piece of work, collecting garbage as seldom as the command does."""
    gc.set_threshold(50_000, *gc.get_threshold()[1:])
    asked = json.load(sys.stdin)
    found = WORK[asked["work"]](**asked["arguments"])
    print(json.dumps(found | {"peak_mib": peak_mib()}))


if __name__ == "__main__":
    main()

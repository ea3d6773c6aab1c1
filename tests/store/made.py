"""Portfolio-days to store: the frames of a small measurement, and chunks of them."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl
from polars.testing import assert_frame_equal

from plumbline.engine.project import Project
from plumbline.risk import Load, measure, synthesize
from plumbline.store.opening import open_store
from plumbline.store.portfolio_store import Chunk, PortfolioStore
from plumbline.store.tables import FRAMES, TABLES

ID = ["portfolio", "date"]
OWNERS = ("ann", "ben")


class Opener:
    """Opens a place again and again, and closes what was opened."""

    def __init__(self, place: str, project: Project) -> None:
        self.place = place
        self.project = project
        self._stores: list[PortfolioStore] = []

    def __call__(self) -> PortfolioStore:
        self._stores.append(open_store(self.place, self.project.store, self.project.database))
        return self._stores[-1]

    def close(self) -> None:
        for store in self._stores:
            store.close()


def frames_of(portfolios: int = 12, dates: int = 6) -> dict[str, pl.DataFrame]:
    load = Load(portfolios=portfolios, positions=5, dates=dates, symbols=40)
    book, market = synthesize(load, seed=11)
    days = market.dates[-dates:].tolist()
    result = measure(book, market, dates=days, analytics="all", benchmark="SPY", rates="TLT")
    frames = {name: getattr(result, name) for name in TABLES}
    some = frames["snapshots"].select(ID).gather_every(5)
    reasons = [("tail", "too few 'returns', \"said\" it\n— the ünderlying"), ("beta", "")]
    frames["failures"] = some.join(
        pl.DataFrame(reasons, schema=["analytic", "reason"], orient="row"), how="cross"
    )
    return frames


def keys_for(days: pl.DataFrame, salt: str = "") -> pl.DataFrame:
    """Return days with owners and keys, which depend on the salt."""
    texts = days.select(pl.concat_str(pl.col(ID).cast(pl.String), separator="|")).to_series()
    keys = [hashlib.md5(f"{salt}{t}".encode(), usedforsecurity=False).hexdigest() for t in texts]
    owners = [OWNERS[int(p[-1]) % 2] for p in days["portfolio"]]
    return days.with_columns(
        owner=pl.Series(owners, dtype=pl.String), key=pl.Series(keys, dtype=pl.String)
    )


def chunk_of(
    frames: Mapping[str, pl.DataFrame],
    portfolios: Sequence[str] | None = None,
    dates: Sequence[date] | None = None,
    salt: str = "",
) -> Chunk:
    """Return a chunk of some portfolios and dates of frames; what they gained tells the salt."""
    picks = [pl.col("portfolio").is_in(list(portfolios))] if portfolios is not None else []
    picks += [pl.col("date").is_in(list(dates))] if dates is not None else []
    found = {name: frames[name].filter(*picks) for name in FRAMES}
    if salt:
        for name, column in MARKED.items():
            found[name] = found[name].with_columns(pl.col(column) + len(salt))
    return Chunk(keys_for(found["snapshots"].select(ID), salt), found)


MARKED = {"snapshots": "equity", "exposures": "value", "sectors": "net", "stress": "pnl"}


def assert_holds(store: PortfolioStore, chunks: Sequence[Chunk]) -> None:
    """Check that a store holds chunks, the later ones in place of the earlier, and no more."""
    days = pl.concat([c.days for c in chunks]).unique(ID, keep="last").sort(ID)
    left = store.keys()
    assert_frame_equal(left.drop("n_failures"), days.drop("owner"))
    for name in FRAMES:
        expected = merged(name, chunks)
        found = store.read(name)
        assert dict(found.schema) == dict(expected.schema), name
        assert found.equals(expected), name
        assert bits(found) == bits(expected), name


def merged(name: str, chunks: Sequence[Chunk]) -> pl.DataFrame:
    """Return the rows of a table that later chunks leave of earlier ones, and their own."""
    found = chunks[0].frames[name]
    for chunk in chunks[1:]:
        rest = found.join(chunk.days, on=ID, how="anti", maintain_order="left")
        found = pl.concat([rest, chunk.frames[name]], how="diagonal_relaxed")
    return found.sort(ID, maintain_order=True)


def bits(frame: pl.DataFrame) -> list[Any]:
    """Return what tells zeros of other signs apart, and a NaN from null."""
    return [
        (name, frame[name].fill_null(1.0).to_numpy().view("i8").tolist())
        for name, kind in frame.schema.items()
        if kind == pl.Float64
    ]

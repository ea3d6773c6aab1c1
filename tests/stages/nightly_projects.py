"""Projects with a made book and prices, which tests run, change and run again."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from plumbline.engine.project import Project, create_project
from plumbline.risk.synthetic_load import Load
from plumbline.stages.nightly import Task, open_portfolio_store, plan_task, run_task
from plumbline.stages.portfolio_books import import_book
from plumbline.stages.synthetic_files import write_load
from plumbline.stages.workspace import prepare
from plumbline.store.tables import SHARED

LOAD = Load(portfolios=6, positions=5, dates=8, symbols=24)
TABLES = ("snapshots", "exposures", "measures", "sectors", "stress", "failures")
BOOK = ("portfolios", "trades", "cash_flows", "instruments")


@dataclass
class Nights:
    """A project, and the store that its results go to."""

    project: Project
    folder: Path
    place: str | None = None

    @classmethod
    def made(cls, folder: Path, place: str | None = None, load: Load = LOAD) -> "Nights":
        write_load(load, 7, folder)
        nights = cls(create_project(folder), folder, place)
        nights.import_book()
        return nights

    def import_book(self) -> None:
        files = {table: self.folder / f"{table}.parquet" for table in BOOK}
        import_book(self.project, "synthetic", files)

    def workspace(self, *overrides: str):
        return prepare(self.folder / "nightly.yaml", project=self.project, overrides=overrides)

    def plan(self, *overrides: str, **asked):
        return plan_task(self.workspace(*overrides), Task(self.place, **asked))

    def run(self, *overrides: str, **asked):
        return run_task(self.workspace(*overrides), Task(self.place, **asked))

    def change(self, table: str, change) -> None:
        """Change the rows of a file."""
        path = self.folder / f"{table}.parquet"
        change(pl.read_parquet(path)).write_parquet(path)
        if table in BOOK:
            self.import_book()

    def store(self):
        return closing(open_portfolio_store(self.project, self.place))

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return all that the store holds, keys and shared tables included."""
        with self.store() as store:
            found = {table: store.read(table) for table in (*TABLES, *SHARED)}
            return found | {"keys": store.keys(), "date_keys": store.date_keys()}

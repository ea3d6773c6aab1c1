"""Opening the store of portfolios that a place names."""

from pathlib import Path

from plumbline.core.address import Address, parse_address
from plumbline.core.errors import ParameterError
from plumbline.ledger.database import Database
from plumbline.store.portfolio_store import PortfolioStore
from plumbline.store.soundness import FOLDER

PARQUET = "parquet"


def open_store(
    place: str | Address, folder: Path, database: Database, *, is_made: bool = False
) -> PortfolioStore:
    """Open a store; close it when done.

    Parameters
    ----------
    place : ``parquet`` for files of the project, or the address of a PostgreSQL database, such as
        ``postgresql://user@host:5432/database?schema=plumbline``.
    folder : ``.plumbline`` of the project.
    database : of the project.
    is_made : whether a server must have its tables; else they are made.

    Raises
    ------
    ParameterError
        If the place is neither.
    StoreError
        If the server cannot be used, or lacks tables that it must have; it says what to do.
    MissingExtraError
        If the library for PostgreSQL is not installed.
    """
    if place == PARQUET:
        from plumbline.store.parquet_store import ParquetStore

        return ParquetStore(folder / FOLDER, database)
    if isinstance(place, str) and "://" not in place:
        raise ParameterError(
            f"no store of portfolios {place!r}; give {PARQUET!r}, or postgresql://…"
        )
    from plumbline.store.postgresql_store import PostgreSQLStore

    address = place if isinstance(place, Address) else parse_address(place)
    return PostgreSQLStore(address, is_made=is_made)

"""Types of columns that mean the same on SQLite and on PostgreSQL."""

from sqlalchemy import VARCHAR, BigInteger, Integer, String


def words(length: int) -> String:
    """Return the type of short text, sorted by code points as Python sorts it.

    Parameters
    ----------
    length : characters that are expected; no database cuts or refuses longer text.
    """
    return String(length).with_variant(VARCHAR(collation="C"), "postgresql")


def large_integer() -> Integer:
    """Return the type of whole numbers up to 2⁶³, such as bytes."""
    return Integer().with_variant(BigInteger(), "postgresql")

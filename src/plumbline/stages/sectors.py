"""Sectors of assets from a table."""

from collections.abc import Sequence
from pathlib import Path

from plumbline.core.errors import nearest_names

_ASSET = ("asset", "symbol", "ticker")


def read_sectors(
    path: Path, assets: Sequence[str]
) -> tuple[tuple[tuple[str, str], ...], list[str]]:
    """Read the sector of each asset.

    Parameters
    ----------
    path : CSV with a column ``sector`` and one of ``asset``, ``symbol``, ``ticker``.
    assets : whose sectors are needed.

    Returns
    -------
    Pairs of asset and sector, sorted, and what is wrong, if anything.
    """
    import polars as pl

    try:
        table = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        return (), [f"neutralise.sectors: {path} cannot be read: {error}"]
    key = next((name for name in _ASSET if name in table.columns), None)
    if key is None or "sector" not in table.columns:
        hint = nearest_names("sector", table.columns)
        return (), [f"neutralise.sectors: {path} needs columns asset and sector; {hint}"]
    found = dict(zip(table[key], table["sector"], strict=True))
    several = table.unique([key, "sector"]).filter(pl.col(key).is_duplicated())
    if several.height:
        shown = ", ".join(several[key].unique().sort().head(10))
        return (), [f"neutralise.sectors: {path} gives more than one sector for {shown}"]
    missing = [name for name in assets if not found.get(name)]
    if missing:
        shown = ", ".join(missing[:10])
        return (), [f"neutralise.sectors: {path} has no sector for {len(missing)}: {shown}"]
    return tuple((name, found[name]) for name in sorted(assets)), []

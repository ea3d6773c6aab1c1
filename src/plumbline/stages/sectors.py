"""Sectors of assets from a table."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from plumbline.core.errors import nearest_names

_ASSET = ("asset", "symbol", "ticker")
_SHOWN = 10  # assets that a message names


def read_sectors(path: Path) -> tuple[dict[str, str], list[str]]:
    """Read the sectors that a table gives.

    Parameters
    ----------
    path : CSV with a column ``sector`` and one of ``asset``, ``symbol``, ``ticker``.

    Returns
    -------
    Asset -> sector, and what is wrong, if anything. A row without a sector counts as absent.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            rows = [(reader.line_num, row) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        return {}, [f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"]
    names = rows[0][1] if rows else []
    key = next((name for name in _ASSET if name in names), None)
    lacking = _lacking_columns(names)
    if key is None or lacking:
        return {}, [f"{path} {text}" for text in lacking]
    ragged = [str(line) for line, row in rows if len(row) > len(names)]
    if ragged:
        text = f"more values than its header in line {_listed(ragged)}; quote what holds a comma"
        return {}, [f"{path} has {text}"]
    places = names.index(key), names.index("sector")
    given: dict[str, dict[str, int]] = {}
    for line, row in rows[1:]:
        asset, sector = (row[i] if i < len(row) else "" for i in places)
        if asset and sector:
            given.setdefault(asset, {}).setdefault(sector, line)
    return {asset: next(iter(told)) for asset, told in given.items()}, _several(path, given)


def sectors_of(
    table: Mapping[str, str], assets: Sequence[str], path: Path
) -> tuple[dict[str, str], list[str]]:
    """Return asset -> sector for the assets of a study, and what is wrong, if anything.

    Parameters
    ----------
    table : what :func:`read_sectors` found.
    assets : whose sectors are needed.
    path : the table's file, for the message.
    """
    missing = [name for name in assets if name not in table]
    if not missing:
        return {name: table[name] for name in assets}, []
    text = f"{path} has no sector for {len(missing)} of {len(assets)} assets: {_listed(missing)}"
    return {}, [f"{text}; add their lines to {path}, or name others in universe.assets"]


def _lacking_columns(names: Sequence[str]) -> list[str]:
    there = f"its columns are {', '.join(names) or 'none'}"
    found = []
    if not set(_ASSET) & set(names):
        found.append(f"lacks a column of assets, called {', '.join(_ASSET[:-1])} or {_ASSET[-1]}")
    if "sector" not in names:
        hint = nearest_names("sector", names)
        found.append("lacks the column sector" + (f"; {hint}" if "did you" in hint else ""))
    return [f"{text}; {there}" for text in found]


def _several(path: Path, given: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return the assets that a table gives several sectors, with the lines that do."""
    several = [
        f"{asset}: " + ", ".join(f"{sector} (line {line})" for sector, line in told.items())
        for asset, told in given.items()
        if len(told) > 1
    ]
    if not several:
        return []
    shown = "; ".join(several[:_SHOWN]) + ("; …" if len(several) > _SHOWN else "")
    count = f"{len(several)} asset{'' if len(several) == 1 else 's'}"
    return [f"{path} gives {count} more than one sector: {shown}; keep one line of each"]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")

"""How two versions of a data set differ, in words."""

from typing import TYPE_CHECKING

from plumbline.core.wording import counted

if TYPE_CHECKING:
    import polars as pl

_SHOWN = 10  # values that are told one by one


def difference_lines(name: str, changes: "pl.DataFrame") -> list[str]:
    """Return lines on the values that were added, changed and removed.

    Parameters
    ----------
    name : of the data set, or of its two versions.
    changes : as :func:`plumbline.lake.differences.differences` gives them.
    """
    from plumbline.lake.differences import summary

    told = [f"{n} {change}" for change, n in summary(changes).items() if n]
    lines = [f"data {name}: {', '.join(told)} {_noun(changes.height)}"]
    for change in ("added", "removed"):
        rows = changes.filter(change=change)
        if rows.height > _SHOWN:
            lines.append(f"  {change}: {_extent(rows)}")
        else:
            lines += [_told(row) for row in rows.to_dicts()]
    rows = changes.filter(change="changed")
    lines += [_told(row) for row in rows.head(_SHOWN).to_dicts()]
    if rows.height > _SHOWN:
        lines.append(f"  … {counted(rows.height - _SHOWN, 'more value')} changed")
    return lines


def _noun(number: int) -> str:
    return "value" if number == 1 else "values"


def _extent(rows: "pl.DataFrame") -> str:
    n_bars, n_assets = rows["bar_close"].n_unique(), rows["asset"].n_unique()
    first, last = rows["bar_close"][0], rows["bar_close"][-1]
    return (
        f"{counted(rows.height, 'value')} of {counted(n_assets, 'asset')} on "
        f"{counted(n_bars, 'bar')}, {first:%Y-%m-%d %H:%M} … {last:%Y-%m-%d %H:%M}"
    )


def _told(row: "dict[str, object]") -> str:
    where = f"{row['field']} of {row['asset']} at {row['bar_close']:%Y-%m-%d %H:%M}"
    if row["change"] == "changed":
        return f"  changed {where}: {row['before']} -> {row['after']}"
    value = row["after"] if row["change"] == "added" else row["before"]
    return f"  {row['change']} {where}: {value}"

"""Whether a name that nobody has may be a slip of the pen for one that exists."""

import difflib
from collections.abc import Sequence

_LEAST_RATIO = 0.6  # of letters that two names share in one order, before their slips are counted
_LETTERS_A_SLIP = 4  # a longer name may have more slips


def near_names(name: str, choices: Sequence[str]) -> list[str]:
    """Return the choices that a name is a slip of the pen away from, the most alike first.

    One slip, or one in four letters of a longer name, is near: a letter too many, too few, another
    one, or two in each other's place. So is a name that goes on where the other ends, as
    ``lookback`` does in ``lookback_bars``. Names that only share an ending, as files of one kind
    do, are not near. Upper case counts as lower case.
    """
    alike = difflib.get_close_matches(name, choices, n=max(len(choices), 1), cutoff=_LEAST_RATIO)
    return [choice for choice in alike if _is_slip(name.casefold(), choice.casefold())]


def _is_slip(name: str, other: str) -> bool:
    if name.startswith(other) or other.startswith(name):
        return True
    return _slips(name, other) <= max(1, max(len(name), len(other)) // _LETTERS_A_SLIP)


def _slips(name: str, other: str) -> int:
    """Return the optimal string alignment distance of two texts; O(length squared)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(name, start=1):
        row = [i]
        for j, wanted in enumerate(other, start=1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and (letter, name[i - 2]) == (other[j - 2], wanted):
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]

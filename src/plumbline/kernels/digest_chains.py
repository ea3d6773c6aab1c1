"""Words of 64 bits that tell rows, and all rows up to a day, from others.

They say whether inputs are what they were, among the versions of one cell; nothing relies on
their being hard to forge.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, UInt64

from plumbline.kernels.compilation import compiled

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))


def as_words(values: np.ndarray) -> UInt64[np.ndarray, "..."]:
    """Return the bits of float64 or integer numbers; all NaN have the same, 0.0 and -0.0 too."""
    if values.dtype.kind != "f":
        return values.astype(np.int64).view(np.uint64)
    plain = np.where(np.isnan(values), np.nan, values.astype(np.float64)) + 0.0
    return plain.view(np.uint64)


def row_words(cells: UInt64[np.ndarray, "rows columns"]) -> UInt64[np.ndarray, " rows"]:
    """Return a word for each row, which depends on all of its cells and their order.

    Notes
    -----
    Cost: one pass.

    References
    ----------
    Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014: the
    finaliser that mixes a word.
    """
    out = np.zeros(cells.shape[0], dtype=np.uint64)
    _row_words(cells, out)
    return out


def pair_words(
    first: UInt64[np.ndarray, "..."], second: UInt64[np.ndarray, "..."]
) -> UInt64[np.ndarray, "rows columns"]:
    """Return a word for each cell of two tables, which are broadcast to the shape of both.

    Cost: one pass.
    """
    shape = np.broadcast_shapes(first.shape, second.shape)
    out = np.zeros(shape, dtype=np.uint64)
    _pair_words(np.broadcast_to(first, shape), np.broadcast_to(second, shape), out)
    return out


def chained_words(cells: UInt64[np.ndarray, "rows days"]) -> UInt64[np.ndarray, "rows days"]:
    """Return for each row and day a word that depends on its cells up to that day.

    Cost: one pass.
    """
    out = np.zeros_like(cells)
    _chained_words(cells, out)
    return out


def cell_words(
    row: Int[np.ndarray, " entries"],
    day: Int[np.ndarray, " entries"],
    words: UInt64[np.ndarray, " entries"],
    shape: tuple[int, int],
) -> UInt64[np.ndarray, "rows days"]:
    """Return for each row and day a word of the entries that lie there, in their order; 0 of none.

    Cost: one pass over the entries.
    """
    out = np.zeros(shape, dtype=np.uint64)
    _cell_words(row, day, words, out)
    return out


class LineWords(NamedTuple):
    """What lines depend on.

    Parameters
    ----------
    symbol, underlying : rows of their prices.
    prices : a word of each symbol's prices up to a day.
    terms : a word of what each symbol is.
    """

    symbol: Int[np.ndarray, " lines"]
    underlying: Int[np.ndarray, " lines"]
    prices: UInt64[np.ndarray, "symbols days"]
    terms: UInt64[np.ndarray, " symbols"]


def portfolio_words(
    first: Int[np.ndarray, " portfolios"],
    start: Int[np.ndarray, " portfolios_and_one"],
    is_held: Bool[np.ndarray, "lines days"],
    lines: LineWords,
    own: UInt64[np.ndarray, "portfolios days"],
) -> UInt64[np.ndarray, "portfolios days"]:
    """Return for each portfolio and day a word of all that it is made of up to that day.

    Parameters
    ----------
    first : day that a portfolio's chain begins on; its word is 0 before.
    start : place of each portfolio's first line.
    is_held : a line counts on the days on which it holds something, and on the day after.
    lines : what they depend on.
    own : what the portfolio depends on beside its lines.

    Notes
    -----
    Cost: one pass over the lines.
    """
    out = np.zeros_like(own)
    _portfolio_words(first, start, is_held, lines, own, out)
    return out


@compiled
def mixed(a: np.uint64, b: np.uint64) -> np.uint64:
    """Return a word that depends on both and on their order."""
    word = (a + _STEP) ^ (b * _SECOND + _FIRST)
    word = (word ^ (word >> _SHIFTS[0])) * _FIRST
    word = (word ^ (word >> _SHIFTS[1])) * _SECOND
    return word ^ (word >> _SHIFTS[2])


@compiled
def _row_words(cells: UInt64[np.ndarray, "rows columns"], out: UInt64[np.ndarray, " rows"]) -> None:
    for row in range(cells.shape[0]):
        word = np.uint64(0)
        for column in range(cells.shape[1]):
            word = mixed(word, cells[row, column])
        out[row] = word


@compiled
def _pair_words(
    first: UInt64[np.ndarray, "rows columns"],
    second: UInt64[np.ndarray, "rows columns"],
    out: UInt64[np.ndarray, "rows columns"],
) -> None:
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            out[row, column] = mixed(mixed(np.uint64(0), first[row, column]), second[row, column])


@compiled
def _chained_words(
    cells: UInt64[np.ndarray, "rows days"], out: UInt64[np.ndarray, "rows days"]
) -> None:
    for row in range(cells.shape[0]):
        word = np.uint64(0)
        for day in range(cells.shape[1]):
            word = mixed(word, cells[row, day])
            out[row, day] = word


@compiled
def _cell_words(
    row: Int[np.ndarray, " entries"],
    day: Int[np.ndarray, " entries"],
    words: UInt64[np.ndarray, " entries"],
    out: UInt64[np.ndarray, "rows days"],
) -> None:
    for entry in range(row.size):
        out[row[entry], day[entry]] = mixed(out[row[entry], day[entry]], words[entry])


@compiled
def _portfolio_words(
    first: Int[np.ndarray, " portfolios"],
    start: Int[np.ndarray, " portfolios_and_one"],
    is_held: Bool[np.ndarray, "lines days"],
    lines: LineWords,
    own: UInt64[np.ndarray, "portfolios days"],
    out: UInt64[np.ndarray, "portfolios days"],
) -> None:
    n_days = own.shape[1]
    for portfolio in range(first.size):
        begin = first[portfolio]
        out[portfolio, begin:] = own[portfolio, begin:]
        for line in range(start[portfolio], start[portfolio + 1]):
            symbol, underlying = lines.symbol[line], lines.underlying[line]
            terms = lines.terms[symbol]
            was_held = False
            for day in range(begin, n_days):
                if is_held[line, day] or was_held:
                    word = mixed(lines.prices[symbol, day], terms)
                    if underlying != symbol:
                        below = mixed(lines.prices[underlying, day], lines.terms[underlying])
                        word = mixed(word, below)
                    out[portfolio, day] = mixed(out[portfolio, day], word)
                was_held = is_held[line, day]
        word = np.uint64(0)
        for day in range(begin, n_days):
            word = mixed(word, out[portfolio, day])
            out[portfolio, day] = word

"""Words of rows and chains depend on every cell and its place, and on nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.kernels.digest_chains import (
    LineWords,
    as_words,
    cell_words,
    chained_words,
    pair_words,
    portfolio_words,
    row_words,
)
from tests.oracles import digest_chains as oracle


@given(seed=st.integers(0, 2**32 - 1), n_rows=st.integers(0, 6), n_columns=st.integers(0, 5))
@settings(max_examples=30)
def test_words_equal_plain_arithmetic(seed, n_rows, n_columns):
    cells = np.random.default_rng(seed).integers(0, 2**64, (n_rows, n_columns), dtype=np.uint64)
    words = row_words(cells)
    assert words.tolist() == [oracle.row_word(row.tolist()) for row in cells]
    chain = chained_words(cells)
    expected = [
        [oracle.row_word(row.tolist()[: day + 1]) for day in range(n_columns)] for row in cells
    ]
    assert chain.tolist() == expected
    beside = np.arange(n_rows, dtype=np.uint64)[:, None]
    both = [[oracle.row_word([cell, row]) for cell in cells[row].tolist()] for row in range(n_rows)]
    assert pair_words(cells, beside).tolist() == both


def test_numbers_that_are_equal_have_one_word():
    odd_nan = np.array([0x7FF8000000000001], dtype=np.uint64).view(np.float64)
    words = as_words(np.array([0.0, -0.0, np.nan, odd_nan[0], 1.0]))
    assert words[0] == words[1]
    assert words[2] == words[3]
    assert len(set(words.tolist())) == 3


def test_entries_of_one_cell_count_in_their_order():
    row, day = np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64)
    words = np.array([3, 5], dtype=np.uint64)
    one = cell_words(row, day, words, (1, 2))
    other = cell_words(row, day, words[::-1].copy(), (1, 2))
    assert one[0, 0] != other[0, 0]
    assert one[0, 1] == other[0, 1] == 0


@pytest.mark.parametrize("moved", ["price before", "price held", "price after", "terms", "own"])
def test_a_portfolio_changes_from_the_first_day_that_a_change_matters_on(moved):
    rng = np.random.default_rng(1)
    is_held = np.array([[False, True, True, False, False, False]])
    prices = rng.integers(0, 2**63, (2, 6)).astype(np.uint64)
    terms = np.array([7, 8], dtype=np.uint64)
    own = np.zeros((1, 6), dtype=np.uint64)
    start, none = np.array([0, 1]), np.zeros(1, dtype=np.int64)

    def words():
        return portfolio_words(none, start, is_held, LineWords(none, none, prices, terms), own)[0]

    before = words()
    cell = {"price before": (0, 0), "price held": (0, 2), "price after": (0, 4)}
    if moved == "terms":
        terms[0] += np.uint64(1)
    elif moved == "own":
        own[0, 4] += np.uint64(1)
    else:
        prices[cell[moved]] += np.uint64(1)
    changed = (words() != before).tolist()
    first = {"price before": 6, "price held": 2, "price after": 6, "terms": 1, "own": 4}[moved]
    assert changed == [day >= first for day in range(6)]


def test_another_symbol_is_read_where_it_is_the_underlying():
    none, one = np.zeros(1, dtype=np.int64), np.ones(1, dtype=np.int64)
    prices = np.arange(6, dtype=np.uint64).reshape(2, 3)
    terms, own = np.zeros(2, dtype=np.uint64), np.zeros((1, 3), dtype=np.uint64)
    start, held = np.array([0, 1]), np.ones((1, 3), dtype=bool)
    option, share = (
        portfolio_words(none, start, held, LineWords(none, below, prices, terms), own)
        for below in (one, none)
    )
    assert (option != share).all()
    terms[1] = 1
    other = portfolio_words(none, start, held, LineWords(none, one, prices, terms), own)
    assert (other != option).all()  # what the underlying is counts, not its prices alone

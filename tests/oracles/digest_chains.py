"""Words of rows in whole numbers of Python."""

MASK = 2**64 - 1
STEP, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def mixed(a, b):
    word = ((a + STEP) & MASK) ^ ((b * SECOND + FIRST) & MASK)
    word = ((word ^ (word >> 30)) * FIRST) & MASK
    word = ((word ^ (word >> 27)) * SECOND) & MASK
    return word ^ (word >> 31)


def row_word(cells):
    word = 0
    for cell in cells:
        word = mixed(word, cell)
    return word

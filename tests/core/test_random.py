import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.core.errors import ParameterError, UnhashableError
from plumbline.core.random import random_stream

GOLDEN = [750264436, 374214711, 1794019597]

keys = st.tuples(
    st.integers(0, 2**70),
    st.text(max_size=5),
    st.none() | st.integers() | st.text(max_size=3) | st.tuples(st.integers(), st.text(max_size=2)),
)


def draws(key: tuple[int, str, object], n: int = 4) -> list[float]:
    return random_stream(*key).random(n).tolist()


@given(st.lists(keys, min_size=2, max_size=5, unique_by=repr), st.randoms())
def test_a_stream_does_not_depend_on_which_were_drawn_before(several, random):
    expected = {repr(key): draws(key) for key in several}
    random.shuffle(several)
    assert {repr(key): draws(key) for key in several} == expected


@given(keys, keys)
def test_streams_are_equal_exactly_when_their_keys_are(a, b):
    assert (draws(a) == draws(b)) == (a == b)


def test_seed_stage_and_item_each_make_another_stream():
    keys = [(1, "a", 0), (2, "a", 0), (1, "b", 0), (1, "a", 1), (1, "a", "0"), (1, "a", None)]
    firsts = {random_stream(*key).random() for key in keys}
    assert len(firsts) == len(keys)


def test_two_generators_of_one_key_share_no_state():
    one, other = random_stream(1, "a"), random_stream(1, "a")
    one.random(100)
    assert other.random() == random_stream(1, "a").random()


def test_another_process_draws_the_same_numbers():
    program = (
        "from plumbline.core.random import random_stream;"
        "print(random_stream(7, 'bootstrap', (3, 'AAPL')).standard_normal(3).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    here = random_stream(7, "bootstrap", (3, "AAPL")).standard_normal(3).tolist()
    assert done.stdout.decode().strip() == str(here)


def test_the_numbers_are_the_ones_that_stored_results_were_made_with():
    stream = random_stream(7, "bootstrap", (3, "AAPL"))
    assert isinstance(stream.bit_generator, np.random.Philox)
    assert stream.integers(0, 2**32, 3).tolist() == GOLDEN


def test_streams_of_neighbouring_items_are_not_correlated():
    table = np.array([random_stream(0, "s", item).standard_normal(2000) for item in range(30)])
    correlation = np.corrcoef(table)
    np.fill_diagonal(correlation, 0.0)
    assert np.abs(correlation).max() < 5 / np.sqrt(2000)


@pytest.mark.parametrize("seed", [-1, 1.0, True, "1", None, np.int64(1)])
def test_a_seed_that_is_no_plain_whole_number_is_refused(seed):
    check = getattr(random_stream, "__wrapped__", random_stream)  # below the annotation check
    with pytest.raises(ParameterError, match="non-negative integer"):
        check(seed, "stage")


def test_an_item_without_canonical_form_is_refused():
    with pytest.raises(UnhashableError):
        random_stream(1, "stage", object())

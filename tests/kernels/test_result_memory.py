import gc
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.kernels import result_memory
from plumbline.kernels.regression import RollingOptions, rolling_ols
from plumbline.kernels.result_memory import empty_arrays

SHAPES = st.lists(st.integers(0, 7), min_size=0, max_size=3)
KINDS = st.lists(st.tuples(SHAPES, st.sampled_from([np.float64, np.int32])), max_size=6)


@pytest.fixture(autouse=True)
def no_spare():
    gc.collect()
    result_memory._spare.clear()


def place(array):
    return array.__array_interface__["data"][0]


@given(kinds=KINDS)
@settings(max_examples=50)
def test_arrays_have_shape_type_and_a_line_of_their_own(kinds):
    arrays = empty_arrays(*kinds)
    for array, (shape, dtype) in zip(arrays, kinds, strict=True):
        assert array.shape == tuple(shape)
        assert array.dtype == dtype
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.size == 0 or place(array) % 64 == 0
    for number, array in enumerate(arrays):
        array.fill(number)
    for number, array in enumerate(arrays):
        assert (array == number).all()


def test_memory_serves_the_next_call_once_every_view_is_gone():
    first, second = empty_arrays(((100, 10), np.float64), ((100,), np.float64))
    where = place(first)
    view = second[3:5]
    del first, second
    (other,) = empty_arrays(((1000,), np.float64))
    assert not where <= place(other) < where + 8_800
    view[:] = 7.0
    other.fill(1.0)
    assert (view == 7.0).all()
    del view
    (third,) = empty_arrays(((1000,), np.float64))
    assert where <= place(third) < where + 64


@pytest.mark.parametrize("n_values", [2_000, 400])
def test_a_spare_block_that_does_not_fit_is_left_alone(n_values):
    (first,) = empty_arrays(((1000,), np.float64))
    memory = first.base.base._memory if first.base is not None else None
    del first
    (other,) = empty_arrays(((n_values,), np.float64))
    assert not np.shares_memory(other, memory)


def test_more_than_the_limit_is_given_back(monkeypatch):
    monkeypatch.setattr(result_memory, "_LARGEST", 1_000)
    (first,) = empty_arrays(((1000,), np.float64))
    del first
    assert not result_memory._spare


def test_fits_that_live_together_share_no_memory():
    rng = np.random.default_rng(3)
    y, x = rng.standard_normal((60, 4)), rng.standard_normal((60, 2))
    fits = [rolling_ols(y + k, x, 10, options=RollingOptions(inference=True)) for k in range(3)]
    alphas = [fit.alpha.copy() for fit in fits]
    del fits[1]
    rolling_ols(-y, x, 10, options=RollingOptions(inference=True))
    np.testing.assert_array_equal(fits[0].alpha, alphas[0])
    np.testing.assert_array_equal(fits[1].alpha, alphas[2])


def test_threads_never_get_the_same_block():
    clashes = []

    def work(number):
        for _ in range(300):
            (array,) = empty_arrays(((5_000,), np.float64))
            array.fill(number)
            if not (array == number).all():
                clashes.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clashes == []


def test_a_process_ends_in_silence_with_results_alive():
    code = (
        "import numpy as np\n"
        "from plumbline.kernels.result_memory import empty_arrays\n"
        "kept = empty_arrays(((9, 9), np.float64))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""

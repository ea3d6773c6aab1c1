"""Eight numbers abreast get the bits of the scalar operations, compiled and interpreted."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from plumbline.kernels.abreast import (
    LANES,
    absolute,
    choose,
    is_any,
    load,
    load_one,
    room_for,
    root,
    spread,
    store,
)
from plumbline.kernels.compilation import compiled


@compiled
def _all_steps(x, y, out):
    a, b = load(x, 0), load(y, 3)
    store(out, 0, a + b * a - b / 3)
    store(out, 8, root(absolute(a)) + 2.0 * load_one(y, 1))
    store(out, 16, choose((a > b) & ~(b >= 0.0), a, choose((a == b) | (a < -1), 7.0, b)))
    store(out, 24, spread(2) - a)
    return is_any(a > 1e9), is_any(a == a)


def _steps_of_one(a, b, one):
    kept = 7.0 if a == b or a < -1 else b
    return (
        a + b * a - b / 3,
        np.sqrt(abs(a)) + 2.0 * one,
        a if a > b and not b >= 0.0 else kept,
        2 - a,
    )


@pytest.mark.parametrize("is_compiled", [True, False])
def test_each_of_the_eight_gets_the_bits_of_the_scalar_operation(is_compiled):
    rng = np.random.default_rng(1)
    x, y, out = rng.normal(size=8) * 3, rng.normal(size=11), np.full(33, -5.0)
    x[2], y[5], x[4] = 0.25, 0.25, np.nan
    steps = _all_steps if is_compiled else _all_steps.py_func
    assert steps(x, y, out) == (False, True)
    wanted = np.array([_steps_of_one(x[k], y[3 + k], y[1]) for k in range(LANES)])
    assert_array_equal(out[:32].reshape(4, LANES), wanted.T)
    assert out[32] == -5.0


@pytest.mark.parametrize("n", [0, 1, 8, 100])
def test_room_begins_where_eight_lie_together(n):
    room = room_for(n)
    assert room.shape == (n,)
    assert room.ctypes.data % (LANES * room.itemsize) == 0

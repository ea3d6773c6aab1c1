import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.core.arrow import arrow_array

KINDS = ("float64", "float32", "int64", "int32", "uint16")


@given(
    kind=st.sampled_from(KINDS),
    cells=st.lists(st.tuples(st.integers(0, 60_000), st.booleans()), max_size=40),
    step=st.integers(1, 3),
)
def test_it_is_the_array_that_arrow_makes(kind, cells, step):
    values = np.array([value for value, _ in cells], dtype=kind)[::step]
    is_missing = np.array([flag for _, flag in cells], dtype=bool)[::step]
    for given_mask in (None, is_missing):
        found = arrow_array(values, given_mask)
        found.validate(full=True)
        assert found.equals(pa.array(values, mask=given_mask))
        assert found.null_count == (0 if given_mask is None else is_missing.sum())


@pytest.mark.parametrize("kind", KINDS)
def test_it_shares_the_memory_of_the_numbers(kind):
    values = np.arange(5, dtype=kind)
    assert arrow_array(values).buffers()[1].address == values.ctypes.data


def test_it_loads_no_pandas():
    code = (
        "import sys, numpy as np\nfrom plumbline.core.arrow import arrow_array\n"
        "arrow_array(np.arange(3.0), np.arange(3) > 1)\nsys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

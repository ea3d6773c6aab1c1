import importlib
import subprocess
import sys

import pytest

ROOMS = ("plumbline.inference", "plumbline.features", "plumbline.factors")


@pytest.mark.parametrize("room", ROOMS)
def test_every_exported_name_is_the_one_of_its_module(room):
    package = importlib.import_module(room)
    assert set(package.__all__) == set(package._EXPORTS) == set(dir(package))
    for name, module in package._EXPORTS.items():
        assert getattr(package, name) is getattr(importlib.import_module(f"{room}.{module}"), name)


@pytest.mark.parametrize("room", ROOMS)
def test_an_unknown_name_is_an_attribute_error(room):
    with pytest.raises(AttributeError, match="no_such_name"):
        importlib.import_module(room).no_such_name  # noqa: B018 - the access is the test


def test_importing_the_rooms_loads_no_library():
    code = (
        f"import sys, {', '.join(ROOMS)}\n"
        "heavy = {'numpy', 'scipy', 'polars', 'numba', 'pandas'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

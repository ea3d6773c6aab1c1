"""While tests run, what the package's functions are given and return is checked by annotations."""

import sys
from pathlib import Path

import numpy as np
import pytest

from plumbline.core.calendar import Calendar
from plumbline.core.sizes import bytes_of, shown_bytes
from plumbline.kernels.rolling import rolling_mean
from plumbline.lake.dataset import Dataset
from plumbline.lake.patches import Patches
from tests import type_check

TOY = """
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from elsewhere import Unknown


def doubled(x: Float[np.ndarray, "bars assets"], y: Float[np.ndarray, " bars"]) -> "int":
    return x + y[:, None]


def scaled(x: Float[np.ndarray, "bars assets"]) -> Float[np.ndarray, "assets bars"]:
    return x


def text(number: int) -> str:
    return number


def numbers(count: "int") -> Iterator[int]:
    yield from range(count)


def unknown(x: "Unknown", share: float) -> "Unknown":
    return x


@dataclass(frozen=True)
class Pair:
    first: int
    second: "str"

    @property
    def both(self) -> int:
        return self.second

    @classmethod
    def of(cls, first: int) -> "Pair":
        return cls(first, "")
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Return a module that is imported as those of the package are."""
    import jaxtyping

    folder = tmp_path_factory.mktemp("checked")
    (folder / "checked_toy.py").write_text(TOY)
    sys.path.insert(0, str(folder))
    with jaxtyping.install_import_hook("checked_toy", f"{type_check.__name__}.checked"):
        import checked_toy
    sys.path.remove(str(folder))
    yield checked_toy
    del sys.modules["checked_toy"]


def refused(call, *given):
    with pytest.raises(Exception, match=r"(?i)type|hint|violates") as caught:
        call(*given)
    return caught.value


def test_types_are_checked_with_and_without_arrays(toy):
    refused(toy.text, "1")
    refused(toy.text, 1)  # what it returns
    refused(lambda: list(toy.numbers("3")))
    assert list(toy.numbers(3)) == [0, 1, 2]
    refused(toy.unknown, None, "much")
    assert toy.unknown(None, 1) is None  # an int is fine where a float is
    refused(toy.Pair, "1", "2")
    refused(toy.Pair, 1, 2)
    refused(toy.Pair.of, "1")
    refused(lambda: toy.Pair(1, "2").both)
    assert toy.Pair.of(1) == toy.Pair(1, "")


def test_axes_of_one_name_have_one_length(toy):
    x = np.ones((3, 2))
    refused(toy.doubled, x, np.ones(2))
    refused(toy.doubled, x, np.ones(3))  # what it returns
    refused(toy.scaled, x)
    assert toy.scaled(np.ones((2, 2))).shape == (2, 2)


def test_the_package_is_checked():
    refused(bytes_of, "size", 3)
    refused(shown_bytes, "3")
    refused(Calendar, 7)
    refused(rolling_mean, np.ones((3, 2)), "2")
    refused(Dataset.span, None, "first")
    refused(Patches, ("24/7", "1h"), ("a",), ("b",), 0, np.zeros((1, 1, 1, 16)))  # no bytes


def test_bytecode_is_kept_so_that_children_need_not_compile():
    assert not sys.dont_write_bytecode
    assert Path(type_check.__file__).parent.joinpath("__pycache__").is_dir()

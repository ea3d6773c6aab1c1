from pathlib import Path

import pytest

from plumbline.core import processor as module
from plumbline.core.processor import device_profile, processor
from plumbline.core.settings import ARITHMETIC

ONE = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
model name\t: Some Processor @ 2.00GHz
cpu MHz\t\t: 1999.9
flags\t\t: fpu sse4_2 avx avx2 fma hypervisor
"""


@pytest.fixture
def listing(tmp_path, monkeypatch):
    """Make another list of cores this machine's; return a function that writes it."""
    path = tmp_path / "cpuinfo"
    first = module._first_core
    monkeypatch.setattr(module, "_first_core", lambda _path: first(path))
    processor.cache_clear()

    def write(text: str) -> str:
        path.write_text(text)
        processor.cache_clear()
        return processor()

    yield write
    processor.cache_clear()


def test_libraries_that_compute_alike_everywhere_need_no_profile():
    assert device_profile(frozenset({"polars", "python", "pyarrow"})) is None
    for name in ("numpy", "numba", "scipy", "torch"):
        assert device_profile(frozenset({name, "polars"})).startswith(processor())


@pytest.mark.parametrize("name", sorted(ARITHMETIC))
def test_every_switch_of_a_library_is_in_the_profile(monkeypatch, name):
    for other in ARITHMETIC:
        monkeypatch.delenv(other, raising=False)
    plain = device_profile(frozenset({"numpy"}))
    monkeypatch.setenv(name, "1")
    assert device_profile(frozenset({"numpy"})) == f"{plain} {name}=1"
    monkeypatch.setenv(name, "")
    assert device_profile(frozenset({"numpy"})) == plain


def test_model_and_instructions_count_and_clock_and_number_of_cores_do_not(listing):
    one = listing(ONE)
    assert one.endswith("vendor_id=GenuineIntel cpu_family=6 model=143 sse4_2 avx avx2 fma")
    assert listing(ONE + "\n" + ONE.replace("sse4_2", "")) == one
    assert listing(ONE.replace("1999.9", "2900.1").replace("2.00GHz", "2.9GHz")) == one
    assert listing(ONE.replace("143", "106")) != one
    assert listing(ONE.replace(" avx2", "")) != one


def test_another_architecture_has_other_words_for_its_model(listing):
    arm = "processor\t: 0\nFeatures\t: fp asimd sve\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n"
    assert listing(arm).endswith("CPU_implementer=0x41 CPU_part=0xd40 asimd sve")


def test_without_a_list_of_cores_the_platform_is_named(monkeypatch):
    monkeypatch.setattr(module, "_first_core", lambda _path: {})
    processor.cache_clear()
    try:
        assert processor()
    finally:
        processor.cache_clear()
    assert module._first_core(Path("/nowhere")) == {}


def test_the_file_that_numba_reads_in_the_working_folder_counts(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    plain = device_profile(frozenset({"numpy"}))
    file = tmp_path / ".numba_config.yaml"
    file.write_text("enable_avx: 0\n")
    first = device_profile(frozenset({"numpy"}))
    file.write_text("enable_avx: 1\n")
    assert len({plain, first, device_profile(frozenset({"numpy"}))}) == 3
    file.unlink()
    assert device_profile(frozenset({"numpy"})) == plain

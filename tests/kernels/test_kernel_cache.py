import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from plumbline import kernels
from plumbline.core.errors import ParameterError, WorkerLostError
from plumbline.kernels import kernel_cache, warm
from plumbline.kernels.compiling_processes import compile_apart


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Point this process's kernel cache at an empty folder."""
    monkeypatch.setenv("PLUMBLINE_CACHE_DIR", str(tmp_path))
    return tmp_path / "kernels"


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_the_package_and_its_question_import_no_compiler():
    code = (
        "import sys; from plumbline.kernels import is_warm; is_warm();print('numba' in sys.modules)"
    )
    assert run(code) == "False"


def test_every_exported_name_is_there():
    assert set(kernels.__all__) == set(kernels._EXPORTS) == set(dir(kernels))
    for name in kernels.__all__:
        assert getattr(kernels, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'rolling_old'"):
        _ = kernels.rolling_old


def test_kernels_lie_in_the_folder_of_their_source(tmp_path):
    code = (
        "import numba, plumbline.kernels.compilation as c;"
        "from plumbline.kernels.kernel_cache import cache_folder;"
        "print(numba.config.CACHE_DIR == str(cache_folder()), cache_folder())"
    )
    same, where = run(code, PLUMBLINE_CACHE_DIR=str(tmp_path)).split()
    assert same == "True"
    assert Path(where) == tmp_path / "kernels" / kernel_cache.kernel_digest()


def test_an_edit_of_any_kernel_file_moves_the_folder(tmp_path):
    copy = tmp_path / "plumbline"
    source = Path(kernels.__file__).parents[1]
    for path in [*source.glob("*.py"), *source.glob("core/*.py"), *source.glob("kernels/*.py")]:
        target = copy / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    code = "from plumbline.kernels.kernel_cache import kernel_digest as d; print(d())"
    before = run(code, PYTHONPATH=str(tmp_path))
    assert before == run(code, PYTHONPATH=str(tmp_path))
    assert before != kernel_cache.kernel_digest()  # numba compiles a copy elsewhere again
    edited = copy / "kernels" / "lane_algebra.py"
    found = edited.stat()
    edited.write_text(edited.read_text() + "\n_MORE = 1\n")
    os.utime(edited, ns=(found.st_atime_ns, found.st_mtime_ns))
    after = run(code, PYTHONPATH=str(tmp_path))
    assert after != before
    os.utime(edited)  # equal content, but younger: numba compiles it again
    assert run(code, PYTHONPATH=str(tmp_path)) != after


def test_warm_compiles_the_families_asked_for_says_so_and_remembers_it(folder):
    told = []
    warm.warm(lambda *step: told.append(step), ["orthogonal", "hidden_markov"])
    assert warm.is_warm(["orthogonal", "hidden_markov"])
    assert not warm.is_warm(["orthogonal", "rolling"])
    assert not warm.is_warm()
    assert (told[0][1:], told[-1][1:]) == ((0, 2), (2, 2))
    assert [done for _, done, _ in told] == sorted({done for _, done, _ in told})
    assert all(name for name, _, _ in told)
    names = {path.name.split("-")[0] for path in folder.rglob("*.nbi")}
    assert "hidden_markov.filter_forward" in names, "kernels lie where they are looked for"
    assert "rolling_fit._fit_tiles" not in names
    warm.warm(lambda *_: pytest.fail("what is compiled is compiled again"), ["orthogonal"])
    with pytest.raises(ParameterError, match="no family of kernels 'roling'; did you mean"):
        warm.warm(families=["roling"])


def test_kernels_are_saved_by_one_process_at_a_time(tmp_path):
    code = (
        "import fcntl, pathlib, numpy as np\n"
        "from plumbline.kernels.kernel_cache import cache_folder\n"
        "seen = []\n"
        "def flock(file, how): seen.append((how, len(list(cache_folder().rglob('*.nbi')))))\n"
        "fcntl.flock = flock\n"
        "from plumbline.kernels.warm import compile_family\n"
        "compile_family('group_sums')\n"
        "print([how == fcntl.LOCK_EX for how, _ in seen], [n for _, n in seen])"
    )
    assert run(code, PLUMBLINE_CACHE_DIR=str(tmp_path)) == "[True, True, True] [0, 1, 2]"


def test_every_family_is_compiled_by_what_its_name_says():
    for family in warm._FAMILIES:
        warm.compile_family(family)  # a variant that fails, fails here
    assert warm.is_warm()


def test_a_process_that_cannot_compile_is_an_error_with_its_last_words(folder):
    told = []
    with pytest.raises(WorkerLostError, match=r"'no such' ended with exit status 1: KeyError"):
        compile_apart(["hidden_markov", "no such"], lambda *step: told.append(step))
    assert not warm.is_warm(["hidden_markov"])


def test_processes_that_compile_end_with_what_waits_for_them(folder, monkeypatch):
    started = []

    class Popen(subprocess.Popen):
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **options)
            started.append(self)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", Popen)
    with pytest.raises(KeyboardInterrupt):
        compile_apart(["regression", "rolling"], interrupted)
    assert [process.returncode for process in started] == [-signal.SIGKILL] * len(started) != []


def test_a_family_is_known_by_the_module_that_is_imported():
    modules = ["plumbline.kernels.rolling", "plumbline.kernels.inputs", "numpy", "rolling_order"]
    assert warm.families_among(modules) == {"rolling"}


def test_every_public_kernel_belongs_to_a_family():
    public = {f"plumbline.kernels.{module}" for module in kernels._EXPORTS.values()} - {
        "plumbline.kernels.warm"
    }
    assert len(warm.families_among(public)) == len(public)


def test_old_folders_go_and_others_stay(folder):
    for number in range(8):
        old = folder / f"{number:016x}"
        old.mkdir(parents=True)
        os.utime(old, (number, number))
    (folder / "not-a-digest").mkdir()
    kernel_cache.write_marker("rolling")
    kernel_cache.drop_old_folders()
    left = {path.name for path in folder.iterdir()}
    newest = {f"{number:016x}" for number in (4, 5, 6, 7)}
    assert left == {"not-a-digest", kernel_cache.kernel_digest(), *newest}


def test_a_folder_in_use_is_none_of_the_old_ones_however_long_ago_it_was_written(folder):
    own = kernel_cache.cache_folder()
    os.utime(own, (1, 1))
    assert kernel_cache.cache_folder() == own
    assert own.stat().st_mtime > 1_000_000_000

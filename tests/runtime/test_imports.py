"""Heavy imports."""

import gc
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.runtime.imports import heavy_import

ROOT = Path(__file__).parents[2]


def test_an_optional_dependency_is_hidden_unless_it_is_imported_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with heavy_import(without=("colorsys", "json")):
        assert not gc.isenabled()
        assert importlib.import_module("json") is json
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("colorsys")
    assert gc.isenabled()
    assert importlib.import_module("colorsys").rgb_to_hls(0, 0, 0) == (0.0, 0.0, 0.0)


def test_a_failed_import_leaves_nothing_hidden() -> None:
    with pytest.raises(ImportError), heavy_import(without=("no_such_module",)):
        raise ImportError
    assert gc.isenabled()
    assert "no_such_module" not in sys.modules


QUIET = """
import os, sys
from pipeline.runtime.imports import quiet_stderr
print("before", file=sys.stderr)
with quiet_stderr():
    os.write(2, b"native\\n")
    print("python", file=sys.stderr)
    {last}
print("after", file=sys.stderr)
"""


def quiet_stderr_of(last: str) -> str:
    # In a separate process: pytest captures file descriptor 2 itself.
    command = [sys.executable, "-c", QUIET.format(last=last)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stderr


def test_quiet_stderr_holds_back_the_lines_of_a_block_that_ends_well() -> None:
    assert quiet_stderr_of("pass") == "before\nafter\n"


def test_quiet_stderr_shows_the_lines_of_a_block_that_raises() -> None:
    stderr = quiet_stderr_of("raise ImportError('no library')")
    assert stderr.startswith("before\nnative\npython\nTraceback")
    assert stderr.endswith("ImportError: no library\n")


def test_quiet_stderr_does_not_need_a_disk_with_space() -> None:
    full = "tempfile.TemporaryFile = lambda: os.open('/dev/full/x', 0)"
    script = QUIET.format(last="pass").replace(
        "import os, sys", f"import os, sys, tempfile\n{full}"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == "before\nnative\npython\nafter\n"

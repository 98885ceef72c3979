"""How a command ends, and what reaches the terminal."""

import gc
import importlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.runtime.entry import run
from pipeline.runtime.errors import UserError, warn
from pipeline.runtime.imports import importing

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _kept_handler() -> Iterator[None]:
    kept = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, kept)


def ending(main: Callable[[], None]) -> object:
    """The exit status of a command that does not come to its own end."""
    with pytest.raises(SystemExit) as caught:
        run(main)
    return caught.value.code


def test_a_user_error_is_its_text_on_stderr_and_status_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def main() -> None:
        raise UserError("a.csv: no such file; put it there")

    assert ending(main) == 1
    assert capsys.readouterr() == ("", "error: a.csv: no such file; put it there\n")


def test_each_line_of_a_user_error_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise UserError("a is 0\nb is 0")

    assert ending(main) == 1
    assert capsys.readouterr().err == "error: a is 0\nerror: b is 0\n"


def test_a_command_that_ends_well_adds_no_words(capsys: pytest.CaptureFixture[str]) -> None:
    run(lambda: print("done"))
    assert capsys.readouterr() == ("done\n", "")


def test_an_error_that_is_not_the_users_keeps_its_traceback() -> None:
    def main() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(main)


def interrupt() -> None:
    raise KeyboardInterrupt


def terminate() -> None:
    signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("stop", "status", "said"),
    [(interrupt, 130, "interrupted\n"), (terminate, 143, "")],
    ids=["ctrl-c", "terminate"],
)
def test_a_stopped_command_cleans_up_and_says_by_its_status_what_stopped_it(
    stop: Callable[[], None], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cleaned = []

    def main() -> None:
        try:
            stop()
        finally:
            cleaned.append(True)

    assert ending(main) == status
    assert cleaned
    assert capsys.readouterr() == ("", said)


def test_a_warning_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    warn("not tracked")
    assert capsys.readouterr() == ("", "warning: not tracked\n")


def test_an_import_may_go_without_what_is_not_imported_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with importing("colorsys", "json"):
        assert not gc.isenabled()
        assert importlib.import_module("json") is json
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("colorsys")
    assert gc.isenabled()
    assert importlib.import_module("colorsys").rgb_to_hls(0, 0, 0) == (0.0, 0.0, 0.0)


def test_a_failed_import_leaves_nothing_hidden() -> None:
    with pytest.raises(ImportError), importing("no_such_module"):
        raise ImportError
    assert gc.isenabled()
    assert "no_such_module" not in sys.modules


QUIET = """
import os, sys
from pipeline.command import quiet_stderr
print("before", file=sys.stderr)
with quiet_stderr():
    os.write(2, b"native\\n")
    print("python", file=sys.stderr)
    {last}
print("after", file=sys.stderr)
"""


def quiet_stderr_of(last: str) -> str:
    # In a process of its own: pytest has its own hands on file descriptor 2.
    command = [sys.executable, "-c", QUIET.format(last=last)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stderr


def test_quiet_stderr_holds_back_the_lines_of_a_block_that_ends_well() -> None:
    assert quiet_stderr_of("pass") == "before\nafter\n"


def test_quiet_stderr_shows_the_lines_of_a_block_that_raises() -> None:
    said = quiet_stderr_of("raise ImportError('no library')")
    assert said.startswith("before\nnative\npython\nTraceback")
    assert said.endswith("ImportError: no library\n")

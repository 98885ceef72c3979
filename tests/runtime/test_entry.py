"""How a command begins and ends."""

import errno
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.runtime.entry import CommandParser, run
from pipeline.runtime.errors import UserError

ROOT = Path(__file__).parents[2]
# Every module that is a command.
COMMANDS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
    for path in (ROOT / "pipeline").rglob("*.py")
    if path.name == "__main__.py" or '__name__ == "__main__"' in path.read_text("utf-8")
)
WITH_ARGUMENTS = {"pipeline.stages.configure", "pipeline.predict", "pipeline.sweep"}


@pytest.fixture(autouse=True)
def _restored_handler() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def parser() -> CommandParser:
    return CommandParser("pipeline.some_command", "Does something.")


def exit_status(main: Callable[..., None], *arguments: str) -> object:
    """That of a command that does not reach its end."""
    with pytest.raises(SystemExit) as caught:
        run(main, parser(), arguments)
    return caught.value.code


def test_a_user_error_is_its_text_on_stderr_and_status_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def main() -> None:
        raise UserError("a.csv: no such file; put it there")

    assert exit_status(main) == 1
    assert capsys.readouterr() == ("", "error: a.csv: no such file; put it there\n")


def test_each_line_of_a_user_error_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise UserError("a is 0\nb is 0")

    assert exit_status(main) == 1
    assert capsys.readouterr().err == "error: a is 0\nerror: b is 0\n"


def test_a_command_that_succeeds_prints_nothing_more(capsys: pytest.CaptureFixture[str]) -> None:
    run(lambda: print("done"), parser(), [])
    assert capsys.readouterr() == ("done\n", "")


def test_an_error_that_is_not_the_users_keeps_its_traceback() -> None:
    def main() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(main, parser(), [])


def test_what_the_machine_refuses_is_one_line_and_status_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def main() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "data/config.yaml")

    assert exit_status(main) == 1
    assert capsys.readouterr() == (
        "",
        "error: data/config.yaml: No space left on device; free some space and run it again\n",
    )


PRINTING = """
import os, time
from pipeline.runtime.entry import CommandParser, run
from pipeline.runtime.errors import UserError, warn

def main():
    time.sleep({seconds})
    with open("written.txt", "w") as file:
        print({text}, flush={flush})
        warn("warned")
        os.write(2, b"native")
        file.write("written")
    if {fails}:
        raise UserError("failed")

run(main, CommandParser("pipeline.some_command", "Does something."))
"""


def status_of(
    folder: Path,
    redirection: str,
    *,
    text: str = "'printed'",
    flush: bool = False,
    fails: bool = False,
    seconds: float = 0,
) -> tuple[int, str]:
    """Exit status and standard error of a command whose streams a shell redirects."""
    script = PRINTING.format(text=text, flush=flush, fails=fails, seconds=seconds)
    command = f'"$0" -c "$1" {redirection}; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, script],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-", "1</dev/null"])
def test_a_stream_that_is_closed_disturbs_neither_the_work_nor_its_files(
    closed: str, tmp_path: Path
) -> None:
    assert status_of(tmp_path, closed)[0] == 0
    assert (tmp_path / "written.txt").read_text("utf-8") == "written"


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full"])
def test_errors_that_nobody_can_read_leave_the_status(closed: str, tmp_path: Path) -> None:
    assert status_of(tmp_path, closed)[0] == 0
    assert status_of(tmp_path, closed, fails=True)[0] == 1


@pytest.mark.parametrize(
    ("text", "flush"), [("'printed'", "True"), ("'printed'", ""), ("'long' * 100_000", "")]
)
def test_a_reader_that_has_gone_ends_a_command_as_it_ends_others(
    text: str, flush: str, tmp_path: Path
) -> None:
    # Its reader has to be gone before it writes.
    status, stderr = status_of(tmp_path, "| true", text=text, flush=bool(flush), seconds=0.3)
    assert status == 128 + signal.SIGPIPE
    assert "error" not in stderr


@pytest.mark.parametrize("text", ["'printed'", "'long' * 100_000"])
def test_a_full_disk_behind_standard_output_is_one_line(text: str, tmp_path: Path) -> None:
    status, stderr = status_of(tmp_path, ">/dev/full", text=text)
    assert status == 1
    assert "No space left on device; free some space and run it again" in stderr


def test_a_name_that_the_terminal_cannot_show_is_printed_with_its_codes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    named = r"'gr\xf6\xdfe \u20ac \udc80'"
    assert status_of(tmp_path, ">printed.txt", text=named)[0] == 0
    assert (tmp_path / "printed.txt").read_text("ascii") == r"gr\xf6\xdfe \u20ac \udc80" + "\n"


def interrupt() -> None:
    raise KeyboardInterrupt


def terminate() -> None:
    signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("stop", "status", "stderr"),
    [(interrupt, 130, "interrupted\n"), (terminate, 143, "")],
    ids=["ctrl-c", "terminate"],
)
def test_a_stopped_command_cleans_up_and_shows_by_its_status_what_stopped_it(
    stop: Callable[[], None], status: int, stderr: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cleaned = []

    def main() -> None:
        try:
            stop()
        finally:
            cleaned.append(True)

    assert exit_status(main) == status
    assert cleaned
    assert capsys.readouterr() == ("", stderr)


@pytest.mark.parametrize(
    ("number", "status", "stderr"),
    [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 143, "")],
)
def test_a_request_to_stop_that_python_ignores_is_repeated(
    number: signal.Signals, status: int, stderr: str, capsys: pytest.CaptureFixture[str]
) -> None:
    class Collected:
        def __del__(self) -> None:
            signal.raise_signal(number)

    def main() -> None:
        Collected()
        time.sleep(60)

    assert exit_status(main) == status
    assert capsys.readouterr() == ("", stderr)


def test_arguments_are_passed_by_name() -> None:
    seen: list[tuple[str, int]] = []

    def main(name: str, trial: int) -> None:
        seen.append((name, trial))

    command = parser()
    command.add_argument("name")
    command.add_argument("--trial", type=int)
    run(main, command, ["a", "--trial", "3"])
    assert seen == [("a", 3)]


def start(command: str, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> object:
    """The exit status of `python -m COMMAND` with arguments that end it before its work."""
    monkeypatch.setattr(sys, "argv", [command, *arguments])
    # Nothing heavy may be imported before the arguments are parsed.
    for library in ("keras", "mlflow", "tensorflow"):
        monkeypatch.setitem(sys.modules, library, None)
    # Or else runpy warns that it runs the module a second time.
    for module in (command, f"{command}.__main__"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(SystemExit) as caught:
        runpy.run_module(command, run_name="__main__")
    return caught.value.code


def test_the_commands_are_found() -> None:
    assert {"pipeline.predict", "pipeline.stages.train", "pipeline.sweep"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_describes_itself_and_does_nothing_else(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(command, "--help", monkeypatch=monkeypatch) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"usage: python -m {command} [-h]")
    assert re.search(r"\n\n[^\n]+.*\n\n(positional arguments|options):\n", out, re.DOTALL)
    assert err == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_refuses_arguments_that_it_does_not_know(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = ["needed"] if command in ("pipeline.predict", "pipeline.reproduce") else []
    assert start(command, *needed, "--epochs=3", monkeypatch=monkeypatch) == 2
    assert capsys.readouterr() == ("", "error: unrecognized arguments: --epochs=3; see --help\n")


@pytest.mark.parametrize(
    "command",
    [
        name
        for name in COMMANDS
        if name.rpartition(".")[2] not in ("configure", "predict", "reproduce", "sweep")
    ],
)
def test_most_commands_take_no_arguments(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(command, "training.epochs=3", monkeypatch=monkeypatch) == 2
    assert capsys.readouterr().err == (
        "error: unrecognized arguments: training.epochs=3; see --help\n"
    )

"""How a command begins and ends."""

import re
import runpy
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.runtime.entry import CommandParser, run
from pipeline.runtime.errors import UserError

ROOT = Path(__file__).parents[2]
# Every module that is a command, but the recorder, which other processes start.
COMMANDS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
    for path in (ROOT / "pipeline").rglob("*.py")
    if path.name != "recorder.py"
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
    table = ["rows.csv"] if command == "pipeline.predict" else []
    assert start(command, *table, "--epochs=3", monkeypatch=monkeypatch) == 2
    assert capsys.readouterr() == ("", "error: unrecognized arguments: --epochs=3; see --help\n")


@pytest.mark.parametrize(
    "command",
    [
        name
        for name in COMMANDS
        if name not in ("pipeline.stages.configure", "pipeline.predict", "pipeline.sweep")
    ],
)
def test_most_commands_take_no_arguments(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(command, "training.epochs=3", monkeypatch=monkeypatch) == 2
    assert capsys.readouterr().err == (
        "error: unrecognized arguments: training.epochs=3; see --help\n"
    )

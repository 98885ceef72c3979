"""How a command begins and ends: its arguments, the user's errors, signals."""

import argparse
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from fcntl import F_GETFL, fcntl
from functools import partial
from types import FrameType
from typing import Any, NoReturn

from pipeline.runtime.errors import UserError, discard, refusal, say

REPEAT_SECONDS = 0.05


class CommandParser(argparse.ArgumentParser):
    """The arguments of `python -m MODULE`; without add_argument there are none but --help.

    Parameters
    ----------
    module
        The dotted name of the module.
    description
        Its docstring, which --help shows.
    """

    def __init__(self, module: str, description: str | None) -> None:
        super().__init__(
            prog=f"python -m {module}",
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.module = module

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see --help\n")


def run(
    main: Callable[..., None], parser: CommandParser, arguments: Sequence[str] | None = None
) -> None:
    """Calls main with the parsed arguments, by name; they are those of the command line
    unless given.

    A UserError becomes its lines on stderr and exit status 1, and so does what the machine
    refuses, such as space on its disk. Ctrl-C ends in status 130, a request to terminate in 143,
    both after main has cleaned up, and an output that nobody reads any more in 141, as for other
    commands.
    """
    open_streams()
    status: str | int | None = None
    hook = sys.unraisablehook
    try:
        parsed = vars(parser.parse_args(arguments))
        signal.signal(signal.SIGTERM, _terminate)
        sys.unraisablehook = partial(_repeat, hook)
        main(**parsed)
    except KeyboardInterrupt:
        say("interrupted")
        status = 130
    except SystemExit as error:
        status = error.code or 0
    except Exception as error:
        status = _explained(error)
        if status is None:
            raise
    finally:
        sys.unraisablehook = hook
    try:
        sys.stdout.flush()
    except OSError as error:
        status = _explained(error, "standard output") or 1
        discard(1)
    if status is not None:
        sys.exit(status)


def open_streams() -> None:
    """Lets standard streams that are closed lead nowhere: or else the next file that is opened
    would be in their place, and be given what is printed. DVC has one opened for reading then."""
    while (number := os.open(os.devnull, os.O_RDWR)) < len(("stdin", "stdout", "stderr")):
        os.set_inheritable(number, True)
    for stream in (1, 2):
        if fcntl(stream, F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            os.dup2(number, stream)
    os.close(number)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal cannot show is no reason to stop; stderr has this anyway.
        sys.stdout.reconfigure(errors="backslashreplace")


def leave() -> NoReturn:
    """Ends a process that has done its work at once: TensorFlow and MLflow would take a
    second to shut down."""
    os._exit(0)


def _explained(error: Exception, where: str | None = None) -> int | None:
    """Prints what the user can change, and returns the exit status; None for other errors."""
    if isinstance(error, BrokenPipeError):
        return 128 + signal.SIGPIPE
    explained = error if isinstance(error, UserError) else refusal(error, where)
    if explained is None:
        return None
    for line in str(explained).splitlines():
        say(f"error: {line}")
    return 1


def _terminate(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _repeat(hook: Callable[[Any], object], ignored: Any) -> None:
    """Python ignores what is raised while it collects an object. If that is a request to stop, it
    is made again a little later; anything else is for the hook."""
    requests = {KeyboardInterrupt: signal.SIGINT, SystemExit: signal.SIGTERM}
    number = requests.get(ignored.exc_type)
    if number is None:
        hook(ignored)
        return
    main_thread = threading.main_thread().ident
    assert main_thread is not None
    threading.Timer(REPEAT_SECONDS, signal.pthread_kill, (main_thread, number)).start()

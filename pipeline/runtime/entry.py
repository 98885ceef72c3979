"""How a command begins and ends: its arguments, the user's errors, signals."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

from pipeline.runtime.errors import UserError


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

    A UserError becomes its lines on stderr and exit status 1. Ctrl-C ends in status 130 and a
    request to terminate in 143, both after main has cleaned up.
    """
    parsed = vars(parser.parse_args(arguments))
    signal.signal(signal.SIGTERM, _terminate)
    try:
        main(**parsed)
    except UserError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def leave() -> NoReturn:
    """Ends a process that has done its work at once: TensorFlow and MLflow would take a
    second to shut down."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _terminate(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)

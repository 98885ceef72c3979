"""What every command shares: how it ends, and what reaches the terminal."""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from pipeline.runtime.errors import UserError


def run(main: Callable[[], None]) -> None:
    """Calls main; a UserError becomes its lines on stderr and exit status 1. Ctrl-C
    ends in 130 and a request to terminate in 143, both after main has cleaned up."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        main()
    except UserError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def leave() -> NoReturn:
    """Ends a process that has done its work at once: to take TensorFlow or MLflow apart
    takes a second."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _terminate(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)

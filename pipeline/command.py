"""What every command shares: how it ends, and what reaches the terminal."""

import gc
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class UserError(Exception):
    """A mistake that its user can mend. The text says what is wrong, where, and
    what to do; it is all that they see."""


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


def warn(text: str) -> None:
    """One line that the user should read, although the work goes on."""
    print(f"warning: {text}", file=sys.stderr)


@contextmanager
def importing(*without: str) -> Iterator[None]:
    """For a heavy import: all that it makes is kept, and looking through it for garbage
    would be a tenth of the time.

    It goes on as if the libraries named were not installed, if they are not imported
    yet: what is taken only where it is there can cost more than all the rest. None in
    sys.modules is Python's own way to say it. No other thread may import them meanwhile.
    """
    hidden = [name for name in without if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None is allowed there
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
        for name in hidden:
            del sys.modules[name]


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Holds back what native code writes to file descriptor 2, and shows it
    only if the block raises. Python's own sys.stderr is included."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            if failed:
                held.seek(0)
                sys.stderr.write(held.read().decode(errors="replace"))

"""What every command shares: how it ends, and what reaches the terminal."""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


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

"""Heavy imports: quicker, and without the lines that native code prints."""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def heavy_import(without: tuple[str, ...] = ()) -> Iterator[None]:
    """Makes the imports of the block quicker.

    Garbage is not collected: everything that an import creates is kept, and searching it would
    take a tenth of the time.

    Parameters
    ----------
    without
        Optional dependencies that are imported wherever they are installed, and can cost more
        than all the rest. Unless they are imported already they appear not to be installed, by
        None in sys.modules, which is Python's own way. No other thread may import them meanwhile.
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
    """Hides what is written to file descriptor 2, by native code too; shows it if the block
    raises."""
    sys.stderr.flush()
    try:
        captured = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
    except OSError:
        # A full disk is no reason not to work.
        yield
        return
    stderr = os.dup(2)
    with captured:
        os.dup2(captured.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            if failed:
                captured.seek(0)
                sys.stderr.write(captured.read().decode(errors="replace"))

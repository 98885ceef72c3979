"""What goes wrong, in words for the user."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.runtime.paths import stage_of
from pipeline.runtime.redaction import redact

# What a machine may refuse, and what to do about it.
REMEDIES = {
    errno.ENOSPC: "free some space and run it again",
    errno.EDQUOT: "delete other files or have the quota raised",
    errno.EFBIG: "raise the limit of file sizes: ulimit -f unlimited",
    errno.EROFS: "make the file system writable or work in another folder",
    errno.EACCES: "change the permissions of the file and its folder",
    errno.EPERM: "change the permissions of the file and its folder",
    errno.EMFILE: "raise the limit: ulimit -n 4096",
    errno.ENFILE: "close other programs",
    errno.EIO: "check the disk",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENXIO: "name a file",
    errno.EEXIST: "move away what is in its place",
    errno.EISDIR: "move away the folder in its place",
    errno.ENOTDIR: "move away the file in the place of a folder",
    errno.ENOTEMPTY: "delete the folder, which cannot be replaced",
    errno.ENOMEM: "free some memory, or use fewer rows or a smaller network",
}
# What reading a damaged file raises. FileNotFoundError is an OSError too.
DAMAGE_ERRORS = (
    AttributeError, EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError,
)  # fmt: skip


class UserError(Exception):
    """A mistake that the user can fix. The text is all that the user sees: what is wrong,
    where, and what to do."""

    def _render_traceback_(self) -> list[str]:
        # What IPython shows in a notebook.
        return [f"error: {line}" for line in redact(str(self)).splitlines()]


def refusal(error: BaseException, path: Path | str | None = None) -> UserError | None:
    """What the machine refused, such as space on its disk, if that is what the error says; path
    is what could not be written, unless the error names it."""
    # h5py and Arrow state it in their text alone.
    number = errno.ENOMEM if isinstance(error, MemoryError) else getattr(error, "errno", None)
    if number is None:
        number = next((one for one in REMEDIES if os.strerror(one) in str(error)), None)
    if number not in REMEDIES:
        return None
    where = path or getattr(error, "filename", None)
    what = f"{os.strerror(number)}; {REMEDIES[number]}"
    return UserError(f"{where}: {what}" if where else what)


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Raises UserError if the machine refuses to let the block write at path."""
    try:
        yield
    except Exception as error:
        refused = refusal(error, path)
        if refused is None:
            raise
        raise refused from error


@contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Raises UserError if a file that a stage wrote, read in this block, is missing or damaged.
    One that is elsewhere is of a model folder."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: no such file{made_again(path)}"
            if stage_of(path)
            else f"{path.parent}: holds no {path.name}; the train stage writes a model folder"
        ) from error
    except DAMAGE_ERRORS as error:
        raise refusal(error, path) or UserError(
            f"{path}: is damaged{made_again(path)}"
            if stage_of(path)
            else f"{path}: is not what the train stage writes"
        ) from error


def made_again(path: Path) -> str:
    """The end of a message: the command that makes a file again, if it is a stage's."""
    stage = stage_of(path)
    return f"; `dvc repro {stage}` makes it again" if stage else ""


def warn(text: str) -> None:
    """Prints one line that the user should read, although the work continues."""
    say(f"warning: {text}")


def say(line: str) -> None:
    """Prints a line on standard error, without the passwords that it may quote; the work does
    not depend on who reads it."""
    try:
        print(redact(line), file=sys.stderr, flush=True)
    except OSError:
        discard(2)


def discard(stream: int) -> None:
    """Lets what is printed on a standard stream, and what is still in its buffer, lead nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream)
    os.close(nowhere)

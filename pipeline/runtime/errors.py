"""What goes wrong, in words for the user."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class UserError(Exception):
    """A mistake that the user can fix. The text is all that the user sees: what is wrong,
    where, and what to do."""


@contextmanager
def model_file_errors(path: Path) -> Iterator[None]:
    """Raises UserError if a file of a model folder, read in this block, is missing or damaged."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(
            f"{path.parent}: holds no {path.name}; the train stage writes a model folder"
        ) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: is not what the train stage writes") from error


def warn(text: str) -> None:
    """Prints one line that the user should read, although the work continues."""
    print(f"warning: {text}", file=sys.stderr)

"""What every command shares: how it ends, and what reaches the terminal."""

import sys


class UserError(Exception):
    """A mistake that its user can mend. The text says what is wrong, where, and
    what to do; it is all that they see."""


def warn(text: str) -> None:
    """One line that the user should read, although the work goes on."""
    print(f"warning: {text}", file=sys.stderr)

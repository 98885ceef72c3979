"""The line for what could not be recorded: tracking never ends the work that it records."""

import re

from pipeline.runtime.errors import UserError, warn


def warn_untracked(reason: Exception | str, remedy: str = "`make track`") -> None:
    """One line with the reason; remedy is the command that records what is missing."""
    text = " ".join(str(reason).split()) or type(reason).__name__
    # What SQLAlchemy adds is no help here.
    text = re.split(r" \[SQL: | \(Background on this error", text)[0]
    when = ""
    if isinstance(reason, Exception):
        known = isinstance(reason, OSError) or type(reason).__module__ != "builtins"
        text = text if known else f"{type(reason).__name__}: {text}"
        when = " then" if isinstance(reason, UserError) else " once the store can be reached"
    warn(f"not tracked: {text[:300]}; the results are in data/, and {remedy} records them{when}")

"""The line for what could not be recorded: tracking never ends the work that it records."""

import re

from pipeline.runtime.errors import UserError, warn

# What libraries add to their messages, and is no help here.
ADDED = re.compile(
    r" \[SQL: | \(Background on this error| with exception HTTP| See https?://| The `mlflow migrate"
)
AUTOFLUSH = (
    "(raised as a result of Query-invoked autoflush; consider using a session.no_autoflush block"
    " if this flush is occurring prematurely) "
)


def warn_untracked(
    reason: Exception | str, remedy: str = "`make track`", store: str | None = None
) -> None:
    """One line with the reason, an error of that store or another reason; remedy is the command
    that records what is missing."""
    when = ""
    if isinstance(reason, UserError):
        when = " then"
    elif isinstance(reason, Exception):
        when = " once the store can be reached"
    text = explained(reason, store)
    warn(f"not tracked: {text}; the results are in data/, and {remedy} records them{when}")


def explained(reason: Exception | str, store: str | None = None) -> str:
    """The reason in one line, which names the store unless it is a UserError."""
    text = " ".join(str(reason).split()) or type(reason).__name__
    text = ADDED.split(text.removeprefix(AUTOFLUSH))[0]
    if isinstance(reason, Exception) and not isinstance(reason, UserError):
        known = isinstance(reason, OSError) or type(reason).__module__ != "builtins"
        text = text if known else f"{type(reason).__name__}: {text}"
        text = f"{store}: {text}" if store else text
    return text[:300]

"""The process that records in MLflow what another process sends.

It reads messages from its standard input, a line of JSON each: the name of a method of
recording.Recording under "what", and its arguments. An input that ends while a run is open is that
of a process that was killed. Whatever goes wrong here costs the sender nothing: it is one warning,
and what follows is read and left.
"""

import json
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.runtime.entry import CommandParser, leave, run
from pipeline.tracking.location import check_answer, project_root, source, store_uri
from pipeline.tracking.untracked import warn_untracked

Message = dict[str, Any]
# MLflow would wait several times as long for a server that has fallen silent as check_answer does.
CHECK_SECONDS = 1.0


def record(messages: Iterable[Message]) -> None:
    """Handles all messages, of which the first is "store"."""
    remaining = iter(messages)
    first = next(remaining, None)
    if first is None:
        return
    try:
        _handle(first, remaining)
    except Exception as error:  # noqa: BLE001 - none may end the work
        warn_untracked(error, first["remedy"], source(first["uri"]))
        for _ in remaining:
            pass


def _handle(first: Message, remaining: Iterator[Message]) -> None:
    uri = store_uri(first["uri"], project_root())
    check_answer(uri)
    checked = time.monotonic()
    # MLflow takes seconds to import, and may fail to.
    from pipeline.tracking.recording import Recording

    recording = Recording(first["experiment"], first["uri"])
    for message in remaining:
        if time.monotonic() - checked > CHECK_SECONDS:
            check_answer(uri)
            checked = time.monotonic()
        getattr(recording, message.pop("what"))(**message)
    recording.end("KILLED")


def read(lines: Iterable[str]) -> Iterator[Message]:
    """The messages; the last line of a sender that was killed may be half a message."""
    return (json.loads(line) for line in lines if line.endswith("\n"))


def main() -> None:
    # Who ends the sender ends the input; what was sent before is still written.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    record(read(sys.stdin))


if __name__ == "__main__":
    run(main, CommandParser("pipeline.tracking.recorder", __doc__))
    leave()

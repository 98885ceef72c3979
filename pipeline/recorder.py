"""The process that writes to MLflow what another tells it.

It reads messages from its standard input, a line of JSON each (see recording.py):
store names the store, whose database takes seconds to make; begin opens a run, epochs
adds points to it, end closes it; complete makes sure that the result under data/ has
its whole run; sweep opens the run of a sweep, trials adds the runs of a batch, results
what came out, and end closes it. An input that ends within a run is that of a process
that was killed.
"""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline import runs
from pipeline.command import UserError, leave, run
from pipeline.config import read_config
from pipeline.identity import Identity
from pipeline.sweep_runs import SweepRuns
from pipeline.tracking import (
    TROUBLE,
    LiveRun,
    Store,
    live_run,
    make_database,
    say_untracked,
)

Message = dict[str, Any]


class WorkFailedError(Exception):
    """What the other process failed with."""


def main() -> None:
    # Whoever ends the work ends the input; what was told before is still written.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    messages: Iterator[Message] = map(json.loads, sys.stdin)
    for message in messages:
        if message["what"] == "store":
            # What is wrong with it is said of the run that needs it.
            with suppress(UserError, *TROUBLE):
                make_database(message["uri"])
        if message["what"] == "complete":
            runs.complete(read_config(), evaluate_seconds=message["seconds"])
        if message["what"] == "begin":
            try:
                record(message, messages)
            except (WorkFailedError, SystemExit):
                continue
        if message["what"] == "sweep":
            record_sweep(message, messages)


def record(begin: Message, messages: Iterator[Message]) -> None:
    """One run, from its beginning to its end."""
    with live_run(
        lambda: Store(begin["experiment"], begin["uri"]),
        Identity(**begin["identity"]),
        begin["params"],
        begin["tags"],
    ) as live:
        follow(live, messages)


def record_sweep(begin: Message, messages: Iterator[Message]) -> None:
    """The run of a sweep; a store out of reach costs a line, once."""
    status, reason = "KILLED", None
    try:
        sweep = SweepRuns(Store(begin["experiment"], begin["uri"]), begin)
        try:
            for message in messages:
                if message["what"] == "trials":
                    sweep.log_batch(Path(message["path"]))
                elif message["what"] == "results":
                    sweep.log_results(message)
                elif message["what"] == "end":
                    status, reason = message["status"], message["reason"]
                    break
        finally:
            sweep.end(status, reason)
    except TROUBLE as error:
        say_untracked(error, "the same command records them once the store can be reached")


def follow(live: LiveRun, messages: Iterator[Message]) -> None:
    """Writes what belongs to the run until it is said to have ended."""
    for message in messages:
        if message["what"] == "end":
            if message["status"] == "FAILED":
                raise WorkFailedError(message["reason"])
            if message["status"] == "KILLED":
                raise SystemExit
            return
        curves = message["curves"]
        for i, values in enumerate(zip(*curves.values(), strict=True)):
            live.log_epoch(message["first"] + i, dict(zip(curves, values, strict=True)))
    raise SystemExit


if __name__ == "__main__":
    run(main)
    leave()

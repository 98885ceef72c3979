"""The process that writes to MLflow what another tells it.

It reads messages from its standard input, a line of JSON each (see recording.py):
store names the store, and what of it takes seconds is made ready; begin opens a run,
epochs adds points to it, end closes it; complete makes sure that the result under data/
has its whole run; sweep opens the run of a sweep, trials adds the runs of a batch,
results what came out, and end closes it. An input that ends within a run is that of a
process that was killed.

MLflow is imported where it is needed: for all but the run of a training whose store is
the project's own file.
"""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.compose.schema import read_config
from pipeline.runtime.entry import leave, run
from pipeline.runtime.errors import UserError
from pipeline.tracking import sqlite_runs
from pipeline.tracking.identity import Identity
from pipeline.tracking.live import LiveRun, Runs, Trouble, live_run, say_untracked
from pipeline.tracking.location import own_database, project_root
from pipeline.tracking.sqlite_runs import SqliteRuns

Message = dict[str, Any]


class WorkFailedError(Exception):
    """What the other process failed with."""


def main() -> None:
    # Whoever ends the work ends the input; what was told before is still written.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    messages: Iterator[Message] = map(json.loads, sys.stdin)
    for message in messages:
        if message["what"] == "store":
            make_ready(message)
        if message["what"] == "complete":
            from pipeline.tracking import training_run

            training_run.complete(read_config(), evaluate_seconds=message["seconds"])
        if message["what"] == "begin":
            try:
                record(message, messages)
            except (WorkFailedError, SystemExit):
                continue
        if message["what"] == "sweep":
            record_sweep(message, messages)


def make_ready(store: Message) -> None:
    """Does now what the first run would wait for: MLflow's import, and its database."""
    if not store["results"] and own_runs(store) is not None:
        return
    from pipeline.tracking import mlflow_store

    import_module("pipeline.tracking.sweep_run")  # all else that any message needs
    # What is wrong with it is said of the run that needs it.
    with suppress(UserError, *mlflow_store.TROUBLE):
        mlflow_store.make_database(store["uri"])


def own_runs(store: Message) -> SqliteRuns | None:
    """Those that can be written without MLflow, if the store and its file allow it."""
    file = own_database(store["uri"], project_root())
    return None if file is None else SqliteRuns.opened(file, store["experiment"])


def writer(store: Message) -> tuple[Callable[[], Runs], Trouble]:
    """What opens the runs of a store, and the errors of a store in trouble."""
    own = own_runs(store)
    if own is not None:
        return lambda: own, sqlite_runs.TROUBLE
    from pipeline.tracking import mlflow_store

    return lambda: mlflow_store.Store(store["experiment"], store["uri"]), mlflow_store.TROUBLE


def record(begin: Message, messages: Iterator[Message]) -> None:
    """One run, from its beginning to its end."""
    with live_run(
        *writer(begin),
        Identity(**begin["identity"]),
        begin["params"],
        begin["tags"],
    ) as live:
        follow(live, messages)


def record_sweep(begin: Message, messages: Iterator[Message]) -> None:
    """The run of a sweep; a store out of reach costs a line, once."""
    from pipeline.tracking.mlflow_store import TROUBLE, Store
    from pipeline.tracking.sweep_run import SweepRuns

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

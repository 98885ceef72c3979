"""A training on its way into the store.

The files under data/ are the record, so tracking never ends a training: what cannot
be written is said in one line and can be written later (pipeline.track).
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from pipeline.runtime.errors import warn
from pipeline.tracking.identity import Identity

FLUSH_SECONDS = 1.0
Trouble = tuple[type[Exception], ...]


class Runs(Protocol):
    """What writes runs: MLflow's client (tracking.py), or its tables (sqlite_runs.py)."""

    def create(self, identity: Identity, params: dict[str, Any], tags: dict[str, str]) -> str:
        """A new run in status RUNNING; returns its id."""

    def log_epochs(self, run_id: str, epochs: Iterable[tuple[int, Mapping[Any, float]]]) -> None:
        """A point for each value, at the step of its epoch; missing values have none."""

    def log_tags(self, run_id: str, tags: dict[str, str]) -> None:
        """Adds to those that the run has."""

    def end(self, run_id: str, status: str) -> None:
        """FINISHED, FAILED or KILLED."""


class LiveRun:
    """A run in the making. Points are sent about once a second."""

    def __init__(self, runs: Runs | None, run_id: str | None, trouble: Trouble) -> None:
        self._runs = runs
        self._run_id = run_id
        self._trouble = trouble
        self._waiting: list[tuple[int, dict[str, float]]] = []
        self._sent = time.monotonic()

    def log_epoch(self, epoch: int, values: dict[str, float]) -> None:
        """The values of one epoch."""
        self._waiting.append((epoch, dict(values)))
        if time.monotonic() - self._sent > FLUSH_SECONDS:
            self._send()

    def end(self, status: str, reason: str | None = None) -> None:
        """FINISHED, FAILED or KILLED, after everything that is still waiting."""
        self._send()
        if reason is not None:
            self._guarded(lambda runs, run_id: runs.log_tags(run_id, {"failure": reason}))
        self._guarded(lambda runs, run_id: runs.end(run_id, status))

    def _send(self) -> None:
        epochs, self._waiting = self._waiting, []
        self._guarded(lambda runs, run_id: runs.log_epochs(run_id, epochs))
        self._sent = time.monotonic()

    def _guarded(self, action: Callable[[Runs, str], None]) -> None:
        if self._runs is None or self._run_id is None:
            return
        try:
            action(self._runs, self._run_id)
        except self._trouble as error:
            say_untracked(error)
            self._runs = None


@contextmanager
def live_run(
    open_runs: Callable[[], Runs],
    trouble: Trouble,
    identity: Identity,
    params: dict[str, Any],
    tags: dict[str, str],
) -> Iterator[LiveRun]:
    """A run for the length of the block: FINISHED at its end, KILLED if the process
    is asked to stop, FAILED if it raises. A store in trouble, which is what its errors
    are then of, is warned of once and does not matter after that."""
    runs, run_id = None, None
    try:
        runs = open_runs()
        run_id = runs.create(identity, params, tags)
    except trouble as error:
        say_untracked(error)
        runs = None
    run = LiveRun(runs, run_id, trouble)
    try:
        yield run
    except (KeyboardInterrupt, SystemExit):
        run.end("KILLED")
        raise
    except BaseException as error:
        run.end("FAILED", str(error))
        raise
    run.end("FINISHED")


def run_tags(identity: Identity, process: str) -> dict[str, str]:
    """What a run of that identity is found by later, and whose it is while it lasts."""
    own = {"fingerprint": identity.fingerprint, "process": process}
    return own | ({"dvc.exp_name": identity.experiment} if identity.experiment else {})


def say_untracked(
    error: BaseException, mend: str = "`make track` records them once the store can be reached"
) -> None:
    """One line on what the store said, and how to mend the record."""
    reason = " ".join(str(error).split()) or type(error).__name__
    warn(f"not tracked: {reason[:200]}; the results are in data/, and {mend}")

"""What the recorder does with the messages that it is sent: it begins, fills and ends runs."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.compose.schema import read_config
from pipeline.tracking import training_run
from pipeline.tracking.fingerprint import Fingerprint
from pipeline.tracking.identity import Identity
from pipeline.tracking.store import Store, points
from pipeline.tracking.sweep_run import SweepRun

if TYPE_CHECKING:
    from pipeline.tracking.backend import Metric

FLUSH_SECONDS = 1.0
Message = dict[str, Any]


class Recording:
    """The store, and the run that is open in it. Its methods are the messages that there are."""

    def __init__(self, experiment: str, uri: str | None) -> None:
        self._store = Store(experiment, uri)
        self._run_id = ""
        self._sweep: SweepRun | None = None
        self._waiting: list[Metric] = []
        self._sent = time.monotonic()

    def begin(self, identity: Message, params: Message, tags: dict[str, str]) -> None:
        """Opens the run of a training."""
        who = Identity(**identity)
        self._run_id = self._store.create_run(who.run_name, params, tags | who.tags)

    def epochs(self, first: int, curves: Mapping[str, Sequence[float]]) -> None:
        """The values of some epochs from first on. They are sent about once a second."""
        self._waiting += points(curves, first=first)
        if time.monotonic() - self._sent > FLUSH_SECONDS:
            self._flush()

    def sweep(
        self,
        study: str,
        name: str,
        params: Message,
        tags: dict[str, str],
        common: Message | None = None,
    ) -> None:
        """Opens the run of a sweep."""
        self._sweep = SweepRun(self._store, study, name, params, tags, common=common)

    def trials(self, path: str) -> None:
        """Adds a run for each trial of a batch file."""
        assert self._sweep is not None
        self._sweep.log_batch(Path(path))

    def results(self, folder: str, **results: Any) -> None:
        """Adds the results of a sweep to its run, as SweepRun.log_results takes them."""
        assert self._sweep is not None
        self._sweep.log_results(folder=Path(folder), **results)

    def end(self, status: str, reason: str | None = None) -> None:
        """Ends the run that is open, if one is: FINISHED, FAILED for a reason, or KILLED."""
        if self._run_id:
            self._flush()
            self._store.end(self._run_id, status, reason)
        elif self._sweep is not None:
            self._sweep.end(status, reason)
        self._run_id, self._sweep = "", None

    def complete(self, fingerprints: dict[str, Message], seconds: float) -> None:
        """Completes the run of the result that is under data/ now."""
        training_run.complete(
            read_config(),
            self._store,
            {stage: Fingerprint(**one) for stage, one in fingerprints.items()},
            evaluate_seconds=seconds,
        )

    def _flush(self) -> None:
        self._store.log_points(self._run_id, self._waiting)
        self._waiting = []
        self._sent = time.monotonic()

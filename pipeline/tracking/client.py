"""Telling the recorder, a process of its own, what belongs into MLflow.

To write what MLflow reads takes milliseconds for each point, and MLflow itself seconds
to import. All of that happens beside the work instead of before it and between its
epochs. When this process is gone, however that came about, the recorder's input ends,
and it marks the run.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipeline.compose.schema import Config, read_config, settings
from pipeline.runtime.files import write_text
from pipeline.runtime.paths import TRACKED
from pipeline.tracking.durations import process_seconds
from pipeline.tracking.identity import Identity, of_training, tags


class Recorder:
    """A recorder at work; a context manager that waits for its last word. Where
    tracking is off there is no process, and nothing happens."""

    def __init__(self, config: Config, *, results: bool) -> None:
        """Starts it. results says whether it will be told more than the curves of a
        training, for which it imports MLflow meanwhile."""
        self._store = {"experiment": config.tracking.experiment, "uri": config.tracking.uri}
        self._process: subprocess.Popen[str] | None = None
        if config.tracking.enabled:
            root = str(Path(__file__).parents[2])
            paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pipeline.tracking.recorder"],
                stdin=subprocess.PIPE,
                text=True,
                env=os.environ | {"PYTHONPATH": paths},
                # Ctrl-C is for the work; the recorder learns of it when its input ends.
                start_new_session=True,
            )
        self.tell("store", **self._store, results=results)

    def tell(self, what: str, **content: Any) -> None:
        """Sends one message; see recorder.py for what it understands."""
        if self._process is None or self._process.stdin is None:
            return
        try:
            self._process.stdin.write(json.dumps({"what": what, **content}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            # It has said why it ended.
            raise SystemExit(self._process.wait() or 1) from error

    @contextmanager
    def run(self, config: Config, identity: Identity) -> Iterator[None]:
        """A run for the length of the block: FINISHED at its end, KILLED if this process
        is asked to stop, FAILED if the block raises."""
        self.tell(
            "begin", **self._store, identity=asdict(identity), params=settings(config), tags=tags()
        )
        with self._ending():
            yield

    @contextmanager
    def _ending(self) -> Iterator[None]:
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            self.tell("end", status="KILLED", reason=None)
            raise
        except BaseException as error:
            self.tell("end", status="FAILED", reason=str(error))
            raise
        self.tell("end", status="FINISHED", reason=None)

    @contextmanager
    def sweep(
        self, study: str, name: str, params: Mapping[str, Any], made_of: str
    ) -> Iterator[None]:
        """The run of a sweep, for the length of the block, as `run` is one of a training."""
        content = {"study": study, "name": name, "params": dict(params)}
        with self._ending():
            self.tell("sweep", **self._store, **content, tags=tags() | {"fingerprint": made_of})
            yield

    def epochs(self, first: int, curves: Mapping[str, Any]) -> None:
        """The curves of some epochs from first on: arrays of shape (epochs,)."""
        plain = {name: curve.tolist() for name, curve in curves.items()}
        self.tell("epochs", first=first, curves=plain)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
            status = self._process.wait()
            if status and error is None:
                raise SystemExit(status)


@contextmanager
def record_training() -> Iterator[Recorder]:
    """A recorder, and in it the run of the training that the files stand for now."""
    config = read_config()
    with (
        Recorder(config, results=False) as recorder,
        recorder.run(config, of_training(config)),
    ):
        yield recorder


@contextmanager
def record_evaluation() -> Iterator[None]:
    """Completes the run of the current training when the block has ended well."""
    config = read_config()
    with Recorder(config, results=True) as recorder:
        yield
        recorder.tell("complete", seconds=process_seconds())
    # Not cached and kept in place, so that DVC evaluates anew, and completes the
    # run, wherever it has only restored the other outputs.
    write_text(TRACKED, json.dumps({"fingerprint": of_training(config).fingerprint}) + "\n")

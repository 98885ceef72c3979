"""Sends what belongs in MLflow to the recorder, a separate process.

MLflow takes seconds to import and milliseconds to write each point. All of that happens
beside the work instead of before it and between its epochs. When this process ends, in
whatever way, the recorder's input ends with it, and the recorder ends the run.
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

from pipeline.compose.schema import Config, experiment_parameters, read_config
from pipeline.runtime.files import write_text
from pipeline.runtime.paths import TRACKED
from pipeline.tracking.fingerprint import of_stage
from pipeline.tracking.identity import Identity, of_training
from pipeline.tracking.provenance import run_tags
from pipeline.tracking.stage_command import process_seconds

# Added to the recorder's niceness: its import of MLflow must not slow the stage's of Keras.
NICENESS = 5


class Recorder:
    """A running recorder; a context manager that waits until it has written everything.
    Where tracking is off there is no process, and nothing happens."""

    def __init__(self, config: Config, remedy: str = "`make track`") -> None:
        """Starts it. remedy is the command that records what a store out of reach misses."""
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
            niceness = os.getpriority(os.PRIO_PROCESS, 0) + NICENESS
            os.setpriority(os.PRIO_PROCESS, self._process.pid, niceness)
        self.send(
            "store",
            experiment=config.tracking.experiment,
            uri=config.tracking.uri,
            remedy=remedy,
        )

    def send(self, what: str, **content: Any) -> None:
        """Sends one message; recorder.HANDLERS lists them."""
        if self._process is None or self._process.stdin is None:
            return
        try:
            self._process.stdin.write(json.dumps({"what": what, **content}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            # The recorder has printed why it ended.
            raise SystemExit(self._process.wait() or 1) from error

    @contextmanager
    def training(self, config: Config, identity: Identity) -> Iterator[None]:
        """The run of a training for the length of the block: FINISHED at its end, KILLED if
        this process is asked to stop, FAILED if the block raises."""
        params = experiment_parameters(config)
        self.send("begin", identity=asdict(identity), params=params, tags=run_tags())
        with self._ending():
            yield

    @contextmanager
    def sweep(
        self, study: str, name: str, params: Mapping[str, Any], inputs_hash: str
    ) -> Iterator[None]:
        """The run of a sweep for the length of the block, which ends as one of a training."""
        tags = run_tags() | {"fingerprint": inputs_hash}
        with self._ending():
            self.send("sweep", study=study, name=name, params=dict(params), tags=tags)
            yield

    def epochs(self, first: int, curves: Mapping[str, Any]) -> None:
        """The curves of some epochs from first on: arrays of shape (epochs,)."""
        plain = {name: curve.tolist() for name, curve in curves.items()}
        self.send("epochs", first=first, curves=plain)

    @contextmanager
    def _ending(self) -> Iterator[None]:
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            self.send("end", status="KILLED")
            raise
        except BaseException as error:
            self.send("end", status="FAILED", reason=str(error))
            raise
        self.send("end", status="FINISHED")

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
    """A recorder with the run of the current training open for the length of the block."""
    config = read_config()
    with Recorder(config) as recorder:
        # The recorder imports MLflow while the inputs are hashed.
        identity = of_training(config, of_stage("train").hash)
        with recorder.training(config, identity):
            yield recorder


@contextmanager
def record_evaluation() -> Iterator[None]:
    """Completes the run of the current training after the block, unless it raises."""
    config = read_config()
    with Recorder(config) as recorder:
        yield
        # The recorder need not hash again what this process hashes.
        fingerprints = {stage: of_stage(stage) for stage in ("train", "evaluate")}
        recorder.send(
            "complete",
            fingerprints={stage: asdict(one) for stage, one in fingerprints.items()},
            seconds=process_seconds(),
        )
    # Not cached and kept in place, so that DVC evaluates anew, and completes the
    # run, wherever it has only restored the other outputs.
    write_text(TRACKED, json.dumps({"fingerprint": fingerprints["train"].hash}) + "\n")

"""Sends what belongs in MLflow to the recorder, a separate process.

MLflow takes seconds to import and milliseconds to write each point. All of that happens
beside the work instead of before it and between its epochs. When this process ends, in
whatever way, the recorder's input ends with it, and the recorder ends the run. When the recorder
ends first, or hangs, this process warns and continues.
"""

import json
import math
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import psutil

from pipeline.compose.schema import Config, experiment_parameters, read_config
from pipeline.runtime.files import write_text
from pipeline.runtime.paths import TRACKED
from pipeline.tracking.fingerprint import of_stage
from pipeline.tracking.identity import Identity, of_training
from pipeline.tracking.provenance import run_tags, warn_unknown
from pipeline.tracking.stage_command import process_seconds
from pipeline.tracking.untracked import warn_untracked

# Added to the recorder's niceness: its import of MLflow must not slow the stage's of Keras.
NICENESS = 5
# After as many seconds in which it has used no processor time, the recorder is not waited for.
PATIENCE = 60
POLL_SECONDS, STOP_SECONDS = 0.1, 5
# How long who interrupts the work waits for the recorder, which then goes on alone.
INTERRUPTED_SECONDS = 5
# What is kept for a recorder that does not read, in bytes: the curves of a million epochs.
MAX_UNSENT = 2**28
PIPE_BYTES = 2**16
RECORDER = "the process that records in MLflow"


class Recorder:
    """A running recorder; a context manager that waits until it has written everything.

    Where tracking is off there is no process, and nothing happens. Nor does anything where the
    recorder cannot start, is killed or hangs: one warning says so, and the work continues.
    """

    def __init__(self, config: Config, remedy: str = "`make track`") -> None:
        """Starts it. remedy is the command that records what a store out of reach misses."""
        self._process: subprocess.Popen[bytes] | None = None
        self._remedy = remedy
        self._unsent = bytearray()
        if not config.tracking.enabled:
            return
        root = str(Path(__file__).parents[2])
        paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pipeline.tracking.recorder"],
                stdin=subprocess.PIPE,
                bufsize=0,
                env=os.environ | {"PYTHONPATH": paths},
                # Ctrl-C is for the work; the recorder learns of it when its input ends.
                start_new_session=True,
            )
        except OSError as error:
            self._lose(f"{RECORDER} cannot start: {error}")
            return
        assert self._process.stdin is not None
        self._input = self._process.stdin
        # A recorder that does not read must not stop the work when the pipe is full.
        os.set_blocking(self._input.fileno(), False)
        with suppress(OSError):
            niceness = os.getpriority(os.PRIO_PROCESS, 0) + NICENESS
            os.setpriority(os.PRIO_PROCESS, self._process.pid, niceness)
        self.send(
            "store",
            experiment=config.tracking.experiment,
            uri=config.tracking.uri,
            remedy=remedy,
        )

    def send(self, what: str, **content: Any) -> None:
        """Sends one message; what is a method of recording.Recording."""
        if self._process is not None:
            self._unsent += json.dumps({"what": what, **content}).encode() + b"\n"
            self._write()
        if self._process is not None and len(self._unsent) > MAX_UNSENT:
            self._stop()
            self._lose(f"{RECORDER} does not respond")

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
        self,
        study: str,
        name: str,
        params: Mapping[str, Any],
        inputs_hash: str,
        common: Mapping[str, Any] | None = None,
    ) -> Iterator[None]:
        """The run of a sweep for the length of the block, which ends as one of a training. common
        is what all trials have in common, beside inputs, the hashes of data and code."""
        tags = run_tags() | {"fingerprint": inputs_hash}
        if self._process is not None and "git.unknown" in tags:
            warn_unknown(tags["git.unknown"])
        with self._ending():
            self.send(
                "sweep", study=study, name=name, params=dict(params), tags=tags, common=common
            )
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

    def _write(self) -> None:
        """Writes what the pipe takes now."""
        try:
            while self._unsent:
                piece = self._unsent[:PIPE_BYTES]
                del self._unsent[: os.write(self._input.fileno(), piece)]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            assert self._process is not None
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
            self._lose(_ending(self._stop()))

    def _stop(self) -> int:
        """Kills the recorder if it has not ended; returns its exit status."""
        assert self._process is not None
        self._process.kill()
        self._input.close()
        # One that waits for a disk that does not answer cannot be killed.
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(STOP_SECONDS)
        return -signal.SIGKILL

    def _lose(self, reason: str) -> None:
        """The work continues without the recorder. The next one ends the run that it leaves."""
        self._process = None
        warn_untracked(reason, self._remedy)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        """Waits for the recorder as long as it is at work; a few seconds if this process is asked
        to stop."""
        used, since = -1.0, time.monotonic()
        interrupted = kind is not None and not issubclass(kind, Exception)
        end = since + (INTERRUPTED_SECONDS if interrupted else math.inf)
        while self._process is not None:
            if time.monotonic() > end:
                # What was not sent is lost, but the recorder sees that its input ends.
                self._input.close()
                return
            before, used = used, _processor_seconds(self._process.pid)
            if used != before:
                since = time.monotonic()
            if time.monotonic() - since > PATIENCE:
                self._stop()
                self._lose(f"the store has not answered for {PATIENCE} s")
                return
            if self._unsent:
                select.select([], [self._input], [], POLL_SECONDS)
                self._write()
                continue
            self._input.close()
            with suppress(subprocess.TimeoutExpired):
                status = self._process.wait(POLL_SECONDS)
                if status:
                    self._lose(_ending(status))
                return


def _processor_seconds(pid: int) -> float:
    """That a process has used so far: a recorder that waits for a store uses none."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return -1.0
    return times.user + times.system


def _ending(status: int) -> str:
    """How a recorder ended, by its exit status."""
    if status == -signal.SIGKILL:
        return f"{RECORDER} was killed, perhaps for want of memory"
    if status < 0:
        return f"{RECORDER} was ended by signal {-status} ({signal.strsignal(-status)})"
    return f"{RECORDER} ended with status {status}"


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
        # Jinja and what reads the files are for this stage alone.
        from pipeline.tracking.report import NOT_REACHED, OFF, write_report

        # The recorder writes it again with what the store has, if it reaches that.
        reason = NOT_REACHED if config.tracking.enabled else OFF
        write_report(config, fingerprints["train"].hash, reason)
        recorder.send(
            "complete",
            fingerprints={stage: asdict(one) for stage, one in fingerprints.items()},
            seconds=process_seconds(),
        )
    # Not cached and kept in place, so that DVC evaluates anew, and completes the
    # run, wherever it has only restored the other outputs.
    write_text(TRACKED, json.dumps({"fingerprint": fingerprints["train"].hash}) + "\n")

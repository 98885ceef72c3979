"""A stage as a command: its outputs, which a failure must not cost, and how long it took."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from pipeline.runtime.entry import CommandParser, leave, run
from pipeline.runtime.errors import UserError, say
from pipeline.runtime.files import write_text
from pipeline.tracking.environment import warn_of_changing
from pipeline.tracking.fingerprint import of_stage, outputs_of_stage

TIMINGS = Path("data/timings")
# Links to the outputs of each stage as it ended last.
LAST = Path("data/.last")
# Those whose results also depend on how the processor computes.
COMPUTING = ("baselines", "train")


def run_stage(main: Callable[..., None], parser: CommandParser) -> None:
    """Runs a stage as a command, notes how long its process took, and ends it."""
    name = parser.module.rpartition(".")[2]
    restored: list[Path] = []

    def stage(**arguments: Any) -> None:
        restored.extend(restore_outputs(name))
        with alone(name):
            if name in COMPUTING:
                warn_of_changing()
            main(**arguments)
            note_seconds(name)
            keep_outputs(name)

    try:
        run(stage, parser)
    except SystemExit:
        for path in restored:
            say(f"{path} stays as it was")
        raise
    leave()


@contextmanager
def alone(stage: str) -> Iterator[None]:
    """Raises UserError if another process runs the stage, as after its `dvc repro` was killed."""
    LAST.mkdir(parents=True, exist_ok=True)
    # Locked for as long as it is open, however the process ends.
    with (LAST / f"{stage}.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            process = lock.read().strip()
            raise UserError(
                f"process {process} runs the stage {stage} here; wait until it has ended, or end it"
                f" with `kill {process}`"
            ) from error
        except OSError:
            pass  # a file system without locks
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def restore_outputs(stage: str) -> list[Path]:
    """Puts back the last outputs of a stage, which DVC has removed, until the stage replaces them:
    if it fails, or is killed, they are still there. `persist: true` of DVC would do the same, but
    then DVC would not find results of earlier settings in its cache."""
    removed = [one for one in outputs_of_stage(stage) if not one.exists() and (LAST / one).exists()]
    return [one for one in removed if _link(LAST / one, one)]


def keep_outputs(stage: str) -> None:
    for path in outputs_of_stage(stage):
        _link(path, LAST / path)


def _link(source: Path, target: Path) -> bool:
    """Makes target, which is replaced, a copy of source that takes no space; False where the file
    system refuses."""
    draft = target.with_name(f".{target.name}-{os.getpid()}")
    with suppress(OSError):
        draft.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, draft, copy_function=os.link)
            shutil.rmtree(target, ignore_errors=True)
        else:
            os.link(source, draft)
        draft.replace(target)
        return True
    shutil.rmtree(draft, ignore_errors=True)
    return False


def note_seconds(stage: str) -> None:
    """Writes the age of this process as the stage's duration into data/timings/.

    Durations differ from run to run, so they must not be among a stage's outputs.
    """
    note = {"fingerprint": of_stage(stage).hash, "seconds": process_seconds()}
    write_text(TIMINGS / f"{stage}.json", json.dumps(note) + "\n")


def process_seconds() -> float:
    """Seconds since this process began, imports included."""
    return round(time.time() - psutil.Process().create_time(), 3)


def noted_seconds(stage: str, fingerprint: str) -> float | None:
    """What note_seconds wrote, if the stage had that fingerprint then."""
    try:
        note = json.loads((TIMINGS / f"{stage}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return float(note["seconds"]) if note["fingerprint"] == fingerprint else None

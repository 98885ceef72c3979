"""A stage as a command, and how long its process took."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from pipeline.runtime.entry import CommandParser, leave, run
from pipeline.runtime.files import write_text
from pipeline.tracking.fingerprint import of_stage

TIMINGS = Path("data/timings")


def run_stage(main: Callable[..., None], parser: CommandParser) -> None:
    """Runs a stage as a command, notes how long its process took, and ends it."""

    def stage(**arguments: Any) -> None:
        main(**arguments)
        note_seconds(parser.module.rpartition(".")[2])

    run(stage, parser)
    leave()


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

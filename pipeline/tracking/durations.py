"""What a result was made of: fingerprint, commit, packages, seconds.

A fingerprint is what DVC's own run cache goes by: a stage's command, the values
of its configuration sections, and the content of everything that it depends on,
code and data. Two results with one fingerprint are one result, so a tracked run
is found by it and no run id is passed from stage to stage.
"""

import json
import time
from pathlib import Path

import psutil

from pipeline.runtime.files import write_text
from pipeline.tracking.fingerprint import of_stage

TIMINGS = Path("data/timings")


def note_seconds(stage: str) -> None:
    """Notes the age of this process as the stage's duration in data/timings/.

    Durations differ from run to run, so they must not be among a stage's outputs.
    """
    note = {"fingerprint": of_stage(stage).hash, "seconds": process_seconds()}
    write_text(TIMINGS / f"{stage}.json", json.dumps(note) + "\n")


def process_seconds() -> float:
    """Since this process began, imports included."""
    return round(time.time() - psutil.Process().create_time(), 3)


def noted_seconds(stage: str) -> float | None:
    """What note_seconds noted, if that was for what the stage is made of now."""
    try:
        note = json.loads((TIMINGS / f"{stage}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return float(note["seconds"]) if note["fingerprint"] == of_stage(stage).hash else None

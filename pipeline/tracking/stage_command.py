"""One thin file for each stage of dvc.yaml, of the same name."""

from collections.abc import Callable

from pipeline.runtime.entry import leave, run
from pipeline.tracking.durations import note_seconds


def run_stage(name: str, main: Callable[[], None]) -> None:
    """Runs a stage as a command, notes how long its process took, and ends it."""
    run(main)
    note_seconds(name)
    leave()

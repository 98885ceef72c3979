"""One thin file for each stage of dvc.yaml, of the same name."""

from collections.abc import Callable

from pipeline.command import run
from pipeline.provenance import note_seconds


def run_stage(name: str, main: Callable[[], None]) -> None:
    """Runs a stage as a command and notes how long its process took."""
    run(main)
    note_seconds(name)

"""The folder of a sweep, data/sweeps/NAME/: the curves of its trials, batch by batch,
its tables and figures, and the models that came out of it.

A batch is one file, written as a whole before its trials are told to the study or to
MLflow; so whatever stops the sweep, these can be filled up from the files.
"""

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.dataset.curves import CURVES
from pipeline.runtime.files import whole_file

SWEEPS = Path("data/sweeps")


@dataclass(frozen=True)
class Record:
    """A trial that is over; curves is (epochs, values), the values those of fitting.CURVES.

    began and ended are seconds since 1970; values are what the space chose,
    configuration is all of it, flattened.
    """

    number: int
    state: str
    score: float | None
    epochs: int
    reason: str | None
    fingerprint: str
    values: dict[str, Any]
    configuration: dict[str, Any]
    began: float
    ended: float
    curves: NDArray[np.float32]


def write_batch(folder: Path, records: Sequence[Record]) -> Path:
    """One file with all of records; returns its path."""
    path = folder / "batches" / f"{uuid.uuid4().hex}.npz"
    plain = [
        {name: value for name, value in vars(record).items() if name != "curves"}
        for record in records
    ]
    arrays = {str(record.number): record.curves for record in records}
    with whole_file(path) as draft, draft.open("wb") as file:
        held: dict[str, Any] = {"records": np.array(json.dumps(plain)), **arrays}
        np.savez(file, **held)
    return path


def read_batch(path: Path) -> list[Record]:
    """The records of write_batch."""
    with np.load(path, allow_pickle=False) as held:
        plain = json.loads(str(held["records"]))
        return [Record(**record, curves=held[str(record["number"])]) for record in plain]


class Curves:
    """The curves of the trials of all sweeps below a folder, by fingerprint."""

    def __init__(self, sweeps: Path) -> None:
        self._sweeps = sweeps
        self._read: set[Path] = set()
        self._places: dict[str, tuple[Path, int]] = {}

    def of(self, fingerprint: str) -> NDArray[np.float32]:
        """Those of a trial that came to its end; without rows where no file has them, as
        for a trial of another machine."""
        if fingerprint not in self._places:
            for path in set(self._sweeps.glob("*/batches/*.npz")) - self._read:
                self._read.add(path)
                for record in read_batch(path):
                    if record.state == "complete" and len(record.curves):
                        self._places[record.fingerprint] = path, record.number
        if fingerprint not in self._places:
            return np.zeros((0, len(CURVES)), np.float32)
        path, number = self._places[fingerprint]
        with np.load(path, allow_pickle=False) as held:
            return np.asarray(held[str(number)], np.float32)


def batches(folder: Path) -> Iterator[Path]:
    """The files of a sweep's batches, the oldest first."""
    yield from sorted((folder / "batches").glob("*.npz"), key=lambda path: path.stat().st_mtime_ns)

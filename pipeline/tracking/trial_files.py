"""The trials of a sweep as files below data/sweeps/NAME/batches/, with their curves.

A batch of trials is one file, written as a whole before the trials are reported to the study
or to MLflow; whatever stops the sweep, both can be completed from the files.
"""

import fcntl
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.dataset.curves import CURVES
from pipeline.runtime.errors import UserError
from pipeline.runtime.files import whole_file

SWEEPS = Path("data/sweeps")


@dataclass(frozen=True)
class Record:
    """A trial that is over.

    curves is of shape (epochs, len(dataset.curves.CURVES)), began and ended are seconds since
    1970, values are those of the searched keys, and configuration is the whole configuration
    under dotted names.
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
    """Writes one file with all of records; returns its path."""
    path = folder / "batches" / f"{uuid.uuid4().hex}.npz"
    plain = [
        {name: value for name, value in vars(record).items() if name != "curves"}
        for record in records
    ]
    arrays = {str(record.number): record.curves for record in records}
    with whole_file(path) as draft, draft.open("wb") as file:
        content: dict[str, Any] = {"records": np.array(json.dumps(plain)), **arrays}
        np.savez(file, **content)
    return path


def read_batch(path: Path) -> list[Record]:
    """The records that write_batch wrote."""
    with np.load(path, allow_pickle=False) as content:
        plain = json.loads(str(content["records"]))
        return [Record(**record, curves=content[str(record["number"])]) for record in plain]


class Curves:
    """The curves of the complete trials of all sweeps below a folder, by fingerprint."""

    def __init__(self, sweeps: Path) -> None:
        self._sweeps = sweeps
        self._read: set[Path] = set()
        self._locations: dict[str, tuple[Path, int]] = {}

    def of(self, fingerprint: str) -> NDArray[np.float32]:
        """The curves of a complete trial; no rows where no file has them, as for a trial of
        another machine."""
        if fingerprint not in self._locations:
            for path in set(self._sweeps.glob("*/batches/*.npz")) - self._read:
                self._read.add(path)
                for record in read_batch(path):
                    if record.state == "complete" and len(record.curves):
                        self._locations[record.fingerprint] = path, record.number
        if fingerprint not in self._locations:
            return np.zeros((0, len(CURVES)), np.float32)
        path, number = self._locations[fingerprint]
        with np.load(path, allow_pickle=False) as content:
            return np.asarray(content[str(number)], np.float32)


def batches(folder: Path) -> Iterator[Path]:
    """The files of a sweep's batches, the oldest first."""
    yield from sorted((folder / "batches").glob("*.npz"), key=lambda path: path.stat().st_mtime_ns)


@contextmanager
def folder_in_use(folder: Path, *, alone: bool = False) -> Iterator[None]:
    """Locks a sweep's folder for the length of the block: with other processes of this machine
    that run the same sweep, or alone. Raises UserError if that is not possible. A folder that is
    empty in the end is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    number = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems have no locks.
        with suppress(OSError):
            _lock(number, folder, alone=alone)
        yield
    finally:
        os.close(number)
        with suppress(OSError):
            folder.rmdir()


def _lock(number: int, folder: Path, *, alone: bool) -> None:
    try:
        fcntl.flock(number, fcntl.LOCK_NB | (fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
    except BlockingIOError as error:
        raise UserError(
            f"the sweep {folder.name} is being {'run' if alone else 'deleted'} by another process;"
            f" wait for its end{', or interrupt it' if alone else ''}"
        ) from error

"""The state of a training on the disk, from which one that was killed goes on."""

import time
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.errors import UserError, warn
from pipeline.runtime.files import whole_file

# Whichever is longer is between two checkpoints: so much time, or so many times what one takes.
SECONDS, TIMES_ITS_COST = 5.0, 100
# Of one training, the older for the case that the newer is damaged.
KEPT = 2
# Of all trainings that were killed and have not been repeated.
MAX_FILES = 6
VERSION, TENSORFLOW = "version", "tensorflow"


class Checkpoints:
    """Those of one training, which its inputs, settings and code identify.

    Parameters
    ----------
    folder
        Where they are; created with the first.
    name
        The fingerprint of the training.
    announce
        Receives a line if the training goes on from one of them.
    """

    def __init__(
        self, folder: Path, name: str, announce: Callable[[str], None] = lambda _line: None
    ) -> None:
        self._folder = folder
        self._name = name
        self._announce = announce
        self._last = time.monotonic()
        self._pause = SECONDS

    def load(self) -> dict[str, NDArray[Any]] | None:
        """The arrays of the last one; None if there is none, or another version of TensorFlow wrote
        it. Warns of one that is damaged, and takes the one before it."""
        for path in self._files():
            try:
                with path.open("rb") as content, np.load(content) as file:
                    arrays = dict(file)
            except (OSError, ValueError, EOFError, zipfile.BadZipFile):
                warn(f"{path}: is damaged; the training goes on from an earlier epoch")
                continue
            if arrays.pop(VERSION) == metadata.version(TENSORFLOW):
                self._announce(f"going on after epoch {_epoch(path)}, where it was interrupted")
                return arrays
        return None

    def due(self) -> bool:
        return time.monotonic() - self._last >= self._pause

    def save(self, epoch: int, arrays: dict[str, NDArray[Any]]) -> None:
        """Warns if the disk refuses; the training goes on."""
        begun = time.monotonic()
        path = self._folder / f"{self._name}-{epoch}.npz"
        try:
            with whole_file(path) as draft, draft.open("wb") as file:
                version = np.array(metadata.version(TENSORFLOW))
                np.savez(file, allow_pickle=False, **arrays, **{VERSION: version})
        except UserError as error:
            warn(f"no checkpoint: {error}")
        others = sorted(set(self._folder.glob("*.npz")) - set(self._files()), key=_changed)
        for old in [*self._files()[KEPT:], *others[: -MAX_FILES + KEPT]]:
            old.unlink(missing_ok=True)
        self._last = time.monotonic()
        self._pause = max(SECONDS, TIMES_ITS_COST * (self._last - begun))

    def remove(self) -> None:
        """Removes them, once the result of the training is safe."""
        for path in self._files():
            path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        """The latest epoch first."""
        return sorted(self._folder.glob(f"{self._name}-*.npz"), key=_epoch, reverse=True)


def _epoch(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0

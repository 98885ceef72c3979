"""Progress of a long computation: a bar in a terminal, otherwise a line every half minute."""

import math
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import numpy as np
from tqdm import tqdm

LINE_SECONDS = 30.0


class Progress:
    """Counts up to total units; a context manager."""

    def __init__(self, total: int, unit: str) -> None:
        self._total = total
        self._unit = unit
        self._done = 0.0
        self._last_line = time.monotonic()
        terminal = sys.stderr.isatty()
        self._bar = tqdm(total=total, unit=unit, dynamic_ncols=True) if terminal else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, count: float, **values: float) -> None:
        """Counts count more units, of which whole ones are shown; values beside their number."""
        self._done += count
        # A sum of fractions may be a little too low.
        done = int(self._done + 1e-6)
        rounded = {name: f"{value:.4g}" for name, value in values.items()}
        if self._bar is not None:
            self._bar.set_postfix(rounded, refresh=False)
            self._bar.update(done - self._bar.n)
        elif time.monotonic() - self._last_line >= LINE_SECONDS:
            self._last_line = time.monotonic()
            counted = f"{self._unit} {done} of {self._total}"
            pairs = (f"{name} {value}" for name, value in rounded.items())
            print(", ".join([counted, *pairs]), flush=True)


class EpochProgress(Progress):
    """Counts the epochs of a network, or of those of all folds, and passes its curves to record;
    those of folds as their mean over the networks that were trained in an epoch."""

    def __init__(self, epochs: int, record: Callable[[int, dict[str, Any]], None]) -> None:
        super().__init__(epochs, "epoch")
        self._record = record

    def __call__(self, first: int, curves: dict[str, Any]) -> None:
        """Curves of shape (epochs, networks) from the epoch first on; an OnEpochs of `fit`."""
        single = {
            name: np.ma.masked_invalid(curve).mean(axis=1).filled(math.nan)
            for name, curve in curves.items()
        }
        self._record(first, single)
        self.advance(len(single["loss"]), loss=single["loss"][-1])

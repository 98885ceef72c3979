"""How far a long work is: a bar for whoever sits at a terminal, else now and then a line."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm

LINE_SECONDS = 30.0


class Progress:
    """Counts up to total units; a context manager."""

    def __init__(self, total: int, unit: str) -> None:
        self._total = total
        self._unit = unit
        self._done = 0
        self._said = time.monotonic()
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

    def advance(self, count: int, **values: float) -> None:
        """count more units are done; values are what to say beside them."""
        self._done += count
        if self._bar is not None:
            shown = {name: f"{value:.4g}" for name, value in values.items()}
            self._bar.set_postfix(shown, refresh=False)
            self._bar.update(count)
        elif time.monotonic() - self._said >= LINE_SECONDS:
            self._said = time.monotonic()
            told = "".join(f", {name} {value:.4g}" for name, value in values.items())
            print(f"{self._unit} {self._done} of {self._total}{told}", flush=True)


class EpochProgress(Progress):
    """Counts the epochs of a single network, and passes its curves on to record."""

    def __init__(self, epochs: int, record: Callable[[int, dict[str, Any]], None]) -> None:
        super().__init__(epochs, "epoch")
        self._record = record

    def __call__(self, first: int, curves: dict[str, Any]) -> None:
        """Curves of shape (epochs, 1) from the epoch first on, as fitting.OnEpochs has them."""
        single = {name: curve[:, 0] for name, curve in curves.items()}
        self._record(first, single)
        self.advance(len(single["loss"]), loss=single["loss"][-1])

"""A rough estimate of a training's cost, which decides whether compilation with XLA pays off
and how many epochs a call runs.

The estimate depends on the sizes alone, never on the clock, so that an experiment is trained
in the same way on every machine. Its constants were measured on two cores.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import psutil

from pipeline.runtime.errors import UserError

# Seconds per step and per floating-point operation, without XLA and with it.
STEP_SECONDS = {False: 1e-4, True: 1e-5}
OPERATION_SECONDS = {False: 1 / 15e9, True: 1 / 40e9}
COMPILE_SECONDS = 2.0
CALL_SECONDS = 0.25
MAX_EPOCHS_PER_CALL = 256
MAX_ORDERS_PER_CALL = 2**24
# The weights before, now and the best ones, and their gradient, in float32.
BYTES_PER_PARAMETER = 4 * 4


@dataclass(frozen=True)
class Cost:
    """The sizes that the cost depends on; parameters are those of a single member."""

    parameters: int
    rows: int
    batch_size: int
    epochs: int
    members: int = 1

    def epoch_seconds(self, *, xla: bool) -> float:
        """Two operations for each parameter and row forward, twice that backward, and the
        constant cost of each step."""
        operations = 6 * self.parameters * self.rows * self.members
        steps = -(-self.rows // self.batch_size)
        return steps * STEP_SECONDS[xla] + operations * OPERATION_SECONDS[xla]

    def xla_pays(self) -> bool:
        """Whether XLA saves more seconds over all epochs than its compilation costs."""
        saved = self.epoch_seconds(xla=False) - self.epoch_seconds(xla=True)
        return self.epochs * saved > COMPILE_SECONDS

    def shrinking_pays(self, remaining: int, epochs: int, *, xla: bool) -> bool:
        """Whether to shrink a group to its remaining members for so many epochs. Under XLA
        another size needs another compilation; without, shrinking is free."""
        if not xla:
            return remaining < self.members
        saved = self.epoch_seconds(xla=True) - replace(self, members=remaining).epoch_seconds(
            xla=True
        )
        return epochs * saved > COMPILE_SECONDS

    def summary(self, *, xla: bool, streaming: bool, forced: bool) -> str:
        """One line: the sizes, whether XLA compiles the training, and why."""
        what = f"training {self.parameters} parameters on {self.rows} rows"
        if self.members > 1:
            what = (
                f"training {self.members} networks of {self.parameters} parameters together, each"
                f" on up to {self.rows} rows"
            )
        what += f" in batches of {min(self.batch_size, self.rows)}"
        how = "compiled by XLA" if xla else "without XLA"
        why = (
            "as set by training.xla"
            if forced
            else (
                "because compilation pays off" if xla else "because compilation would not pay off"
            )
        )
        where = "; rows from disk, window by window" if streaming else ""
        return f"{what}, {how}, {why}{where}"

    def epochs_per_call(self, *, xla: bool) -> int:
        """As many as take about CALL_SECONDS: progress is reported often enough, and the time
        between calls is negligible."""
        by_time = int(CALL_SECONDS / self.epoch_seconds(xla=xla))
        by_memory = MAX_ORDERS_PER_CALL // (self.rows * self.members)
        return max(1, min(by_time, by_memory, MAX_EPOCHS_PER_CALL, self.epochs))


def check_memory(inputs: int, units: Sequence[int]) -> None:
    """Raises UserError for a network that the memory of this machine or container cannot hold.

    Parameters
    ----------
    inputs
        The number of inputs of the first layer.
    units
        Those of each layer.
    """
    parameters = sum((before + 1) * after for before, after in pairwise((inputs, *units)))
    needed = parameters * BYTES_PER_PARAMETER
    memory = min([psutil.virtual_memory().total, *memory_limits()])
    if needed > memory:
        raise UserError(
            f"model.layers: {parameters} parameters need {needed / 1e9:.1f} GB of memory, and this"
            f" machine or container has {memory / 1e9:.1f} GB; lower the units of its layers"
        )


def memory_limits(root: Path = Path("/")) -> Iterator[int]:
    """The limits in bytes of the control groups that this process is in, of both versions, as
    Linux shows them below root."""
    listed = root / "proc/self/cgroup"
    for line in listed.read_text("utf-8").splitlines() if listed.is_file() else ():
        _, controllers, path = line.split(":", 2)
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        top = root / "sys/fs/cgroup" / controllers
        group = top / path.strip("/")
        # In a container, its own group may be the top one, and the path that of the machine.
        for folder in [group, *(one for one in group.parents if one.is_relative_to(top))]:
            limit = folder / name
            if limit.is_file() and (text := limit.read_text("utf-8").strip()).isdecimal():
                yield int(text)

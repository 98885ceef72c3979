"""How long a training will take, roughly, and what follows: whether compiling it with
XLA pays, and how many epochs one call should run.

The estimate goes by the size of the work alone, never by the clock, so that the same
experiment is trained in the same way everywhere. Its constants are of two cores.
"""

from dataclasses import dataclass, replace

# Seconds for a step and for a floating-point operation, without XLA and with it.
STEP_SECONDS = {False: 1e-4, True: 1e-5}
OPERATION_SECONDS = {False: 1 / 15e9, True: 1 / 40e9}
COMPILE_SECONDS = 2.0
CALL_SECONDS = 0.25
MOST_EPOCHS_PER_CALL = 256
MOST_ORDERS_PER_CALL = 2**24


@dataclass(frozen=True)
class Cost:
    """parameters are those of one member; rows are trained on once an epoch."""

    parameters: int
    rows: int
    batch_size: int
    epochs: int
    members: int = 1

    def epoch_seconds(self, *, xla: bool) -> float:
        """What an epoch takes: forward and twice that back, two operations for each
        parameter and row, beside what a step costs however small it is."""
        operations = 6 * self.parameters * self.rows * self.members
        steps = -(-self.rows // self.batch_size)
        return steps * STEP_SECONDS[xla] + operations * OPERATION_SECONDS[xla]

    def xla_pays(self) -> bool:
        """Whether all epochs save more seconds than the compilation costs."""
        saved = self.epoch_seconds(xla=False) - self.epoch_seconds(xla=True)
        return self.epochs * saved > COMPILE_SECONDS

    def leaving_pays(self, remaining: int, epochs: int, *, xla: bool) -> bool:
        """Whether a group should shrink to its remaining members. Under XLA another
        size is another compilation; else it costs nothing."""
        if not xla:
            return remaining < self.members
        saved = self.epoch_seconds(xla=True) - replace(self, members=remaining).epoch_seconds(
            xla=True
        )
        return epochs * saved > COMPILE_SECONDS

    def described(self, *, xla: bool, streaming: bool, forced: bool) -> str:
        """One line on how the training goes about it, and why."""
        what = f"training {self.parameters} parameters on {self.rows} rows"
        how = "compiled by XLA" if xla else "without XLA"
        why = (
            "as training.xla says"
            if forced
            else (
                "because compilation pays off" if xla else "because compilation would not pay off"
            )
        )
        where = "; rows from disk, window by window" if streaming else ""
        return f"{what}, {how}, {why}{where}"

    def epochs_per_call(self, *, xla: bool) -> int:
        """As many as take about CALL_SECONDS: an answer for whoever watches, and no
        time lost between calls."""
        by_time = int(CALL_SECONDS / self.epoch_seconds(xla=xla))
        by_memory = MOST_ORDERS_PER_CALL // (self.rows * self.members)
        return max(1, min(by_time, by_memory, MOST_EPOCHS_PER_CALL, self.epochs))

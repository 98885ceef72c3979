"""The result of a trial."""

from dataclasses import dataclass

# The reason of a trial that was stopped for better ones.
PRUNED = "pruned"


@dataclass(frozen=True)
class TrialResult:
    """The score of a trial, or why it has none.

    Attributes
    ----------
    state
        "complete", "pruned" or "failed".
    score
        Lower is better; that of the last epoch's weights where the trial was pruned, None where
        it failed.
    epochs
        How many were trained.
    reason
        Why the trial was not trained to its end.
    fingerprint
        A hash of everything that the result depends on; empty where the values contradict each
        other.
    """

    state: str
    score: float | None
    epochs: int
    reason: str | None = None
    fingerprint: str = ""

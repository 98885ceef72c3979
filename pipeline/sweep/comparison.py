"""How good the winner of a sweep is beside what it is compared with."""

import math
from dataclasses import astuple, dataclass, field

import numpy as np
import pandas as pd

from pipeline.compose.schema import Score
from pipeline.evaluation.paired import Improvement
from pipeline.sweep.tables import Vector


@dataclass(frozen=True)
class Evaluation:
    """The error of a model on each part, in the units of the target; a row of winner.csv.

    improvements says of each part on which the winner is compared with this model by how much the
    winner's error is lower.
    """

    model: str
    errors: dict[str, float]
    improvements: dict[str, Improvement] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """What its metrics begin with: ensemble, for an ensemble of 3."""
        return self.model.partition(" ")[0]


@dataclass(frozen=True)
class Comparison:
    """The errors of the winner, and of what it is compared with.

    Attributes
    ----------
    winner
        The best trial, trained alone as the train stage would train it.
    scored_part, score
        What the trials were scored by.
    seeds
        The same values with other seeds, by which they were not selected.
    candidates
        The number of best trials for an ensemble.
    ensemble
        That of the best trials and of those seeds, if it is better than each of them.
    start
        The experiment that the sweep varies, unless it diverges.
    is_start
        Whether the best trial is that experiment.
    baselines
        Linear regression and gradient boosting.
    """

    winner: Evaluation
    scored_part: str
    score: Score
    seeds: list[Evaluation]
    candidates: int
    ensemble: Evaluation | None
    start: Evaluation | None
    is_start: bool
    baselines: list[Evaluation]

    @property
    def references(self) -> list[Evaluation]:
        """The starting point and the baselines."""
        return [*([self.start] if self.start else []), *self.baselines]

    @property
    def compared(self) -> list[Evaluation]:
        """All but the other seeds."""
        return [self.winner, *([self.ensemble] if self.ensemble else []), *self.references]

    @property
    def seeds_mean(self) -> dict[str, float]:
        """The mean error of the other seeds on each part; empty if there are none."""
        return {part: float(values.mean()) for part, values in self._seed_errors().items()}

    @property
    def optimism(self) -> float | None:
        """The selection bias: the mean error of the other seeds minus that of the winner, on
        the part that it was selected by."""
        if not self.seeds:
            return None
        return self.seeds_mean[self.scored_part] - self.winner.errors[self.scored_part]

    @property
    def beats_start(self) -> bool:
        """Whether the winner is better than the starting point beyond chance, on the part that it
        was selected by; a starting point that diverged is worse."""
        return self.start is None or self.start.improvements[self.scored_part].low > 0

    def metrics(self) -> dict[str, float]:
        """The metrics of the sweep's run: {model}_{part}_{score}, the mean and std of the other
        seeds, the optimism, and improvement_over_{model}_{part} with the ends of its interval."""
        score = self.score.value
        numbers = {
            f"{one.prefix}_{part}_{score}": value
            for one in self.compared
            for part, value in one.errors.items()
        }
        for part, values in self._seed_errors().items():
            numbers[f"seeds_{part}_{score}_mean"] = float(values.mean())
            numbers[f"seeds_{part}_{score}_std"] = float(values.std())
        if self.optimism is not None:
            numbers["optimism"] = self.optimism
        for one in self.compared:
            for name, value in _columns(one).items():
                numbers[name.replace("improvement", f"improvement_over_{one.prefix}")] = value
        return {name: value for name, value in numbers.items() if math.isfinite(value)}

    def table(self) -> pd.DataFrame:
        """winner.csv: a row for each model; a column for each part, and for each part on which the
        winner is compared with others by how much its error is lower than that of the row."""
        rows = [*self.compared, *self.seeds]
        return pd.DataFrame([{"model": one.model, **one.errors, **_columns(one)} for one in rows])

    def _seed_errors(self) -> dict[str, Vector]:
        parts = self.seeds[0].errors if self.seeds else ()
        return {part: np.array([one.errors[part] for one in self.seeds]) for part in parts}


def _columns(one: Evaluation) -> dict[str, float]:
    return {
        f"improvement_{part}{end}": value
        for part, improvement in one.improvements.items()
        for end, value in zip(("", "_low", "_high"), astuple(improvement), strict=True)
    }

"""Which points of the space a sweep tries next."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, QMCSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from pipeline.compose.schema import Sampler
from pipeline.sweep.space import Choice, Interval, Space

Point = dict[str, Any]


class Suggester(Protocol):
    """Suggests points, given all trials that a study has so far."""

    def suggest(self, count: int, trials: Sequence[FrozenTrial]) -> list[Point]:
        """At most count points, which become the next trials."""


class Grid:
    """All points of a space, in order, but for those that a trial has already; the starting
    point is the first."""

    def __init__(self, space: Space, start: Point | None) -> None:
        """Raises UserError for a space that has no grid."""
        self._points = sorted(space.grid(), key=lambda point: point != start)

    def suggest(self, count: int, trials: Sequence[FrozenTrial]) -> list[Point]:
        """The next points that no trial has; none once all are there."""
        tried = {tuple(trial.params.items()) for trial in trials}
        return [point for point in self._points if tuple(point.items()) not in tried][:count]


class Sampling:
    """A sampler of Optuna's, which runs on a copy of the study in memory: on the database a
    suggestion takes twenty times as long. The first trial of a study is the starting point."""

    def __init__(
        self,
        sampler: Sampler,
        seed: int,
        distributions: Mapping[str, BaseDistribution],
        start: Point | None,
    ) -> None:
        self._sampler, self._seed, self._start = sampler, seed, start
        self._distributions = dict(distributions)
        self._study: optuna.Study | None = None
        self._asked = 0
        self._suggested: dict[int, optuna.Trial] = {}
        self._learned: set[int] = set()

    def suggest(self, count: int, trials: Sequence[FrozenTrial]) -> list[Point]:
        """Count new points, sampled given the results of trials."""
        if self._study is None:
            # Known now, under the lock: workers that begin together must not draw the same points.
            sampler = _optuna_sampler(self._sampler, self._seed, len(trials))
            self._study = optuna.create_study(sampler=sampler)
        if self._start is not None and not trials:
            self._study.enqueue_trial(self._start)
        if self._sampler is Sampler.quasi_random:
            # The sequence continues behind the points that were taken from it before.
            self._ask(len(trials) - self._asked)
        for trial in trials:
            if trial.state.is_finished() and trial.number not in self._learned:
                self._learn(self._study, trial)
        suggested = self._ask(count)
        self._suggested |= dict(enumerate(suggested, start=len(trials)))
        return [trial.params for trial in suggested]

    def _ask(self, count: int) -> list[optuna.Trial]:
        assert self._study is not None
        self._asked += count
        return [self._study.ask(self._distributions) for _ in range(count)]

    def _learn(self, study: optuna.Study, trial: FrozenTrial) -> None:
        self._learned.add(trial.number)
        suggested = self._suggested.pop(trial.number, None)
        if suggested is None:
            study.add_trial(trial)
            return
        for step, value in trial.intermediate_values.items():
            suggested.report(value, step)
        complete = trial.state is TrialState.COMPLETE
        study.tell(suggested, trial.value if complete else None, trial.state)


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """The axes of a space as Optuna's distributions."""
    return {key: _distribution(axis) for key, axis in space.axes.items()}


def _distribution(axis: Choice | Interval) -> BaseDistribution:
    if isinstance(axis, Choice):
        return CategoricalDistribution(axis.options)
    if axis.integer:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


def _optuna_sampler(sampler: Sampler, seed: int, known: int) -> BaseSampler:
    # A sweep that continues must not draw the same points again.
    continued = int(np.random.SeedSequence([seed, known]).generate_state(1)[0])
    match sampler:
        case Sampler.tpe:
            return TPESampler(seed=continued, constant_liar=True)
        case Sampler.quasi_random:
            return QMCSampler(seed=seed, warn_independent_sampling=False)
    return RandomSampler(seed=continued)

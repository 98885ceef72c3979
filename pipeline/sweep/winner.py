"""The winner of a sweep, trained again and compared: how much better it really is, and whether
an ensemble of the best trials is better still."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.compose.schema import Config, Score, Sweep, experiment_parameters
from pipeline.evaluation.metrics import zero_if_rounding
from pipeline.evaluation.paired import Improvement, improvement
from pipeline.network import archive, dense, encoder, model_folder, weights
from pipeline.network.backend import keras
from pipeline.network.model_folder import TrainedNetwork
from pipeline.preparation.preparation import Prepared
from pipeline.runtime.files import whole_directory
from pipeline.runtime.paths import CONTRACT, ENCODING
from pipeline.sweep import ensemble, trials
from pipeline.sweep.trials import Table, TrainedTrial, Vector
from pipeline.training.final import networks

Predicted = Mapping[str, Vector]


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
class Contender:
    """A trial that may be the winner, trained to its end, and its score there."""

    number: int
    config: Config
    trained: TrainedTrial
    score: float


@dataclass(frozen=True)
class Saved:
    """A trial as the train stage would save it: the networks that model_folder.write takes, and
    the predictions for each part that has rows, in the target's units."""

    network: TrainedNetwork | None
    folds: list[TrainedNetwork]
    predicted: Predicted


@dataclass(frozen=True)
class WinnerEvaluation:
    """The values of the best trial, trained again, and what they are compared with.

    Attributes
    ----------
    saved, winner
        The best trial, trained alone as the train stage would train it.
    scored_part, score
        What the trials were scored by.
    seeds
        The same values with other seeds, by which they were not selected.
    candidates
        The number of best trials for an ensemble.
    ensemble, ensemble_model
        The ensemble of the best trials, if it is better than each of them.
    start
        The experiment that the sweep varies, unless it diverges.
    is_start
        Whether the best trial is that experiment.
    baselines
        Linear regression and gradient boosting.
    """

    saved: Saved
    winner: Evaluation
    scored_part: str
    score: Score
    seeds: list[Evaluation]
    candidates: int
    ensemble: Evaluation | None
    ensemble_model: keras.Model | None
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
        for one in self.references:
            for name, value in _columns(one).items():
                numbers[name.replace("improvement", f"improvement_over_{one.model}")] = value
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


def evaluate_winner(
    contenders: Sequence[Contender],
    start: Config,
    rows: Table,
    data: Prepared,
    sweep: Sweep,
    *,
    baselines: Mapping[str, Predicted],
) -> WinnerEvaluation:
    """Trains the winner again, and what it is compared with.

    Parameters
    ----------
    contenders
        The best trials, the best one first.
    start
        The experiment that the sweep varies.
    rows, data
        What all of them are trained and evaluated on.
    sweep
        How many other seeds, which score, and from how many trials an ensemble is selected.
    baselines
        The predictions of other models, by their names.
    """
    best, scored = contenders[0], rows.scored_part
    (trained,) = trials.train_all([best.config], rows, sweep.score)
    if not trained.weights:
        raise RuntimeError(f"the best trial cannot be repeated: {trained.result.reason}")
    winner = saved(trained, best.config, rows, data)
    others = [
        trials.predictions(one.trained.weights, one.config.model.layers, rows, scored)
        for one in contenders[1:]
    ]
    selected_from = [rows.true[scored] - one for one in (winner.predicted[scored], *others)]

    def compared(model: str, other: Predicted) -> Evaluation:
        """A model, and the winner compared with it on the rows for which it was not fitted."""
        improvements = {
            part: improvement(
                true - winner.predicted[part],
                true - other[part],
                true,
                squared=sweep.score is Score.rmse,
                selected_from=selected_from if part == scored else (),
            )
            for part, true in rows.true.items()
            if part in (scored, "test")
        }
        return Evaluation(model, _errors(other, rows, sweep.score), improvements)

    candidates = contenders[: sweep.ensemble]
    ensemble_model, joined = best_ensemble(candidates, rows, sweep.score)
    (begun,) = trials.train_all([start], rows, sweep.score)
    return WinnerEvaluation(
        saved=winner,
        winner=Evaluation("winner", _errors(winner.predicted, rows, sweep.score)),
        scored_part=scored,
        score=sweep.score,
        seeds=evaluate_seeds(best.config, rows, sweep),
        candidates=len(candidates),
        ensemble=joined,
        ensemble_model=ensemble_model,
        start=compared("start", saved(begun, start, rows, data).predicted)
        if begun.weights
        else None,
        is_start=experiment_parameters(start) == experiment_parameters(best.config),
        baselines=[compared(*one) for one in baselines.items()],
    )


def saved(trained: TrainedTrial, config: Config, rows: Table, data: Prepared) -> Saved:
    """A trained trial as the train stage would save it; after cross-validation that may be another
    network, which is trained here on the rows of all folds. Raises UserError if it diverges."""
    network, folds = networks(
        config, trained.networks, rows.folds, data.encoding, lambda: data.parts["train"]
    )
    predicted = predictions(trained, config, rows)
    if network and folds:
        encoder, layers = network.encoder, config.model.layers
        for part in set(predicted) - {trials.CV}:
            scaled = trials.predict_block(network.weights, layers, encoder.x(data.parts[part]))
            predicted[part] = encoder.encoding.target.unscaled(scaled)
    return Saved(network, folds, predicted)


def evaluate_seeds(config: Config, rows: Table, sweep: Sweep) -> list[Evaluation]:
    """The experiment with other seeds: those that follow its seed, without those that diverge."""
    # The repeats of cross-validation have seeds of their own.
    first = config.training.seed + max(1, rows.folds.repeats)
    configs = [trials.with_seed(config, (first + i) % 2**32) for i in range(sweep.seeds)]
    evaluated = [
        Evaluation(f"seed {one.training.seed}", errors(trained, one, rows, sweep.score))
        for one, trained in zip(configs, trials.train_all(configs, rows, sweep.score), strict=True)
        if trained.weights
    ]
    if rows.folds.count and config.training.final.refits(expanding=rows.folds.expanding):
        # The other parts are predicted by a network that is trained on the rows of all folds.
        return [replace(one, errors={trials.CV: one.errors[trials.CV]}) for one in evaluated]
    return evaluated


def best_ensemble(
    candidates: Sequence[Contender], rows: Table, score: Score
) -> tuple[keras.Model | None, Evaluation | None]:
    """The greedy ensemble of trials by the part that they are scored on, as a model, and its
    errors; None if that is the training part, or none is better there than the best trial."""
    scored = rows.scored_part
    if scored == "train" or len(candidates) <= 1:
        return None, None
    learned = {
        part: [
            trials.as_learned(one.trained.weights, one.config.model.layers, rows, part)
            for one in candidates
        ]
        for part in rows.true
    }
    each = np.stack([trials.in_units(one, rows, scored) for one in learned[scored]])
    counts = ensemble.greedy(each, rows.true[scored])
    chosen = [int(index) for index in np.flatnonzero(counts)]
    # As the model does, which joins the networks of a fold before it goes back to the units.
    mean = {
        part: trials.in_units(
            [
                np.average(fold, axis=0, weights=counts[chosen])
                for fold in zip(*(one[i] for i in chosen), strict=True)
            ],
            rows,
            part,
        )
        for part, one in learned.items()
    }
    reached = _errors(mean, rows, score)
    if min(trials.error(one, rows.true[scored], score) for one in each) <= reached[scored]:
        return None, None
    members = [_networks(candidates[i].config, candidates[i].trained, rows) for i in chosen]
    names = [f"fold_{number}" for number in range(1, rows.folds.count + 1)] or ["model"]
    models = [
        encoder.whole(
            one.model, ensemble.combine(fold, counts[chosen].tolist()), one.encoding.target, name
        )
        for one, fold, name in zip(rows.encoders, zip(*members, strict=True), names, strict=True)
    ]
    model = encoder.mean_of(models) if rows.folds.count else models[0]
    return model, Evaluation(f"ensemble of {len(chosen)}", reached)


def errors(trained: TrainedTrial, config: Config, rows: Table, score: Score) -> dict[str, float]:
    """The error of a trained trial on each part that has rows."""
    return _errors(predictions(trained, config, rows), rows, score)


def predictions(trained: TrainedTrial, config: Config, rows: Table) -> dict[str, Vector]:
    """The predictions of a trained trial for each part that has rows, in the target's units."""
    return {
        part: trials.predictions(trained.weights, config.model.layers, rows, part)
        for part in rows.true
    }


def _networks(config: Config, trained: TrainedTrial, rows: Table) -> list[keras.Sequential]:
    """A trained network of each fold as a Keras model."""
    networks = []
    for own, one in zip(trained.weights, rows.encoders, strict=True):
        built = dense.build(config.model.layers, len(one.encoding.names), config.training.seed)
        weights.assign(built, own)
        networks.append(built)
    return networks


def write_model(folder: Path, model: Saved, data: Prepared) -> None:
    """Writes the folder that the train stage would write."""
    with whole_directory(folder) as draft:
        row = data.parts["train"].head(1)
        model_folder.write(draft, model.network, model.folds, encoding=data.encoding, row=row)
        data.contract.write(draft / CONTRACT)


def write_ensemble(folder: Path, model: keras.Model, data: Prepared) -> None:
    """Writes a model folder with an ensemble, for the predict command."""
    with whole_directory(folder) as draft:
        archive.save(model, draft / model_folder.MODEL)
        data.contract.write(draft / CONTRACT)
        data.encoding.write(draft / ENCODING)


def _errors(predicted: Predicted, rows: Table, score: Score) -> dict[str, float]:
    return {
        part: zero_if_rounding(trials.error(predicted[part], true, score), true)
        for part, true in rows.true.items()
    }

"""The winner of a sweep, trained again and compared: how much better it really is, and whether
an ensemble of the best trials is better still."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.compose.schema import Config, Score, Sweep
from pipeline.dataset.rows import blocks
from pipeline.evaluation.linear import LeastSquares
from pipeline.evaluation.metrics import metrics
from pipeline.network import archive, dense, encoder, model_folder, weights
from pipeline.network.backend import keras
from pipeline.preparation.preparation import Prepared
from pipeline.runtime.files import whole_directory
from pipeline.runtime.paths import CONTRACT, ENCODING
from pipeline.sweep import ensemble, trials
from pipeline.sweep.trials import Table, TrainedTrial, Vector


@dataclass(frozen=True)
class Evaluation:
    """The error of a model on each part, in the units of the target; a row of winner.csv."""

    model: str
    errors: dict[str, float]

    @property
    def prefix(self) -> str:
        """What its metrics begin with: ensemble, for an ensemble of 3."""
        return self.model.partition(" ")[0]


@dataclass(frozen=True)
class WinnerEvaluation:
    """The values of the best trial, trained again, and what they are compared with.

    Attributes
    ----------
    config, trained, winner
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
    least_squares
        The linear regression.
    """

    config: Config
    trained: TrainedTrial
    winner: Evaluation
    scored_part: str
    score: Score
    seeds: list[Evaluation]
    candidates: int
    ensemble: Evaluation | None
    ensemble_model: keras.Model | None
    start: Evaluation | None
    least_squares: Evaluation

    @property
    def compared(self) -> list[Evaluation]:
        """All but the other seeds."""
        candidates = (self.winner, self.ensemble, self.start, self.least_squares)
        return [one for one in candidates if one is not None]

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
        """Whether the winner is better than the starting point on the part that it was selected
        by; a starting point that diverged is worse."""
        part = self.scored_part
        return self.start is None or self.winner.errors[part] < self.start.errors[part]

    def metrics(self) -> dict[str, float]:
        """The metrics of the sweep's run: {model}_{part}_{score}, the mean and std of the other
        seeds, and the optimism."""
        score = self.score.value
        numbers = {
            f"{one.prefix}_{part}_{score}": value
            for one in self.compared
            for part, value in one.errors.items()
        }
        for part, values in self._seed_errors().items():
            numbers[f"seeds_{part}_{score}_mean"] = float(values.mean())
            numbers[f"seeds_{part}_{score}_std"] = float(values.std())
        return numbers if self.optimism is None else numbers | {"optimism": self.optimism}

    def table(self) -> pd.DataFrame:
        """winner.csv: a row for each model, a column for each part."""
        rows = [*self.compared, *self.seeds]
        return pd.DataFrame([{"model": one.model, **one.errors} for one in rows])

    def _seed_errors(self) -> dict[str, Vector]:
        parts = self.seeds[0].errors if self.seeds else ()
        return {part: np.array([one.errors[part] for one in self.seeds]) for part in parts}


def evaluate_winner(
    config: Config, candidates: Sequence[Config], start: Config, rows: Table, sweep: Sweep
) -> WinnerEvaluation:
    """Trains the winner again, and what it is compared with.

    Parameters
    ----------
    config
        The experiment of the best trial.
    candidates
        Those of the best trials, for the ensemble.
    start
        The experiment that the sweep varies.
    rows
        What all of them are trained and evaluated on.
    sweep
        How many other seeds, and which score.
    """
    (trained,) = trials.train_all([config], rows, sweep.score)
    if not trained.weights:
        raise RuntimeError(f"the best trial cannot be repeated: {trained.result.reason}")
    ensemble_model, joined = best_ensemble(candidates, rows, sweep.score)
    return WinnerEvaluation(
        config=config,
        trained=trained,
        winner=Evaluation("winner", errors(trained, config, rows, sweep.score)),
        scored_part=rows.scored_part,
        score=sweep.score,
        seeds=evaluate_seeds(config, rows, sweep),
        candidates=len(candidates),
        ensemble=joined,
        ensemble_model=ensemble_model,
        start=evaluate_start(start, rows, sweep.score),
        least_squares=evaluate_least_squares(rows, sweep.score),
    )


def evaluate_seeds(config: Config, rows: Table, sweep: Sweep) -> list[Evaluation]:
    """The experiment with other seeds: those that follow its seed, without those that diverge."""
    seed = config.training.seed
    configs = [trials.with_seed(config, (seed + 1 + i) % 2**32) for i in range(sweep.seeds)]
    return [
        Evaluation(f"seed {one.training.seed}", errors(trained, one, rows, sweep.score))
        for one, trained in zip(configs, trials.train_all(configs, rows, sweep.score), strict=True)
        if trained.weights
    ]


def evaluate_start(config: Config, rows: Table, score: Score) -> Evaluation | None:
    """The experiment that a sweep varies; None if it diverges."""
    (trained,) = trials.train_all([config], rows, score)
    return Evaluation("start", errors(trained, config, rows, score)) if trained.weights else None


def evaluate_least_squares(rows: Table, score: Score) -> Evaluation:
    """Linear regression by least squares on the training part, as in the evaluate stage."""
    fit, done = LeastSquares(), 0
    for block in blocks(rows.parts["train"]):
        fit.add(block.x, rows.true["train"][done : done + len(block)])
        done += len(block)
    line, _ = fit.solve()
    by_part = {
        part: metrics(
            true, np.concatenate([line.predict(block.x) for block in blocks(rows.parts[part])])
        )
        for part, true in rows.true.items()
        if len(true)
    }
    return Evaluation("least_squares", {part: one[score.value] for part, one in by_part.items()})


def best_ensemble(
    configs: Sequence[Config], rows: Table, score: Score
) -> tuple[keras.Model | None, Evaluation | None]:
    """The greedy ensemble of experiments by the validation part, as a model, and its errors;
    None if there is no validation part, or none is better than the best single network there."""
    if rows.scored_part != "validation" or len(configs) <= 1:
        return None, None
    pairs = zip(configs, trials.train_all(configs, rows, score), strict=True)
    members = [(config, trained) for config, trained in pairs if trained.weights]
    if not members:
        return None, None
    predicted = [predictions(trained, config, rows) for config, trained in members]
    true = rows.target.scaled(rows.true["validation"])[:, 0].astype(np.float64)
    counts = ensemble.greedy(np.stack([one["validation"] for one in predicted]), true)
    chosen = np.flatnonzero(counts)
    mean = {
        part: np.average([predicted[i][part] for i in chosen], axis=0, weights=counts[chosen])
        for part in predicted[0]
    }
    reached = _errors(mean, rows, score)
    scores = [trained.result.score for _, trained in members]
    if any(one is not None and one <= reached["validation"] for one in scores):
        return None, None
    networks = [network(*members[i], rows) for i in chosen]
    model = ensemble.combine(networks, counts[chosen].tolist())
    return model, Evaluation(f"ensemble of {len(chosen)}", reached)


def errors(trained: TrainedTrial, config: Config, rows: Table, score: Score) -> dict[str, float]:
    """The error of a trained network on each part that has rows."""
    return _errors(predictions(trained, config, rows), rows, score)


def predictions(trained: TrainedTrial, config: Config, rows: Table) -> dict[str, Vector]:
    """The predictions of a trained network for each part that has rows, of the scaled target."""
    return {
        name: trials.predict(trained.weights, config.model.layers, part)
        for name, part in rows.parts.items()
        if len(part)
    }


def network(config: Config, trained: TrainedTrial, rows: Table) -> keras.Sequential:
    """A trained network as a Keras model."""
    inputs = len(rows.encoder.encoding.names)
    built = dense.build(config.model.layers, inputs, config.training.seed)
    weights.assign(built, trained.weights)
    return built


def write_model(
    folder: Path, config: Config, trained: TrainedTrial, rows: Table, prepared: Prepared
) -> None:
    """Writes the folder that the train stage would write."""
    with whole_directory(folder) as draft:
        network = model_folder.TrainedNetwork(
            rows.encoder, config.model.layers, config.training.seed,
            trained.weights, trained.history,
        )  # fmt: skip
        row = prepared.parts["train"].head(1)
        model_folder.write(draft, network, encoding=rows.encoder.encoding, row=row)
        prepared.contract.write(draft / CONTRACT)


def write_ensemble(folder: Path, model: keras.Model, rows: Table, prepared: Prepared) -> None:
    """Writes a model folder with an ensemble, for the predict command."""
    encoding = rows.encoder.encoding
    with whole_directory(folder) as draft:
        saved = encoder.whole(rows.encoder.model, model, encoding.target)
        archive.save(saved, draft / model_folder.MODEL)
        prepared.contract.write(draft / CONTRACT)
        encoding.write(draft / ENCODING)


def _errors(predicted: dict[str, Vector], rows: Table, score: Score) -> dict[str, float]:
    return {
        part: trials.error(predicted[part], rows.true[part], rows.target, score)
        for part in predicted
    }

"""The best trial of a sweep, trained again alone, and what it is compared with: other seeds, the
experiment that the sweep varies, and an ensemble of the best trials."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.compose.schema import Config, Score, Sweep, experiment_parameters
from pipeline.evaluation.metrics import zero_if_rounding
from pipeline.evaluation.paired import improvement
from pipeline.network import archive, model_folder
from pipeline.network.backend import keras
from pipeline.network.model_folder import TrainedNetwork
from pipeline.preparation.preparation import Prepared
from pipeline.runtime.files import whole_directory
from pipeline.runtime.paths import CONTRACT, ENCODING
from pipeline.sweep import ensemble, trials
from pipeline.sweep.comparison import Comparison, Evaluation
from pipeline.sweep.tables import CV, Table, Tables, Vector
from pipeline.sweep.trials import OnEpochs, TrainedTrial, ignore, train_all
from pipeline.training.final import networks
from pipeline.training.train import of_repeat

Predicted = Mapping[str, Vector]
NO_TRIAL = -1  # the number of what is no trial


@dataclass(frozen=True)
class Contender:
    """A trial that may be the winner, trained to its end: its score there, and its predictions for
    each part that has rows, in the target's units."""

    number: int
    trained: TrainedTrial
    score: float
    predicted: Predicted


@dataclass(frozen=True)
class Saved:
    """A trial as the train stage would save it: the networks that model_folder.write takes, the
    rows in their encoding, and the predictions for each part that has rows, in the target's
    units."""

    network: TrainedNetwork | None
    folds: list[TrainedNetwork]
    data: Prepared
    predicted: Predicted


@dataclass(frozen=True)
class Ensemble:
    """An ensemble of trials: from columns to predictions, and these for each part."""

    name: str
    model: keras.Model
    predicted: Predicted


@dataclass(frozen=True)
class Winner:
    """The best trial, the ensemble of the best trials, if it is better than each of them, and how
    good they are."""

    saved: Saved
    ensemble: keras.Model | None
    comparison: Comparison


def evaluate_winner(
    contenders: Sequence[Contender],
    start: Config,
    tables: Tables,
    sweep: Sweep,
    *,
    baselines: Mapping[str, Predicted],
    begun: TrainedTrial | None = None,
    on_epochs: OnEpochs = ignore,
) -> Winner:
    """Trains the winner alone, if it was in a group, and what it is compared with.

    Parameters
    ----------
    contenders
        The best trials, the best one first.
    start
        The experiment that the sweep varies.
    tables
        What all of them are trained and evaluated on.
    sweep
        How many other seeds, which score, and from how many trials an ensemble is selected.
    baselines
        The predictions of other models, by their names.
    begun
        The starting point, if it has been trained.
    on_epochs
        As in trials.train_group.
    """
    trained, score = contenders[0].trained, sweep.score
    best = trained.config
    if not trained.alone:  # rounding differs in a group
        (trained,) = train_all([best], tables, score, on_epochs)
    if not trained.weights:
        raise RuntimeError(f"the best trial cannot be repeated: {trained.result.reason}")
    rows = tables.of(best)
    scored, winner = rows.scored_part, saved(trained, rows)
    selected = [winner.predicted, *(one.predicted for one in contenders[1:])]
    groups = rows.groups(start.data.group_column)
    residuals = [rows.true[scored] - predicted[scored] for predicted in selected]

    def compared(
        model: str, other: Predicted, parts: Container[str] = (scored, "test")
    ) -> Evaluation:
        """A model, and the winner compared with it on the rows for which it was not fitted."""
        improvements = {
            part: improvement(
                true - winner.predicted[part],
                true - other[part],
                true,
                squared=score is Score.rmse,
                selected_from=residuals if part == scored else (),
                groups=groups.get(part),
            )
            for part, true in rows.true.items()
            if part in parts
        }
        return Evaluation(model, errors(other, rows, score), improvements)

    seeds = train_seeds(best, tables, sweep, on_epochs)
    candidates = contenders[: sweep.ensemble]
    found = best_ensemble([*candidates, *seeds] if candidates else [], tables, score)
    is_start = experiment_parameters(start) == experiment_parameters(best)
    if is_start:
        begun = trained
    elif begun is None:
        (begun,) = train_all([start], tables, score, on_epochs)
    comparison = Comparison(
        winner=Evaluation("winner", errors(winner.predicted, rows, score)),
        scored_part=scored,
        score=score,
        seeds=[evaluate_seed(one, rows, score) for one in seeds],
        candidates=len(candidates),
        # On the part that it was selected by, it is too good.
        ensemble=compared(found.name, found.predicted, ["test"]) if found else None,
        start=compared("start", saved(begun, tables.of(start)).predicted)
        if begun.weights
        else None,
        is_start=is_start,
        baselines=[compared(*one) for one in baselines.items()],
    )
    return Winner(winner, found and found.model, comparison)


def saved(trained: TrainedTrial, rows: Table) -> Saved:
    """A trained trial as the train stage would save it; after cross-validation that may be another
    network, which is trained here on the rows of all folds. Raises UserError if it diverges."""
    data, layers = rows.data, trained.config.model.layers
    network, folds = networks(
        trained.config, trained.networks, data.folds, data.encoding, lambda: data.parts["train"]
    )
    predicted = predictions(trained, rows)
    if network and folds:
        encoder = network.encoder
        for part in set(predicted) - {CV}:
            scaled = trials.predict_block(network.weights, layers, encoder.x(data.parts[part]))
            predicted[part] = encoder.encoding.target.unscaled(scaled)
    return Saved(network, folds, data, predicted)


def train_seeds(
    config: Config, tables: Tables, sweep: Sweep, on_epochs: OnEpochs = ignore
) -> list[Contender]:
    """The experiment with other seeds: those that follow its seed, without those that diverge."""
    rows = tables.of(config)
    # The repeats of cross-validation have seeds of their own.
    first = config.training.seed + max(1, rows.folds.repeats)
    configs = [trials.with_seed(config, (first + i) % 2**32) for i in range(sweep.seeds)]
    return [
        Contender(NO_TRIAL, one, one.result.score, predictions(one, rows))
        for one in train_all(configs, tables, sweep.score, on_epochs)
        if one.result.score is not None
    ]


def evaluate_seed(one: Contender, rows: Table, score: Score) -> Evaluation:
    """The errors of the experiment with another seed."""
    training, found = one.trained.config.training, errors(one.predicted, rows, score)
    if rows.folds.count and training.final.refits(expanding=rows.folds.expanding):
        # The other parts are predicted by a network that is trained on the rows of all folds.
        found = {CV: found[CV]}
    return Evaluation(f"seed {training.seed}", found)


def best_ensemble(candidates: Sequence[Contender], tables: Tables, score: Score) -> Ensemble | None:
    """The greedy ensemble of trials, and of seeds of the best one, by the part that they are scored
    on; None if that is the training part, or none is better there than each of them."""
    if len(candidates) <= 1:
        return None
    rows = tables.of(candidates[0].trained.config)
    scored, true = rows.scored_part, rows.true
    if scored == "train":
        return None
    each = np.stack([one.predicted[scored] for one in candidates])
    counts = ensemble.greedy(each, true[scored])
    chosen = [one for one, count in zip(candidates, counts, strict=True) if count]
    shares = counts[counts > 0]
    mean = {
        part: np.average([one.predicted[part] for one in chosen], axis=0, weights=shares)
        for part in true
    }
    reached = trials.error(mean[scored], true[scored], score)
    if min(trials.error(one, true[scored], score) for one in each) <= reached:
        return None
    members = [_networks(one.trained, tables.of(one.trained.config)) for one in chosen]
    model = ensemble.model(members, shares.tolist())
    return Ensemble(f"ensemble of {len(chosen)}", model, mean)


def _networks(trained: TrainedTrial, rows: Table) -> list[TrainedNetwork]:
    """The network of each fold, or the only one."""
    repeats = [fold.repeat for fold in rows.folds] or [0]
    return [
        TrainedNetwork(
            encoder, trained.config.model.layers,
            of_repeat(trained.config, repeat).training.seed, one.weights, one.history,
        )
        for one, encoder, repeat in zip(trained.networks, rows.encoders, repeats, strict=True)
    ]  # fmt: skip


def predictions(trained: TrainedTrial, rows: Table) -> dict[str, Vector]:
    """The predictions of a trained trial for each part that has rows, in the target's units."""
    return {part: trials.predictions(trained, rows, part) for part in rows.true}


def errors(predicted: Predicted, rows: Table, score: Score) -> dict[str, float]:
    """The error of predictions on each part that has rows."""
    return {
        part: zero_if_rounding(trials.error(predicted[part], true, score), true)
        for part, true in rows.true.items()
    }


def write_model(folder: Path, model: Saved) -> None:
    """Writes the folder that the train stage would write."""
    data = model.data
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

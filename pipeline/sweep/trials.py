"""Training the trials of a sweep, those of the same structure in groups."""

import hashlib
import json
import math
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.compose.schema import Config, Pruning, Score, experiment_parameters
from pipeline.config.training import Layer, When
from pipeline.dataset import prepared
from pipeline.dataset.curves import CURVES
from pipeline.dataset.folds import Fold, Folds
from pipeline.dataset.rows import Array, Part, Stream, TrainingRows, blocks
from pipeline.network.backend import keras, tf
from pipeline.network.encoder import Encoder
from pipeline.network.model_folder import mean_history
from pipeline.preparation.preparation import Prepared
from pipeline.sweep.trial_result import PRUNED, TrialResult
from pipeline.training.fitting import Fitted, Values
from pipeline.training.rows import of_folds, of_parts
from pipeline.training.train import train

Vector = NDArray[np.float64]
Weights = Sequence[Array]
# The rows that folds hold out, each predicted by networks that were not trained on it.
CV = "cv"
# Of the networks that are trained together; further ones form another group.
MAX_GROUP_BYTES = 2**31


@dataclass(frozen=True)
class Table:
    """The rows that all trials of a sweep share.

    Attributes
    ----------
    rows
        What networks are trained on.
    encoders
        Of each fold, or the one of the training part.
    parts
        For each of them, the inputs and the scaled target of train, validation and test or, with
        folds, of train, cv and test.
    true
        The target of each part that has rows, in its units, shape (rows,).
    folds
        Those of the training part.
    """

    rows: TrainingRows
    encoders: list[Encoder]
    parts: list[dict[str, Part | Stream]]
    true: dict[str, Vector]
    folds: Folds

    @property
    def streaming(self) -> bool:
        """Whether rows are encoded block by block, each time that they are needed."""
        return isinstance(self.rows.rows, Stream)

    @property
    def scored_part(self) -> str:
        """The part on which trials are scored: that of cross-validation, validation, or train if
        that has no rows."""
        return next(name for name in (CV, "validation", "train") if name in self.true)

    def joined(self, predicted: Sequence[Vector], part: str) -> Vector:
        """The predictions for a part from those of the network of each fold: their mean or, of
        rows that folds hold out, the mean over the repeats."""
        if part != CV:
            return np.asarray(np.mean(predicted, axis=0))
        total, count = np.zeros((2, len(self.folds.held_out)))
        for values, fold in zip(predicted, self.folds, strict=True):
            total[fold.validation] += values
            count[fold.validation] += 1
        return total[count > 0] / count[count > 0]


@dataclass(frozen=True)
class TrainedTrial:
    """A trial with its network of each fold, or its only one."""

    result: TrialResult
    networks: list[Fitted]

    @property
    def weights(self) -> list[Weights]:
        """Those of each network; empty if the trial failed."""
        return [] if self.result.state == "failed" else [one.weights for one in self.networks]

    @property
    def curves(self) -> Values:
        """Shape (epochs, len(CURVES)), the mean over the networks that were trained in an epoch."""
        mean = mean_history([one.history for one in self.networks])
        return mean[list(CURVES)].to_numpy(np.float64)


def table(data: Prepared, streaming: When = When.auto) -> Table:
    """The prepared rows, encoded once, or with streaming each time that they are needed. Raises
    UserError where the memory cannot hold the rows of all folds."""
    target, folds = data.encoding.target.name, data.folds
    true = {name: part[target].to_numpy(np.float64) for name, part in data.parts.items()}
    encoders = [Encoder(encoding) for encoding in folds.encodings or [data.encoding]]
    if folds.count:
        rows = of_folds(data.parts["train"], folds, streaming)
        true = {"train": true["train"], CV: true["train"][folds.held_out.any(axis=1)]} | true
        parts = [
            _views(rows, number, fold, len(data.parts["train"]))
            | {"test": encoder.part(data.parts["test"])}
            for number, (encoder, fold) in enumerate(zip(encoders, folds, strict=True))
        ]
    else:
        inputs, count = len(data.encoding.names), sum(map(len, data.parts.values()))
        streams = streaming.decided(useful=not prepared.inputs_fit_in_memory(count, inputs))
        encoded: dict[str, Part | Stream] = {}
        for name, part in data.parts.items():
            encoded[name] = (
                prepared.stream_table(part, encoders[0].part, inputs)
                if streams
                else encoders[0].part(part)
            )
        rows = of_parts(encoded["train"], encoded["validation"], data.encoding)
        parts = [encoded]
    return Table(rows, encoders, parts, {name: y for name, y in true.items() if len(y)}, folds)


def _views(rows: TrainingRows, number: int, fold: Fold, count: int) -> dict[str, Part | Stream]:
    """The training part as a fold encodes it, and the rows that the fold holds out."""
    assert isinstance(rows.rows, Part)
    of_fold = slice(number * count, (number + 1) * count)
    x = rows.rows.x[of_fold, : len(rows.encodings[number].names)]
    y = rows.rows.y[of_fold]
    return {"train": Part(x, y), CV: Part(x[fold.validation], y[fold.validation])}


def fingerprint(config: Config, input_hashes: Mapping[str, str]) -> str:
    """A hash of everything that the result of a trial depends on: the configuration, and the
    hashes of data and code by path."""
    parameters = {
        key: value
        for key, value in experiment_parameters(config).items()
        if not key.startswith("conf.")
    }
    text = json.dumps([parameters, dict(input_hashes)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def group(configs: Sequence[Config], rows: Table) -> list[list[int]]:
    """Which experiments can be trained as one group, by their indices. Rows that stream arrive
    in one order for the whole group, which therefore shares a seed. A group needs at most
    MAX_GROUP_BYTES, unless a single experiment needs more."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, config in enumerate(configs):
        training, optimizer = config.training, config.optimizer
        layers = tuple((layer.units, layer.activation) for layer in config.model.layers)
        key = (
            layers, optimizer.name, training.loss, training.epochs, training.batch_size,
            training.shuffle, training.xla, training.early_stopping.shared,
            training.seed if rows.streaming else None,
        )  # fmt: skip
        groups.setdefault(key, []).append(index)
    bounded: list[list[int]] = []
    for indices in groups.values():
        size = max(1, MAX_GROUP_BYTES // group_bytes(configs[indices[0]], rows))
        bounded += [indices[start : start + size] for start in range(0, len(indices), size)]
    return bounded


def group_bytes(config: Config, rows: Table) -> int:
    """An estimate of the memory that an experiment needs in a group, for the networks of all
    folds: the weights, the best ones, their gradient and the optimizer's moments, which were
    measured to be there up to 16 times in all; the activations of a batch and their gradients; and
    the order of the rows."""
    inputs = max(len(encoding.names) for encoding in rows.rows.encodings)
    units = [inputs, *(layer.units for layer in config.model.layers)]
    parameters = sum((before + 1) * after for before, after in pairwise(units))
    batch = min(config.training.batch_size, max(rows.rows.counts))
    order = 0 if rows.streaming else max(rows.rows.counts)
    return 4 * len(rows.encoders) * (16 * parameters + 3 * batch * sum(units) + order)


def train_group(
    configs: Sequence[Config],
    rows: Table,
    *,
    score: Score,
    pruning: Pruning | None = None,
    kept: Container[int] = (),
    out_of_time: Callable[[], bool] = lambda: False,
    on_epochs: Callable[[float, float], None] = lambda _share, _loss: None,
) -> list[TrainedTrial]:
    """Trains the experiments of one group and scores them.

    Parameters
    ----------
    configs
        The experiments; see `group`.
    rows
        What they are trained and scored on.
    score
        The metric of the scored part.
    pruning
        Which trials are stopped early, by the mean over the folds of the lowest loss of each
        fold's network; None stops none.
    kept
        The indices of the trials that are never pruned.
    out_of_time
        All trials are stopped once it returns True.
    on_epochs
        Receives the share of the training that has been done since its last call, counted in
        trials, and the lowest loss so far.
    """
    training, layers = configs[0].training, configs[0].model.layers
    rungs = list(rung_epochs(pruning, training.epochs)) if pruning and pruning.enabled else []
    monitored = "validation_loss" if rows.rows.validated else "loss"
    shape = (len(configs), len(rows.encoders))
    best = np.full(shape, math.inf)
    stopped: dict[int, str] = {}

    def stop(first: int, curves: dict[str, Values]) -> list[int]:
        """The networks to stop after these epochs: an OnEpochs of `fit`."""
        values = curves[monitored].reshape(-1, *shape)
        last = first + len(values) - 1
        np.fmin(best, np.nanmin(np.concatenate([best[np.newaxis], values]), axis=0), out=best)
        trained = np.count_nonzero(~np.isnan(values)) / shape[1]
        losses = best.mean(axis=1)
        on_epochs(trained / training.epochs, float(losses.min()))
        # A network that has stopped or ended has no values.
        active = [int(index) for index in np.flatnonzero(~np.isnan(values[-1]).all(axis=1))]
        reasons: dict[int, str] = {}
        if last in rungs:
            assert pruning is not None
            others = [index for index in active if index not in kept]
            reasons = dict.fromkeys(worst(losses, others, pruning.factor), PRUNED)
        if out_of_time():
            reasons = dict.fromkeys(active, "out of time")
        stopped.update(reasons)
        return [index * shape[1] + fold for index in reasons for fold in range(shape[1])]

    fitted = train(configs, rows.rows, pauses=rungs, on_epochs=stop)
    return [
        _scored(networks, layers, rows, score, stopped.get(index))
        for index, networks in enumerate(fitted)
    ]


def train_all(configs: Sequence[Config], rows: Table, score: Score) -> list[TrainedTrial]:
    """Trains experiments to their end, in groups; the results are in the order of configs."""
    trained: dict[int, TrainedTrial] = {}
    for indices in group(configs, rows):
        results = train_group([configs[index] for index in indices], rows, score=score)
        trained |= dict(zip(indices, results, strict=True))
    return [trained[index] for index in range(len(configs))]


def rung_epochs(pruning: Pruning, epochs: int) -> Iterator[int]:
    """The epochs after which trials are pruned."""
    rung = pruning.first_epoch
    while rung < epochs:
        yield rung
        rung *= pruning.factor


def worst(scores: Vector, active: Sequence[int], factor: int) -> list[int]:
    """All active trials but the best one in factor; of equal scores the first is the better
    (Jamieson and Talwalkar, 2016, "Non-stochastic best arm identification")."""
    ranked = sorted(active, key=lambda index: (scores[index], index))
    return ranked[math.ceil(len(ranked) / factor) :]


def predictions(
    weights: Sequence[Weights], layers: Sequence[Layer], rows: Table, part: str
) -> Vector:
    """The predictions of the networks of a trial for a part that has rows, in the units of the
    target: (rows,)."""
    return in_units(as_learned(weights, layers, rows, part), rows, part)


def as_learned(
    weights: Sequence[Weights], layers: Sequence[Layer], rows: Table, part: str
) -> list[Vector]:
    """The predictions of each network of a trial for its rows of a part, of the scaled target."""
    return [
        np.concatenate([predict_block(own, layers, block.x) for block in blocks(parts[part])])
        for own, parts in zip(weights, rows.parts, strict=True)
    ]


def in_units(predicted: Sequence[Vector], rows: Table, part: str) -> Vector:
    """The predictions for a part, in the units of the target, from those of each network; infinite
    where a learned logarithm is too large for its exponential."""
    with np.errstate(over="ignore"):
        each = [
            encoder.encoding.target.unscaled(values)
            for encoder, values in zip(rows.encoders, predicted, strict=True)
        ]
    return rows.joined(each, part)


def predict_block(weights: Weights, layers: Sequence[Layer], x: Array) -> Vector:
    """The predictions of a network for inputs of shape (rows, inputs): (rows,)."""
    for kernel, bias, layer in zip(weights[::2], weights[1::2], layers, strict=True):
        x = keras.activations.get(layer.activation.value)(tf.constant(x) @ kernel + bias)
    return np.asarray(x, np.float64)[:, 0]


def error(predicted: Vector, true: Vector, score: Score) -> float:
    """RMSE or MAE of predictions, both in the units of the target."""
    with np.errstate(over="ignore"):
        residual = true - predicted
        if score is Score.mae:
            return float(np.abs(residual).mean())
        return float(np.sqrt(np.square(residual).mean()))


def with_seed(config: Config, seed: int) -> Config:
    """The same experiment with another seed."""
    return replace(config, training=replace(config.training, seed=seed))


def _scored(
    networks: list[Fitted], layers: Sequence[Layer], rows: Table, score: Score, stopped: str | None
) -> TrainedTrial:
    epochs = max(len(one.history) for one in networks)
    reason, reached = _diverged(networks), math.nan
    if not reason:
        part = rows.scored_part
        predicted = predictions([one.weights for one in networks], layers, rows, part)
        reached = error(predicted, rows.true[part], score)
        if not math.isfinite(reached):
            reason = f"diverged: the {score.value} became {reached}"
    if reason:
        return TrainedTrial(TrialResult("failed", None, epochs, reason), networks)
    state = "pruned" if stopped else "complete"
    return TrainedTrial(TrialResult(state, reached, epochs, stopped), networks)


def _diverged(networks: Sequence[Fitted]) -> str | None:
    """Why the first network that diverged did so."""
    for number, one in enumerate(networks, start=1):
        if one.diverged:
            where = f" in fold {number} of {len(networks)}" if len(networks) > 1 else ""
            return f"diverged{where}: {one.diverged}"
    return None

"""Training the trials of a sweep, those of the same structure in groups."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.compose.schema import Config, Pruning, Score, experiment_parameters
from pipeline.config.training import Layer, When
from pipeline.dataset import prepared
from pipeline.dataset.curves import CURVES
from pipeline.dataset.encoding import Target
from pipeline.dataset.rows import Array, Part, Stream, blocks
from pipeline.network.backend import keras, tf
from pipeline.network.encoder import Encoder
from pipeline.preparation.preparation import Prepared
from pipeline.sweep.trial_result import TrialResult
from pipeline.training.fitting import Fitted, Values
from pipeline.training.rows import of_parts
from pipeline.training.train import train

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """The rows that all trials of a sweep share.

    Attributes
    ----------
    parts
        The inputs and the scaled target of train, validation and test.
    true
        The target of each part in its units, shape (rows,).
    encoder
        What encoded the parts.
    """

    parts: dict[str, Part | Stream]
    true: dict[str, Vector]
    encoder: Encoder

    @property
    def target(self) -> Target:
        """How the target is scaled."""
        return self.encoder.encoding.target

    @property
    def streaming(self) -> bool:
        """Whether rows are encoded block by block, each time that they are needed."""
        return isinstance(self.parts["train"], Stream)

    @property
    def scored_part(self) -> str:
        """The part on which trials are scored: validation, or train if that has no rows."""
        return "validation" if len(self.parts["validation"]) else "train"


@dataclass(frozen=True)
class TrainedTrial:
    """A trial with its history, as in Fitted, and its weights, which are empty if it failed."""

    result: TrialResult
    history: pd.DataFrame
    weights: list[Array]

    @property
    def curves(self) -> Values:
        """Shape (epochs, len(CURVES))."""
        return np.stack([self.history[name].to_numpy() for name in CURVES], axis=1)


def table(data: Prepared, streaming: When = When.auto) -> Table:
    """The prepared rows, encoded once, or with streaming each time that they are needed."""
    encoder, inputs = Encoder(data.encoding), len(data.encoding.names)
    target = data.encoding.target.name
    true = {name: part[target].to_numpy(np.float64) for name, part in data.parts.items()}
    rows = sum(len(part) for part in data.parts.values())
    streams = streaming.decided(useful=not prepared.inputs_fit_in_memory(rows, inputs))
    parts: dict[str, Part | Stream] = {}
    for name, part in data.parts.items():
        parts[name] = (
            prepared.stream_table(part, encoder.part, inputs) if streams else encoder.part(part)
        )
    return Table(parts, true, encoder)


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


def group(configs: Sequence[Config], *, streaming: bool) -> list[list[int]]:
    """Which experiments can be trained as one group, by their indices. Rows that stream arrive
    in one order for the whole group, which therefore shares a seed."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, config in enumerate(configs):
        training, optimizer = config.training, config.optimizer
        layers = tuple((layer.units, layer.activation) for layer in config.model.layers)
        key = (
            layers, optimizer.name, training.loss, training.epochs, training.batch_size,
            training.shuffle, training.xla, training.seed if streaming else None,
        )  # fmt: skip
        groups.setdefault(key, []).append(index)
    return list(groups.values())


def train_group(
    configs: Sequence[Config],
    rows: Table,
    *,
    score: Score,
    pruning: Pruning | None = None,
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
        Which trials are stopped early; None stops none.
    out_of_time
        All trials are stopped once it returns True.
    on_epochs
        Receives the share of the training that has been done since its last call, counted in
        trials, and the lowest loss so far.
    """
    training, layers = configs[0].training, configs[0].model.layers
    rungs = list(rung_epochs(pruning, training.epochs)) if pruning and pruning.enabled else []
    monitored = "loss" if rows.scored_part == "train" else "validation_loss"
    best = np.full(len(configs), math.inf)
    stopped: dict[int, str] = {}

    def stop(first: int, curves: dict[str, Values]) -> list[int]:
        """The trials to stop after these epochs: an OnEpochs of `fit`."""
        values = curves[monitored]
        last = first + len(values) - 1
        np.fmin(best, np.nanmin(np.vstack([best, values]), axis=0), out=best)
        trained = np.count_nonzero(~np.isnan(values))
        on_epochs(trained / training.epochs, float(best.min()))
        # A trial that has stopped or ended has no values.
        active = [index for index in range(len(best)) if not math.isnan(values[-1, index])]
        reasons: dict[int, str] = {}
        if last in rungs:
            assert pruning is not None
            reasons = dict.fromkeys(worst(best, active, pruning.factor), "pruned")
        if out_of_time():
            reasons = dict.fromkeys(active, "out of time")
        stopped.update(reasons)
        return list(reasons)

    training_rows = of_parts(rows.parts["train"], rows.parts["validation"], rows.encoder.encoding)
    fitted = train(configs, training_rows, pauses=rungs, on_epochs=stop)
    return [
        _scored(one, layers, rows, score, stopped.get(index)) for index, (one,) in enumerate(fitted)
    ]


def train_all(configs: Sequence[Config], rows: Table, score: Score) -> list[TrainedTrial]:
    """Trains experiments to their end, in groups; the results are in the order of configs."""
    trained: dict[int, TrainedTrial] = {}
    for indices in group(configs, streaming=rows.streaming):
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


def predict(weights: Sequence[Array], layers: Sequence[Layer], part: Part | Stream) -> Vector:
    """The predictions of a network for a part that has rows, of the scaled target: (rows,)."""
    return np.concatenate([predict_block(weights, layers, block.x) for block in blocks(part)])


def predict_block(weights: Sequence[Array], layers: Sequence[Layer], x: Array) -> Vector:
    """The predictions of a network for inputs of shape (rows, inputs): (rows,)."""
    for kernel, bias, layer in zip(weights[::2], weights[1::2], layers, strict=True):
        x = keras.activations.get(layer.activation.value)(tf.constant(x) @ kernel + bias)
    return np.asarray(x, np.float64)[:, 0]


def error(predicted: Vector, true: Vector, target: Target, score: Score) -> float:
    """RMSE or MAE, in the units of the target, of predictions of the scaled target; infinite
    where a learned logarithm is too large for its exponential."""
    with np.errstate(over="ignore"):
        residual = true - target.unscaled(predicted)
    if score is Score.mae:
        return float(np.abs(residual).mean())
    return float(np.sqrt(np.square(residual).mean()))


def with_seed(config: Config, seed: int) -> Config:
    """The same experiment with another seed."""
    return replace(config, training=replace(config.training, seed=seed))


def _scored(
    fitted: Fitted, layers: Sequence[Layer], rows: Table, score: Score, stopped: str | None
) -> TrainedTrial:
    epochs, reason, reached = len(fitted.history), None, math.nan
    if fitted.diverged:
        reason = f"diverged: {fitted.diverged}"
    else:
        predicted = predict(fitted.weights, layers, rows.parts[rows.scored_part])
        reached = error(predicted, rows.true[rows.scored_part], rows.target, score)
        if not math.isfinite(reached):
            reason = f"diverged: the {score.value} became {reached}"
    if reason:
        return TrainedTrial(TrialResult("failed", None, epochs, reason), fitted.history, [])
    state = "pruned" if stopped else "complete"
    return TrainedTrial(
        TrialResult(state, reached, epochs, stopped), fitted.history, fitted.weights
    )

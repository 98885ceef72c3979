"""Training the trials of a sweep, those of the same structure in groups."""

import hashlib
import json
import math
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from pipeline.compose.schema import Config, Pruning, Score, experiment_parameters
from pipeline.config.training import Layer
from pipeline.dataset.curves import CURVES
from pipeline.dataset.rows import Array, blocks
from pipeline.network.activation import activated
from pipeline.network.backend import tf
from pipeline.network.model_folder import mean_history
from pipeline.runtime.errors import UserError
from pipeline.sweep.tables import Table, Tables, Vector
from pipeline.sweep.trial_result import PRUNED, TrialResult
from pipeline.training.fitting import Fitted, Values
from pipeline.training.train import train

Weights = Sequence[Array]
# Receives the share of a training that has been done since its last call, counted in trials, and
# the lowest loss so far.
OnEpochs = Callable[[float, float], None]
# The reason of a trial that was not trained to its end because of the time limit.
LATE = "out of time"
MEMORY_ERRORS = (tf.errors.OpError, MemoryError)
# The keys of model in which the trials of a group may differ.
MEMBER_KEYS = {"dropout", "l1", "l2", "kernel_initializer", "kernel_value", "bias_initializer"}
# Of the networks that are trained together; further ones form another group.
MAX_GROUP_BYTES = 2**31


@dataclass(frozen=True)
class TrainedTrial:
    """A trial with its network of each fold, or its only one; alone, if its group had no other."""

    config: Config
    result: TrialResult
    networks: list[Fitted]
    alone: bool = False

    @property
    def weights(self) -> list[Weights]:
        """Those of each network; empty if the trial failed."""
        return [] if self.result.state == "failed" else [one.weights for one in self.networks]

    @property
    def curves(self) -> Values:
        """Shape (epochs, len(CURVES)), the mean over the networks that were trained in an epoch."""
        mean = mean_history([one.history for one in self.networks])
        return mean[list(CURVES)].to_numpy(np.float64)


@dataclass(frozen=True)
class Group:
    """Experiments that are trained as one model, by number, and how they are scored and pruned."""

    configs: dict[int, Config]
    score: Score
    pruning: Pruning
    never_pruned: list[int]

    def split(self, count: int) -> "Iterator[Group]":
        """The same experiments in at most so many groups of similar size."""
        for part in np.array_split(list(self.configs), min(count, len(self.configs))):
            yield replace(self, configs={number: self.configs[number] for number in part.tolist()})

    def train(
        self, tables: Tables, out_of_time: Callable[[], bool], on_epochs: OnEpochs
    ) -> list[TrainedTrial] | str:
        """Its trials, or the reason why all of them fail: it may need more memory than there is."""
        configs = list(self.configs.values())
        try:
            return train_group(
                configs, tables.of(configs[0]), score=self.score, pruning=self.pruning,
                kept=[i for i, number in enumerate(self.configs) if number in self.never_pruned],
                out_of_time=out_of_time, on_epochs=on_epochs,
            )  # fmt: skip
        except (*MEMORY_ERRORS, UserError) as error:
            return " ".join(str(error).split())[:300] or type(error).__name__


# Given groups, the seconds that are left, and an OnEpochs: each group, or part of one, that was
# begun in time, with what Group.train returns.
TrainGroups = Callable[
    [Iterator[Group], Callable[[], float], OnEpochs],
    Iterator[tuple[Group, list[TrainedTrial] | str]],
]


def train_groups(
    tables: Tables, groups: Iterator[Group], seconds_left: Callable[[], float], on_epochs: OnEpochs
) -> Iterator[tuple[Group, list[TrainedTrial] | str]]:
    """A TrainGroups, in this process and one after the other, for its first argument."""
    for one in groups:
        if seconds_left() <= 0:
            return
        yield one, one.train(tables, lambda: seconds_left() <= 0, on_epochs)


def ignore(_share: float, _loss: float) -> None:
    """An OnEpochs that does nothing."""


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


def groups(configs: Sequence[Config], tables: Tables) -> Iterator[tuple[Table, list[int]]]:
    """The experiments that can be trained as one group, by their indices, and their rows; one
    encoding after the other. Raises UserError as Tables."""
    for same in tables.by_encoding(configs):
        rows = tables.of(configs[same[0]])
        for indices in group([configs[index] for index in same], rows):
            yield rows, [same[index] for index in indices]


def group(configs: Sequence[Config], rows: Table) -> list[list[int]]:
    """Which experiments on these rows can be trained as one group, by their indices. Rows that
    stream arrive in one order for the whole group, which therefore shares a seed. A group needs at
    most MAX_GROUP_BYTES, unless a single experiment needs more."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, config in enumerate(configs):
        training, optimizer = config.training, config.optimizer
        structure = tuple(
            (key, value)
            for key, value in experiment_parameters(config).items()
            if key.startswith("model.") and key.rpartition(".")[2] not in MEMBER_KEYS
        )
        key = (
            structure, optimizer.name, training.loss, training.epochs, training.batch_size,
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
    most = max(rows.rows.counts)
    batch = min(config.training.rows_per_batch(most), most)
    order = 0 if rows.streaming else most
    return 4 * len(rows.encoders) * (16 * parameters + 3 * batch * sum(units) + order)


def train_group(
    configs: Sequence[Config],
    rows: Table,
    *,
    score: Score,
    pruning: Pruning | None = None,
    kept: Container[int] = (),
    out_of_time: Callable[[], bool] = lambda: False,
    on_epochs: OnEpochs = ignore,
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
        Called after every few epochs.
    """
    training = configs[0].training
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
            reasons = dict.fromkeys(active, LATE)
        stopped.update(reasons)
        return [index * shape[1] + fold for index in reasons for fold in range(shape[1])]

    fitted = train(configs, rows.rows, pauses=rungs, on_epochs=stop)
    return [
        replace(_scored(config, networks, rows, score, stopped.get(index)), alone=len(configs) == 1)
        for index, (config, networks) in enumerate(zip(configs, fitted, strict=True))
    ]


def train_all(
    configs: Sequence[Config],
    tables: Tables,
    score: Score,
    on_epochs: OnEpochs = ignore,
) -> list[TrainedTrial]:
    """Trains experiments to their end, in groups; the results are in the order of configs."""
    trained: dict[int, TrainedTrial] = {}
    for rows, indices in groups(configs, tables):
        results = train_group(
            [configs[index] for index in indices], rows, score=score, on_epochs=on_epochs
        )
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


def predictions(trained: TrainedTrial, rows: Table, part: str) -> Vector:
    """The predictions of a trial for a part that has rows, in the units of the target: (rows,);
    infinite where a learned logarithm is too large for its exponential."""
    layers = trained.config.model.layers
    with np.errstate(over="ignore"):
        each = [
            encoder.encoding.target.unscaled(
                np.concatenate(
                    [predict_block(one.weights, layers, block.x) for block in blocks(parts[part])]
                )
            )
            for one, encoder, parts in zip(trained.networks, rows.encoders, rows.parts, strict=True)
        ]
    return rows.joined(each, part)


def predict_block(weights: Weights, layers: Sequence[Layer], x: Array) -> Vector:
    """The predictions of a network for inputs of shape (rows, inputs): (rows,)."""
    for kernel, bias, layer in zip(weights[::2], weights[1::2], layers, strict=True):
        sums = tf.constant(x) @ kernel + bias
        x = activated(sums, layer.activation.value, normalized=layer.layer_normalization)
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
    config: Config, networks: list[Fitted], rows: Table, score: Score, stopped: str | None
) -> TrainedTrial:
    epochs = max(len(one.history) for one in networks)
    reason, reached = _diverged(networks), math.nan
    trained = TrainedTrial(config, TrialResult("failed", None, epochs, reason), networks)
    if not reason:
        part = rows.scored_part
        reached = error(predictions(trained, rows, part), rows.true[part], score)
        if not math.isfinite(reached):
            reason = f"diverged: the {score.value} became {reached}"
    if reason:
        return replace(trained, result=replace(trained.result, reason=reason))
    state = "pruned" if stopped else "complete"
    return replace(trained, result=TrialResult(state, reached, epochs, stopped))


def _diverged(networks: Sequence[Fitted]) -> str | None:
    """Why the first network that diverged did so."""
    for number, one in enumerate(networks, start=1):
        if one.diverged:
            where = f" in fold {number} of {len(networks)}" if len(networks) > 1 else ""
            return f"diverged{where}: {one.diverged}"
    return None

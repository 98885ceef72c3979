"""Training the trials of a sweep: those of one structure together, as one group."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.compose.schema import Config, Pruning, Score, settings
from pipeline.config.training import Layer, When
from pipeline.dataset import prepared
from pipeline.dataset.curves import CURVES
from pipeline.dataset.encoding import Target
from pipeline.dataset.rows import Array, Part, Stream, blocks
from pipeline.network.backend import keras, tf
from pipeline.network.encoder import Encoder
from pipeline.tables.preparation import Prepared
from pipeline.training.fitting import Fitted, Values
from pipeline.training.train import train as train_group

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """The parts as training takes them, the target of each in its own units, (rows,), and
    what has encoded them."""

    parts: dict[str, Part | Stream]
    true: dict[str, Vector]
    encoder: Encoder

    @property
    def target(self) -> Target:
        """From the target as it is learned to its own units."""
        return self.encoder.encoding.target

    @property
    def streaming(self) -> bool:
        """Whether rows are encoded anew, block by block, whenever they are asked for."""
        return isinstance(self.parts["train"], Stream)

    @property
    def judged(self) -> str:
        """The part that scores are of: validation, or train where none is set aside."""
        return "validation" if len(self.parts["validation"]) else "train"


@dataclass(frozen=True)
class Outcome:
    """What a trial came to: history is fit's table; score is of the kept weights, in the
    target's units."""

    state: str
    score: float | None
    epochs: int
    reason: str | None
    history: pd.DataFrame
    weights: list[Array]

    @property
    def curves(self) -> Values:
        """A row for each epoch, a column for each of CURVES."""
        return np.stack([self.history[name].to_numpy() for name in CURVES], axis=1)


def table(made: Prepared, streaming: When = When.auto) -> Table:
    """The prepared rows, ready to be trained on; they are encoded once, or with streaming
    whenever they are asked for."""
    encoder, inputs = Encoder(made.encoding), len(made.encoding.names)
    target = made.encoding.target.name
    true = {name: part[target].to_numpy(np.float64) for name, part in made.parts.items()}
    count = sum(len(part) for part in made.parts.values())
    streams = streaming.decided(useful=not prepared.inputs_fit_in_memory(count, inputs))
    parts: dict[str, Part | Stream] = {}
    for name, part in made.parts.items():
        parts[name] = (
            prepared.encoded_block_by_block(part, encoder.part, inputs)
            if streams
            else encoder.part(part)
        )
    return Table(parts, true, encoder)


def fingerprint(config: Config, made_of: dict[str, str]) -> str:
    """A hash of the experiment and of made_of, the hashes of its data and code."""
    kept = {key: value for key, value in settings(config).items() if not key.startswith("conf.")}
    text = json.dumps([kept, made_of], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def grouped(configs: Sequence[Config], *, streaming: bool) -> list[list[int]]:
    """Which of the experiments can be trained as one group, by their places; rows that
    stream come in one order for all of a group."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for place, config in enumerate(configs):
        training, optimizer = config.training, config.optimizer
        layers = tuple((layer.units, layer.activation) for layer in config.model.layers)
        key = (
            layers, optimizer.name, training.loss, training.epochs, training.batch_size,
            training.shuffle, training.xla, training.seed if streaming else None,
        )  # fmt: skip
        groups.setdefault(key, []).append(place)
    return list(groups.values())


def train(
    configs: Sequence[Config],
    rows: Table,
    *,
    score: Score,
    pruning: Pruning | None = None,
    out_of_time: Callable[[], bool] = lambda: False,
    on_epochs: Callable[[int, float], None] = lambda _epochs, _best: None,
) -> list[Outcome]:
    """Trains experiments of one group and scores them.

    pruning gives up the weak (see Pruning). Once out_of_time says so, all are given up.
    on_epochs is told the number of epochs since and the least loss in the last of them.
    """
    training, layers = configs[0].training, configs[0].model.layers
    rungs = list(rungs_of(pruning, training.epochs)) if pruning and pruning.enabled else []
    monitored = "loss" if rows.judged == "train" else "validation_loss"
    best = np.full(len(configs), math.inf)
    given_up: dict[int, str] = {}

    def judge(first: int, curves: dict[str, Values]) -> list[int]:
        values = curves[monitored]
        last = first + len(values) - 1
        np.fmin(best, np.nanmin(np.vstack([best, values]), axis=0), out=best)
        on_epochs(len(values), float(best.min()))
        # Whoever has no value any more is done, or was given up before.
        going_on = [place for place in range(len(best)) if not math.isnan(values[-1, place])]
        reasons: dict[int, str] = {}
        if last in rungs:
            assert pruning is not None
            reasons = dict.fromkeys(weakest(best, going_on, pruning.factor), "pruned")
        if out_of_time():
            reasons = dict.fromkeys(going_on, "out of time")
        given_up.update(reasons)
        return list(reasons)

    fitted = train_group(
        configs, rows.encoder.encoding, rows.parts["train"], rows.parts["validation"],
        pauses=rungs, on_epochs=judge,
    )  # fmt: skip
    return [
        _outcome(result, layers, rows, score, given_up.get(place))
        for place, result in enumerate(fitted)
    ]


def rungs_of(pruning: Pruning, epochs: int) -> Iterator[int]:
    """The epochs after which the weak are given up."""
    rung = pruning.first_epoch
    while rung < epochs:
        yield rung
        rung *= pruning.factor


def weakest(scores: Vector, going_on: Sequence[int], factor: int) -> list[int]:
    """All of going_on but the best one in factor; the better half of a tie is the
    earlier one (Jamieson and Talwalkar, 2016, "Non-stochastic best arm identification")."""
    ranked = sorted(going_on, key=lambda place: (scores[place], place))
    return ranked[math.ceil(len(ranked) / factor) :]


def answers(weights: Sequence[Array], layers: Sequence[Layer], x: Array) -> Vector:
    """What a network of those weights predicts, in units of y: shape (rows,)."""
    for kernel, bias, layer in zip(weights[::2], weights[1::2], layers, strict=True):
        x = keras.activations.get(layer.activation.value)(tf.constant(x) @ kernel + bias)
    return np.asarray(x, np.float64)[:, 0]


def predictions(weights: Sequence[Array], layers: Sequence[Layer], part: Part | Stream) -> Vector:
    """What a network of those weights predicts for a part that has rows, (rows,)."""
    return np.concatenate([answers(weights, layers, block.x) for block in blocks(part)])


def error(predicted: Vector, true: Vector, target: Target, score: Score) -> float:
    """RMSE or MAE of predictions of the target as it is learned against the true ones in
    its own units; infinite where the exponential of what should be a logarithm is."""
    with np.errstate(over="ignore"):
        residual = true - target.unscaled(predicted)
    if score is Score.mae:
        return float(np.abs(residual).mean())
    return float(np.sqrt(np.square(residual).mean()))


def with_seed(config: Config, seed: int) -> Config:
    """The same experiment with another seed."""
    return replace(config, training=replace(config.training, seed=seed))


def _outcome(
    result: Fitted, layers: Sequence[Layer], rows: Table, score: Score, given_up: str | None
) -> Outcome:
    epochs = len(result.history)
    if result.diverged:
        return Outcome("failed", None, epochs, f"diverged: {result.diverged}", result.history, [])
    predicted = predictions(result.weights, layers, rows.parts[rows.judged])
    reached = error(predicted, rows.true[rows.judged], rows.target, score)
    if not np.isfinite(reached):
        reason = f"diverged: the {score.value} became {reached}"
        return Outcome("failed", None, epochs, reason, result.history, [])
    state = "pruned" if given_up else "complete"
    return Outcome(state, reached, epochs, given_up, result.history, result.weights)

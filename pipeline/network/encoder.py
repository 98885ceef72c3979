"""The encoding as Keras layers: from raw rows to the inputs of the network.

Training and the saved model use the same layers, so that their inputs cannot differ. A date
is text in ISO 8601; a missing text or date is "", a missing number NaN.
"""

import itertools
import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.dataset.encoding import Category, Date, Encoding, Number, Target
from pipeline.dataset.rows import Array, Part
from pipeline.network.backend import keras, tf

ops = keras.ops
# 2024-03-21T17:30:00
ISO_LENGTH = 19
MARCH = 3
DIGITS = {"year": (0, 4), "month": (5, 7), "day": (8, 10), "hour": (11, 13), "minute": (14, 16),
         "second": (17, 19)}  # fmt: skip
ROWS_AT_ONCE = 16_384
PREFIX = "column "
UNITS_LAYER, LOG_LAYER = "target_units", "from_log"
MEAN_LAYER = "mean_of_folds"


class Encoder:
    """Encodes conformed tables (see schema.conversion).

    Parameters
    ----------
    encoding
        What each column is encoded as.

    Attributes
    ----------
    model
        The layers, as returned by `layers`.
    """

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding
        self.model = layers(encoding)
        self._call = tf.function(self.model, reduce_retracing=True, autograph=False)

    def x(self, table: pd.DataFrame) -> Array:
        """The encoded rows of a table, float32 of shape (rows, inputs)."""
        x = np.empty((len(table), len(self.encoding.names)), np.float32)
        for start in range(0, len(table), ROWS_AT_ONCE):
            block = table.iloc[start : start + ROWS_AT_ONCE]
            x[start : start + ROWS_AT_ONCE] = self._call(inputs(block, self.encoding))
        return x

    def part(self, table: pd.DataFrame) -> Part:
        """The encoded rows and the target as it is learned, (rows, 1)."""
        target = self.encoding.target
        return Part(self.x(table), target.scaled(table[target.name].to_numpy(np.float64)))


def feed(table: pd.DataFrame, encoding: Encoding) -> dict[str, Any]:
    """The columns of a conformed table by name, as tensors (rows,) for the saved model."""
    columns = {name: tf.constant(table[name].to_numpy(np.float64)) for name in encoding.numbers}
    for name in encoding.categories:
        columns[name] = tf.constant(table[name].fillna("").to_numpy(object), tf.string)
    for name in encoding.dates:
        texts = np.datetime_as_string(table[name].to_numpy("datetime64[s]"))
        columns[name] = tf.constant(np.where(texts == "NaT", "", texts).astype(object), tf.string)
    return columns


def inputs(table: pd.DataFrame, encoding: Encoding) -> list[Any]:
    """The same columns in the order of the models' inputs, each (rows, 1)."""
    columns = feed(table, encoding)
    return [tf.expand_dims(columns[name], -1) for name in encoding.columns]


def layers(encoding: Encoding) -> keras.Model:
    """A model from the columns in order, each (rows, 1), to encoded rows, float32 of shape
    (rows, inputs)."""
    dtypes = {
        name: "float64" if name in encoding.numbers else "string" for name in encoding.columns
    }
    # Keras forbids slashes. The prefix keeps a column from having the name of an operation.
    columns = {
        name: keras.Input((1,), name=PREFIX + name.replace("/", "\N{DIVISION SLASH}"), dtype=dtype)
        for name, dtype in dtypes.items()
    }
    outputs = []
    if encoding.numbers:
        block = [columns[name] for name in encoding.numbers]
        outputs += _numbers(_joined(block), list(encoding.numbers.values()))
    outputs += [_category(columns[name], one) for name, one in encoding.categories.items()]
    outputs += [_date(columns[name], one) for name, one in encoding.dates.items()]
    return keras.Model(list(columns.values()), _joined(outputs), name="encoder")


def _joined(tensors: list[Any]) -> Any:
    # The Concatenate layer would convert float64 to float32.
    return ops.concatenate(tensors, axis=-1) if len(tensors) > 1 else tensors[0]


def _numbers(raw: Any, numbers: list[Number]) -> list[Any]:
    missing = ops.isnan(raw)
    filled = ops.where(missing, _row([one.fill for one in numbers]), raw)
    if any(one.quantiles for one in numbers):
        scaled = _interpolated(filled, numbers)
    else:
        scaled = _standardized(filled, numbers)
    if any(one.smooth_clip for one in numbers):
        # Holzmüller et al. (2024), "Better by default: strong pre-tuned MLPs and boosted trees on
        # tabular data".
        clipped = scaled / ops.sqrt(1 + ops.square(scaled / 3))
        scaled = ops.where(np.array([[one.smooth_clip for one in numbers]]), clipped, scaled)
    chosen = [index for index, one in enumerate(numbers) if one.missing_indicator]
    indicators = [ops.cast(ops.take(missing, chosen, axis=-1), "float32")] if chosen else []
    return [ops.cast(scaled, "float32"), *_bins(filled, numbers), *indicators]


def _bins(filled: Any, numbers: list[Number]) -> list[Any]:
    """The fraction of each bin that is below the value, for the numbers that have bins: piecewise
    linear encoding of Gorishniy et al. (2022), "On embeddings for numerical features in tabular
    deep learning"."""
    bins = [
        (index, *edges)
        for index, one in enumerate(numbers)
        for edges in itertools.pairwise(one.edges)
    ]
    if not bins:
        return []
    chosen, low, high = (list(column) for column in zip(*bins, strict=True))
    above = ops.take(filled, chosen, axis=-1) - _row(low)
    return [ops.cast(ops.clip(above / (_row(high) - _row(low)), 0.0, 1.0), "float32")]


def _standardized(filled: Any, numbers: list[Number]) -> Any:
    means, stds = ([getattr(one, name) for one in numbers] for name in ("mean", "std"))
    return (filled - _row(means)) / _row(stds)


def _interpolated(filled: Any, numbers: list[Number]) -> Any:
    """Piecewise linear interpolation between quantiles: the first level, and for each interval
    its rise times the fraction of it that lies below the value. A number without quantiles is
    standardised."""
    intervals = max(len(one.quantiles) for one in numbers) - 1
    start, width, rise, first = (np.zeros((len(numbers), max(1, intervals))) for _ in range(4))
    width += 1
    for index, one in enumerate(numbers):
        count = len(one.quantiles) - 1
        start[index, :count] = one.quantiles[:count] if count > 0 else 0
        width[index, :count] = np.diff(one.quantiles) if count > 0 else 1
        rise[index, :count] = np.diff(one.levels) if count > 0 else 0
        first[index] = one.levels[0] if one.quantiles else 0
    fractions = ops.clip((ops.expand_dims(filled, -1) - start) / width, 0.0, 1.0)
    lines = _standardized(filled, numbers)
    levels = ops.sum(fractions * rise, axis=-1) + first[:, 0]
    return ops.where(np.array([[bool(one.quantiles) for one in numbers]]), levels, lines)


def _category(text: Any, one: Category) -> Any:
    # The token of unknown texts is given, or a category of that name would become it.
    vocabulary = ["[UNK]", *(one.categories or ["(none)"])]
    lookup = keras.layers.StringLookup(
        vocabulary=vocabulary, mask_token=None, output_mode="one_hot"
    )
    one_hot = lookup(text)
    if not one.categories:
        one_hot = ops.max(one_hot, axis=-1, keepdims=True)
    # Without other categories in training, a weight for them would not be trained.
    return ops.cast(one_hot if one.other else one_hot[:, 1:], "float32")


def _date(text: Any, one: Date) -> Any:
    """The inputs of a date, computed from the digits of its text."""
    characters = keras.layers.TextVectorization(
        standardize=None, split="character", output_sequence_length=ISO_LENGTH,
        vocabulary=list("0123456789"),
    )(text)  # fmt: skip
    # 0 is beyond the end of the text, 1 any other character.
    digits = ops.cast(ops.maximum(characters - 2, 0), "float64")
    weights = np.zeros((ISO_LENGTH, len(DIGITS)))
    for column, (start, end) in enumerate(DIGITS.values()):
        weights[start:end, column] = 10.0 ** np.arange(end - start)[::-1]
    numbers = ops.matmul(digits, weights)
    year, month, day, hour, minute, second = (numbers[:, i : i + 1] for i in range(len(DIGITS)))
    days = _days(year, month, day) + (hour + (minute + second / 60) / 60) / 24
    missing = year <= 0
    days = ops.where(missing, np.array([[one.fill]]), days)
    mean_year = 365.2425
    circles = [days / mean_year, (days + 4) / 7] if one.calendar else []
    circles += [days] if one.clock else []
    waves = [wave(2 * math.pi * circle) for circle in circles for wave in (ops.sin, ops.cos)]
    indicators = [missing] if one.missing_indicator else []
    parts = [(days - one.mean) / one.std, *waves, *indicators]
    return _joined([ops.cast(part, "float32") for part in parts])


def _days(year: Any, month: Any, day: Any) -> Any:
    """Days since 1970: Hinnant (2021), "chrono-compatible low-level date algorithms",
    days_from_civil."""
    year = year - ops.cast(month < MARCH, "float64")
    era = ops.floor(year / 400)
    of_era = year - era * 400
    of_year = ops.floor((153 * ((month + 9) - 12 * ops.floor((month + 9) / 12)) + 2) / 5) + day - 1
    of_days = of_era * 365 + ops.floor(of_era / 4) - ops.floor(of_era / 100) + of_year
    return era * 146_097 + of_days - 719_468


def whole(
    encoder: keras.Model, network: keras.Model, target: Target, name: str = "model"
) -> keras.Model:
    """The model that is saved.

    Parameters
    ----------
    encoder
        The model that `layers` returns.
    network
        From encoded rows (rows, inputs) to the target as it is learned, (rows, 1), or to several
        predictions of it, side by side.
    target
        How the target is scaled.
    name
        Of the model.

    Returns
    -------
    keras.Model
        From the columns, by name or in order, each (rows,) or (rows, 1), to predictions in the
        target's units, (rows, 1). In the names of its inputs a slash is U+2215, and the name of
        a layer is followed by "_". Keras's predict converts the columns to float32 first; a call
        and predict_on_batch do not.
    """
    taken = {encoder.name, network.name, UNITS_LAYER, LOG_LAYER}
    columns = [_column(one, one.name.removeprefix(PREFIX), taken) for one in encoder.inputs]
    output = network(encoder(columns))
    # In float64, because float32 has too few digits for a small std beside a large mean.
    if (target.mean, target.std) != (0.0, 1.0):
        output = keras.layers.Rescaling(
            target.std, offset=target.mean, dtype="float64", name=UNITS_LAYER
        )(output)
    if target.log:
        output = keras.layers.Activation("exponential", dtype="float64", name=LOG_LAYER)(output)
    return keras.Model(columns, output, name=name)


def mean_of(folds: Sequence[keras.Model]) -> keras.Model:
    """A model of the same inputs that predicts the mean, in the target's units, of the models
    that `whole` returns for the folds. Their names are those of its layers."""
    taken = {MEAN_LAYER, *(one.name for one in folds)}
    columns = columns_like(folds[0], taken)
    outputs = [one(columns) for one in folds]
    mean = keras.layers.Average(dtype="float64", name=MEAN_LAYER)(outputs)
    return keras.Model(columns, mean, name="model")


def folds_of(model: keras.Model) -> list[keras.Model]:
    """The models whose mean a model predicts; none if it is not of `mean_of`."""
    if MEAN_LAYER not in {layer.name for layer in model.layers}:
        return []
    return [layer for layer in model.layers if isinstance(layer, keras.Model)]


def columns_like(model: keras.Model, taken: Collection[str]) -> list[Any]:
    """Inputs for a model that contains this one, whose own layers have the names taken."""
    return [_column(one, one.name, taken) for one in model.inputs]


def _column(like: Any, name: str, taken: Collection[str]) -> Any:
    return keras.Input(like.shape[1:], name=name + "_" * (name in taken), dtype=like.dtype)


def with_inputs(model: keras.Model, encoding: Encoding) -> keras.Model:
    """A model that `whole` or `mean_of` returns, with two outputs: the rows encoded by its own
    encoder, or by encoding where that is one of several, and the predictions (rows, 1)."""
    if folds_of(model):
        return keras.Model(model.inputs, [layers(encoding)(model.inputs), *model.outputs])
    encoder, *others = (one for one in model.layers if not isinstance(one, keras.layers.InputLayer))
    output = x = encoder(model.inputs)
    for layer in others:
        output = layer(output)
    return keras.Model(model.inputs, [x, output])


def _row(values: list[float]) -> NDArray[np.float64]:
    return np.array([values], np.float64)

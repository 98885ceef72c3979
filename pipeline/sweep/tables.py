"""The prepared rows of a sweep, in each of the encodings that its trials have."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.compose.schema import Config
from pipeline.config.data import Data
from pipeline.config.training import When
from pipeline.dataset import prepared
from pipeline.dataset.folds import Fold, Folds
from pipeline.dataset.rows import Part, Stream, TrainingRows
from pipeline.network.encoder import Encoder
from pipeline.preparation.preparation import Prepared
from pipeline.sweep.encodings import ENCODING_KEYS, fit
from pipeline.training.rows import of_folds, of_parts

Vector = NDArray[np.float64]
# The rows that folds hold out, each predicted by networks that were not trained on it.
CV = "cv"
# Of encoded rows that are kept for further trials, beside those that are in use.
MAX_KEPT_BYTES = 2**30


@dataclass(frozen=True)
class Table:
    """The rows in one encoding.

    Attributes
    ----------
    data
        The prepared rows, with that encoding and those of its folds.
    rows
        What networks are trained on.
    encoders
        Of each fold, or the one of the training part.
    parts
        For each of them, the inputs and the scaled target of train, validation and test or, with
        folds, of train, cv and test.
    true
        The target of each part that has rows, in its units, shape (rows,).
    """

    data: Prepared
    rows: TrainingRows
    encoders: list[Encoder]
    parts: list[dict[str, Part | Stream]]
    true: dict[str, Vector]

    @property
    def folds(self) -> Folds:
        """Those of the training part."""
        return self.data.folds

    @property
    def streaming(self) -> bool:
        """Whether rows are encoded block by block, each time that they are needed."""
        return isinstance(self.rows.rows, Stream)

    @property
    def scored_part(self) -> str:
        """The part on which trials are scored: that of cross-validation, validation, or train if
        that has no rows."""
        return next(name for name in (CV, "validation", "train") if name in self.true)

    def groups(self, column: str | None) -> dict[str, NDArray[np.intp]]:
        """The group of each row of each part, by the values of a column; none without one."""
        if column is None:
            return {}
        parts = self.data.parts.items()
        numbers = {
            name: pd.factorize(part[column], use_na_sentinel=False)[0] for name, part in parts
        }
        held_out = self.folds.held_out.any(axis=1)
        return numbers | ({CV: numbers["train"][held_out]} if self.folds.count else {})

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


class Tables:
    """The rows in each encoding, fitted and encoded when a trial needs it."""

    def __init__(self, data: Prepared, config: Config) -> None:
        """The rows as prepared for config, which trials vary."""
        self._streaming = config.training.streaming
        self._fitted = {_values(config.data): data}
        self._kept: list[Table] = []

    def of(self, config: Config) -> Table:
        """The rows as a trial's configuration encodes them.

        Raises UserError for a target that cannot be scaled so, and where the memory cannot hold
        the rows of all folds.
        """
        data = self._fit(config.data)
        found = next((one for one in self._kept if one.data is data), None)
        if found:
            self._kept.remove(found)
        else:
            found = table(data, self._streaming)
        # The one that was used last comes last.
        self._kept.append(found)
        while len(self._kept) > 1 and sum(map(_bytes, self._kept)) > MAX_KEPT_BYTES:
            del self._kept[0]
        return found

    def by_encoding(self, configs: Sequence[Config]) -> list[list[int]]:
        """The indices of the experiments whose rows are the same numbers, encoding by encoding.
        Raises UserError as `of`."""
        groups: dict[int, list[int]] = {}
        for index, config in enumerate(configs):
            groups.setdefault(id(self._fit(config.data)), []).append(index)
        return list(groups.values())

    def _fit(self, data: Data) -> Prepared:
        """The prepared rows with the encoding of that section; the same object if it is the same
        encoding, as with other bins where there are none."""
        values = _values(data)
        if values not in self._fitted:
            fitted = fit(next(iter(self._fitted.values())), data)
            same = (one for one in self._fitted.values() if _encodings(one) == _encodings(fitted))
            self._fitted[values] = next(same, fitted)
        return self._fitted[values]


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
    return Table(data, rows, encoders, parts, {name: y for name, y in true.items() if len(y)})


def _views(rows: TrainingRows, number: int, fold: Fold, count: int) -> dict[str, Part | Stream]:
    """The training part as a fold encodes it, and the rows that the fold holds out."""
    assert isinstance(rows.rows, Part)
    of_fold = slice(number * count, (number + 1) * count)
    x = rows.rows.x[of_fold, : len(rows.encodings[number].names)]
    y = rows.rows.y[of_fold]
    return {"train": Part(x, y), CV: Part(x[fold.validation], y[fold.validation])}


def _values(data: Data) -> tuple[object, ...]:
    return tuple(getattr(data, name) for name in ENCODING_KEYS)


def _encodings(data: Prepared) -> tuple[object, ...]:
    return data.encoding, data.folds.encodings


def _bytes(table: Table) -> int:
    """Of the arrays; those of the training part with folds are views of rows."""
    parts = [part for parts in table.parts for name, part in parts.items() if name != "train"]
    return sum(one.x.nbytes for one in [table.rows.rows, *parts] if isinstance(one, Part))

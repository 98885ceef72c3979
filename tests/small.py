"""A small table, and experiments on it, for what trains in seconds."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.compose.schema import Config, Sweep
from pipeline.config.data import Data, ScaleTarget, Split
from pipeline.config.training import SGD, Activation, Constant, Layer, Model, Optimizer, Training
from pipeline.dataset.rows import Part, Stream
from pipeline.schema import inference
from pipeline.schema.contract import Contract
from pipeline.tables import encoding_fit
from pipeline.tables.preparation import Prepared
from pipeline.tables.split import split

MLP = [Layer(units=6, activation=Activation.tanh), Layer(units=1)]
FEATURES = ["a", "b"]


def prepared(rows: int = 40, validation: float = 0.25, test: float = 0.25) -> Prepared:
    """Two columns and a target in units of its own, inputs and target standardised."""
    random = np.random.default_rng(7)
    a, b = random.normal(50, 10, rows), random.normal(0.2, 0.1, rows)
    y = 150 + 3 * (a - 50) + 200 * (b - 0.2) ** 2 + random.normal(0, 5, rows)
    table = pd.DataFrame({"a": a, "b": b, "y": y})
    data = experiment().data
    parts = split(table, Split(validation=validation, test=test))
    seen = inference.observed(inference.infer(table, {}), parts["train"], table, FEATURES)
    return Prepared(
        parts,
        table.iloc[:0][FEATURES],
        schema=seen,
        contract=Contract("y", seen.only(FEATURES), data.reading, data.violations),
        encoding=encoding_fit.fit(parts["train"], seen, FEATURES, data),
        done=dict.fromkeys(table.columns, ""),
        warnings=[],
    )


def experiment(
    optimizer: Optimizer | None = None, layers: list[Layer] | None = None, **training: Any
) -> Config:
    """A network of two layers on that table, but for what is given."""
    usual: dict[str, Any] = {"epochs": 6, "batch_size": 5, "seed": 3}
    return Config(
        data=Data(path="table.csv", target="y"),
        model=Model(layers or MLP),
        optimizer=optimizer or SGD(learning_rate=0.05),
        schedule=Constant(),
        training=Training(**(usual | training)),
        sweep=Sweep(seeds=2, ensemble=3),
    )


def learning_the_logarithm(table: Prepared) -> Prepared:
    """The same table, but its target is positive and learned as its logarithm."""
    parts = {name: part.assign(y=part["y"].abs() + 1) for name, part in table.parts.items()}
    data = replace(experiment().data, scale_target=ScaleTarget.log)
    encoding = encoding_fit.fit(parts["train"], table.schema, FEATURES, data)
    return replace(table, parts=parts, encoding=encoding)


def held(part: Part | Stream) -> Part:
    """One that is in memory."""
    assert isinstance(part, Part)
    return part


def numbered(rows: int) -> Part:
    """Each row holds its own number."""
    numbers = np.arange(rows, dtype=np.float32)[:, np.newaxis]
    return Part(np.concatenate([numbers, -numbers], axis=1), 10 * numbers)


def from_blocks(part: Part, size: int) -> Stream:
    """The same rows, size of them at a time."""

    def read(block: int) -> Part:
        taken = slice(block * size, (block + 1) * size)
        return Part(part.x[taken], part.y[taken])

    return Stream(len(part), size, read)


def small_windows(patch: pytest.MonkeyPatch, rows: int, blocks: int) -> None:
    """A table of more rows than that many blocks of that many rows is a long one."""
    patch.setattr("pipeline.dataset.rows.MOST_BLOCK_ROWS", rows)
    for module in ("shuffle", "feed"):
        patch.setattr(f"pipeline.training.{module}.WINDOW_BLOCKS", blocks)

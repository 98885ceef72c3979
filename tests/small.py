"""A small table, and experiments on it that train in seconds."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from pipeline.compose.schema import Config, Sweep
from pipeline.config.data import Data, ScaleTarget, Split
from pipeline.config.training import SGD, Activation, Constant, Layer, Model, Optimizer, Training
from pipeline.dataset.rows import Part, Stream
from pipeline.preparation.cross_validation import divide
from pipeline.preparation.encoding_fit import fit_encoding, fit_fold_encodings
from pipeline.preparation.preparation import Prepared
from pipeline.schema.contract import Contract
from pipeline.schema.inference import infer_schema, with_observed_values
from tests.locations import locate

MLP = [Layer(units=6, activation=Activation.tanh), Layer(units=1)]
FEATURES = ["a", "b"]


def prepared(
    rows: int = 40, validation: float = 0.25, test: float = 0.25, folds: Split | None = None
) -> Prepared:
    """Two columns and a target, all standardised, none of them with mean 0 and std 1 before; in
    parts of these fractions, or in folds."""
    random = np.random.default_rng(7)
    a, b = random.normal(50, 10, rows), random.normal(0.2, 0.1, rows)
    y = 150 + 3 * (a - 50) + 200 * (b - 0.2) ** 2 + random.normal(0, 5, rows)
    table = pd.DataFrame({"a": a, "b": b, "y": y})
    data = experiment().data
    settings = folds or Split(validation=validation, test=test)
    parts, divided = divide(table, replace(data, split=settings), locate)
    schema = with_observed_values(infer_schema(table, {}), parts["train"], table, FEATURES)
    return Prepared(
        parts,
        table.iloc[:0][FEATURES],
        schema=schema,
        contract=Contract("y", schema.select(FEATURES), data.reading, data.violations),
        encoding=fit_encoding(parts["train"], schema, FEATURES, data),
        folds=replace(
            divided, encodings=fit_fold_encodings(parts["train"], divided, schema, FEATURES, data)
        ),
        used_as=dict.fromkeys(table.columns, ""),
        warnings=[],
    )


def experiment(
    optimizer: Optimizer | None = None, layers: list[Layer] | None = None, **training: Any
) -> Config:
    """A network of two layers on that table, unless given otherwise."""
    defaults: dict[str, Any] = {"epochs": 6, "batch_size": 5, "seed": 3}
    return Config(
        data=Data(path="table.csv", target="y"),
        model=Model(layers or MLP),
        optimizer=optimizer or SGD(learning_rate=0.05),
        schedule=Constant(),
        training=Training(**(defaults | training)),
        sweep=Sweep(seeds=2, ensemble=3),
    )


def with_log_target(table: Prepared) -> Prepared:
    """The same table with a positive target that is learned as its logarithm."""
    parts = {name: part.assign(y=part["y"].abs() + 1) for name, part in table.parts.items()}
    data = replace(experiment().data, scale_target=ScaleTarget.log)
    encoding = fit_encoding(parts["train"], table.schema, FEATURES, data)
    return replace(table, parts=parts, encoding=encoding)


def in_memory(part: Part | Stream) -> Part:
    """The part, which is not a stream."""
    assert isinstance(part, Part)
    return part

"""What the winner of a sweep is compared with beside networks: linear least squares, and gradient
boosting."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.dataset.encoding import Encoding
from pipeline.dataset.rows import Part, blocks
from pipeline.evaluation.linear import LeastSquares, Line
from pipeline.network.encoder import Encoder
from pipeline.preparation.preparation import Prepared
from pipeline.runtime.files import whole_file
from pipeline.runtime.imports import heavy_import
from pipeline.sweep.tables import CV, Table, Vector

Features = NDArray[np.float64]
DAY = np.timedelta64(1, "D")


def least_squares(rows: Table) -> dict[str, Vector]:
    """The predictions for each part of the line that is fitted on the training part and, for rows
    that folds hold out, of those that are fitted on each fold's training rows."""
    data, predicted = rows.data, {}
    parts = rows.parts[0]
    if rows.folds.count:
        lines = [
            _line([Part(part.x[fold.train], part.y)], rows.true["train"][fold.train], encoding)
            for part, fold, encoding in zip(
                _in_memory(rows, "train"), rows.folds, rows.folds.encodings, strict=True
            )
        ]
        each = [
            line.predict(part.x) for line, part in zip(lines, _in_memory(rows, CV), strict=True)
        ]
        predicted[CV] = rows.joined(each, CV)
        encoder = Encoder(data.encoding)
        parts = {name: encoder.part(part) for name, part in data.parts.items()}
    line = _line(blocks(parts["train"]), rows.true["train"], data.encoding)
    for part in rows.true:
        if part != CV:
            values = [line.predict(block.x) for block in blocks(parts[part])]
            predicted[part] = np.concatenate(values)
    return predicted


def gradient_boosting(rows: Table, cache: Path, inputs_hash: str) -> dict[str, Vector]:
    """The same of scikit-learn's HistGradientBoostingRegressor with its defaults, on the columns
    themselves; dates are days, and categories numbers. What cache has for the same inputs_hash is
    not computed again."""
    if cache.is_file():
        with np.load(cache, allow_pickle=False) as content:
            if str(content["inputs_hash"]) == inputs_hash:
                return {part: content[f"predicted_{part}"] for part in rows.true}
    # Keras is imported as if scikit-learn were not installed.
    with heavy_import():
        from sklearn.ensemble import HistGradientBoostingRegressor

    def fit(x: Features, y: Vector) -> Callable[[Features], Vector]:
        # It holds out random rows to stop early on tables of more than 10,000.
        model = HistGradientBoostingRegressor(random_state=0).fit(x, y)
        return lambda features: np.asarray(model.predict(features), np.float64)

    data = rows.data
    x = {part: features(table, data) for part, table in data.parts.items()}
    y = rows.true["train"]
    whole = fit(x["train"], y)
    predicted = {part: whole(x[part]) for part in rows.true if part != CV}
    if rows.folds.count:
        each = [
            fit(x["train"][fold.train], y[fold.train])(x["train"][fold.validation])
            for fold in rows.folds
        ]
        predicted[CV] = rows.joined(each, CV)
    with whole_file(cache) as draft, draft.open("wb") as file:
        arrays: dict[str, Any] = {f"predicted_{part}": values for part, values in predicted.items()}
        np.savez(file, inputs_hash=np.array(inputs_hash), **arrays)
    return predicted


def features(table: pd.DataFrame, data: Prepared) -> Features:
    """The columns that the network reads as numbers, (rows, columns), NaN where a value is missing
    or its category is not in the training part."""
    encoding = data.encoding
    columns = [table[name].to_numpy(np.float64) for name in encoding.numbers]
    for name in encoding.categories:
        known = sorted(data.parts["train"][name].dropna().unique())
        codes = pd.Index(known).get_indexer(table[name]).astype(np.float64)
        columns.append(np.where(codes < 0, np.nan, codes))
    for name in encoding.dates:
        days = table[name].to_numpy("datetime64[s]")
        columns.append((days - np.datetime64(0, "s")) / DAY)
    return np.stack(columns, axis=1)


def _in_memory(rows: Table, name: str) -> list[Part]:
    """A part as each fold encodes it; the rows of folds are never streamed."""
    return [part for part in (parts[name] for parts in rows.parts) if isinstance(part, Part)]


def _line(parts: Iterable[Part], true: Vector, encoding: Encoding) -> Line:
    fit, done = LeastSquares(encoding.bins), 0
    for block in parts:
        fit.add(block.x, true[done : done + len(block)])
        done += len(block)
    line, _ = fit.solve()
    return line

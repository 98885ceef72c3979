"""Trials may differ in how the same prepared rows are encoded."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.compose.schema import Config
from pipeline.config.data import BinEdges, Data, Impute, Kind, ScaleInputs, ScaleTarget
from pipeline.preparation.encoding_fit import fit_encoding
from pipeline.preparation.preparation import prepare
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Column, Schema
from pipeline.sweep import tables
from pipeline.sweep.encodings import ENCODING_KEYS
from pipeline.sweep.tables import Tables
from tests.small import experiment, in_memory, prepared


def encoded(**section: Any) -> Config:
    """The experiment with another section `data`."""
    return replace(experiment(), data=replace(experiment().data, **section))


PLAIN = encoded()
BINNED = encoded(scale_inputs=ScaleInputs.piecewise, bins=4)


def test_the_keys_that_may_vary_are_those_that_the_encoding_is_fitted_by() -> None:
    read: set[str] = set()

    class Watched(Data):
        def __getattribute__(self, name: str) -> Any:
            read.add(name)
            return super().__getattribute__(name)

    table = pd.DataFrame({"a": [1.0, 2, 3, 4] * 2, "b": ["x", "y"] * 4, "c": [1.0, 2, 4, 3] * 2})
    table["d"] = pd.to_datetime(["2024-01-01", "2024-01-02"] * 4)
    kinds = (Kind.numeric, Kind.category, Kind.numeric, Kind.date)
    schema = Schema({name: Column(kind) for name, kind in zip("abcd", kinds, strict=True)})
    data = Watched(path="", target="c", scale_inputs=ScaleInputs.piecewise, bins=2)
    read.clear()
    fit_encoding(table, schema, ["a", "b", "d"], data)
    assert set(ENCODING_KEYS) == {name for name in read if not name.startswith("_")} - {"target"}


@pytest.mark.parametrize("folds", [0, 3])
def test_an_encoding_is_what_preparing_with_its_values_fits(folds: int) -> None:
    table = experiment().data
    section = replace(table, path="sklearn:diabetes", target="target")
    section.split.folds = folds
    config = replace(experiment(), data=section)
    others: list[dict[str, Any]] = [
        {"scale_inputs": ScaleInputs.quantile, "scale_target": ScaleTarget.log},
        {"scale_inputs": ScaleInputs.piecewise, "bins": 6, "bin_edges": BinEdges.tree},
        {"impute": Impute.mean, "min_category_count": 400, "max_categories": 1},
    ]
    rows = Tables(prepare(section), config)
    for changed in others:
        other = replace(config, data=replace(section, **changed))
        expected, found = prepare(other.data), rows.of(other).data
        assert found.encoding == expected.encoding
        assert found.folds.encodings == expected.folds.encodings
        for part, values in expected.parts.items():
            pd.testing.assert_frame_equal(found.parts[part], values)


def test_rows_are_encoded_once_for_each_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Tables(prepared(), PLAIN)
    # Without bins, their number changes nothing.
    same = encoded(bins=8)
    assert rows.by_encoding([PLAIN, BINNED, same, BINNED]) == [[0, 2], [1, 3]]
    plain, binned = rows.of(PLAIN), rows.of(BINNED)
    assert rows.of(same) is rows.of(PLAIN) is plain
    assert rows.of(BINNED) is binned
    monkeypatch.setattr(tables, "MAX_KEPT_BYTES", 1)
    assert rows.of(BINNED) is binned
    again = rows.of(PLAIN)
    assert again is not plain
    found, before = (in_memory(one.rows.rows) for one in (again, plain))
    np.testing.assert_array_equal(found.x, before.x)


def test_a_target_without_a_logarithm_is_refused() -> None:
    data = prepared()
    parts = data.parts | {"test": data.parts["test"].assign(y=-3.0)}
    with pytest.raises(UserError) as caught:
        Tables(replace(data, parts=parts), PLAIN).of(encoded(scale_target=ScaleTarget.log))
    assert str(caught.value) == (
        "data.scale_target=log: table.csv, column 'y': -3 has no logarithm; leave log out of the"
        " search space"
    )

"""The winner of a sweep is compared with the baselines that evaluate compares with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.baselines.baselines import predict
from pipeline.config.data import Split
from pipeline.preparation.preparation import Prepared
from pipeline.sweep import baselines
from pipeline.sweep.tables import table
from tests.small import prepared

PREPARED = prepared(rows=200)
PARTS = ["train", "validation", "test"]


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        (PREPARED, PARTS),
        (prepared(rows=60, folds=Split(test=0.2, folds=3, repeats=2)), ["train", "cv", "test"]),
    ],
    ids=["parts", "folds"],
)
def test_the_baselines_are_those_of_the_stage(
    tmp_path: Path, data: Prepared, parts: list[str]
) -> None:
    found = baselines.predictions(table(data), tmp_path / "cache.npz", "1")
    expected = predict(data.parts, data.folds, data.encoding)
    assert list(found) == ["least_squares", "gradient_boosting"]
    for name, predicted in found.items():
        assert list(predicted) == parts
        for part, values in predicted.items():
            np.testing.assert_array_equal(values, expected[part][name])


def test_baselines_are_fitted_once(tmp_path: Path) -> None:
    rows, cache = table(PREPARED), tmp_path / "sweep" / "baselines.npz"
    first = baselines.predictions(rows, cache, "1")
    changed = table(replace(PREPARED, parts={n: -part for n, part in PREPARED.parts.items()}))
    again = baselines.predictions(changed, cache, "1")
    other = baselines.predictions(changed, cache, "2")
    for name, predicted in first.items():
        for part in PARTS:
            np.testing.assert_array_equal(again[name][part], predicted[part])
        assert not np.array_equal(other[name]["test"], predicted["test"])

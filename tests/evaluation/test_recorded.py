"""A saved model has to have the error that its training recorded."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.dataset.encoding import Target
from pipeline.evaluation import recorded
from pipeline.evaluation.recorded import check_recorded
from pipeline.runtime.errors import UserError
from tests.folds import history

TRUE = np.array([1.0, 2.0, 4.0])
PREDICTED = TRUE * np.array([1.5, 1.5, 0.5])


def test_the_recorded_error_is_that_of_the_epoch_whose_weights_were_kept(tmp_path: Path) -> None:
    # The validation MAE is 2, 1, 0.5 ...
    history(5, kept=3).to_csv(tmp_path / "history.csv", index=False)
    assert recorded.mae(tmp_path) == [0.5]
    tables = [history(4, 2), history(5, 3), history(3, 3)]  # the last one of the whole model
    folds = pd.concat(tables, keys=["1", "2", ""], names=["fold"]).reset_index("fold")
    folds.to_csv(tmp_path / "folds.csv", index=False)
    assert recorded.mae(tmp_path) == [1.0, 0.5]


def test_without_such_an_epoch_or_rows_for_validation_nothing_is_compared(tmp_path: Path) -> None:
    history(5, kept=0).to_csv(tmp_path / "history.csv", index=False)
    (nothing,) = recorded.mae(tmp_path)
    assert np.isnan(nothing)
    check_recorded(nothing, TRUE, PREDICTED, Target("y"), "validation")
    check_recorded(nothing, TRUE[:0], TRUE[:0], Target("y"), "validation")


@pytest.mark.parametrize(
    ("target", "error"),
    [
        (Target("y", std=3.0), 3.5 / 3),
        (Target("y", log=True, std=3.0), np.log([1.5, 1.5, 2]).mean()),
    ],
    ids=["target", "logarithm"],
)
def test_an_error_differs_by_rounding_alone(target: Target, error: float) -> None:
    for rounding in (0, 1e-5, -1e-5):
        check_recorded(error + rounding, TRUE, PREDICTED, target, "validation")
    with pytest.raises(UserError) as caught:
        check_recorded(error * 1.01, TRUE, PREDICTED, target, "fold 2")
    assert str(caught.value) == (
        f"data/model: the saved model has a mean absolute error of {error:.6g} on the rows of fold"
        f" 2, but its training recorded {error * 1.01:.6g}; `dvc repro --force train` trains it"
        " again"
    )

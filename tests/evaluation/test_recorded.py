"""A saved model has to have the error that its training recorded."""

import numpy as np
import pandas as pd
import pytest

from pipeline.dataset.encoding import Target
from pipeline.evaluation.recorded import check_recorded, recorded_mae
from pipeline.runtime.errors import UserError
from tests.folds import history

TRUE = np.array([1.0, 2.0, 4.0])
PREDICTED = TRUE * np.array([1.5, 1.5, 0.5])


def test_the_recorded_error_is_that_of_the_epoch_whose_weights_were_kept() -> None:
    # The validation MAE is 4, 2, 1, 0.5 / 2 ...: as the loss that it starts from, halved.
    assert recorded_mae(history(5, kept=3), None) == [0.5]
    tables = [history(4, 2), history(5, 3), history(3, 3)]  # the last one of the whole model
    folds = pd.concat(tables, keys=["1", "2", ""], names=["fold"]).reset_index("fold")
    folds["fold"] = pd.to_numeric(folds["fold"]).astype("Int64")
    assert recorded_mae(history(5, kept=0), folds) == [1.0, 0.5]


def test_without_such_an_epoch_or_rows_for_validation_nothing_is_compared() -> None:
    nothing = recorded_mae(history(5, kept=0), None)
    assert np.isnan(nothing).all()
    check_recorded(nothing[0], TRUE, PREDICTED, Target("y"), "validation")
    check_recorded(np.nan, TRUE[:0], TRUE[:0], Target("y"), "validation")


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

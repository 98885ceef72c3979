"""A saved model has to have the error that its training recorded."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.config.training import Loss
from pipeline.evaluation import recorded
from pipeline.evaluation.recorded import check_recorded
from pipeline.network.encoder import Encoder
from pipeline.network.model_folder import TrainedNetwork
from pipeline.runtime.errors import UserError
from pipeline.training.rows import of_parts
from pipeline.training.train import train
from tests.folds import history, predictions
from tests.small import MLP, experiment, prepared, with_log_target

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
    check_recorded(nothing, TRUE, PREDICTED, "validation")
    check_recorded(nothing, TRUE[:0], TRUE[:0], "validation")


def test_an_error_differs_by_rounding_alone() -> None:
    error = 3.5 / 3
    for rounding in (0, 1e-5, -1e-5):
        check_recorded(error + rounding, TRUE, PREDICTED, "validation")
    with pytest.raises(UserError) as caught:
        check_recorded(error * 1.01, TRUE, PREDICTED, "fold 2")
    assert str(caught.value) == (
        f"data/model: the saved model has a mean absolute error of {error:.6g} on the rows of fold"
        f" 2, but its training recorded {error * 1.01:.6g}; `dvc repro --force train` trains it"
        " again"
    )


@pytest.mark.parametrize("loss", [Loss.mse, Loss.huber])
@pytest.mark.parametrize("logarithm", [False, True])
def test_training_records_the_error_of_the_network_that_it_returns(
    loss: Loss, *, logarithm: bool
) -> None:
    data = with_log_target(prepared()) if logarithm else prepared()
    encoder = Encoder(data.encoding)
    parts = [encoder.part(data.parts[name]) for name in ("train", "validation")]
    config = experiment(loss=loss, epochs=4)
    (fitted,) = train([config], of_parts(parts[0], parts[1], data.encoding))[0]
    network = TrainedNetwork(encoder, MLP, 3, fitted.weights, fitted.history)
    rows = data.parts["validation"]
    true, predicted = rows["y"].to_numpy(), predictions(network, rows)
    kept = float(fitted.history["validation_mae"][fitted.history["kept"]].iloc[0])
    check_recorded(kept, true, predicted, "validation")
    with pytest.raises(UserError):
        check_recorded(kept, true, predicted * 1.01, "validation")

"""With folds, each row is predicted by the networks that were not trained on it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.config.data import Reading, Violations
from pipeline.dataset.encoding import Values
from pipeline.dataset.folds import Folds
from pipeline.evaluation.evaluation import evaluate
from pipeline.evaluation.metrics import metrics
from pipeline.evaluation.out_of_fold import out_of_fold
from pipeline.evaluation.predictor import Predictor
from pipeline.network import model_folder
from pipeline.runtime.errors import UserError
from pipeline.schema.contract import Contract
from tests import folds as made
from tests.folds import EXPANDING, REPEATED, TABLE, THREE
from tests.readme import metrics as documented_metrics

TRUE = TABLE["y"].to_numpy()
BINNED = replace(
    THREE,
    encodings=[
        replace(
            one, numbers=one.numbers | {"fold": replace(one.numbers["fold"], edges=[40, 50, 60])}
        )
        for one in THREE.encodings
    ],
)
Predicting = Callable[[Folds], Predictor]


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predicting:
    """The saved model of folds; of expanding ones, a network of all rows with them beside it."""

    predictors: dict[int, Predictor] = {}

    def saved(folds: Folds) -> Predictor:
        if id(folds) not in predictors:
            folder = tmp_path_factory.mktemp("model")
            network = made.network(made.encoding(), seed=9) if folds.expanding else None
            model_folder.write(
                folder, network, made.networks(folds), encoding=made.encoding(), row=TABLE.head(1)
            )
            schema = made.SCHEMA.select(made.FEATURES)
            Contract("y", schema, Reading(), Violations()).write(folder / "contract.json")
            predictors[id(folds)] = Predictor(folder)
        return predictors[id(folds)]

    return saved


def by_hand(folds: Folds) -> Values:
    """The mean over the repeats, NaN for rows that no fold holds out."""
    of_networks = [made.predictions(one) for one in made.networks(folds)]
    return np.array(
        [
            np.mean([of_networks[fold - 1][row] for fold in held_out if fold] or [np.nan])
            for row, held_out in enumerate(folds.held_out)
        ]
    )


def lines_by_hand(folds: Folds) -> Values:
    """The same of the least-squares lines of the folds' training rows."""
    predicted = np.full(folds.held_out.shape, np.nan)
    for fold, network in zip(folds, made.networks(folds), strict=True):
        x = np.delete(network.encoder.x(TABLE).astype(float), network.encoder.encoding.bins, axis=1)
        centre, mean = x[fold.train].mean(axis=0), TRUE[fold.train].mean()
        kernel = np.linalg.lstsq(x[fold.train] - centre, TRUE[fold.train] - mean, rcond=1e-9)[0]
        predicted[fold.validation, fold.repeat] = (x[fold.validation] - centre) @ kernel + mean
    return np.asarray(predicted.mean(axis=1))


@pytest.mark.parametrize(
    "folds", [THREE, REPEATED, EXPANDING, BINNED], ids=["3", "2 x 2", "expanding", "with bins"]
)
def test_out_of_fold_predictions_are_those_of_the_folds_networks_by_hand(
    predictor: Predicting, folds: Folds
) -> None:
    errors, table = out_of_fold(predictor(folds), TABLE, folds)
    expected = by_hand(folds)
    held_out = ~np.isnan(expected)
    assert held_out.sum() == (8 if folds is EXPANDING else 12)
    np.testing.assert_allclose(table["predicted"], expected[held_out], rtol=1e-5)
    assert table["row"].tolist() == (TABLE.index[held_out] + 1).tolist()
    np.testing.assert_array_equal(table["true"], TRUE[held_out])
    np.testing.assert_allclose(table["residual"], (TRUE - expected)[held_out], rtol=1e-4)
    numbers = table.filter(like="fold").to_numpy()
    np.testing.assert_array_equal(numbers, folds.held_out[held_out])

    for name, value in metrics(TRUE[held_out], expected[held_out]).items():
        assert errors[name] == pytest.approx(value, rel=1e-5)
    lines = lines_by_hand(folds)[held_out]
    rmse = np.sqrt(np.mean((TRUE[held_out] - lines) ** 2))
    assert errors["least_squares_rmse"] == pytest.approx(rmse, rel=1e-4)
    for number, (fold, network) in enumerate(zip(folds, made.networks(folds), strict=True), 1):
        residuals = (TRUE - made.predictions(network))[fold.validation]
        rmse = np.sqrt(np.mean(residuals**2))
        assert errors[f"fold_{number}_rmse"] == pytest.approx(rmse, rel=1e-5)
    assert f"fold_{folds.count + 1}_rmse" not in errors


def test_the_errors_are_those_that_are_documented(predictor: Predicting) -> None:
    errors, _ = out_of_fold(predictor(REPEATED), TABLE, REPEATED)
    documented = documented_metrics("Metrics with folds")
    for name in errors:
        assert any(one.fullmatch(f"cv_{name}") for one in documented), name
    for one in documented:
        assert any(one.fullmatch(f"cv_{name}") for name in errors), one


def test_a_fold_of_each_repeat_is_listed(predictor: Predicting) -> None:
    _, once = out_of_fold(predictor(THREE), TABLE, THREE)
    assert list(once) == ["row", "fold", "true", "predicted", "residual"]
    _, twice = out_of_fold(predictor(REPEATED), TABLE, REPEATED)
    assert list(twice)[1:3] == ["fold_repeat_1", "fold_repeat_2"]


@pytest.mark.parametrize("folds", [THREE, EXPANDING], ids=["mean", "network of all rows"])
def test_an_evaluation_has_the_errors_of_the_model_and_those_out_of_fold(
    predictor: Predicting, folds: Folds
) -> None:
    test = TABLE.assign(y=TABLE["y"] + 1).head(5)
    blocks = [TABLE.head(7), TABLE.tail(5)]
    parts = {"train": blocks, "validation": [TABLE.head(0)], "test": [test]}
    evaluation = evaluate(predictor(folds), parts, folds)
    assert list(evaluation.metrics) == ["train", "cv", "test"]
    for name, part in (("train", TABLE), ("test", test)):
        predicted = predictor(folds).predict_conformed(part)["predicted"].to_numpy()
        expected = metrics(part["y"].to_numpy(), predicted)["rmse"]
        assert evaluation.metrics[name]["rmse"] == pytest.approx(expected, rel=1e-5)
    errors, table = out_of_fold(predictor(folds), TABLE, folds)
    assert evaluation.metrics["cv"] == errors
    assert evaluation.out_of_fold is not None
    pd.testing.assert_frame_equal(evaluation.out_of_fold, table)
    assert evaluation.coefficients is None
    # The prediction of a row by networks that were trained on it is not listed.
    listed = evaluation.predictions
    assert listed["part"].tolist() == ["cv"] * len(table) + ["test"] * 5
    assert listed["predicted"].tolist()[: len(table)] == table["predicted"].tolist()

    alone = evaluate(predictor(folds), {**parts, "train": blocks, "test": [TABLE.head(0)]}, folds)
    assert list(alone.metrics) == ["train", "cv"]


def test_the_model_of_other_folds_is_refused(predictor: Predicting) -> None:
    with pytest.raises(UserError) as caught:
        out_of_fold(predictor(THREE), TABLE, REPEATED)
    assert str(caught.value) == (
        "data/model has 3 folds, data/prepared/folds.json 4 of 12 rows, and"
        " data/prepared/train.parquet 12 rows; run dvc repro"
    )
    fewer = replace(THREE, held_out=THREE.held_out[1:])
    with pytest.raises(UserError, match=r"folds\.json 3 of 11 rows, .* 12 rows; run dvc repro$"):
        out_of_fold(predictor(THREE), TABLE, fewer)


def test_a_damaged_model_of_folds_is_named(predictor: Predicting, tmp_path: Path) -> None:
    for file in predictor(EXPANDING)._folder.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "folds.keras").write_text("not a model\n", "utf-8")
    with pytest.raises(UserError, match=r"folds\.keras: is not a Keras model"):
        _ = Predictor(tmp_path).folds

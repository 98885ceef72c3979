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
from pipeline.dataset.prepared import GROUP
from pipeline.evaluation.comparison import IN_WORDS
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
# Where the rows are enough for an interval.
ENDS = {f"cv_{error}_{end}" for error in ("rmse", "mae") for end in ("low", "high")}
ENDS.add("cv_rmse_standard_error")
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


@pytest.mark.parametrize("folds", [THREE, REPEATED, EXPANDING], ids=["3", "2 x 2", "expanding"])
def test_out_of_fold_predictions_are_those_of_the_folds_networks_by_hand(
    predictor: Predicting, folds: Folds
) -> None:
    table, errors = out_of_fold(predictor(folds), TABLE, folds)
    expected = by_hand(folds)
    held_out = ~np.isnan(expected)
    assert held_out.sum() == (8 if folds is EXPANDING else 12)
    np.testing.assert_allclose(table["predicted"], expected[held_out], rtol=1e-5)
    assert table["row"].tolist() == (TABLE.index[held_out] + 1).tolist()
    np.testing.assert_array_equal(table["true"], TRUE[held_out])
    np.testing.assert_allclose(table["residual"], (TRUE - expected)[held_out], rtol=1e-4)
    numbers = table.filter(like="fold").to_numpy()
    np.testing.assert_array_equal(numbers, folds.held_out[held_out])

    for number, (fold, network) in enumerate(zip(folds, made.networks(folds), strict=True), 1):
        residuals = (TRUE - made.predictions(network))[fold.validation]
        rmse = np.sqrt(np.mean(residuals**2))
        assert errors[f"fold_{number}_rmse"] == pytest.approx(rmse, rel=1e-5)
    assert f"fold_{folds.count + 1}_rmse" not in errors


def test_the_networks_of_the_folds_have_the_errors_that_their_training_recorded(
    predictor: Predicting,
) -> None:
    recorded = [
        float(np.abs(TRUE - made.predictions(network))[fold.validation].mean())
        for fold, network in zip(THREE, made.networks(THREE), strict=True)
    ]
    out_of_fold(predictor(THREE), TABLE, THREE, recorded)
    recorded[1] *= 1.01
    with pytest.raises(UserError, match=r"^data/model: .* on the rows of fold 2, but"):
        out_of_fold(predictor(THREE), TABLE, THREE, recorded)


def test_out_of_fold_predictions_have_the_groups_of_their_rows(predictor: Predicting) -> None:
    rows = TABLE.assign(**{GROUP: np.arange(12) // 2})
    table, _ = out_of_fold(predictor(EXPANDING), rows, EXPANDING)
    assert table["group"].tolist() == rows[GROUP].tolist()[4:]


def test_a_fold_of_each_repeat_is_listed(predictor: Predicting) -> None:
    once, _ = out_of_fold(predictor(THREE), TABLE, THREE)
    assert list(once) == ["row", "fold", "true", "predicted", "residual"]
    twice, _ = out_of_fold(predictor(REPEATED), TABLE, REPEATED)
    assert list(twice)[1:3] == ["fold_repeat_1", "fold_repeat_2"]


@pytest.mark.parametrize("folds", [THREE, EXPANDING], ids=["mean", "network of all rows"])
def test_an_evaluation_has_the_errors_of_the_model_and_those_out_of_fold(
    predictor: Predicting, folds: Folds
) -> None:
    test = TABLE.assign(y=TABLE["y"] + 1).head(5)
    blocks = [TABLE.head(7), TABLE.tail(5)]
    parts = {"train": blocks, "validation": [TABLE.head(0)], "test": [test]}
    held_out, errors = out_of_fold(predictor(folds), TABLE, folds)
    baselines = {
        name: pd.DataFrame(0.0, index=rows.index, columns=list(IN_WORDS))
        for name, rows in (("train", TABLE), ("cv", held_out), ("test", test))
    }
    evaluation = evaluate(predictor(folds), parts, folds, baselines=baselines)
    assert list(evaluation.metrics) == ["train", "cv", "test"]
    for name, part in (("train", TABLE), ("test", test)):
        predicted = predictor(folds).predict_conformed(part)["predicted"].to_numpy()
        expected = metrics(part["y"].to_numpy(), predicted)["rmse"]
        assert evaluation.metrics[name]["rmse"] == pytest.approx(expected, rel=1e-5)
    cv = evaluation.metrics["cv"]
    expected_cv = metrics(*(held_out[name].to_numpy() for name in ("true", "predicted")))
    assert cv | expected_cv | errors == cv
    assert evaluation.out_of_fold is not None
    pd.testing.assert_frame_equal(evaluation.out_of_fold[list(held_out)], held_out)
    # Of 8 rows, 90 % intervals cannot be calibrated.
    assert ("lower" in evaluation.out_of_fold) == (len(held_out) > 8)
    documented = documented_metrics("Metrics with folds")
    names = {f"cv_{name}" for name in cv} | ENDS
    assert [name for name in names if not any(one.fullmatch(name) for one in documented)] == []
    assert [one for one in documented if not any(map(one.fullmatch, names))] == []
    assert evaluation.coefficients is None
    # The prediction of a row by networks that were trained on it is not listed.
    listed = evaluation.predictions
    assert listed["part"].tolist() == ["cv"] * len(held_out) + ["test"] * 5
    assert listed["predicted"].tolist()[: len(held_out)] == held_out["predicted"].tolist()

    del baselines["test"]
    parts = {**parts, "train": blocks, "test": [TABLE.head(0)]}
    alone = evaluate(predictor(folds), parts, folds, baselines=baselines)
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

"""With folds, a trial is the networks of all of them, scored by what they predict of the rows that
they were not trained on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.compose.schema import Config, Pruning, Score, Sweep
from pipeline.config.data import Split, SplitBy
from pipeline.config.training import SGD, Final, When
from pipeline.dataset.folds import NO_FOLDS
from pipeline.evaluation.predictor import Predictor
from pipeline.network import encoder
from pipeline.preparation.preparation import Prepared
from pipeline.runtime.errors import UserError
from pipeline.sweep import trials, winner
from pipeline.sweep.tables import Table, Tables, table
from pipeline.sweep.winner import Contender
from tests.small import MLP, experiment, prepared

TWICE = prepared(rows=48, folds=Split(test=0.25, folds=3, repeats=2))
IN_TIME = prepared(rows=48, folds=Split(by=SplitBy.time, column="a", test=0.25, folds=3))
CONFIG = experiment(SGD(learning_rate=0.1))
TABLES = Tables(TWICE, CONFIG)
WILD = experiment(SGD(learning_rate=1e20))


@pytest.fixture(scope="module")
def twice() -> Table:
    return TABLES.of(CONFIG)


def of_fold(data: Prepared, number: int) -> Prepared:
    """The rows of a fold, as if they were the parts of a table."""
    fold, train = data.folds.rows(number), data.parts["train"]
    parts = {"train": train.iloc[fold.train], "validation": train.iloc[fold.validation]}
    return replace(
        data,
        parts=parts | {"test": data.parts["test"]},
        encoding=data.folds.encodings[number],
        folds=NO_FOLDS,
    )


def alone(data: Prepared, config: Config) -> list[dict[str, np.ndarray]]:
    """The predictions of a network for each fold, each trained in a sweep without folds."""
    predicted = []
    for number in range(data.folds.count):
        seeded = trials.with_seed(config, config.training.seed + data.folds.rows(number).repeat)
        of_one = Tables(of_fold(data, number), config)
        (trained,) = trials.train_all([seeded], of_one, Score.rmse)
        predicted.append(winner.predictions(trained, of_one.of(config)))
    return predicted


def rmse(predicted: np.ndarray, true: np.ndarray) -> float:
    return float(np.sqrt(np.square(predicted - true).mean()))


@pytest.mark.parametrize("data", [TWICE, IN_TIME], ids=["twice", "in time"])
def test_the_score_is_that_of_networks_which_are_trained_fold_by_fold(data: Prepared) -> None:
    tables = Tables(data, CONFIG)
    rows, true = tables.of(CONFIG), data.parts["train"]["y"].to_numpy()
    total, count = np.zeros((2, len(true)))
    each = alone(data, CONFIG)
    for number, one in enumerate(each):
        held_out = data.folds.rows(number).validation
        total[held_out] += one["validation"]
        count[held_out] += 1
    assert rows.scored_part == "cv"
    assert list(rows.true) == ["train", "cv", "test"]
    expected = rmse(total[count > 0] / count[count > 0], true[count > 0])
    (trained,) = trials.train_all([CONFIG], tables, Score.rmse)
    assert trained.result.score == pytest.approx(expected, rel=1e-4)
    predicted = winner.predictions(trained, rows)
    mean = np.mean([one["test"] for one in each], axis=0)
    np.testing.assert_allclose(predicted["test"], mean, rtol=1e-4)
    assert len(predicted["train"]) == len(true)


def test_trials_are_pruned_by_the_mean_over_their_folds(twice: Table) -> None:
    rates = [0.1, 0.0001, 0.05, 0.0002]
    configs = [experiment(SGD(learning_rate=rate)) for rate in rates]
    whole = trials.train_all(configs, TABLES, Score.rmse)
    losses = [
        np.mean([one.history["validation_loss"][:2].min() for one in trial.networks])
        for trial in whole
    ]
    pruned = trials.train_group(
        configs, twice, score=Score.rmse, pruning=Pruning(first_epoch=2, factor=2)
    )
    best = sorted(range(4), key=losses.__getitem__)[:2]
    for index, one in enumerate(pruned):
        assert [len(network.history) for network in one.networks] == 6 * [one.result.epochs]
        assert one.result.epochs == (2 if index not in best else one.result.epochs)
    assert max(one.result.epochs for one in pruned) == 6


def test_a_trial_fails_with_any_of_its_folds() -> None:
    wild, tame = trials.train_all([WILD, CONFIG], TABLES, Score.rmse)
    assert wild.result.reason is not None
    assert wild.result.reason.startswith("diverged in fold 1 of 6: the loss became ")
    assert tame.result.state == "complete"


def test_curves_are_the_mean_over_the_folds() -> None:
    (trained,) = trials.train_all([CONFIG], TABLES, Score.rmse)
    losses = [one.history["validation_loss"] for one in trained.networks]
    np.testing.assert_allclose(trained.curves[:, 2], np.mean(losses, axis=0))


def test_folds_take_room_in_a_group(twice: Table) -> None:
    single = table(of_fold(TWICE, 0))
    assert trials.group_bytes(CONFIG, twice) == 6 * trials.group_bytes(CONFIG, single)


def test_the_rows_of_folds_are_not_streamed() -> None:
    with pytest.raises(UserError, match=r"training.streaming: always needs data.split.folds=0"):
        table(TWICE, When.always)


@pytest.mark.parametrize("final", [Final.bag, Final.refit])
def test_the_folder_of_the_winner_predicts_what_is_reported(
    tmp_path: Path, twice: Table, final: Final
) -> None:
    config = replace(CONFIG, training=replace(CONFIG.training, final=final))
    (trained,) = trials.train_all([config], TABLES, Score.rmse)
    best = [Contender(0, trained, 1.0, winner.predictions(trained, twice))]
    found = winner.evaluate_winner(best, experiment(), TABLES, Sweep(seeds=1), baselines={})
    evaluated = found.comparison
    assert evaluated.winner.errors["cv"] == pytest.approx(trained.result.score)
    winner.write_model(tmp_path / "model", found.saved)
    predictor = Predictor(tmp_path / "model")
    for part in ("train", "test"):
        predicted = predictor.predict(TWICE.parts[part][["a", "b"]])["predicted"].to_numpy()
        assert evaluated.winner.errors[part] == pytest.approx(rmse(predicted, twice.true[part]))
    assert (tmp_path / "model/folds.keras").is_file() == (final is Final.refit)
    (seed,) = evaluated.seeds
    assert list(seed.errors) == (["cv"] if final is Final.refit else ["train", "cv", "test"])
    assert list(evaluated.references[0].improvements) == ["cv", "test"]


def test_the_ensemble_is_selected_on_rows_that_were_held_out(twice: Table) -> None:
    configs = [
        experiment(SGD(learning_rate=rate), layers, epochs=20)
        for rate, layers in ((0.1, MLP), (0.05, MLP), (0.1, MLP[1:]))
    ]
    candidates = [
        Contender(number, one, one.result.score or 0.0, winner.predictions(one, twice))
        for number, one in enumerate(trials.train_all(configs, TABLES, Score.rmse))
    ]
    found = winner.best_ensemble(candidates, TABLES, Score.rmse)
    assert found is not None
    model, errors = found.model, winner.errors(found.predicted, twice, Score.rmse)
    assert errors["cv"] < min(one.score for one in candidates)
    for part in ("train", "test"):
        columns = encoder.inputs(TWICE.parts[part], TWICE.encoding)
        predicted = np.asarray(model(columns))[:, 0]
        assert errors[part] == pytest.approx(rmse(predicted, twice.true[part]), rel=1e-4)
    columns = encoder.inputs(TWICE.parts["train"], TWICE.encoding)
    folds = encoder.folds_of(model)
    each = [np.asarray(one(columns))[:, 0] for one in folds]
    held_out = TWICE.folds.held_out
    out_of_fold = np.mean(
        [[each[number - 1][row] for number in numbers] for row, numbers in enumerate(held_out)],
        axis=1,
    )
    assert errors["cv"] == pytest.approx(rmse(out_of_fold, twice.true["cv"]), rel=1e-4)

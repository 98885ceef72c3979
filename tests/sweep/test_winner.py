"""The winner of a sweep as a model, its selection bias, and what it is compared with."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.compose.schema import Config, Score, Sweep
from pipeline.config.training import SGD, When
from pipeline.evaluation.paired import Improvement
from pipeline.evaluation.predictor import Predictor
from pipeline.network import dense, encoder
from pipeline.network.backend import keras
from pipeline.sweep import trials, winner
from pipeline.sweep.trials import Table, TrainedTrial
from pipeline.sweep.winner import Contender, Evaluation, Saved, WinnerEvaluation
from tests.small import MLP, experiment, prepared

PREPARED = prepared()
PARTS = ["train", "validation", "test"]
CONFIG = experiment(SGD(learning_rate=0.1))
DIVERGING = experiment(SGD(learning_rate=1e20))
# The ensemble of these is better than each of them.
CANDIDATES = [
    experiment(SGD(learning_rate=rate), layers, epochs=20)
    for rate, layers in ((0.1, MLP), (0.05, MLP), (0.1, MLP[1:]))
]


BETTER, EQUAL = Improvement(0.5, 0.25, 0.75), Improvement(0.1, -0.2, 0.4)


@pytest.fixture(scope="module")
def rows() -> Table:
    return trials.table(PREPARED)


@pytest.fixture(scope="module")
def trained(rows: Table) -> TrainedTrial:
    (only,) = trials.train_all([CONFIG], rows, Score.rmse)
    return only


@pytest.fixture(scope="module")
def combined(rows: Table) -> tuple[keras.Model, Evaluation]:
    model, evaluation = winner.best_ensemble(contenders(CANDIDATES, rows), rows, Score.rmse)
    assert isinstance(model, keras.Model)
    assert evaluation is not None
    return model, evaluation


def contenders(configs: Sequence[Config], rows: Table) -> list[Contender]:
    """Those that do not diverge, the best one first."""
    trained = zip(configs, trials.train_all(configs, rows, Score.rmse), strict=True)
    made = [
        Contender(number, config, one, one.result.score)
        for number, (config, one) in enumerate(trained)
        if one.result.score is not None
    ]
    return sorted(made, key=lambda one: one.score)


def evaluated(seeds: Sequence[Evaluation] = ()) -> WinnerEvaluation:
    """A winner that is compared with some numbers."""
    return WinnerEvaluation(
        saved=Saved(None, [], {}),
        winner=Evaluation("winner", {"train": 1.0, "validation": 2.0}),
        scored_part="validation",
        score=Score.mae,
        seeds=list(seeds),
        candidates=4,
        ensemble=Evaluation("ensemble of 3", {"train": 0.5, "validation": 1.5}),
        ensemble_model=None,
        start=None,
        is_start=False,
        baselines=[
            Evaluation("least_squares", {"train": 6.0, "validation": 7.0}, {"validation": BETTER})
        ],
    )


def test_errors_are_of_each_part_that_has_rows(rows: Table, trained: TrainedTrial) -> None:
    errors = winner.errors(trained, CONFIG, rows, Score.rmse)
    assert list(errors) == PARTS
    assert errors["validation"] == pytest.approx(trained.result.score)
    whole = trials.table(prepared(validation=0, test=0))
    (one,) = trials.train_all([CONFIG], whole, Score.rmse)
    expected = {"train": pytest.approx(one.result.score)}
    assert winner.errors(one, CONFIG, whole, Score.rmse) == expected


def test_other_seeds_follow_that_of_the_winner(rows: Table) -> None:
    evaluations = winner.evaluate_seeds(CONFIG, rows, Sweep(seeds=3))
    assert [one.model for one in evaluations] == ["seed 4", "seed 5", "seed 6"]
    assert len({one.errors["validation"] for one in evaluations}) == 3
    (fourth,) = trials.train_all([trials.with_seed(CONFIG, 4)], rows, Score.rmse)
    assert evaluations[0].errors["validation"] == pytest.approx(fourth.result.score, rel=1e-4)


def test_a_seed_that_diverges_is_left_out(rows: Table) -> None:
    assert winner.evaluate_seeds(DIVERGING, rows, Sweep(seeds=2)) == []
    assert winner.evaluate_seeds(CONFIG, rows, Sweep(seeds=0)) == []


def test_the_largest_seed_is_followed_by_0(rows: Table) -> None:
    largest = trials.with_seed(CONFIG, 2**32 - 1)
    evaluations = winner.evaluate_seeds(largest, rows, Sweep(seeds=2))
    assert [one.model for one in evaluations] == ["seed 0", "seed 1"]


def test_an_ensemble_is_better_than_each_of_its_networks(
    rows: Table, combined: tuple[keras.Model, Evaluation]
) -> None:
    model, evaluation = combined
    alone = [one.result.score or np.inf for one in trials.train_all(CANDIDATES, rows, Score.rmse)]
    assert evaluation.errors["validation"] < min(alone)
    for part in PARTS:
        table = PREPARED.parts[part]
        predicted = np.asarray(model(encoder.inputs(table, PREPARED.encoding)))[:, 0]
        rmse = np.sqrt(np.square(table["y"] - predicted).mean())
        assert evaluation.errors[part] == pytest.approx(rmse, rel=1e-4)


@pytest.mark.parametrize("configs", [[], [CONFIG], [CONFIG, CONFIG], [CONFIG, DIVERGING]])
def test_there_is_no_ensemble_of_a_single_network(rows: Table, configs: Sequence[Config]) -> None:
    candidates = contenders(configs, rows)
    assert winner.best_ensemble(candidates, rows, Score.rmse) == (None, None)


def test_there_is_no_ensemble_without_a_validation_part() -> None:
    whole = trials.table(prepared(validation=0))
    candidates = contenders(CANDIDATES, whole)
    assert winner.best_ensemble(candidates, whole, Score.rmse) == (None, None)


def test_streamed_rows_give_the_same_errors(
    monkeypatch: pytest.MonkeyPatch, rows: Table, trained: TrainedTrial
) -> None:
    monkeypatch.setattr("pipeline.dataset.rows.MAX_BLOCK_ROWS", 8)
    streamed = trials.table(PREPARED, When.always)
    errors = winner.errors(trained, CONFIG, streamed, Score.mae)
    assert errors == pytest.approx(winner.errors(trained, CONFIG, rows, Score.mae), rel=1e-5)


def test_the_winner_is_compared_with_the_experiment_that_the_sweep_varies(rows: Table) -> None:
    sweep = Sweep(seeds=0)
    best = contenders([CONFIG], rows)
    evaluation = winner.evaluate_winner(best, CANDIDATES[1], rows, PREPARED, sweep, baselines={})
    (begun,) = contenders([CANDIDATES[1]], rows)
    assert evaluation.start is not None
    assert evaluation.start.model == "start"
    assert evaluation.start.errors == winner.errors(begun.trained, begun.config, rows, Score.rmse)
    assert list(evaluation.start.improvements) == ["validation", "test"]
    for part, compared in evaluation.start.improvements.items():
        ratio = evaluation.winner.errors[part] / evaluation.start.errors[part]
        assert compared.estimate == pytest.approx(1 - ratio)
        assert compared.low < compared.estimate < compared.high
    assert not evaluation.is_start
    diverging = winner.evaluate_winner(best, DIVERGING, rows, PREPARED, sweep, baselines={})
    assert diverging.start is None
    assert diverging.beats_start
    assert diverging.winner == evaluation.winner


def test_a_starting_point_that_wins_is_no_better_than_itself(rows: Table) -> None:
    best = contenders([CONFIG, CANDIDATES[1]], rows)
    evaluation = winner.evaluate_winner(
        best, best[0].config, rows, PREPARED, Sweep(seeds=0), baselines={}
    )
    assert evaluation.is_start
    assert not evaluation.beats_start


def test_baselines_are_compared_by_their_predictions(rows: Table) -> None:
    exact = dict(rows.true)
    mean = {part: np.full_like(true, true.mean()) for part, true in rows.true.items()}
    best = contenders([CONFIG], rows)
    evaluation = winner.evaluate_winner(
        best, CONFIG, rows, PREPARED, Sweep(seeds=0), baselines={"exact": exact, "mean": mean}
    )
    better, worse = evaluation.baselines
    assert better.errors == dict.fromkeys(PARTS, 0.0)
    assert better.improvements["validation"].high == -np.inf
    assert worse.improvements["validation"].low > 0


def test_a_winner_that_cannot_be_repeated_is_an_error(rows: Table) -> None:
    (best,) = contenders([CONFIG], rows)
    with pytest.raises(RuntimeError, match=r"cannot be repeated: diverged"):
        winner.evaluate_winner(
            [replace(best, config=DIVERGING)], CONFIG, rows, PREPARED, Sweep(), baselines={}
        )


def test_the_folder_of_the_winner_is_what_train_writes(
    tmp_path: Path, rows: Table, trained: TrainedTrial
) -> None:
    table = PREPARED.parts["train"][["a", "b"]]
    model = winner.saved(trained, CONFIG, rows, PREPARED)
    winner.write_model(tmp_path / "model", model, PREPARED)
    predictor = Predictor(tmp_path / "model")
    assert (predictor.contract, predictor.encoding) == (PREPARED.contract, PREPARED.encoding)
    predicted = predictor.predict(table)["predicted"].to_numpy()
    expected = winner.predictions(trained, CONFIG, rows)["train"]
    assert predicted == pytest.approx(expected, rel=1e-5)
    rmse = np.sqrt(np.square(PREPARED.parts["train"]["y"] - predicted).mean())
    errors = winner.errors(trained, CONFIG, rows, Score.rmse)
    assert errors["train"] == pytest.approx(rmse, rel=1e-4)
    first = pd.read_csv(tmp_path / "model" / "first_prediction.csv")
    assert first[["a", "b"]].iloc[0].tolist() == pytest.approx(table.iloc[0].tolist())
    assert list(first.columns) == ["a", "b", "by_hand", "predicted", "difference"]
    initial = dense.initial_weights(MLP, 2, 3)
    for name, arrays in (("before", initial), ("after", trained.weights[0])):
        with np.load(tmp_path / "model" / f"weights_{name}.npz") as saved:
            for array, other in zip(saved.values(), arrays, strict=True):
                np.testing.assert_array_equal(array, other)
    history = pd.read_csv(tmp_path / "model" / "history.csv")
    np.testing.assert_allclose(history["loss"], trained.networks[0].history["loss"], rtol=1e-6)


def test_the_folder_of_the_ensemble_predicts(
    tmp_path: Path, rows: Table, combined: tuple[keras.Model, Evaluation]
) -> None:
    model, evaluation = combined
    winner.write_ensemble(tmp_path / "ensemble", model, PREPARED)
    table = PREPARED.parts["test"][["a", "b"]]
    predicted = Predictor(tmp_path / "ensemble").predict(table)["predicted"].to_numpy()
    rmse = np.sqrt(np.square(rows.true["test"] - predicted).mean())
    assert evaluation.errors["test"] == pytest.approx(rmse, rel=1e-4)


def test_the_table_has_a_row_for_each_model() -> None:
    table = evaluated([Evaluation("seed 4", {"train": 3.0})]).table()
    improvements = [f"improvement_validation{end}" for end in ("", "_low", "_high")]
    assert list(table.columns) == ["model", "train", "validation", *improvements]
    by_model = {row["model"]: [row[name] for name in improvements] for _, row in table.iterrows()}
    assert by_model.pop("least_squares") == [0.5, 0.25, 0.75]
    assert np.isnan(list(by_model.values())).all()
    assert table["model"].tolist() == ["winner", "ensemble of 3", "least_squares", "seed 4"]
    assert table["train"].tolist() == [1.0, 0.5, 6.0, 3.0]


def test_the_metrics_include_the_selection_bias() -> None:
    seeds = [
        Evaluation("seed 4", {"train": 1.0, "validation": 2.0}),
        Evaluation("seed 5", {"train": 3.0, "validation": 4.0}),
    ]
    without_seeds = {
        "winner_train_mae": 1.0,
        "winner_validation_mae": 2.0,
        "ensemble_train_mae": 0.5,
        "ensemble_validation_mae": 1.5,
        "least_squares_train_mae": 6.0,
        "least_squares_validation_mae": 7.0,
        "improvement_over_least_squares_validation": 0.5,
        "improvement_over_least_squares_validation_low": 0.25,
        "improvement_over_least_squares_validation_high": 0.75,
    }
    assert evaluated().metrics() == without_seeds
    assert evaluated(seeds).metrics() == without_seeds | {
        "seeds_train_mae_mean": 2.0,
        "seeds_train_mae_std": 1.0,
        "seeds_validation_mae_mean": 3.0,
        "seeds_validation_mae_std": 1.0,
        "optimism": 1.0,
    }
    infinite = {"validation": Improvement(*[-np.inf] * 3)}
    started = replace(evaluated(), start=Evaluation("start", {"train": 9.0}, infinite))
    assert started.metrics() == without_seeds | {"start_train_mae": 9.0}


@pytest.mark.parametrize(("compared", "beaten"), [(BETTER, True), (EQUAL, False)])
def test_the_start_is_beaten_beyond_the_interval(compared: Improvement, *, beaten: bool) -> None:
    start = Evaluation("start", {"validation": 4.0}, {"validation": compared})
    assert replace(evaluated(), start=start).beats_start == beaten
    assert evaluated().beats_start

"""Trials are trained in groups, each as if alone, and scored in the units of the target."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.compose.schema import Config, Pruning, Score
from pipeline.config.training import (
    SGD,
    Activation,
    Adam,
    Cosine,
    EarlyStopping,
    Layer,
    Loss,
    When,
)
from pipeline.network import dense, encoder, weights
from pipeline.network.backend import keras
from pipeline.sweep import trials
from pipeline.sweep.tables import Table, Tables, table
from pipeline.sweep.trials import Group, TrainedTrial
from tests.rows import small_windows
from tests.small import MLP, experiment, in_memory, prepared, with_log_target

PREPARED = prepared()
TABLES = Tables(PREPARED, experiment())
INPUT_HASHES = {"data/raw/table.csv": "c0ffee"}
FASTER, SLOWER, WILD = (SGD(learning_rate=rate) for rate in (0.1, 0.001, 1e20))


@pytest.fixture(scope="module")
def rows() -> Table:
    return TABLES.of(experiment())


def train(
    configs: list[Config], rows: Table, score: Score = Score.rmse, **options: Any
) -> list[TrainedTrial]:
    return trials.train_group(configs, rows, score=score, **options)


def with_layers(*changed: Layer) -> Config:
    return experiment(layers=list(changed))


def test_the_table_is_standardised_and_has_the_scale_of_the_target(rows: Table) -> None:
    (parts,) = rows.parts
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 20, "validation": 10, "test": 10,
    }  # fmt: skip
    target = PREPARED.parts["train"]["y"]
    assert [encoder.encoding for encoder in rows.encoders] == [PREPARED.encoding]
    assert rows.encoders[0].encoding.target.std == pytest.approx(target.std(ddof=0))
    assert in_memory(rows.parts[0]["train"]).y.std() == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(in_memory(rows.parts[0]["train"]).x.mean(axis=0), [0, 0], atol=1e-6)
    np.testing.assert_allclose(in_memory(rows.parts[0]["train"]).x.std(axis=0), [1, 1], rtol=1e-5)
    assert rows.scored_part == "validation"
    assert table(prepared(validation=0)).scored_part == "train"


@pytest.mark.parametrize("score", Score)
@pytest.mark.parametrize("validation", [0.25, 0.0])
@pytest.mark.parametrize("log", [False, True], ids=["standardized", "log"])
def test_a_score_is_that_of_the_saved_model_in_the_units_of_the_target(
    score: Score, validation: float, *, log: bool
) -> None:
    data = prepared(validation=validation)
    data = with_log_target(data) if log else data
    rows = table(data)
    (trained,) = train([experiment()], rows, score=score)
    built = dense.build(MLP, 2, seed=3)
    weights.assign(built, trained.weights[0])
    in_units = encoder.whole(encoder.layers(data.encoding), built, data.encoding.target)
    part = data.parts["validation" if validation else "train"]
    predicted = np.asarray(in_units(encoder.inputs(part, data.encoding)))[:, 0]
    residual = part["y"].to_numpy() - predicted
    rmse, mae = np.sqrt(np.square(residual).mean()), np.abs(residual).mean()
    expected = {Score.rmse: rmse, Score.mae: mae}[score]
    assert trained.result.score == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("activation", Activation)
def test_predictions_are_those_of_keras(activation: Activation, rows: Table) -> None:
    layers = [Layer(units=4, activation=activation), Layer(units=1)]
    built = dense.build(layers, 2, seed=5)
    x = in_memory(rows.parts[0]["train"]).x
    expected = built.predict(x, verbose=0)[:, 0]
    predicted = trials.predict_block(weights.of(built), layers, x)
    np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-5)


def test_a_trial_is_trained_as_if_it_were_alone(rows: Table) -> None:
    configs = [
        experiment(FASTER),
        replace(experiment(SLOWER, seed=4), schedule=Cosine()),
        experiment(layers=[replace(MLP[0], dropout=0.3, l2=0.01), MLP[1]]),
        experiment(FASTER, early_stopping=EarlyStopping(enabled=True, patience=1)),
    ]
    assert trials.group(configs, rows) == [[0, 1, 2, 3]]
    for config, in_group in zip(configs, train(configs, rows), strict=True):
        (alone,) = train([config], rows)
        assert in_group.result.score == pytest.approx(alone.result.score, rel=1e-4)
        assert in_group.result.epochs == alone.result.epochs
        np.testing.assert_allclose(in_group.curves, alone.curves, rtol=1e-4)


def test_trials_of_the_same_structure_are_a_group(rows: Table) -> None:
    relu = replace(MLP[0], activation=Activation.relu)
    configs = [
        experiment(),
        experiment(Adam(learning_rate=0.1)),
        experiment(layers=[replace(MLP[0], units=7), MLP[1]]),
        experiment(layers=[relu, MLP[1]]),
        experiment(layers=[Layer(units=1)]),
        experiment(loss=Loss.mae),
        experiment(epochs=7),
        experiment(batch_size=6),
        experiment(shuffle=False),
        experiment(xla=When.never),
        experiment(FASTER, seed=5),
        experiment(Adam(learning_rate=0.2, beta_1=0.5)),
    ]
    others = [[index] for index in range(2, 10)]
    assert trials.group(configs, rows) == [[0, 10], [1, 11], *others]
    # A stream has one order of rows, which belongs to one seed.
    streamed = table(PREPARED, When.always)
    assert trials.group(configs, streamed) == [[0], [1, 11], *others, [10]]
    assert trials.group([], rows) == []


@pytest.mark.parametrize(("count", "sizes"), [(1, [5]), (2, [3, 2]), (9, [1, 1, 1, 1, 1])])
def test_a_group_is_split_evenly_and_completely(count: int, sizes: list[int]) -> None:
    configs = {number: experiment(seed=number) for number in (8, 3, 5, 0, 6)}
    parts = [*Group(configs, Score.rmse, Pruning(), [0]).split(count)]
    assert [len(part.configs) for part in parts] == sizes
    assert [item for part in parts for item in part.configs.items()] == [*configs.items()]
    assert {(part.score, *part.never_pruned) for part in parts} == {(Score.rmse, 0)}


def test_a_group_needs_no_more_memory_than_its_bound(
    monkeypatch: pytest.MonkeyPatch, rows: Table
) -> None:
    configs = [experiment(seed=seed) for seed in range(7)]
    bound = 3 * trials.group_bytes(configs[0], rows)
    monkeypatch.setattr(trials, "MAX_GROUP_BYTES", bound)
    assert trials.group(configs, rows) == [[0, 1, 2], [3, 4, 5], [6]]
    monkeypatch.setattr(trials, "MAX_GROUP_BYTES", 1)
    assert trials.group(configs[:2], rows) == [[0], [1]]


@pytest.mark.parametrize(
    ("scores", "active", "factor", "expected"),
    [
        ([3.0, 1.0, 2.0, 4.0], [0, 1, 2, 3], 2, [0, 3]),
        ([3.0, 1.0, 2.0, 4.0], [0, 1, 2, 3], 3, [0, 3]),
        ([3.0, 1.0, 2.0, 4.0], [0, 1, 2, 3], 4, [2, 0, 3]),
        ([3.0, 1.0, 2.0, 4.0], [0, 3], 2, [3]),
        ([1.0, 1.0, 1.0, 1.0], [0, 1, 2, 3], 2, [2, 3]),
        ([1.0], [0], 3, []),
        ([], [], 3, []),
    ],
)
def test_one_in_factor_continues(
    scores: list[float], active: list[int], factor: int, expected: list[int]
) -> None:
    assert trials.worst(np.array(scores), active, factor) == expected


@pytest.mark.parametrize(
    ("first", "factor", "epochs", "expected"),
    [(10, 3, 100, [10, 30, 90]), (1, 2, 8, [1, 2, 4]), (10, 3, 10, []), (10, 3, 11, [10])],
)
def test_rungs_are_before_the_last_epoch(
    first: int, factor: int, epochs: int, expected: list[int]
) -> None:
    pruning = Pruning(first_epoch=first, factor=factor)
    assert list(trials.rung_epochs(pruning, epochs)) == expected


@pytest.mark.parametrize("validation", [0.25, 0.0])
def test_streamed_rows_give_the_same_results(
    monkeypatch: pytest.MonkeyPatch, validation: float
) -> None:
    small_windows(monkeypatch, rows=4, blocks=2)
    data = prepared(validation=validation)
    whole, streamed = (table(data, when) for when in (When.never, When.always))
    assert (whole.streaming, streamed.streaming) == (False, True)
    assert streamed.scored_part == whole.scored_part
    stopping = EarlyStopping(enabled=True, patience=1)
    configs = [experiment(FASTER), experiment(WILD), experiment(SLOWER, early_stopping=stopping)]
    pruning = Pruning(first_epoch=2, factor=2)
    pairs = zip(*(train(configs, rows, pruning=pruning) for rows in (whole, streamed)), strict=True)
    for one, other in pairs:
        score = other.result.score
        expected = None if score is None else pytest.approx(score, rel=1e-5)
        assert one.result == replace(other.result, score=expected)
        np.testing.assert_allclose(one.curves, other.curves, rtol=1e-5)


def test_rows_that_do_not_fit_into_memory_are_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not table(PREPARED, When.auto).streaming
    monkeypatch.setattr(
        "pipeline.dataset.prepared.inputs_fit_in_memory", lambda _rows, _inputs: False
    )
    assert table(PREPARED, When.auto).streaming
    assert not table(PREPARED, When.never).streaming


def test_pruning_stops_all_but_the_best_one_in_factor(rows: Table) -> None:
    rates = [0.1, 0.0001, 0.05, 0.0002, 0.08, 0.0003, 0.0004, 0.03]
    configs = [experiment(SGD(learning_rate=rate), epochs=9) for rate in rates]
    whole = train(configs, rows)
    pruned = train(configs, rows, pruning=Pruning(first_epoch=2, factor=2))
    losses = np.array([one.networks[0].history["validation_loss"] for one in whole])
    expected = dict.fromkeys(range(len(rates)), 9)
    active = list(expected)
    for rung in (2, 4, 8):
        ranked = sorted(active, key=lambda index: losses[index, :rung].min())
        active = ranked[: -(-len(ranked) // 2)]
        expected |= dict.fromkeys(ranked[len(active) :], rung)
    assert {index: one.result.epochs for index, one in enumerate(pruned)} == expected
    for one, other in zip(pruned, whole, strict=True):
        epochs, complete = one.result.epochs, one.result.epochs == 9
        state = ("complete", None) if complete else ("pruned", "pruned")
        assert (one.result.state, one.result.reason) == state
        np.testing.assert_allclose(one.curves, other.curves[:epochs], rtol=1e-4)
        assert one.result.score is not None
        if complete:
            assert one.result.score == pytest.approx(other.result.score, rel=1e-4)


def test_a_trial_that_is_kept_is_never_pruned(rows: Table) -> None:
    rates = [0.1, 0.0001, 0.05, 0.0002]
    configs = [experiment(SGD(learning_rate=rate), epochs=9) for rate in rates]
    pruned = train(configs, rows, pruning=Pruning(first_epoch=2, factor=2), kept=[1])
    assert [one.result.epochs for one in pruned] == [9, 9, 4, 2]
    assert pruned[1].result.state == "complete"


def test_no_trial_is_pruned_if_that_is_disabled(rows: Table) -> None:
    pruning = Pruning(enabled=False, first_epoch=1, factor=2)
    trained = train([experiment(FASTER), experiment(SLOWER)], rows, pruning=pruning)
    assert [one.result.state for one in trained] == ["complete", "complete"]


def test_all_trials_stop_when_time_is_over(rows: Table) -> None:
    trained = train([experiment(FASTER), experiment(SLOWER)], rows, out_of_time=lambda: True)
    results = [one.result for one in trained]
    assert {(one.state, one.reason) for one in results} == {("pruned", "out of time")}
    assert all(one.score is not None for one in results)


def test_a_trial_that_diverges_has_failed_and_the_others_are_complete(rows: Table) -> None:
    configs = [experiment(FASTER), experiment(WILD), experiment(SLOWER)]
    first, wild, last = train(configs, rows, pruning=Pruning(first_epoch=5, factor=2))
    assert (wild.result.state, wild.result.score, wild.weights) == ("failed", None, [])
    assert wild.result.reason is not None
    assert wild.result.reason.startswith("diverged: the loss became ")
    assert wild.result.epochs == len(wild.curves) < 6
    assert first.result.state == "complete"
    assert last.result.state == "pruned"
    alone = train([configs[0]], rows)[0]
    assert first.result.score == pytest.approx(alone.result.score, rel=1e-4)


@pytest.mark.parametrize("score", Score)
def test_a_logarithm_whose_exponential_overflows_is_a_failure(score: Score) -> None:
    rows = table(with_log_target(prepared()))
    far = experiment(SGD(learning_rate=300.0), loss=Loss.mae)
    (trained,) = train([far], rows, score=score)
    (last,) = trained.networks[0].history.tail(1).to_dict("records")
    assert np.isfinite(last["loss"])
    assert trained.result.state == "complete"
    further = experiment(SGD(learning_rate=1e4), loss=Loss.mae)
    near, wild = train([experiment(FASTER, loss=Loss.mae), further], rows, score=score)
    assert (wild.result.state, wild.result.score, wild.weights) == ("failed", None, [])
    assert wild.result.reason == f"diverged: the {score.value} became inf"
    assert wild.result.epochs == len(wild.curves) == 6
    assert near.result.state == "complete"


def test_the_lowest_loss_so_far_and_the_share_that_is_done_are_reported(rows: Table) -> None:
    reported: list[float] = []
    shares: list[float] = []

    def report(share: float, loss: float) -> None:
        shares.append(share)
        reported.append(loss)

    trained = train([experiment(FASTER), experiment(SLOWER)], rows, on_epochs=report)
    lowest = min(one.networks[0].history["validation_loss"].min() for one in trained)
    assert reported == sorted(reported, reverse=True)
    assert reported[-1] == pytest.approx(lowest)
    assert sum(shares) == pytest.approx(2)
    assert min(shares) > 0


def test_experiments_of_any_structure_are_trained_in_their_order(rows: Table) -> None:
    linear = experiment(layers=MLP[1:])
    trained = trials.train_all([linear, experiment(), experiment(WILD), linear], TABLES, Score.rmse)
    assert [[len(own) for own in one.weights] for one in trained] == [[2], [4], [], [2]]
    (alone,) = train([experiment()], rows)
    assert trained[1].result.score == pytest.approx(alone.result.score, rel=1e-4)
    assert trained[0].result == trained[3].result
    assert trained[2].result.state == "failed"


def test_training_again_gives_the_same_weights() -> None:
    one, again = (trials.train_all([experiment()], TABLES, Score.rmse)[0] for _ in range(2))
    assert again.result == one.result
    for array, other in zip(again.weights[0], one.weights[0], strict=True):
        np.testing.assert_array_equal(array, other)


def changed_in_one_thing() -> dict[str, Config]:
    return {
        "nothing": experiment(),
        "rate": experiment(FASTER),
        "optimizer": experiment(Adam(learning_rate=0.05)),
        "units": with_layers(replace(MLP[0], units=7), MLP[1]),
        "activation": with_layers(replace(MLP[0], activation=Activation.relu), MLP[1]),
        "dropout": with_layers(replace(MLP[0], dropout=0.1), MLP[1]),
        "depth": with_layers(*MLP, MLP[1]),
        "seed": experiment(seed=4),
        "epochs": experiment(epochs=7),
        "batch": experiment(batch_size=6),
        "loss": experiment(loss=Loss.huber),
        "stopping": experiment(early_stopping=EarlyStopping(enabled=True)),
        "schedule": replace(experiment(), schedule=Cosine()),
        "data": replace(experiment(), data=replace(experiment().data, path="other.csv")),
    }


def test_a_fingerprint_differs_with_each_setting() -> None:
    prints = {
        trials.fingerprint(config, INPUT_HASHES) for config in changed_in_one_thing().values()
    }
    assert len(prints) == len(changed_in_one_thing())
    assert trials.fingerprint(experiment(), INPUT_HASHES) in prints


def test_a_fingerprint_differs_with_data_and_code() -> None:
    others = [{}, {"data/raw/table.csv": "beef"}, {**INPUT_HASHES, "pipeline/network.py": "c0ffee"}]
    prints = {trials.fingerprint(experiment(), hashes) for hashes in (INPUT_HASHES, *others)}
    assert len(prints) == 4


def test_a_fingerprint_ignores_names_and_the_sweep() -> None:
    named = experiment()
    named.conf.model, named.conf.sweep = "mlp", "default"
    named.sweep.trials, named.tracking.enabled = 9, False
    assert trials.fingerprint(named, INPUT_HASHES) == trials.fingerprint(experiment(), INPUT_HASHES)


def test_another_seed_is_all_that_changes() -> None:
    assert trials.with_seed(experiment(), 8) == experiment(seed=8)


def test_early_stopping_keeps_the_best_epoch_s_weights(rows: Table) -> None:
    stopping = EarlyStopping(enabled=True, patience=3)
    config = experiment(SGD(learning_rate=0.4), epochs=30, early_stopping=stopping)
    (trained,) = train([config], rows)
    losses = trained.networks[0].history["validation_loss"]
    assert losses.argmin() < len(losses) - 1
    part = in_memory(rows.parts[0]["validation"])
    predicted = trials.predict_block(trained.weights[0], MLP, part.x)
    loss = float(keras.losses.MeanSquaredError()(part.y[:, 0], predicted))
    assert loss == pytest.approx(losses.min(), rel=1e-4)

"""Trials are trained in groups, each as if alone, and scored in the target's units."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.compose.schema import Config, Pruning, Score
from pipeline.config.training import (
    SGD,
    Activation,
    Adam,
    BiasInitializer,
    Cosine,
    EarlyStopping,
    KernelInitializer,
    Layer,
    Loss,
    When,
)
from pipeline.network import dense, encoder, weights
from pipeline.network.backend import keras
from pipeline.sweep import trials
from pipeline.sweep.trials import Outcome, Table
from tests.small import MLP, experiment, held, learning_the_logarithm, prepared, small_windows

# TensorFlow's variables do not take NumPy 2's copy argument, and Keras reads them so.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PREPARED = prepared()
MADE_OF = {"data/raw/table.csv": "c0ffee"}
FASTER, SLOWER, WILD = (SGD(learning_rate=rate) for rate in (0.1, 0.001, 1e20))


@pytest.fixture(scope="module")
def rows() -> Table:
    return trials.table(PREPARED)


def train(configs: list[Config], rows: Table, **changed: Any) -> list[Outcome]:
    usual: dict[str, Any] = {"score": Score.rmse}
    return trials.train(configs, rows, **(usual | changed))


def with_layers(*changed: Layer) -> Config:
    return experiment(layers=list(changed))


def test_the_table_is_standardised_and_knows_the_target_s_unit(rows: Table) -> None:
    assert {name: len(part) for name, part in rows.parts.items()} == {
        "train": 20, "validation": 10, "test": 10,
    }  # fmt: skip
    target = PREPARED.parts["train"]["y"]
    assert rows.target == PREPARED.encoding.target
    assert rows.target.std == pytest.approx(target.std(ddof=0))
    assert held(rows.parts["train"]).y.std() == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(held(rows.parts["train"]).x.mean(axis=0), [0, 0], atol=1e-6)
    np.testing.assert_allclose(held(rows.parts["train"]).x.std(axis=0), [1, 1], rtol=1e-5)
    assert rows.judged == "validation"
    assert trials.table(prepared(validation=0)).judged == "train"


@pytest.mark.parametrize("layers", [MLP, [Layer(units=1)]], ids=["mlp", "linear"])
@pytest.mark.parametrize("score", Score)
@pytest.mark.parametrize("validation", [0.25, 0.0])
@pytest.mark.parametrize("log", [False, True], ids=["standardized", "log"])
def test_a_score_is_that_of_the_saved_model_in_the_target_s_units(
    layers: list[Layer], score: Score, validation: float, *, log: bool
) -> None:
    table = prepared(validation=validation)
    table = learning_the_logarithm(table) if log else table
    rows = trials.table(table)
    (outcome,) = train([experiment(layers=layers)], rows, score=score)
    built = dense.build(layers, 2, seed=3)
    weights.assign(built, outcome.weights)
    in_units = encoder.whole(encoder.layers(table.encoding), built, table.encoding.target)
    part = table.parts["validation" if validation else "train"]
    predicted = np.asarray(in_units(encoder.inputs(part, table.encoding)))[:, 0]
    residual = part["y"].to_numpy() - predicted
    rmse, mae = np.sqrt(np.square(residual).mean()), np.abs(residual).mean()
    assert outcome.score == pytest.approx({Score.rmse: rmse, Score.mae: mae}[score], rel=1e-4)


@pytest.mark.parametrize("activation", Activation)
def test_answers_are_those_of_the_network(activation: Activation, rows: Table) -> None:
    layers = [Layer(units=4, activation=activation), Layer(units=1)]
    built = dense.build(layers, 2, seed=5)
    x = held(rows.parts["train"]).x
    expected = built.predict(x, verbose=0)[:, 0]
    answers = trials.answers(weights.of(built), layers, x)
    np.testing.assert_allclose(answers, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("initializer", KernelInitializer)
def test_initial_weights_are_those_that_build_begins_with(initializer: KernelInitializer) -> None:
    value = 0.5 if initializer is KernelInitializer.constant else None
    layers = [
        Layer(units=4, kernel_initializer=initializer, kernel_value=value),
        Layer(units=1, bias_initializer=BiasInitializer.ones),
    ]
    expected = weights.of(dense.build(layers, 2, seed=9))
    for array, other in zip(dense.initial_weights(layers, 2, 9), expected, strict=True):
        np.testing.assert_array_equal(array, other)


def test_a_trial_is_trained_as_if_it_were_alone(rows: Table) -> None:
    configs = [
        experiment(FASTER),
        replace(experiment(SLOWER, seed=4), schedule=Cosine()),
        experiment(layers=[replace(MLP[0], dropout=0.3, l2=0.01), MLP[1]]),
        experiment(FASTER, early_stopping=EarlyStopping(enabled=True, patience=1)),
    ]
    assert trials.grouped(configs, streaming=False) == [[0, 1, 2, 3]]
    for config, together in zip(configs, train(configs, rows), strict=True):
        (alone,) = train([config], rows)
        assert together.score == pytest.approx(alone.score, rel=1e-4)
        assert together.epochs == alone.epochs
        np.testing.assert_allclose(together.curves, alone.curves, rtol=1e-4)


def test_a_structure_is_a_group() -> None:
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
    others = [[place] for place in range(2, 10)]
    assert trials.grouped(configs, streaming=False) == [[0, 10], [1, 11], *others]
    # One reading of the rows serves one seed.
    assert trials.grouped(configs, streaming=True) == [[0], [1, 11], *others, [10]]
    assert trials.grouped([], streaming=False) == []


@pytest.mark.parametrize(
    ("scores", "going_on", "factor", "expected"),
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
def test_one_in_factor_goes_on(
    scores: list[float], going_on: list[int], factor: int, expected: list[int]
) -> None:
    assert trials.weakest(np.array(scores), going_on, factor) == expected


@pytest.mark.parametrize(
    ("first", "factor", "epochs", "expected"),
    [(10, 3, 100, [10, 30, 90]), (1, 2, 8, [1, 2, 4]), (10, 3, 10, []), (10, 3, 11, [10])],
)
def test_rungs_are_before_the_last_epoch(
    first: int, factor: int, epochs: int, expected: list[int]
) -> None:
    pruning = Pruning(first_epoch=first, factor=factor)
    assert list(trials.rungs_of(pruning, epochs)) == expected


@pytest.mark.parametrize("validation", [0.25, 0.0])
def test_rows_encoded_when_they_are_asked_for_give_the_same_outcomes(
    monkeypatch: pytest.MonkeyPatch, validation: float
) -> None:
    small_windows(monkeypatch, rows=4, blocks=2)
    made = prepared(validation=validation)
    whole, streamed = (trials.table(made, when) for when in (When.never, When.always))
    assert (whole.streaming, streamed.streaming) == (False, True)
    assert streamed.judged == whole.judged
    stopping = EarlyStopping(enabled=True, patience=1)
    configs = [experiment(FASTER), experiment(WILD), experiment(SLOWER, early_stopping=stopping)]
    pruning = Pruning(first_epoch=2, factor=2)
    pairs = zip(*(train(configs, rows, pruning=pruning) for rows in (whole, streamed)), strict=True)
    for one, other in pairs:
        assert (one.state, one.reason, one.epochs) == (other.state, other.reason, other.epochs)
        np.testing.assert_allclose(one.curves, other.curves, rtol=1e-5)
        assert one.score == (None if other.score is None else pytest.approx(other.score, rel=1e-5))


def test_rows_are_held_where_there_is_memory_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not trials.table(PREPARED, When.auto).streaming
    monkeypatch.setattr(
        "pipeline.dataset.prepared.inputs_fit_in_memory", lambda _rows, _inputs: False
    )
    assert trials.table(PREPARED, When.auto).streaming
    assert not trials.table(PREPARED, When.never).streaming


def test_pruning_gives_up_all_but_the_best_one_in_factor(rows: Table) -> None:
    rates = [0.1, 0.0001, 0.05, 0.0002, 0.08, 0.0003, 0.0004, 0.03]
    configs = [experiment(SGD(learning_rate=rate), epochs=9) for rate in rates]
    whole = train(configs, rows)
    pruned = train(configs, rows, pruning=Pruning(first_epoch=2, factor=2))
    losses = np.array([one.history["validation_loss"] for one in whole])
    expected = dict.fromkeys(range(len(rates)), 9)
    going_on = list(expected)
    for rung in (2, 4, 8):
        ranked = sorted(going_on, key=lambda place: losses[place, :rung].min())
        going_on = ranked[: -(-len(ranked) // 2)]
        expected |= dict.fromkeys(ranked[len(going_on) :], rung)
    assert {place: one.epochs for place, one in enumerate(pruned)} == expected
    for one, other in zip(pruned, whole, strict=True):
        state = ("complete", None) if one.epochs == 9 else ("pruned", "pruned")
        assert (one.state, one.reason) == state
        np.testing.assert_allclose(one.curves, other.curves[: one.epochs], rtol=1e-4)
        assert one.score is not None
        if one.state == "complete":
            assert one.score == pytest.approx(other.score, rel=1e-4)


def test_nobody_is_pruned_where_that_is_off(rows: Table) -> None:
    pruning = Pruning(enabled=False, first_epoch=1, factor=2)
    outcomes = train([experiment(FASTER), experiment(SLOWER)], rows, pruning=pruning)
    assert [one.state for one in outcomes] == ["complete", "complete"]


def test_all_are_given_up_when_the_time_is_over(rows: Table) -> None:
    outcomes = train([experiment(FASTER), experiment(SLOWER)], rows, out_of_time=lambda: True)
    assert {(one.state, one.reason) for one in outcomes} == {("pruned", "out of time")}
    assert all(one.score is not None for one in outcomes)


def test_a_trial_that_diverges_has_failed_and_the_others_are_complete(rows: Table) -> None:
    configs = [experiment(FASTER), experiment(WILD), experiment(SLOWER)]
    first, wild, last = train(configs, rows, pruning=Pruning(first_epoch=5, factor=2))
    assert (wild.state, wild.score, wild.weights) == ("failed", None, [])
    assert wild.reason is not None
    assert wild.reason.startswith("diverged: the loss became ")
    assert wild.epochs == len(wild.curves) < 6
    assert first.state == "complete"
    assert last.state == "pruned"
    alone = train([configs[0]], rows)[0]
    assert first.score == pytest.approx(alone.score, rel=1e-4)


@pytest.mark.parametrize("score", Score)
def test_a_logarithm_too_great_for_any_number_is_a_failure(score: Score) -> None:
    rows = trials.table(learning_the_logarithm(prepared()))
    far = experiment(SGD(learning_rate=300.0), loss=Loss.mae)
    (outcome,) = train([far], rows, score=score)
    (last,) = outcome.history.tail(1).to_dict("records")
    assert np.isfinite(last["loss"])
    assert outcome.state == "complete"
    further = experiment(SGD(learning_rate=1e4), loss=Loss.mae)
    near, wild = train([experiment(FASTER, loss=Loss.mae), further], rows, score=score)
    assert (wild.state, wild.score, wild.weights) == ("failed", None, [])
    assert wild.reason == f"diverged: the {score.value} became inf"
    assert wild.epochs == len(wild.curves) == 6
    assert near.state == "complete"


def test_the_epochs_are_told_of(rows: Table) -> None:
    told: list[tuple[int, float]] = []
    outcomes = train(
        [experiment(FASTER), experiment(SLOWER)],
        rows,
        on_epochs=lambda epochs, best: told.append((epochs, best)),
    )
    assert sum(epochs for epochs, _ in told) == 6
    least = min(one.history["validation_loss"].min() for one in outcomes)
    assert told[-1][1] == pytest.approx(least)


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
    prints = {trials.fingerprint(config, MADE_OF) for config in changed_in_one_thing().values()}
    assert len(prints) == len(changed_in_one_thing())
    assert trials.fingerprint(experiment(), MADE_OF) in prints


def test_a_fingerprint_differs_with_data_and_code() -> None:
    others = [{}, {"data/raw/table.csv": "beef"}, {**MADE_OF, "pipeline/network.py": "c0ffee"}]
    prints = {trials.fingerprint(experiment(), made_of) for made_of in (MADE_OF, *others)}
    assert len(prints) == 4


def test_a_fingerprint_is_not_of_names_nor_of_the_search() -> None:
    named = experiment()
    named.conf.model, named.conf.sweep = "mlp", "default"
    named.sweep.trials, named.tracking.enabled = 9, False
    assert trials.fingerprint(named, MADE_OF) == trials.fingerprint(experiment(), MADE_OF)


def test_another_seed_is_all_that_changes() -> None:
    assert trials.with_seed(experiment(), 8) == experiment(seed=8)


def test_early_stopping_keeps_the_best_epoch_s_weights(rows: Table) -> None:
    stopping = EarlyStopping(enabled=True, patience=3)
    config = experiment(SGD(learning_rate=0.4), epochs=30, early_stopping=stopping)
    (outcome,) = train([config], rows)
    losses = outcome.history["validation_loss"]
    assert losses.argmin() < len(losses) - 1
    part = held(rows.parts["validation"])
    predicted = trials.answers(outcome.weights, MLP, part.x)
    loss = float(keras.losses.MeanSquaredError()(part.y[:, 0], predicted))
    assert loss == pytest.approx(losses.min(), rel=1e-4)

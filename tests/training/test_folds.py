"""Folds trained as one group give the numbers of each fold trained alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config.training import (
    SGD,
    Activation,
    Adam,
    AdamW,
    Cosine,
    EarlyStopping,
    Layer,
    Model,
    Optimizer,
    RMSprop,
    Training,
    TrainingConfig,
    When,
)
from pipeline.dataset import prepared
from pipeline.dataset.encoding import Category, Encoding, Number, Target
from pipeline.dataset.folds import Folds
from pipeline.dataset.prepared import TrainingFiles
from pipeline.dataset.rows import Part
from pipeline.network.encoder import Encoder
from pipeline.runtime.errors import UserError
from pipeline.training.fitting import Fitted, summary
from pipeline.training.rows import of_folds, of_parts, read
from pipeline.training.train import refit, train

COUNT = 41
RANDOM = np.random.default_rng(7)
A, B = RANDOM.normal(size=COUNT), RANDOM.choice(["u", "v", "w"], COUNT)
TABLE = pd.DataFrame({"a": A, "b": B, "y": np.exp(np.sin(2 * A) + (B == "u"))})
# Three folds of sizes 20, 13 and 8; with batches of 7 their networks take 3, 4 and 5 steps.
HELD_OUT = np.repeat([1, 2, 3], [20, 13, 8])[RANDOM.permutation(COUNT)][:, np.newaxis]
LAYERS = [Layer(units=5, activation=Activation.tanh, dropout=0.2, l2=0.01), Layer(units=1)]


def encoding(number: int, *, log: bool = False) -> Encoding:
    """Differs between folds in its scaling and in the number of its inputs."""
    categories = {"b": Category(["u", "v", "w"][:number], other=number < 3)}
    target = Target("y", log=log, mean=0.1 * number, std=0.5 + number)
    return Encoding({"a": Number(0.0, number == 2, 0.1 * number, 1.5)}, categories, {}, target)


def folds(*, log: bool = False, **changed: Any) -> Folds:
    encodings = [encoding(number, log=log) for number in (1, 2, 3)]
    return replace(Folds(HELD_OUT.astype(np.int32), 3, encodings=encodings), **changed)


def config(optimizer: Optimizer | None = None, **training: Any) -> TrainingConfig:
    defaults: dict[str, Any] = {"epochs": 4, "batch_size": 7, "seed": 3, "xla": When.never}
    return TrainingConfig(
        Model(LAYERS), optimizer or Adam(learning_rate=0.03), Cosine(),
        Training(**(defaults | training)),
    )  # fmt: skip


def alone(one: TrainingConfig, divided: Folds, number: int) -> Fitted:
    """The network of a fold (from 0), trained on its rows as a table of their own."""
    fold = divided.rows(number)
    encoder = Encoder(divided.encodings[number])
    train_part, validation = (
        encoder.part(TABLE.iloc[rows]) for rows in (fold.train, fold.validation)
    )
    seed = one.training.seed + fold.repeat
    one = replace(one, training=replace(one.training, seed=seed))
    ((fitted,),) = train([one], of_parts(train_part, validation, encoder.encoding))
    return fitted


def assert_same(one: Fitted, other: Fitted) -> None:
    pd.testing.assert_frame_equal(one.history, other.history, rtol=1e-5, atol=1e-7)
    for array, expected in zip(one.weights, other.weights, strict=True):
        assert array.shape == expected.shape
        np.testing.assert_allclose(array, expected, rtol=1e-4, atol=1e-6)


def assert_as_alone(configs: list[TrainingConfig], divided: Folds) -> None:
    together = train(configs, of_folds(TABLE, divided))
    for one, fitted in zip(configs, together, strict=True):
        assert len(fitted) == divided.count
        for number in range(divided.count):
            assert_same(fitted[number], alone(one, divided, number))


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(learning_rate=0.02, momentum=0.9),
        Adam(learning_rate=0.03),
        AdamW(learning_rate=0.03, weight_decay=0.1),
        RMSprop(learning_rate=0.01),
    ],
    ids=lambda one: str(one.name),
)
def test_each_fold_s_network_is_the_one_trained_alone(optimizer: Optimizer) -> None:
    assert_as_alone([config(optimizer)], folds())


def test_several_configurations_share_the_group_of_all_folds() -> None:
    assert_as_alone([config(Adam(learning_rate=rate)) for rate in (0.01, 0.05)], folds())


def test_a_logarithm_is_scaled_by_each_fold_s_encoding() -> None:
    assert_as_alone([config()], folds(log=True))


def test_xla_gives_the_same_numbers() -> None:
    assert_as_alone([config(xla=When.always, epochs=2)], folds())


def test_rows_in_their_order_stay_in_it() -> None:
    assert_as_alone([config(shuffle=False)], folds())


def test_a_batch_as_large_as_the_table_has_each_fold_s_rows() -> None:
    assert_as_alone([config(batch_size=100)], folds())


def test_each_fold_stops_and_keeps_its_best_epoch_by_itself() -> None:
    stopping = EarlyStopping(enabled=True, patience=3)
    one = config(SGD(learning_rate=0.05), epochs=20, early_stopping=stopping)
    (fitted,) = train([one], of_folds(TABLE, folds()))
    assert len({len(fold.history) for fold in fitted}) > 1
    assert_as_alone([one], folds())


def test_folds_that_share_early_stopping_keep_the_epoch_of_the_lowest_mean_loss() -> None:
    stopping = EarlyStopping(enabled=True, patience=3, shared=True)
    rates = (0.05, 0.02)
    configs = [
        config(SGD(learning_rate=rate), epochs=20, early_stopping=stopping) for rate in rates
    ]
    divided = folds()
    rows = of_folds(TABLE, divided)
    plain = [replace(one, training=replace(one.training, early_stopping=EarlyStopping()))
             for one in configs]  # fmt: skip
    sizes = [len(fold.validation) for fold in divided]
    for stopped, whole in zip(train(configs, rows), train(plain, rows), strict=True):
        losses = np.average(
            [one.history["validation_loss"] for one in whole], axis=0, weights=sizes
        )
        (kept,) = {int(one.history["epoch"][one.history["kept"]].iloc[0]) for one in stopped}
        (trained,) = {len(one.history) for one in stopped}
        assert kept == int(losses[:trained].argmin()) + 1
        assert trained == min(kept + 3, 20)
        for one, other in zip(stopped, whole, strict=True):
            np.testing.assert_allclose(
                one.history["validation_loss"], other.history["validation_loss"][:trained],
                rtol=1e-5,
            )  # fmt: skip


def test_repeats_have_seeds_of_their_own() -> None:
    held_out = np.column_stack([HELD_OUT[:, 0], HELD_OUT[::-1, 0] + 3]).astype(np.int32)
    encodings = [encoding(number) for number in (1, 2, 3)] * 2
    divided = Folds(held_out, 6, encodings=encodings)
    assert [fold.repeat for fold in divided] == [0, 0, 0, 1, 1, 1]
    assert_as_alone([config(epochs=2)], divided)


def test_expanding_folds_are_trained_on_the_rows_before_them() -> None:
    held_out = np.repeat([0, 1, 2, 3], [11, 10, 10, 10])[:, np.newaxis].astype(np.int32)
    divided = folds(held_out=held_out, expanding=True)
    assert [(len(fold.train), int(fold.validation[0])) for fold in divided] == [
        (11, 11),
        (21, 21),
        (31, 31),
    ]
    assert_as_alone([config()], divided)


def test_what_a_fold_holds_out_does_not_change_its_network() -> None:
    one, divided = config(), folds()
    changed = TABLE.copy()
    held_out = divided.rows(1).validation
    changed.loc[held_out, "a"] *= -3
    changed.loc[held_out, "y"] = 1.0
    before, after = (train([one], of_folds(table, divided))[0][1] for table in (TABLE, changed))
    for array, expected in zip(before.weights, after.weights, strict=True):
        np.testing.assert_array_equal(array, expected)
    assert (before.history["loss"] == after.history["loss"]).all()
    assert (before.history["validation_loss"] != after.history["validation_loss"]).all()


def test_a_fold_that_diverges_leaves_the_others_alone() -> None:
    divided = folds()
    broken = replace(divided.encodings[1], target=Target("y", std=1e-30))
    divided = replace(divided, encodings=[divided.encodings[0], broken, divided.encodings[2]])
    (fitted,) = train([config(SGD(learning_rate=0.02))], of_folds(TABLE, divided))
    assert [one.diverged is None for one in fitted] == [True, False, True]
    assert_same(fitted[2], alone(config(SGD(learning_rate=0.02)), divided, 2))


def test_folds_that_do_not_fit_into_memory_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.dataset.prepared.inputs_fit_in_memory", lambda *_: False)
    with pytest.raises(UserError) as caught:
        of_folds(TABLE, folds())
    assert str(caught.value) == (
        "data.split.folds: 41 rows of 5 inputs need 0.0 GB of memory in 3 folds, more than is"
        " free; lower it, or set data.split.folds=0 to train on one part"
    )


def test_the_network_of_all_rows_is_trained_for_the_median_of_the_kept_epochs() -> None:
    stopping = EarlyStopping(enabled=True, patience=3)
    one = config(SGD(learning_rate=0.05), epochs=20, early_stopping=stopping)
    (fitted,) = train([one], of_folds(TABLE, folds()))
    kept = sorted(int(fold.history["epoch"][fold.history["kept"]].iloc[0]) for fold in fitted)
    whole = of_parts(Encoder(encoding(3)).part(TABLE), None, encoding(3))
    refitted = refit(one, fitted, whole)
    assert len(refitted.history) == kept[1]
    assert refitted.history["kept"].tolist() == [False] * (kept[1] - 1) + [True]
    # The schedule is that of all configured epochs.
    plain = replace(one, training=replace(one.training, early_stopping=EarlyStopping()))
    ((longer,),) = train([plain], whole)
    np.testing.assert_allclose(
        refitted.history["loss"], longer.history["loss"].head(kept[1]), rtol=1e-6
    )


def test_the_summary_has_the_range_of_epochs_and_of_kept_losses() -> None:
    histories = [
        pd.DataFrame({"epoch": [1, 2], "validation_loss": [0.5, 0.25], "kept": [False, True]}),
        pd.DataFrame({"epoch": [1], "validation_loss": [0.75], "kept": [True]}),
    ]
    assert summary([Fitted([], history, None) for history in histories]) == (
        "trained 2 networks for 1 to 2 epochs: mean validation loss 0.5, from 0.25 to 0.75"
    )


def test_folds_are_not_streamed() -> None:
    with pytest.raises(UserError, match=r"^training\.streaming: always needs data\.split\.folds=0"):
        of_folds(TABLE, folds(), When.always)


def test_folds_are_read_from_the_training_part(tmp_path: Path) -> None:
    prepared.write(TABLE, tmp_path / "train.parquet", inputs=5)
    train, none = tmp_path / "train.parquet", tmp_path / "none"
    rows = read(TrainingFiles(encoding(1), folds(), "", train, none), When.auto)
    expected = of_folds(TABLE, folds())
    assert isinstance(rows.rows, Part)
    assert isinstance(expected.rows, Part)
    np.testing.assert_array_equal(rows.rows.x, expected.rows.x)
    assert rows.counts == [21, 28, 33]


def test_equal_numbers_of_epochs_are_printed_once() -> None:
    history = pd.DataFrame({"epoch": [1], "validation_loss": [0.75], "kept": [True]})
    line = summary([Fitted([], history, None)] * 2)
    assert line.startswith("trained 2 networks for 1 epochs: ")

"""A batch of trials is one file, and comes back from it as it was."""

import os
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.dataset.curves import CURVES
from pipeline.tracking.trial_files import Curves, Record, batches, read_batch, write_batch

RECORD = Record(
    number=3,
    state="complete",
    score=0.1 + 0.2,
    epochs=2,
    reason=None,
    fingerprint="c0ffee",
    values={"optimizer.learning_rate": 1.2345678901234567e-05, "model": "mlp"},
    configuration={"training.epochs": 2, "training.shuffle": True, "optimizer.clipnorm": None},
    began=1_700_000_000.25,
    ended=1_700_000_001.5,
    curves=np.array([[2.0, 1.0, np.nan, np.nan, 0.01], [1.0, 0.5, np.nan, np.nan, 0.01]], "f4"),
)
FAILED = replace(
    RECORD, number=11, state="failed", score=None, epochs=0, reason="diverged: größer als möglich",
    fingerprint="decaf",
    curves=np.zeros((0, len(CURVES)), "f4"),
)  # fmt: skip


def assert_same(one: Record, other: Record) -> None:
    for item in fields(Record):
        if item.name != "curves":
            assert getattr(one, item.name) == getattr(other, item.name)
    np.testing.assert_array_equal(one.curves, other.curves)
    assert one.curves.dtype == other.curves.dtype


def test_a_batch_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = write_batch(tmp_path / "spring", [RECORD, FAILED])
    assert path.parent == tmp_path / "spring" / "batches"
    first, second = read_batch(path)
    assert_same(first, RECORD)
    assert_same(second, FAILED)


def test_a_trial_without_an_epoch_has_curves_without_rows(tmp_path: Path) -> None:
    (only,) = read_batch(write_batch(tmp_path, [FAILED]))
    assert only.curves.shape == (0, len(CURVES))


def test_batches_come_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    written = [write_batch(tmp_path, [replace(RECORD, number=number)]) for number in range(6)]
    for age, path in enumerate(written):
        os.utime(path, (age, age))
    assert list(batches(tmp_path)) == written


def test_a_folder_without_batches_has_none(tmp_path: Path) -> None:
    assert list(batches(tmp_path / "none")) == []


def test_curves_are_found_in_any_sweep_whenever_they_were_written(tmp_path: Path) -> None:
    sweeps = Curves(tmp_path)
    assert sweeps.of(RECORD.fingerprint).shape == (0, len(CURVES))
    later = replace(RECORD, number=7, fingerprint="later", curves=RECORD.curves + 1)
    # What was not trained itself has no say, nor what failed.
    empty = replace(RECORD, number=8, curves=RECORD.curves[:0])
    write_batch(tmp_path / "spring", [FAILED, RECORD])
    np.testing.assert_array_equal(sweeps.of(RECORD.fingerprint), RECORD.curves)
    write_batch(tmp_path / "summer", [empty, later])
    np.testing.assert_array_equal(sweeps.of("later"), later.curves)
    np.testing.assert_array_equal(sweeps.of(RECORD.fingerprint), RECORD.curves)
    assert sweeps.of(FAILED.fingerprint).shape == (0, len(CURVES))


def test_a_batch_that_is_cut_short_is_not_there(tmp_path: Path) -> None:
    endless = replace(RECORD, values={"model": object()})
    with pytest.raises(TypeError):
        write_batch(tmp_path, [endless])
    assert list(batches(tmp_path)) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

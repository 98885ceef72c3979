"""A training that is interrupted goes on as if it had not been."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config.data import Split
from pipeline.config.training import Adam, EarlyStopping, TrainingConfig
from pipeline.sweep.tables import table
from pipeline.training import checkpoints
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.cost import Cost
from pipeline.training.fitting import Fitted
from pipeline.training.train import train
from tests.small import MLP, experiment, prepared

EPOCHS = 12
DROPOUT = [replace(MLP[0], dropout=0.3), MLP[1]]
SHARED = EarlyStopping(enabled=True, patience=3, shared=True)
# Some of these networks end long before the others.
APART = EarlyStopping(enabled=True, patience=1, min_delta=0.02)


@pytest.fixture(autouse=True)
def _each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after each epoch, and members that have finished leave the group at once."""
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "TIMES_ITS_COST", 0)
    monkeypatch.setattr(Cost, "epochs_per_call", lambda *_, **__: 1)
    monkeypatch.setattr(Cost, "shrinking_pays", lambda cost, left, *_, **__: left < cost.members)


class Interrupted(Exception):  # noqa: N818 - no error of the training
    pass


class Recorder:
    """The epochs that are reported; interrupts after one of them."""

    def __init__(self, last: int) -> None:
        self.epochs: list[int] = []
        self.losses: list[float] = []
        self._last = last

    def __call__(self, first: int, curves: dict[str, Any]) -> Iterable[int] | None:
        self.epochs += range(first, first + len(curves["loss"]))
        self.losses += np.nanmean(curves["loss"], axis=1).tolist()
        if self.epochs[-1] == self._last:
            raise Interrupted
        return None


def trained(config: TrainingConfig, folds: int, at: Path | None, last: int = 0) -> list[Fitted]:
    rows = table(prepared(folds=Split(folds=folds))).rows
    saved = Checkpoints(at, "fingerprint") if at else None
    (fitted,) = train([config], rows, on_epochs=Recorder(last), checkpoints=saved)
    return fitted


@pytest.mark.parametrize("folds", [0, 4])
@pytest.mark.parametrize(
    "stopping", [EarlyStopping(), SHARED, APART], ids=["none", "shared", "own"]
)
def test_the_result_is_that_of_an_uninterrupted_training_bit_for_bit(
    folds: int, stopping: EarlyStopping, tmp_path: Path
) -> None:
    config = experiment(Adam(learning_rate=0.05), DROPOUT, epochs=EPOCHS, early_stopping=stopping)
    whole = trained(config, folds, None)
    longest = max(len(one.history) for one in whole)
    for last in (1, longest // 2, longest - 1):
        with pytest.raises(Interrupted):
            trained(config, folds, tmp_path, last)
    for one, other in zip(trained(config, folds, tmp_path), whole, strict=True):
        assert one.history.equals(other.history)
        for weights, expected in zip(one.weights, other.weights, strict=True):
            assert weights.tobytes() == expected.tobytes()


def test_each_epoch_is_reported_once(tmp_path: Path) -> None:
    rows = table(prepared()).rows
    recorders = [Recorder(5), Recorder(0), Recorder(0)]
    with pytest.raises(Interrupted):
        train([experiment(epochs=EPOCHS)], rows, on_epochs=recorders[0],
              checkpoints=Checkpoints(tmp_path, "a"))  # fmt: skip
    lines: list[str] = []
    saved = Checkpoints(tmp_path, "a", lines.append)
    train([experiment(epochs=EPOCHS)], rows, on_epochs=recorders[1], checkpoints=saved)
    train([experiment(epochs=EPOCHS)], rows, on_epochs=recorders[2])
    assert lines == ["going on after epoch 4, where it was interrupted"]
    assert recorders[1].epochs == recorders[2].epochs == [*range(1, EPOCHS + 1)]
    assert recorders[1].losses == recorders[2].losses
    saved.remove()
    assert [*tmp_path.iterdir()] == []


def test_of_a_damaged_one_the_one_before_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = Checkpoints(tmp_path, "a")
    for epoch in (9, 10, 11):
        saved.save(epoch, {"epoch": np.array(epoch)})
    assert {path.name for path in tmp_path.iterdir()} == {"a-10.npz", "a-11.npz"}
    content = (tmp_path / "a-11.npz").read_bytes()
    for cut in range(0, len(content), 40):
        (tmp_path / "a-11.npz").write_bytes(content[:cut])
        loaded = saved.load()
        assert loaded is not None
        assert loaded["epoch"] == 10
        assert "a-11.npz: is damaged" in capsys.readouterr().err


def test_trainings_that_were_never_repeated_do_not_fill_the_disk(tmp_path: Path) -> None:
    for name in "abcdefghijkl":
        for epoch in (1, 2, 3):
            Checkpoints(tmp_path, name).save(epoch, {"epoch": np.array(epoch)})
    assert len([*tmp_path.iterdir()]) == checkpoints.MAX_FILES


def test_those_of_another_version_or_training_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Checkpoints(tmp_path, "a").save(1, {"epoch": np.array(1)})
    assert Checkpoints(tmp_path, "b").load() is None
    monkeypatch.setattr("importlib.metadata.version", lambda _name: "3.0")
    assert Checkpoints(tmp_path, "a").load() is None


def test_a_full_disk_costs_the_checkpoint_and_not_the_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").write_text("in the way")
    Checkpoints(tmp_path / "folder", "a").save(1, {"epoch": np.array(1)})
    assert "warning: no checkpoint: " in capsys.readouterr().err

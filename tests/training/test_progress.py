"""Progress is a bar in a terminal, otherwise a line every half minute."""

import contextlib
import os
import pty
import sys
import termios
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.training.progress import LINE_SECONDS, EpochProgress, Progress


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Advances the clock without waiting."""
    clock = [0.0]
    monkeypatch.setattr(
        "pipeline.training.progress.time", SimpleNamespace(monotonic=lambda: clock[0])
    )

    def passing(seconds: float) -> None:
        clock[0] += seconds

    return passing


def test_a_short_computation_prints_nothing(
    wait: Callable[[float], None], capfd: pytest.CaptureFixture[str]
) -> None:
    with Progress(100, "epoch") as progress:
        for _ in range(100):
            wait(LINE_SECONDS / 101)
            progress.advance(1, loss=0.5)
    assert capfd.readouterr() == ("", "")


def test_a_long_computation_prints_a_line_every_half_minute(
    wait: Callable[[float], None], capfd: pytest.CaptureFixture[str]
) -> None:
    with Progress(8, "epoch") as progress:
        for loss in (8.0, 4.0, 2.0, 1.0, 1 / 3):
            wait(LINE_SECONDS / 2)
            progress.advance(1, loss=loss, mae=2 * loss)
    assert capfd.readouterr() == (
        "epoch 2 of 8, loss 4, mae 8\nepoch 4 of 8, loss 1, mae 2\n",
        "",
    )


def test_several_units_are_counted_at_once(
    wait: Callable[[float], None], capfd: pytest.CaptureFixture[str]
) -> None:
    with Progress(50, "trial") as progress:
        progress.advance(10)
        wait(LINE_SECONDS)
        progress.advance(20)
    assert capfd.readouterr().out == "trial 30 of 50\n"


def test_units_that_are_done_in_part_are_shown_when_they_are_whole(
    wait: Callable[[float], None], capfd: pytest.CaptureFixture[str]
) -> None:
    with Progress(3, "trial") as progress:
        for _ in range(10):
            wait(LINE_SECONDS)
            progress.advance(3 / 10)
    lines = capfd.readouterr().out.splitlines()
    assert lines == [f"trial {done} of 3" for done in (0, 0, 0, 1, 1, 1, 2, 2, 2, 3)]


def test_a_terminal_shows_a_bar(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    with os.fdopen(theirs, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        with Progress(4, "epoch") as progress:
            for loss in (4.0, 2.0, 1.0, 0.123456):
                progress.advance(1, loss=loss)
    drawn = ""
    with contextlib.suppress(OSError):  # how Linux reports that the other end is closed
        while read := os.read(ours, 10_000):
            drawn += read.decode()
    os.close(ours)
    last = drawn.split("\r")[-2 if drawn.endswith("\n") else -1]
    assert "100%" in last
    assert "4/4" in last
    assert "loss=0.1235" in last
    assert capfd.readouterr() == ("", "")


def test_epochs_are_counted_and_their_curves_recorded(
    wait: Callable[[float], None], capfd: pytest.CaptureFixture[str]
) -> None:
    recorded: list[tuple[int, list[float]]] = []
    with EpochProgress(
        5, lambda first, curves: recorded.append((first, curves["loss"].tolist()))
    ) as progress:
        progress(1, {"loss": np.array([[4.0], [2.0]])})
        wait(LINE_SECONDS)
        progress(3, {"loss": np.array([[1.0]])})
    assert recorded == [(1, [4.0, 2.0]), (3, [1.0])]
    assert capfd.readouterr().out == "epoch 3 of 5, loss 1\n"


def test_the_curves_of_folds_are_their_mean_over_those_in_training() -> None:
    recorded: list[list[float]] = []
    with EpochProgress(
        2, lambda _first, curves: recorded.append(curves["loss"].tolist())
    ) as epochs:
        epochs(1, {"loss": np.array([[1.0, 3.0], [0.5, np.nan]])})
        epochs(3, {"loss": np.array([[np.nan, np.nan]])})
    assert recorded[0] == [2.0, 0.5]
    assert np.isnan(recorded[1]).all()

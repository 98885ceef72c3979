"""Processes that begin at once on stores that do not exist yet, and write to them."""

import multiprocessing
import os
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from mlflow import MlflowClient

WRITERS, EPOCHS = 8, 200
CURVES = ("loss", "mae")


def write(number: int, roots: list[Path], together: Any) -> None:
    """A writer: a run and a study in each of the folders, as all writers at the same time."""
    from pipeline.sweep.study import open_storage
    from pipeline.tracking import recording

    recording.FLUSH_SECONDS = 0
    for root in roots:
        os.environ["DVC_ROOT"] = str(root)
        together.wait()
        record = recording.Recording("trials", None)
        record.begin({"fingerprint": f"{number}", "name": "plain"}, {"training.epochs": EPOCHS}, {})
        for first in range(1, EPOCHS + 1, 10):
            losses = np.arange(first, first + 10) / EPOCHS
            record.epochs(first, dict.fromkeys(CURVES, losses.tolist()))
        record.end("FINISHED")
        together.wait()
        open_storage(None, root).study("spring", {"inputs_hash": "7"})


@pytest.mark.faults
@pytest.mark.usefixtures("own_environment")
def test_writers_that_begin_at_once_where_there_is_no_store_lose_nothing(
    tmp_path: Path, repeats: int
) -> None:
    roots = [tmp_path / str(number) for number in range(repeats)]
    for root in roots:
        root.mkdir()
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(WRITERS, timeout=300)
    writers = [
        context.Process(target=write, args=(number, roots, together)) for number in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    for root in roots:
        client = MlflowClient(f"sqlite:///{root}/mlflow.db")
        experiment = client.get_experiment_by_name("trials")
        assert experiment is not None
        runs = client.search_runs([experiment.experiment_id])
        assert {run.data.tags["fingerprint"] for run in runs} == {*map(str, range(WRITERS))}
        assert [run.info.status for run in runs] == ["FINISHED"] * WRITERS
        for run in runs:
            for curve in CURVES:
                points = client.get_metric_history(run.info.run_id, curve)
                assert [point.step for point in points] == list(range(1, EPOCHS + 1))
        assert optuna.get_all_study_names(f"sqlite:///{root}/sweeps.db") == ["spring"]

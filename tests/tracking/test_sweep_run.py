"""A sweep in MLflow: one run, and below it a whole run for each of its trials."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from pipeline.dataset.curves import CURVES as NAMES
from pipeline.network import archive, dense, encoder
from pipeline.tracking import sweep_run
from pipeline.tracking.store import Store
from pipeline.tracking.sweep_run import SweepRun
from pipeline.tracking.trial_files import Record, write_batch
from tests.small import MLP, prepared

pytestmark = pytest.mark.usefixtures("own_environment")

BEGIN: dict[str, Any] = {
    "name": "spring",
    "study": "spring",
    "params": {"training.epochs": 3, "space.model": "linear, mlp"},
    "tags": {"fingerprint": "c0ffee"},
}
CURVES = np.array(
    [[3.0, 2.0, 4.0, 2.5, 0.01], [2.0, 1.5, 3.0, 2.0, 0.01], [1.0, 1.0, 2.0, 1.5, 0.01]], "f4"
)
COMPLETE = Record(
    number=0, state="complete", score=1.5, epochs=3, reason=None, fingerprint="beef",
    values={"model": "mlp", "optimizer.learning_rate": 0.01},
    configuration={"training.epochs": 3}, began=1_700_000_000.0, ended=1_700_000_002.5,
    curves=CURVES,
)  # fmt: skip
PRUNED = replace(
    COMPLETE, number=1, state="pruned", score=4.0, epochs=2, reason="pruned", curves=CURVES[:2]
)
FAILED = replace(
    COMPLETE, number=2, state="failed", score=None, epochs=1, curves=CURVES[:1],
    reason="diverged: the loss became nan",
)  # fmt: skip
NEVER_BEGUN = replace(FAILED, number=3, epochs=0, curves=np.zeros((0, len(NAMES)), "f4"))
ALL = [COMPLETE, PRUNED, FAILED, NEVER_BEGUN]


def parent(store: Store) -> Run:
    (only,) = store.client.search_runs([store.experiment_id], "tags.`sweep.role` = 'sweep'")
    return only


def children(store: Store) -> dict[int, Run]:
    """The runs of the trials, by number; none twice."""
    runs = store.client.search_runs(
        [store.experiment_id], f"tags.`mlflow.parentRunId` = '{parent(store).info.run_id}'"
    )
    found = {int(run.data.tags["sweep.trial"]): run for run in runs}
    assert len(found) == len(runs)
    return found


def curve(store: Store, run: Run, name: str) -> list[tuple[int, float]]:
    points = store.client.get_metric_history(run.info.run_id, name)
    return [(point.step, point.value) for point in points]


def test_a_trial_is_a_run_below_that_of_the_sweep(store: Store, tmp_path: Path) -> None:
    SweepRun(store, **BEGIN).log_batch(write_batch(tmp_path, ALL))
    runs = children(store)
    assert set(runs) == {0, 1, 2, 3}
    assert {number: run.info.status for number, run in runs.items()} == {
        0: "FINISHED", 1: "FINISHED", 2: "FAILED", 3: "FAILED",
    }  # fmt: skip
    assert runs[0].info.run_name == "trial-0"
    assert (runs[0].info.start_time, runs[0].info.end_time) == (
        1_700_000_000_000,
        1_700_000_002_500,
    )
    assert parent(store).info.status == "RUNNING"


def test_a_trial_s_curves_begin_at_epoch_1(store: Store, tmp_path: Path) -> None:
    SweepRun(store, **BEGIN).log_batch(write_batch(tmp_path, ALL))
    for number, run in children(store).items():
        record = ALL[number]
        for name in ("loss", "mae", "validation_loss", "validation_mae"):
            values = record.curves[:, NAMES.index(name)].tolist()
            assert curve(store, run, name) == list(enumerate(values, start=1))


def test_a_learning_rate_is_a_curve_where_it_changes(store: Store, tmp_path: Path) -> None:
    changing = CURVES.copy()
    changing[:, NAMES.index("learning_rate")] = [0.03, 0.02, 0.01]
    scheduled = replace(COMPLETE, number=1, curves=changing)
    SweepRun(store, **BEGIN).log_batch(write_batch(tmp_path, [COMPLETE, scheduled]))
    runs = children(store)
    assert curve(store, runs[0], "learning_rate") == []
    steps = [step for step, _ in curve(store, runs[1], "learning_rate")]
    assert steps == [1, 2, 3]


def test_without_a_validation_part_there_are_no_points_of_it(store: Store, tmp_path: Path) -> None:
    plain = CURVES.copy()
    plain[:, [NAMES.index("validation_loss"), NAMES.index("validation_mae")]] = np.nan
    SweepRun(store, **BEGIN).log_batch(write_batch(tmp_path, [replace(COMPLETE, curves=plain)]))
    run = children(store)[0]
    assert len(curve(store, run, "loss")) == 3
    assert curve(store, run, "validation_loss") == []


def test_a_long_curve_is_there_as_a_whole(store: Store, tmp_path: Path) -> None:
    long = replace(COMPLETE, epochs=700, curves=np.tile(CURVES[:1], (700, 1)))
    SweepRun(store, **BEGIN).log_batch(write_batch(tmp_path, [long]))
    run = children(store)[0]
    for name in ("loss", "validation_mae"):
        assert [step for step, _ in curve(store, run, name)] == list(range(1, 701))


def test_a_trial_says_its_values_its_score_and_what_became_of_it(
    store: Store, tmp_path: Path
) -> None:
    SweepRun(store, **BEGIN).log_batch(write_batch(tmp_path, ALL))
    runs = children(store)
    assert runs[0].data.params == {"model": "mlp", "optimizer.learning_rate": "0.01"}
    assert (runs[0].data.metrics["score"], runs[0].data.metrics["epochs"]) == (1.5, 3.0)
    assert runs[1].data.metrics["score"] == 4.0
    assert "score" not in runs[2].data.metrics
    tags = [runs[number].data.tags for number in range(4)]
    assert [one["sweep.state"] for one in tags] == ["complete", "pruned", "failed", "failed"]
    assert {one["sweep.study"] for one in tags} == {"spring"}
    assert tags[0]["fingerprint"] == "beef"
    assert json.loads(tags[0]["configuration"]) == {"training.epochs": 3}
    assert tags[1]["sweep.reason"] == "pruned"
    assert tags[2]["failure"] == "diverged: the loss became nan"
    assert "failure" not in tags[0]


def test_a_batch_that_is_logged_again_changes_nothing(store: Store, tmp_path: Path) -> None:
    sweep = SweepRun(store, **BEGIN)
    first = write_batch(tmp_path, [COMPLETE, PRUNED])
    sweep.log_batch(first)
    sweep.log_batch(first)
    before = {number: run.info.run_id for number, run in children(store).items()}
    sweep.end("KILLED")
    # What was cut short is logged by whoever goes on.
    again = SweepRun(store, **BEGIN)
    again.log_batch(first)
    again.log_batch(write_batch(tmp_path, [PRUNED, FAILED]))
    after = {number: run.info.run_id for number, run in children(store).items()}
    assert set(after) == {0, 1, 2}
    assert {number: after[number] for number in before} == before


def test_a_sweep_that_goes_on_is_the_same_run(store: Store) -> None:
    SweepRun(store, **BEGIN).end("KILLED")
    killed = parent(store)
    assert killed.info.status == "KILLED"
    again = SweepRun(store, **BEGIN | {"params": {"training.epochs": 3, "sweep.trials": 9}})
    assert parent(store).info.run_id == killed.info.run_id
    assert parent(store).info.status == "RUNNING"
    again.end("FINISHED")
    assert parent(store).info.status == "FINISHED"
    assert parent(store).data.params == {"training.epochs": "3", "space.model": "linear, mlp"}


def test_a_sweep_that_fails_says_why(store: Store) -> None:
    SweepRun(store, **BEGIN).end("FAILED", "no rows")
    assert parent(store).info.status == "FAILED"
    assert parent(store).data.tags["failure"] == "no rows"


def test_another_study_is_another_run(store: Store, tmp_path: Path) -> None:
    path = write_batch(tmp_path, [COMPLETE])
    for name in ("spring", "autumn"):
        SweepRun(store, **BEGIN | {"study": name, "name": name}).log_batch(path)
    runs = store.client.search_runs([store.experiment_id])
    assert sorted(str(run.info.run_name) for run in runs) == [
        "autumn", "spring", "trial-0", "trial-0",
    ]  # fmt: skip


def results(tmp_path: Path, models: dict[str, str]) -> dict[str, Any]:
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "trials.csv").write_text("trial,score\n0,1.5\n", "utf-8")
    example = prepared().parts["train"].head(3).to_dict("list")
    return {
        "metrics": {"trials": 3.0},
        "tags": {"sweep.best": "model=mlp"},
        "folder": folder,
        "models": models,
        "example": example,
    }


def test_results_arrive_as_artifacts(store: Store, tmp_path: Path) -> None:
    sweep = SweepRun(store, **BEGIN)
    sweep.log_results(**results(tmp_path, {}))
    sweep.end("FINISHED")
    run = parent(store)
    assert run.data.metrics == {"trials": 3.0}
    assert run.data.tags["sweep.best"] == "model=mlp"
    assert "sweep/trials.csv" in run.data.tags["mlflow.note.content"]
    path = Path(store.client.download_artifacts(run.info.run_id, "sweep/trials.csv"))
    assert path.read_text("utf-8") == "trial,score\n0,1.5\n"


def test_the_winner_s_model_answers_from_the_store(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Loading puts the logged copy of the code on the path.
    monkeypatch.syspath_prepend(tmp_path)
    made = prepared()
    folder = tmp_path / "model"
    folder.mkdir()
    built = dense.build(MLP, 2, seed=1)
    encode = encoder.Encoder(made.encoding)
    target = made.encoding.target
    archive.save(encoder.whole(encode.model, built, target), folder / "model.keras")
    made.contract.write(folder / "contract.json")
    made.encoding.write(folder / "encoding.json")
    sweep = SweepRun(store, **BEGIN)
    sweep.log_results(**results(tmp_path, {"model": str(folder)}))
    sweep.end("FINISHED")
    rows = made.parts["test"]
    loaded = mlflow.pyfunc.load_model(f"runs:/{parent(store).info.run_id}/model")
    learned = built.predict(encode.x(rows), verbose=0)[:, 0]
    expected = learned * target.std + target.mean
    answers = loaded.predict(rows)["predicted"].to_numpy()
    assert answers == pytest.approx(expected, rel=1e-5)


def test_workers_that_begin_at_once_share_one_run_and_each_trial_has_one(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_batch(tmp_path, ALL)
    stores = [store, *(Store("trials", None, tmp_path) for _ in range(3))]
    search = MlflowClient.search_runs

    def slow(*arguments: Any, **named: Any) -> Any:
        found = search(*arguments, **named)
        time.sleep(0.05)  # long enough for another to look, too, before a run is made
        return found

    monkeypatch.setattr(MlflowClient, "search_runs", slow)
    together = threading.Barrier(len(stores))

    def work(store: Store) -> None:
        together.wait()
        run = SweepRun(store, **BEGIN)
        together.wait()
        run.log_batch(path)

    with ThreadPoolExecutor(len(stores)) as pool:
        list(pool.map(work, stores))
    assert set(children(store)) == {0, 1, 2, 3}


def test_machines_that_begin_a_sweep_at_once_agree_on_one_run(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_run, "SETTLE_SECONDS", 0.5)
    stores = [store, *(Store("trials", None, tmp_path) for _ in range(2))]
    for one in stores:
        # As on a server, where no lock holds for all of them.
        monkeypatch.setattr(one, "shared", True)
        monkeypatch.setattr(one, "lock", nullcontext())
    none_found = threading.Barrier(len(stores))
    create = MlflowClient.create_run

    def create_late(*arguments: Any, **named: Any) -> Run:
        none_found.wait()
        return create(*arguments, **named)

    monkeypatch.setattr(MlflowClient, "create_run", create_late)
    with ThreadPoolExecutor(len(stores)) as pool:
        runs = list(pool.map(lambda one: SweepRun(one, **BEGIN), stores))
    monkeypatch.undo()
    assert parent(store).info.status == "RUNNING"
    for number, run in enumerate(runs):
        run.log_batch(write_batch(tmp_path, [ALL[number]]))
    assert set(children(store)) == {0, 1, 2}

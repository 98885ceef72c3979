"""A recorded run is found, and has what brings back its result."""

from pathlib import Path

import pytest

from pipeline.compose.schema import Config, Tracking
from pipeline.runtime.errors import UserError
from pipeline.tracking.provenance import Changes
from pipeline.tracking.provenance_files import log_provenance
from pipeline.tracking.recorded_run import RecordedRun, read_run
from pipeline.tracking.store import Store
from pipeline.tracking.sweep_run import SweepRun
from pipeline.tracking.trial_files import write_batch
from tests.tracking.test_sweep_run import ALL, BEGIN, children

pytestmark = pytest.mark.usefixtures("own_environment")

COMMIT = {"mlflow.source.git.commit": "c0ffee"}
CHANGES = Changes("c0ffee", "a diff")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """For the files of the run. The working directory has a configuration."""
    project = tmp_path / "project"
    (project / "data").mkdir(parents=True)
    (project / "data/config.yaml").write_text(
        "conf: {model: mlp, sweep: grid}\ntraining: {epochs: 3}\ntracking: {enabled: true}\n"
    )
    monkeypatch.chdir(project)
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


def read(store: Store, name: str, folder: Path) -> RecordedRun:
    return read_run(name, Config(tracking=Tracking(experiment="trials", uri=store.uri)), folder)


def log_training(store: Store, name: str, tags: dict[str, str] = COMMIT) -> str:
    run_id = store.create_run(name, {}, tags)
    store.client.log_text(run_id, "", "training/history.csv")
    store.client.log_text(run_id, "", "evaluation/predictions.csv")
    log_provenance(store, run_id, {"prepare": {"data/raw/a.csv": "00"}}, CHANGES)
    store.log_metrics(run_id, {"test_rmse": 1.5})
    store.end(run_id, "FINISHED")
    return run_id


def test_a_training_has_what_brings_back_its_result(store: Store, folder: Path) -> None:
    log_training(store, "houses")
    run = read(store, "houses", folder)
    assert (run.name, run.commit, run.diff) == ("houses", "c0ffee", "a diff\n")
    assert run.inputs == {"prepare": {"data/raw/a.csv": "00"}}
    assert run.configuration == {"conf.model": "mlp", "training.epochs": 3}
    assert run.metrics == {"test_rmse": 1.5}
    assert any(line.startswith("keras==") for line in run.packages)
    assert run.machine is not None
    assert run.machine["processor"]
    assert run.trial is None
    assert (run.files / "training/history.csv").is_file()


def test_a_trial_has_that_of_its_sweep_and_its_own_values(store: Store, folder: Path) -> None:
    common = {"inputs": {"code.py": "00"}, "overrides": ["training.epochs=3"], "score": "rmse"}
    begin = BEGIN | {"tags": COMMIT}
    SweepRun(store, **begin, common=common).log_batch(write_batch(folder, ALL))
    run = read(store, children(store)[0].info.run_id, folder)
    assert run.inputs == {"train": {"code.py": "00"}}
    assert run.configuration == {"training.epochs": 3}
    assert run.trial is not None
    assert run.trial.overrides == [
        "training.epochs=3", "model=mlp", "optimizer.learning_rate=0.01",
    ]  # fmt: skip
    assert run.trial.losses == [3.0, 2.0, 1.0]
    with pytest.raises(UserError, match="is a sweep; name one of its trials, by the id of its run"):
        read(store, "spring", folder)
    with pytest.raises(UserError, match="the run is FAILED, so that there is no result"):
        read(store, "trial-2", folder)


def test_a_run_that_cannot_be_repeated_is_one_line(store: Store, folder: Path) -> None:
    ids = [log_training(store, "houses"), log_training(store, "houses")]
    assert read(store, ids[0], folder).name == "houses"
    log_training(store, "unknown", {"git.unknown": "Git: no"})
    earlier = store.create_run("earlier", {}, COMMIT)
    store.end(earlier, "FINISHED")
    store.create_run("now", {}, COMMIT)
    for name, text in {
        "cars": "cars: no run of the experiment has this id or name in .*; the last ones are e",
        "it's": "it's: no run of the experiment",
        "houses": f"houses: 2 runs have this name; name one by id: .*{ids[0]}",
        "unknown": "unknown: its commit is unknown: Git: no",
        "earlier": "earlier: has no folder provenance/",
        "now": "now: the run is RUNNING, so that there is no result",
    }.items():
        with pytest.raises(UserError, match=f"^{text}") as caught:
            read(store, name, folder)
        assert "\n" not in str(caught.value)


def test_a_store_out_of_reach_is_one_line(folder: Path) -> None:
    config = Config(tracking=Tracking(uri="no-such-database://host/runs"))
    with pytest.raises(UserError, match=r"^tracking\.uri=no-such-database") as caught:
        read_run("houses", config, folder)
    assert "\n" not in str(caught.value)

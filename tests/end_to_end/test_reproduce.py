"""Runs are repeated by command, in clones of a clone."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow.entities import Run

from tests.clone import Clone

# Each repetition is a whole pipeline.
COMMAND = ("-m", "pipeline.reproduce")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone with the run of a changed experiment on a table that Git does not have. Then the
    changes are gone."""
    made = Clone(tmp_path_factory.mktemp("reproduce") / "my project")
    rows = "".join(f"{row},{row % 7},{3 * row + row % 5}\n" for row in range(60))
    (made.root / "data/raw/cars.csv").write_text(f"a,b,y\n{rows}", "utf-8")
    made.dvc("add", "data/raw/cars.csv")
    made.commit("a table")
    with changed(made):
        made.repro()
    return made


@contextmanager
def changed(clone: Clone) -> Iterator[None]:
    """With the changes, for the length of the block."""
    clone.dvc("checkout", "data/raw/cars.csv")
    (clone.root / "params.yaml").write_text(
        "data: {path: data/raw/cars.csv, target: y}\ntraining: {epochs: 3}\n", "utf-8"
    )
    yield
    clone.git("checkout", "--", ".")
    (clone.root / "data/raw/cars.csv").unlink()


def training(clone: Clone) -> Run:
    (run,) = [run for run in clone.runs() if "sweep.role" not in run.data.tags]
    return run


@pytest.mark.long
def test_a_training_is_repeated_bit_for_bit(clone: Clone) -> None:
    runs = len(clone.runs())
    name = str(training(clone).info.run_name)
    done = clone.python(*COMMAND, name)
    assert done.stdout.splitlines()[-1] == (
        f"{name}: the same bit for bit: metrics, weights, tables"
    )
    assert len(clone.runs()) == runs


@pytest.mark.faults
def test_a_trial_of_a_sweep_is_repeated(clone: Clone) -> None:
    with changed(clone):
        clone.python(
            "-m", "pipeline.sweep", "optimizer.learning_rate=0.001,0.002", "training.epochs=4",
            "sweep.name=spring", "sweep.trials=2", "sweep.seeds=0", "sweep.ensemble=0",
        )  # fmt: skip
    (trial,) = [run for run in clone.runs() if run.info.run_name == "trial-1"]
    done = clone.python(*COMMAND, trial.info.run_id)
    last = done.stdout.splitlines()[-1]
    assert re.match(r"trial-1: the same (bit for bit|up to [\d.]+e-\d+ of)", last)


@pytest.mark.faults
def test_another_result_is_named_and_kept(clone: Clone, tmp_path: Path) -> None:
    run_id = training(clone).info.run_id
    clone.client().log_metric(run_id, "cv_rmse", 7.0)
    temporary = {"TMPDIR": str(tmp_path)}
    done = clone.run(clone.executable, *COMMAND, run_id, check=False, environment=temporary)
    assert done.returncode == 1
    assert re.search(r"^differs: cv_rmse: is [\d.]+, was 7\.0 \(", done.stdout, re.MULTILINE)
    assert "\norigin: nothing that is recorded of what it was computed" in done.stdout
    (kept,) = re.findall(r"^the repetition is in (.*)$", done.stdout, re.MULTILINE)
    assert (Path(kept) / "data/model/model.keras").is_file()

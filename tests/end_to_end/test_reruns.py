"""What has to run again after which edit, in a clone: a result depends on the code, values
and rows that can change it and on nothing else. The edits stay; each case adds its own."""

from pathlib import Path

import pytest

from tests.clone import Clone


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone whose results are those of its code, as far as dvc.lock says: nothing has to
    be trained for that."""
    made = Clone(tmp_path_factory.mktemp("reruns") / "project")
    made.stage("configure")
    made.stage("prepare")
    for name in ("baselines", "model", "evaluation"):
        (made.root / "data" / name).mkdir()
        (made.root / "data" / name / "result.txt").write_text("a result", "utf-8")
    (made.root / "data/tracked.json").write_text("{}", "utf-8")
    made.accept()
    assert made.changed() == set()
    return made


def edit(clone: Clone, path: str, old: str, new: str) -> None:
    text = clone.read(path)
    assert old in text, f"{path} has no {old!r}"
    (clone.root / path).write_text(text.replace(old, new, 1), "utf-8")


def reword(clone: Clone, path: str) -> None:
    """Another wording of the first error that a module raises."""
    edit(clone, path, "raise UserError(", 'raise UserError("reworded: " + ')


def test_a_new_key_of_sweep_configures_and_nothing_else(clone: Clone) -> None:
    edit(
        clone, "pipeline/compose/schema.py", "    trials: int", "    new: int = 1\n    trials: int"
    )
    edit(clone, "conf/sweep/default.yaml", "trials:", "new: 2\ntrials:")
    clone.stage("configure")
    assert "new: 2" in clone.read("data/config.yaml")
    assert clone.changed() == {"configure"}


def test_a_new_key_of_tracking_trains_nothing(clone: Clone) -> None:
    schema = "pipeline/compose/schema.py"
    edit(clone, schema, '    experiment: str = "', '    new: int = 1\n    experiment: str = "')
    edit(clone, "conf/tracking/mlflow.yaml", "enabled:", "new: 2\nenabled:")
    clone.stage("configure")
    assert "new: 2" in clone.read("data/config.yaml").partition("tracking:")[2]
    # The run is recorded where this section says, and evaluate completes it.
    assert clone.changed() == {"configure", "evaluate"}


def test_a_change_in_how_runs_are_recorded_runs_nothing(clone: Clone) -> None:
    before = clone.changed()
    for path in (clone.root / "pipeline/tracking").glob("*.py"):
        path.write_text(path.read_text("utf-8") + "\nRECORDED_IN_ANOTHER_WAY = True\n", "utf-8")
    assert clone.changed() == before


@pytest.mark.parametrize(
    ("path", "stages"),
    [
        ("pipeline/compose/experiment.py", {"configure"}),
        ("pipeline/preparation/preparation.py", {"prepare"}),
        ("pipeline/schema/conversion.py", {"prepare", "evaluate"}),
        ("pipeline/evaluation/predictor.py", {"evaluate"}),
        ("pipeline/training/train.py", {"train"}),
    ],
)
def test_a_reworded_message_concerns_the_stages_that_may_raise_it(
    clone: Clone, path: str, stages: set[str]
) -> None:
    clone.accept()
    reword(clone, path)
    if "prepare" in stages:
        clone.stage("prepare")
    assert clone.changed() == stages


def test_a_key_of_data_trains_nothing_where_the_prepared_rows_stay_the_same(clone: Clone) -> None:
    clone.accept()
    edit(clone, "pipeline/config/data.py", "class Data:", "class Data:  # a comment")
    clone.stage("prepare")
    assert "train" not in clone.changed()


def test_a_file_of_conf_that_is_not_in_use_configures_and_nothing_else(clone: Clone) -> None:
    clone.accept()
    before = clone.read("data/config.yaml")
    edit(clone, "conf/optimizer/adam.yaml", "learning_rate: 0.001", "learning_rate: 0.5")
    clone.stage("configure")
    assert clone.read("data/config.yaml") == before
    assert clone.changed() == {"configure"}


def test_another_value_of_training_trains_and_prepares_nothing(clone: Clone) -> None:
    clone.accept()
    edit(clone, "params.yaml", "epochs: 100", "epochs: 3")
    clone.stage("configure")
    assert clone.changed() == {"configure", "train", "evaluate"}


def test_other_new_rows_do_not_train_again(clone: Clone) -> None:
    clone.accept()
    edit(clone, "data/raw/proportional_new.csv", "-3", "-4")
    clone.stage("prepare")
    assert clone.changed() == {"prepare", "evaluate"}


def test_byte_code_is_no_code(clone: Clone) -> None:
    clone.accept()
    for folder in ("training", "runtime"):
        cache = clone.root / "pipeline" / folder / "__pycache__"
        cache.mkdir(exist_ok=True)
        Path(cache / "new.cpython-311.pyc").write_bytes(b"byte code")
    assert clone.changed() == set()

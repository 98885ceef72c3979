"""A trial becomes the experiment in params.yaml, and the rest of the file is kept."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.compose.experiment import Composed
from pipeline.compose.sources import CONF, PARAMS
from pipeline.runtime.errors import UserError
from pipeline.sweep import promotion
from pipeline.sweep.promotion import promote
from tests.compose_once import compose_once

ROOT = Path(__file__).parents[2]
EXPERIMENT = """\
# The experiment.
conf: {data: diabetes, model: mlp, optimizer: adam}  # in one line

training:
  seed: 34  # chosen with care
  # As long as it takes.
  epochs: 50
data:
  split: {test: 0.1}
# The end.
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(promotion, "compose", compose_once)
    shutil.copytree(ROOT / CONF, tmp_path / CONF)
    (tmp_path / PARAMS).write_text(EXPERIMENT, "utf-8")
    return tmp_path


def text(root: Path) -> str:
    return (root / PARAMS).read_text("utf-8")


@pytest.mark.parametrize(
    "overrides",
    [
        [
            "optimizer.learning_rate=1.2345678901234567e-05", "training.epochs=7",
            "training.shuffle=false", "optimizer.clipnorm=1", "training.loss=huber",
        ],
        ["model=linear", "optimizer=adamw", "optimizer.weight_decay=0.3", "schedule=cosine"],
        [
            "training=early_stopping", "training.early_stopping.patience=3",
            "training.epochs=1000", "optimizer.clipnorm=null",
        ],
        ["model.layers.0.units=12", "model.layers.0.dropout=0.25", "model.layers.1.l2=1e-3"],
        ["model=linear", "model.layers.0.l2=0.5"],
        [
            "data.split.seed=3", "data.split={validation: 0.3, test: 0.2}",
            "data.features=[bmi,bp]",
        ],
        [],
    ],
    ids=" ".join,
)  # fmt: skip
def test_params_then_composes_to_the_experiment_with_the_overrides(
    root: Path, overrides: list[str]
) -> None:
    wanted = compose_once(root, overrides)
    promote(root, overrides)
    assert compose_once(root) == wanted


def test_promoting_twice_changes_nothing(root: Path) -> None:
    overrides = ["model=linear", "optimizer.learning_rate=0.02", "training.batch_size=8"]
    promote(root, overrides)
    once = text(root)
    promote(root, overrides)
    assert text(root) == once


def test_the_experiment_of_the_repository_can_be_promoted_over(root: Path) -> None:
    shutil.copy(ROOT / PARAMS, root)
    before = text(root)
    promote(root, ["optimizer.learning_rate=0.02"])
    assert text(root) == before + "optimizer:\n  learning_rate: 0.02\n"


def test_comments_and_order_are_kept(root: Path) -> None:
    promote(root, ["training.epochs=7", "optimizer.beta_1=0.8"])
    expected = EXPERIMENT.replace("epochs: 50", "epochs: 7").replace(
        "# The end.\n", "optimizer:\n  beta_1: 0.8\n# The end.\n"
    )
    assert text(root) == expected


def test_a_value_that_conf_has_anyway_is_not_added(root: Path) -> None:
    changed = promote(root, ["optimizer.learning_rate=0.001", "training.batch_size=8"])
    assert changed == {"training.batch_size": 8}
    assert "learning_rate" not in text(root)
    assert "optimizer:\n" not in text(root)


def test_a_value_in_params_is_replaced_beside_its_comment(root: Path) -> None:
    assert promote(root, ["training.seed=0"]) == {"training.seed": 0}
    assert text(root) == EXPERIMENT.replace("seed: 34 ", "seed: 0  ")


def test_numbers_are_kept_as_they_are_written(root: Path) -> None:
    rates = "optimizer: {epsilon: 1.0e-7, beta_1: 0.90, learning_rate: 1.2345678901234568e-05}\n"
    (root / PARAMS).write_text(EXPERIMENT + rates, "utf-8")
    promote(root, ["training.epochs=7"])
    assert rates in text(root)


def test_an_option_of_a_group_is_set_under_conf(root: Path) -> None:
    changed = promote(root, ["model=linear", "optimizer=sgd", "optimizer.momentum=0.5"])
    assert changed == {"conf.model": "linear", "conf.optimizer": "sgd", "optimizer.momentum": 0.5}
    assert "conf: {data: diabetes, model: linear, optimizer: sgd} # in one line" in text(root)


def test_a_key_of_a_layer_sets_all_layers(root: Path) -> None:
    changed = promote(root, ["model.layers.0.dropout=0.25"])
    (layers,) = changed.values()
    assert list(changed) == ["model.layers"]
    assert [layer["units"] for layer in layers] == [64, 64, 1]
    assert [layer["dropout"] for layer in layers] == [0.25, 0.0, 0.0]


def test_layers_in_params_are_changed_where_they_are(root: Path) -> None:
    layers = "model:\n  layers:\n    # The only one.\n    - units: 1  # one target\n      l1: 0.1\n"
    (root / PARAMS).write_text(EXPERIMENT + layers, "utf-8")
    changed = promote(root, ["model.layers.0.l1=0.2", "model.layers.0.l2=0.3"])
    assert changed == {"model.layers.0.l1": 0.2, "model.layers.0.l2": 0.3}
    assert compose_once(root).config.model.layers[0].l2 == 0.3
    for remark in ("# The only one.", "# one target", "# The end."):
        assert remark in text(root)


def assert_unchanged(root: Path, overrides: Sequence[str], message: str) -> None:
    before = (root / PARAMS).read_bytes()
    with pytest.raises(UserError, match=message) as caught:
        promote(root, overrides)
    assert "\n" not in str(caught.value)
    assert (root / PARAMS).read_bytes() == before
    assert [path.name for path in root.iterdir() if path.is_file()] == [PARAMS]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["optimizer.learning_rate=-1"], "^command line: optimizer.learning_rate is -1.0"),
        (["optimizer.momentum=0.5"], "^command line: unknown key optimizer.momentum"),
        (["model=none"], "^command line: conf/model/ has no option 'none'"),
        # In params.yaml, this would be a reference.
        (
            [r"data.target='\${x}'"],
            "^params.yaml: cannot express this trial beside its other values",
        ),
    ],
)
def test_a_mistake_leaves_the_file_unchanged(
    root: Path, overrides: list[str], message: str
) -> None:
    # As an editor of another system would have saved it.
    (root / PARAMS).write_bytes(EXPERIMENT.replace("\n", "\r\n").encode())
    assert_unchanged(root, overrides, message)


def test_a_file_that_is_not_yaml_is_left_unchanged(root: Path) -> None:
    (root / PARAMS).write_text("conf: {data: diabetes\n", "utf-8")
    assert_unchanged(root, ["training.epochs=7"], "^params.yaml, line 2: not YAML")


def test_an_interrupted_promotion_leaves_the_file_unchanged(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Sequence[str]] = []

    def interrupted(where: Path, overrides: Sequence[str] = ()) -> Composed:
        calls.append(overrides)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return compose_once(where, overrides)

    monkeypatch.setattr(promotion, "compose", interrupted)
    with pytest.raises(KeyboardInterrupt):
        promote(root, ["training.batch_size=8"])
    assert text(root) == EXPERIMENT

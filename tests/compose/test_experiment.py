"""The configuration: what composes, what wins, and what each mistake says."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import yaml

from pipeline.compose.experiment import CONF, PARAMS, compose, doubts
from pipeline.compose.schema import GROUPS, Config, flatten, read_config
from pipeline.config.section import COMPOSED
from pipeline.config.training import OPTIMIZERS, SCHEDULES, Optimizer, Schedule
from pipeline.runtime.errors import UserError

ROOT = Path(__file__).parents[2]
OPTIONS = sorted((path.parent.name, path.stem) for path in (ROOT / CONF).glob("*/*.yaml"))


@pytest.fixture(autouse=True)
def _copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory is a copy of the configuration, but what an option of data/
    leaves to its user is given."""
    shutil.copytree(ROOT / CONF, tmp_path / CONF)
    shutil.copy(ROOT / PARAMS, tmp_path)
    monkeypatch.chdir(tmp_path)
    for option in Path(CONF, "data").iterdir():
        text = option.read_text("utf-8").replace("path: ???", "path: data/raw/own.csv")
        option.write_text(text.replace("target: ???", "target: own"), "utf-8")


def leave_open() -> None:
    """The configuration as it is kept."""
    shutil.copytree(ROOT / CONF, CONF, dirs_exist_ok=True)


def write_params(text: str) -> None:
    Path(PARAMS).write_text(text, "utf-8")


def write_conf(file: str, text: str) -> None:
    (Path(CONF) / file).write_text(text, "utf-8")


def composed(params: str, *overrides: str) -> dict[str, Any]:
    write_params(params)
    return compose(Path(), overrides)


def mistake(params: str, *overrides: str) -> str:
    """What compose says is wrong; a mistake is one line."""
    write_params(params)
    with pytest.raises(UserError) as caught:
        compose(Path(), overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


# What composes


def test_the_experiment_composes() -> None:
    config = compose(Path())
    assert set(config["conf"]) == set(GROUPS)


def test_every_group_has_options_and_every_option_a_group() -> None:
    assert {group for group, _ in OPTIONS} == set(GROUPS)


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids="/".join)
def test_every_option_composes_and_is_named(group: str, option: str) -> None:
    assert composed("{}", f"{group}={option}")["conf"][group] == option


@pytest.mark.parametrize(("group", "kinds"), [("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)])
def test_every_kind_is_an_option_of_its_name(group: str, kinds: dict[str, type[Any]]) -> None:
    assert {option for of, option in OPTIONS if of == group} == set(kinds)
    for kind in kinds:
        assert composed("{}", f"{group}={kind}")[group]["name"] == kind


def test_a_path_and_a_target_are_all_that_the_default_options_need() -> None:
    leave_open()
    config = composed("data: {path: data/raw/cars.csv, target: mpg}")
    assert (config["data"]["path"], config["data"]["target"]) == ("data/raw/cars.csv", "mpg")
    assert config["conf"]["data"] == "table"
    assert config["training"]["early_stopping"]["enabled"]
    assert config["data"]["split"]["validation"] > 0
    assert config["data"]["split"]["test"] > 0
    assert doubts(Path(), config) == []
    for params, missing in (("{}", "path"), ("data: {path: data/raw/cars.csv}", "target")):
        assert mistake(params) == (
            f"conf/data/table.yaml: data.{missing} has no value; set it there or in params.yaml"
        )


@pytest.mark.parametrize(
    "option", [option for group, option in OPTIONS if group == "data"], ids=str
)
def test_each_option_of_data_composes_as_it_is_where_what_it_leaves_open_is_given(
    option: str,
) -> None:
    leave_open()
    preset = yaml.safe_load((ROOT / CONF / "data" / f"{option}.yaml").read_text("utf-8"))
    given = {key: "mine" for key in ("path", "target") if preset[key] == "???"}
    config = composed(yaml.safe_dump({"conf": {"data": option}, "data": given}))
    assert config["conf"]["data"] == option
    expected = flatten({**preset, **given})
    assert {key: flatten(config["data"])[key] for key in expected} == expected
    assert doubts(Path(), config) == []


def schema_keys(schema: Any, prefix: str = "") -> Iterator[str]:
    """The dotted keys of a dataclass, without the places of items in lists."""
    kinds: dict[Any, Any] = {Optimizer: OPTIMIZERS.values(), Schedule: SCHEDULES.values()}
    for name, hint in get_type_hints(schema).items():
        candidates = [part for kind in kinds.get(hint, [hint]) for part in (kind, *get_args(kind))]
        nested = [part for part in candidates if is_dataclass(part)]
        for part in nested:
            yield from schema_keys(part, f"{prefix}{name}.")
        if not nested:
            yield f"{prefix}{name}"


def keys_of(value: Any, prefix: str = "") -> Iterator[str]:
    """The dotted keys of a configuration, without the places of items in lists."""
    items = value if isinstance(value, list) else [value]
    nested = [item for item in items if isinstance(item, dict)]
    # Whatever keys these have, they are those of other sections, or columns.
    if not nested or prefix in ("sweep.space", "data.kinds"):
        yield prefix
        return
    for item in nested:
        for key, inner in item.items():
            yield from keys_of(inner, f"{prefix}.{key}" if prefix else key)


def test_every_key_of_the_schema_is_in_the_configuration_of_some_option() -> None:
    seen: set[str] = set()
    for group, option in OPTIONS:
        seen |= set(keys_of(composed("{}", f"{group}={option}")))
    assert seen == set(schema_keys(Config))


def test_the_composed_configuration_is_plain_and_complete() -> None:
    config = composed("model: {layers: [{units: 3, activation: relu}, {units: 1}]}")
    assert yaml.safe_load(yaml.safe_dump(config)) == config
    assert config["model"]["layers"][0]["activation"] == "relu"
    assert config["model"]["layers"][1]["activation"] == "linear"


def test_the_last_allowed_values_are_allowed() -> None:
    config = composed(
        "conf: {schedule: exponential}\n"
        "schedule: {decay_rate: 1.0}\n"
        "training: {epochs: 1, seed: 4294967295}\n"
        "data: {split: {validation: 0.0, test: 0.999}}\n"
    )
    assert config["schedule"]["decay_rate"] == 1
    assert config["training"]["seed"] == 2**32 - 1


@pytest.mark.parametrize("name", ["root", "it's my work", 'a "b", [c] = 50 %'])
def test_the_experiment_is_the_root_s_wherever_it_is_composed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, elsewhere = tmp_path / name, tmp_path / "elsewhere"
    shutil.copytree(CONF, root / CONF)
    (root / PARAMS).write_text("training: {epochs: 3}", "utf-8")
    elsewhere.mkdir()
    (elsewhere / PARAMS).write_text("training: {epochs: 4}", "utf-8")
    monkeypatch.chdir(elsewhere)
    assert compose(root)["training"]["epochs"] == 3
    assert compose(Path("..") / name)["training"]["epochs"] == 3


@pytest.mark.parametrize("prefix", ["", "conf.", "+conf."])
def test_a_group_may_be_called_as_in_params_yaml(prefix: str) -> None:
    made = composed("conf: {optimizer: sgd}", f"{prefix}optimizer=adamw", "model=linear")
    assert made["conf"]["optimizer"] == made["optimizer"]["name"] == "adamw"
    assert mistake("{}", f"{prefix}optimizer=adan").startswith(
        "command line: conf/optimizer/ has no option 'adan'; it has adam, "
    )


# What is doubtful


@pytest.mark.parametrize(
    ("params", "overrides"),
    [
        ("conf: {data: proportional}\ndata: {path: data/raw/cars.csv, target: mpg}", []),
        ("conf: {data: proportional}", ["data.path=data/raw/cars.csv"]),
        ("data: {path: data/raw/cars.csv}", ["data=proportional"]),
    ],
)
def test_another_table_with_an_option_of_some_table_is_doubtful(
    params: str, overrides: list[str]
) -> None:
    (doubt,) = doubts(Path(), composed(params, *overrides))
    assert doubt == (
        "data.path is data/raw/cars.csv, but conf.data=proportional is about"
        " data/raw/proportional.csv; for a table of your own let params.yaml hold nothing but"
        " data.path and data.target"
    )


@pytest.mark.parametrize(
    "params",
    [
        "conf: {data: proportional}",
        "conf: {data: proportional}\ndata: {path: data/raw/proportional.csv}",
        "conf: {data: proportional}\ndata: {split: {test: 0.2}}",
        "conf: {data: diabetes}",
        "data: {path: data/raw/cars.csv, target: mpg}",
        "conf: {data: table}\ndata: {path: data/raw/proportional.csv, target: y}",
    ],
)
def test_a_table_with_its_own_option_or_that_for_any_is_not_doubtful(params: str) -> None:
    leave_open()
    assert doubts(Path(), composed(params)) == []


def test_an_option_without_a_path_of_its_own_is_for_any_table() -> None:
    write_conf("data/mine.yaml", "target: y\n")
    config = composed("conf: {data: mine}\ndata: {path: a.csv}")
    assert doubts(Path(), config) == []
    write_conf("data/mine.yaml", "")
    config = composed("conf: {data: mine}\ndata: {path: a.csv, target: y}")
    assert doubts(Path(), config) == []


# What wins


def test_the_command_line_wins_over_params_and_params_over_conf() -> None:
    write_conf("training/default.yaml", "epochs: 3\nbatch_size: 3\nseed: 3\n")
    training = composed("training: {epochs: 2, batch_size: 2}", "training.epochs=1")["training"]
    assert (training["epochs"], training["batch_size"], training["seed"]) == (1, 2, 3)


def test_params_win_over_the_main_file() -> None:
    with (Path(CONF) / "config.yaml").open("a", encoding="utf-8") as main:
        main.write("\ntraining: {epochs: 3, batch_size: 3}\n")
    training = composed("training: {epochs: 2}")["training"]
    assert (training["epochs"], training["batch_size"]) == (2, 3)


def test_the_command_line_chooses_over_params_and_params_over_conf() -> None:
    default = composed("{}")["conf"]["optimizer"]
    first, second = [option for option in sorted(OPTIMIZERS) if option != default][:2]
    params = f"conf: {{optimizer: {first}}}"
    assert composed(params)["conf"]["optimizer"] == first
    assert composed(params, f"optimizer={second}")["conf"]["optimizer"] == second
    assert composed(params, f"optimizer={second}")["optimizer"]["name"] == second


def test_a_list_in_params_replaces_the_options_list_and_a_key_of_an_item_can_be_overridden() -> (
    None
):
    config = composed(
        "conf: {model: mlp}\nmodel: {layers: [{units: 5}, {units: 1}]}", "model.layers.0.units=7"
    )
    assert [layer["units"] for layer in config["model"]["layers"]] == [7, 1]


def test_a_kind_for_a_column_is_added_by_the_command_line_to_those_of_params() -> None:
    params = "data: {kinds: {zip: category, 'a b': date}}"
    assert composed(params)["data"]["kinds"] == {"zip": "category", "a b": "date"}
    for override in ("data.kinds={seen: date}", "data.kinds.seen=date", "+data.kinds.seen=date"):
        kinds = composed(params, override)["data"]["kinds"]
        assert kinds == {"zip": "category", "a b": "date", "seen": "date"}
    assert composed(params, "data.kinds.zip=numeric")["data"]["kinds"]["zip"] == "numeric"


# Unknown names


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ("trainin: {epochs: 3}", "trainin; did you mean training?"),
        ("training: {epoch: 3}", "training.epoch; did you mean epochs?"),
        ("data: {split: {tset: 0.1}}", "data.split.tset; did you mean test?"),
        (
            "conf: {optimizer: sgd}\noptimizer: {momentun: 0.9}",
            "optimizer.momentun; did you mean momentum?",
        ),
        (
            "training: {early_stopping: {zzz: 1}}",
            "training.early_stopping.zzz; known are enabled, patience, min_delta",
        ),
        (
            "conf: {schedule: exponential}\nschedule: {final_fraction: 0.1}",
            "schedule.final_fraction; it is one of conf.schedule=cosine",
        ),
        (
            "conf: {schedule: exponential}\nschedule: {least: 0.1}",
            "schedule.least; known are name, decay_rate, decay_epochs",
        ),
        (
            "conf: {optimizer: sgd}\noptimizer: {beta_1: 0.9}",
            "optimizer.beta_1; it is one of conf.optimizer=adam or adamw",
        ),
    ],
)
def test_an_unknown_key_is_named_with_a_suggestion(params: str, said: str) -> None:
    assert mistake(params) == f"params.yaml: unknown key {said}"


def test_an_unknown_key_of_a_list_item_is_named_with_a_suggestion() -> None:
    assert mistake("model: {layers: [{unit: 1}]}") == (
        "params.yaml: unknown key model.layers[...].unit; did you mean units?"
    )


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("training.epoch=3", "training.epoch; did you mean epochs?"),
        ("+training.epoch=3", "training.epoch; did you mean epochs?"),
        ("optimiser=sgd", "optimiser; did you mean optimizer?"),
    ],
)
def test_an_unknown_key_of_the_command_line_is_named_with_a_suggestion(
    override: str, said: str
) -> None:
    assert mistake("{}", override) == f"command line: unknown key {said}"


def test_an_unknown_group_is_named_with_a_suggestion() -> None:
    assert mistake("conf: {optimiser: sgd}") == (
        "params.yaml: unknown group conf.optimiser; did you mean optimizer?"
    )


@pytest.mark.parametrize(
    ("place", "params", "overrides"),
    [("params.yaml", "conf: {optimizer: sgdd}", []), ("command line", "{}", ["optimizer=sgdd"])],
)
def test_a_missing_option_is_named_beside_those_there_are(
    place: str, params: str, overrides: list[str]
) -> None:
    there = ", ".join(option for group, option in OPTIONS if group == "optimizer")
    assert mistake(params, *overrides) == (
        f"{place}: conf/optimizer/ has no option 'sgdd'; it has {there}"
    )


@pytest.mark.parametrize(
    ("section", "name"), [("optimizer", "foo"), ("optimizer", "adam"), ("schedule", "cosine")]
)
def test_a_kind_is_chosen_by_its_option_and_not_by_its_name(section: str, name: str) -> None:
    params = "conf: {optimizer: sgd, schedule: constant}\n"
    said = f"{section}.name cannot be set; choose conf.{section} instead"
    assert mistake(f"{params}{section}: {{name: {name}}}") == f"params.yaml: {said}"
    assert mistake(params, f"{section}.name={name}") == f"command line: {said}"


def test_a_choice_that_is_no_name_is_refused() -> None:
    assert mistake("conf: {model: 3}") == "params.yaml: conf.model must name an option, not 3"


def test_choices_that_are_no_mapping_are_refused() -> None:
    assert mistake("conf: [sgd]") == ("params.yaml: conf must map groups of conf/ to their options")


# Wrong values


@pytest.mark.parametrize(
    ("params", "key", "said"),
    [
        ("training: {epochs: many}", "training.epochs", "'many'"),
        ("training: {epochs: 1.5}", "training.epochs", "'1.5'"),
        ("training: {epochs: null}", "training.epochs", "'None'"),
        ("training: {shuffle: maybe}", "training.shuffle", "'maybe' is not a valid bool"),
        ("training: {loss: rmse}", "training.loss", "'rmse', expected one of [mse, mae, huber]"),
        ("data: {split: {test: half}}", "data.split.test", "'half'"),
        ("model: {layers: 3}", "model.layers", "is not a ListConfig, list or tuple"),
        ("model: {layers: [3]}", "model.layers[0]", "int is not a subclass of Layer"),
        ("training: null", "training", "is not Optional"),
        ("data: {features: [x, null]}", "data.features[1]", "NoneType is not a subclass of str"),
        ("data: {kinds: {zip: text}}", "data.kinds.zip", "'text', expected one of [numeric, "),
        ("data: {lint: {identifier: no}}", "data.lint.identifier", "expected one of [error, warn"),
        ("data: {split: {by: rows}}", "data.split.by", "'rows', expected one of [random, group, "),
        ("data: {reading: {header: 1.5}}", "data.reading.header", "is not a valid bool"),
        (
            "training: {epochs: '${training.epoch}'}",
            "training.epochs",
            "'training.epoch' not found",
        ),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_its_key(params: str, key: str, said: str) -> None:
    message = mistake(params)
    assert message.startswith(f"params.yaml: {key}: ")
    assert said in message


def test_a_value_in_the_place_of_a_section_is_refused() -> None:
    message = mistake("training: 3")
    assert message.startswith("params.yaml: ")
    assert "int is not a subclass of Training" in message


def test_a_value_of_the_wrong_type_on_the_command_line_is_named() -> None:
    message = mistake("{}", "training.epochs=many")
    assert message.startswith("command line: training.epochs: ")
    assert "'many'" in message


def test_a_value_of_the_wrong_type_in_a_list_item_is_named_with_what_is_allowed() -> None:
    message = mistake("model: {layers: [{units: 1, activation: swoosh}]}")
    assert message.startswith("params.yaml: ")
    assert "activation: Invalid value 'swoosh', expected one of [linear, relu, " in message


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ("training: {epochs: 0}", "training.epochs is 0, but must be at least 1"),
        (
            "training: {seed: 4294967296}",
            "training.seed is 4294967296, but must be below 4294967296",
        ),
        ("optimizer: {learning_rate: 0}", "optimizer.learning_rate is 0.0, but must be above 0"),
        (
            "optimizer: {learning_rate: .inf}",
            "optimizer.learning_rate is inf, but must be a finite number",
        ),
        (
            "conf: {schedule: exponential}\nschedule: {decay_rate: 1.5}",
            "schedule.decay_rate is 1.5, but must be at most 1",
        ),
        (
            "data: {split: {validation: -0.1}}",
            "data.split.validation is -0.1, but must be at least 0",
        ),
        (
            "model: {layers: [{units: 0}, {units: 1}]}",
            "model.layers[0].units is 0, but must be at least 1",
        ),
        (
            "model: {layers: [{units: 2, dropout: 1}, {units: 1}]}",
            "model.layers[0].dropout is 1.0, but must be below 1",
        ),
    ],
)
def test_a_value_out_of_range_is_named_with_its_bound(params: str, said: str) -> None:
    assert mistake(params) == f"params.yaml: {said}"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (
            "data: {split: {validation: 0.5, test: 0.5}}",
            "data.split: validation + test must stay below 1: nothing is left to train on",
        ),
        ("data: {split: {by: group}}", "data.split: by is group, which needs column"),
        (
            "data: {reading: {delimiter: tab}}",
            "data.reading: delimiter is 'tab', but must be one character",
        ),
        (
            "model: {layers: [{units: 2}]}",
            "model: the last of layers has 2 units; one target needs units: 1",
        ),
        (
            "model: {layers: [{units: 1, dropout: 0.1}]}",
            "model: the last of layers has dropout, which would blank out predictions",
        ),
        (
            "model: {layers: [{units: 1, kernel_initializer: constant}]}",
            "model.layers[0]: kernel_initializer is constant, so kernel_value must be a number",
        ),
        (
            "model: {layers: [{units: 1, kernel_value: 0.5}]}",
            "model.layers[0]: kernel_value only means something with kernel_initializer: constant",
        ),
        (
            "optimizer: {clipnorm: 1, clipvalue: 1}",
            "optimizer: set clipnorm or clipvalue, not both: one would undo the other",
        ),
        (
            "conf: {optimizer: sgd}\noptimizer: {nesterov: true}",
            "optimizer: nesterov needs a momentum above 0",
        ),
    ],
)
def test_values_that_contradict_each_other_are_named(params: str, said: str) -> None:
    assert mistake(params) == f"params.yaml: {said}"


def test_a_network_without_layers_is_refused() -> None:
    assert mistake("model: {layers: []}") == (
        "params.yaml: model: layers is empty; a network needs at least one layer of 1 unit"
    )


def test_a_layer_without_units_is_refused() -> None:
    assert mistake("model: {layers: [{}]}") == (
        "params.yaml: model.layers[0].units has no value; set it there or in params.yaml"
    )


def test_every_value_out_of_range_has_a_line_of_its_own() -> None:
    write_params("training: {epochs: 0}")
    with pytest.raises(UserError) as caught:
        compose(Path(), ["training.batch_size=0"])
    assert str(caught.value).splitlines() == [
        "params.yaml: training.epochs is 0, but must be at least 1",
        "command line: training.batch_size is 0, but must be at least 1",
    ]


def test_an_item_of_a_list_that_the_command_line_spoils_is_its_mistake() -> None:
    params = "model: {layers: [{units: 3}, {units: 1}]}"
    assert mistake(params, "model.layers.0.units=0") == (
        "command line: model.layers[0].units is 0, but must be at least 1"
    )


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ["model.layers=[{units: 2}]"],
            "model: the last of layers has 2 units; one target needs units: 1",
        ),
        (
            ["data.split.test=0.6", "data.split.validation=0.6"],
            "data.split: validation + test must stay below 1: nothing is left to train on",
        ),
    ],
    ids=["a list", "keys of a section"],
)
def test_values_of_the_command_line_that_contradict_each_other_are_its_mistake(
    overrides: list[str], said: str
) -> None:
    assert mistake("{}", *overrides) == f"command line: {said}"


@pytest.mark.parametrize("override", ["training.epochs", "=3", "+=3", "", "data.kinds={a"])
def test_what_is_no_key_and_value_is_refused(override: str) -> None:
    assert mistake("{}", override) == (
        f"command line: {override!r} is not a KEY=VALUE in Hydra's grammar"
    )


def test_a_key_cannot_be_deleted() -> None:
    assert mistake("{}", "~training.epochs").startswith("command line: training.epochs: ")


# Mistakes in a file of conf/


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epoch: 3\n", "unknown key training.epoch; did you mean epochs?"),
        ("epochs: 0\n", "training.epochs is 0, but must be at least 1"),
        (
            "early_stopping: {patience: 0}\n",
            "training.early_stopping.patience is 0, but must be at least 1",
        ),
    ],
)
def test_a_mistake_in_an_option_names_the_options_file(text: str, said: str) -> None:
    write_conf("training/default.yaml", text)
    assert mistake("conf: {training: default}") == f"conf/training/default.yaml: {said}"


@pytest.mark.parametrize(
    ("default", "built_on_it", "file", "said"),
    [
        ("batch_size: 0\n", "", "default", "training.batch_size is 0, but must be at least 1"),
        (
            "",
            "batch_size: 0\n",
            "early_stopping",
            "training.batch_size is 0, but must be at least 1",
        ),
        (
            "batch_size: 0\n",
            "batch_size: -1\n",
            "early_stopping",
            "training.batch_size is -1, but must be at least 1",
        ),
        (
            "batchsize: 3\n",
            "",
            "default",
            "unknown key training.batchsize; did you mean batch_size?",
        ),
    ],
)
def test_a_mistake_in_an_option_that_another_is_built_on_names_its_own_file(
    default: str, built_on_it: str, file: str, said: str
) -> None:
    write_conf("training/default.yaml", default)
    write_conf("training/early_stopping.yaml", f"defaults: [default, _self_]\n{built_on_it}")
    params = "conf: {training: early_stopping}"
    assert mistake(params) == f"conf/training/{file}.yaml: {said}"


def test_a_wrong_type_in_an_option_names_the_options_file() -> None:
    write_conf("training/default.yaml", "epochs: many\n")
    assert mistake("{}").startswith("conf/training/default.yaml: training.epochs: Value 'many'")


def test_a_mistake_in_an_option_with_a_schema_of_its_own_names_the_options_file() -> None:
    write_conf("optimizer/sgd.yaml", "defaults: [sgd_schema]\nlearning_rate: 0.1\nmomentun: 0\n")
    assert mistake("{}", "optimizer=sgd") == (
        "conf/optimizer/sgd.yaml: unknown key optimizer.momentun; did you mean momentum?"
    )


def test_a_mistake_in_a_list_item_of_an_option_names_the_options_file() -> None:
    write_conf("model/linear.yaml", "layers: [{unit: 1}]\n")
    assert mistake("{}", "model=linear") == (
        "conf/model/linear.yaml: unknown key model.layers[...].unit; did you mean units?"
    )


def test_a_mistake_in_an_option_that_params_mends_is_none() -> None:
    write_conf("training/default.yaml", "epochs: 0\n")
    assert composed("training: {epochs: 2}")["training"]["epochs"] == 2


def test_a_mistake_in_the_main_file_names_it() -> None:
    with (Path(CONF) / "config.yaml").open("a", encoding="utf-8") as main:
        main.write("\ntrainin: {epochs: 3}\n")
    assert mistake("{}") == "conf/config.yaml: unknown key trainin; did you mean training?"


@pytest.mark.parametrize(
    ("file", "text", "key"),
    [
        ("data/proportional.yaml", "path: a.csv\n", "data.target"),
        ("optimizer/sgd.yaml", "defaults: [sgd_schema]\n", "optimizer.learning_rate"),
    ],
)
def test_a_value_that_nothing_sets_is_named_with_where_to_set_it(
    file: str, text: str, key: str
) -> None:
    write_conf(file, text)
    assert mistake(f"conf: {{{Path(file).parent.name}: {Path(file).stem}}}") == (
        f"conf/{file}: {key} has no value; set it there or in params.yaml"
    )


@pytest.mark.parametrize("params", ["{}", "conf: {data: proportional}"])
def test_a_value_that_nothing_sets_is_named_in_the_option_that_was_taken(params: str) -> None:
    write_conf("data/diabetes.yaml", "path: a.csv\n")
    assert mistake(params, "data=diabetes") == (
        "conf/data/diabetes.yaml: data.target has no value; set it there or in params.yaml"
    )


def test_a_file_of_conf_that_is_not_yaml_is_named_with_the_line() -> None:
    write_conf("training/default.yaml", "loss: mse\nseed: [\n")
    assert mistake("{}").startswith("conf/training/default.yaml, line 3: not YAML: ")


# Mistakes with the files themselves


def test_params_that_are_not_yaml_are_named_with_the_line() -> None:
    assert mistake("training:\n  epochs: {\n").startswith("params.yaml, line 3: not YAML: ")


def test_a_key_that_stands_twice_is_named_with_the_line() -> None:
    assert mistake("training:\n  epochs: 1\n  epochs: 2\n") == (
        "params.yaml, line 3: not YAML: found duplicate key epochs"
    )


@pytest.mark.parametrize("params", ["- training\n", "3\n"])
def test_params_that_are_no_mapping_are_refused(params: str) -> None:
    assert mistake(params) == "params.yaml: must be a mapping of keys to values"


def test_params_that_are_not_in_utf_8_are_refused() -> None:
    Path(PARAMS).write_bytes("# grün\n".encode("latin-1"))
    with pytest.raises(UserError) as caught:
        compose(Path())
    assert str(caught.value) == "params.yaml: is not in UTF-8; save it so"


def test_empty_params_are_the_defaults() -> None:
    assert composed("") == composed("{}")


def test_missing_params_are_named() -> None:
    Path(PARAMS).unlink()
    with pytest.raises(UserError) as caught:
        compose(Path())
    assert str(caught.value) == (
        "params.yaml: No such file or directory; it is the experiment to run"
    )


def test_a_missing_conf_is_named() -> None:
    shutil.rmtree(CONF)
    assert mistake("{}") == "conf/ is missing; run this at the root of the repository"


def configure(params: str) -> "subprocess.CompletedProcess[str]":
    """The stage."""
    write_params(params)
    shutil.copy(ROOT / "dvc.yaml", ".")
    return subprocess.run(
        [sys.executable, "-m", "pipeline.stages.configure"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_stage_warns_of_what_is_doubtful_in_one_line_and_goes_on() -> None:
    done = configure("conf: {data: proportional}\ndata: {path: cars.csv, target: mpg}\n")
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("warning: data.path is cars.csv, but conf.data=proportional is about ")
    assert read_config().data.path == "cars.csv"


def test_the_stage_says_nothing_where_nothing_is_doubtful() -> None:
    done = configure("conf: {data: proportional}\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert read_config().data.path == "data/raw/proportional.csv"


def test_the_stage_says_a_mistake_in_one_line_and_writes_nothing() -> None:
    done = configure("training: {epoch: 3}\n")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == ("error: params.yaml: unknown key training.epoch; did you mean epochs?\n")
    assert not COMPOSED.exists()


def test_a_group_set_to_a_number_is_refused_in_one_line() -> None:
    said = mistake("{}", "training=3")
    assert said.startswith("command line: ")
    assert "\n" not in said

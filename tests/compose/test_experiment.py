"""Composing: every option, what wins, and warnings."""

import shutil
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import yaml

from pipeline.compose.experiment import compose, warnings
from pipeline.compose.schema import GROUPS, VARIANTS, Config, flatten
from pipeline.compose.sources import CONF, PARAMS
from pipeline.config.section import typed
from pipeline.config.training import OPTIMIZERS
from tests.compose.folder import (
    OPTIONS,
    ROOT,
    composed,
    mistake,
    option_composed,
    write_conf,
    write_params,
)


def restore_conf() -> None:
    """The options of data/ as they are in the repository, some without a path."""
    shutil.copytree(ROOT / CONF, CONF, dirs_exist_ok=True)


# What composes


def test_the_experiment_composes_to_the_choices_and_then_each_group() -> None:
    plain = compose(Path()).plain
    assert list(plain) == ["conf", *GROUPS]
    assert list(plain["conf"]) == list(GROUPS)


def test_every_group_has_options_and_every_option_a_group() -> None:
    assert {group for group, _ in OPTIONS} == set(GROUPS)


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids=map("/".join, OPTIONS))
def test_every_option_composes_and_is_named(group: str, option: str) -> None:
    index = [name for of, name in OPTIONS if of == group].index(option)
    experiment = option_composed(index)
    assert experiment.plain["conf"][group] == option
    assert experiment.config == typed(Config, experiment.plain)
    if group in VARIANTS:
        assert experiment.plain[group]["name"] == {"tabular": "adamw"}.get(option, option)


def test_every_variant_is_an_option_of_its_name() -> None:
    for group, variants in VARIANTS.items():
        assert {option for of, option in OPTIONS if of == group} >= set(variants)


def test_a_path_and_a_target_are_all_that_the_default_options_need() -> None:
    restore_conf()
    config = composed("data: {path: data/raw/cars.csv, target: mpg}").config
    assert (config.data.path, config.data.target) == ("data/raw/cars.csv", "mpg")
    assert config.conf.data == "table"
    assert config.training.early_stopping.enabled
    assert config.data.split.fractions == (0.2, 0.2)
    assert warnings(Path(), config) == []
    for params, missing in (("{}", "path"), ("data: {path: data/raw/cars.csv}", "target")):
        assert mistake(params) == (
            f"conf/data/table.yaml: data.{missing} has no value; set it there or in params.yaml"
        )


@pytest.mark.parametrize("option", [option for group, option in OPTIONS if group == "data"])
def test_each_option_of_data_composes_unchanged_once_its_missing_values_are_given(
    option: str,
) -> None:
    restore_conf()
    preset = yaml.safe_load((ROOT / CONF / "data" / f"{option}.yaml").read_text("utf-8"))
    given = {key: "mine" for key in ("path", "target") if preset[key] == "???"}
    experiment = composed(yaml.safe_dump({"conf": {"data": option}, "data": given}))
    expected = flatten({**preset, **given})
    data = flatten(experiment.plain["data"])
    assert {key: data[key] for key in expected} == expected
    assert warnings(Path(), experiment.config) == []


def schema_keys(schema: Any, prefix: str = "") -> Iterator[str]:
    """The dotted keys of a dataclass, without the indices of items in lists."""
    hints = get_type_hints(schema)
    for item in fields(schema):
        hint = hints[item.name]
        variants = VARIANTS.get(item.name, {}).values() if not prefix else ()
        nested = [part for part in (*variants, hint, *get_args(hint)) if is_dataclass(part)]
        for part in nested:
            yield from schema_keys(part, f"{prefix}{item.name}.")
        if not nested:
            yield f"{prefix}{item.name}"


MAPPINGS = {"sweep.space", "data.kinds", "data.date_formats"} | {
    f"registry.{key}" for key in ("max", "min", "improvement_over")
}


def keys_of(value: Any, prefix: str = "") -> Iterator[str]:
    """The dotted keys of a configuration, without the indices of items in lists."""
    items = value if isinstance(value, list) else [value]
    nested = [item for item in items if isinstance(item, dict)]
    # The keys of these are keys of other sections, columns, or metrics and models.
    if not nested or prefix in MAPPINGS:
        yield prefix
        return
    for item in nested:
        for key, inner in item.items():
            yield from keys_of(inner, f"{prefix}.{key}" if prefix else key)


def test_every_key_of_the_schema_is_in_the_configuration_of_some_option() -> None:
    most = max(map(len, VARIANTS.values()))
    seen = {key for index in range(most) for key in keys_of(option_composed(index).plain)}
    assert seen == set(schema_keys(Config))


def test_the_composed_configuration_is_plain_and_complete() -> None:
    plain = composed("model: {layers: [{units: 3, activation: relu}, {units: 1}]}").plain
    assert yaml.safe_load(yaml.safe_dump(plain)) == plain
    assert plain["model"]["layers"][0]["activation"] == "relu"
    assert plain["model"]["layers"][1]["activation"] == "linear"


def test_the_last_allowed_values_are_allowed() -> None:
    config = composed(
        "conf: {schedule: exponential}\n"
        "schedule: {decay_rate: 1.0}\n"
        "training: {epochs: 1, seed: 4294967295}\n"
        "data: {split: {validation: 0.0, test: 0.999}}\n"
    ).plain
    assert config["schedule"]["decay_rate"] == 1
    assert config["training"]["seed"] == 2**32 - 1


@pytest.mark.parametrize("name", ["root", "it's my work", 'a "b", [c] = 50 %'])
def test_the_experiment_is_that_of_root_whatever_the_working_directory(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, elsewhere = tmp_path / name, tmp_path / "elsewhere"
    shutil.copytree(CONF, root / CONF)
    (root / PARAMS).write_text("training: {epochs: 3}", "utf-8")
    elsewhere.mkdir()
    (elsewhere / PARAMS).write_text("training: {epochs: 4}", "utf-8")
    monkeypatch.chdir(elsewhere)
    assert compose(root).config.training.epochs == 3
    assert compose(Path("..") / name).config.training.epochs == 3


@pytest.mark.parametrize("prefix", ["", "conf.", "+conf."])
def test_a_group_may_be_written_as_in_params_yaml(prefix: str) -> None:
    plain = composed("conf: {optimizer: sgd}", f"{prefix}optimizer=adamw", "model=linear").plain
    assert plain["conf"]["optimizer"] == plain["optimizer"]["name"] == "adamw"
    assert mistake("{}", f"{prefix}optimizer=adan").startswith(
        "command line: conf/optimizer/ has no option 'adan'; it has adam, "
    )


@pytest.mark.parametrize("prefix", ["+", "++"])
def test_a_value_may_be_set_as_dvc_would_add_it(prefix: str) -> None:
    config = composed("{}", f"{prefix}training.epochs=3").config
    assert config.training.epochs == 3


def test_a_kind_for_a_column_is_added_by_the_command_line_to_those_of_params() -> None:
    params = "data: {kinds: {zip: category, 'a b': date}}"
    for override in ("data.kinds={seen: date}", "data.kinds.seen=date", "+data.kinds.seen=date"):
        kinds = composed(params, override).plain["data"]["kinds"]
        assert kinds == {"zip": "category", "a b": "date", "seen": "date"}
    kinds = composed(params, "data.kinds.zip=numeric").plain["data"]["kinds"]
    assert kinds == {"zip": "numeric", "a b": "date"}


def test_names_are_as_they_are_written() -> None:
    params = (
        "data: {target: 007, leave_out: [No, 1.10, 'a${x}'], kinds: {2016: category},"
        " reading: {names: [a, 1, yes]}}\nconf: {tracking: off, sweep: }\ntraining:\n"
    )
    experiment = composed(params.replace("a${x}", r"a\${x}"))
    data = experiment.config.data
    assert data.target == "007"
    assert data.leave_out == ["No", "1.10", "a${x}"]
    assert list(data.kinds) == ["2016"]
    assert data.reading.names == ["a", "1", "yes"]
    assert not experiment.config.tracking.enabled
    assert typed(Config, yaml.safe_load(yaml.safe_dump(experiment.plain))) == experiment.config


def test_an_empty_text_is_refused() -> None:
    assert mistake("tracking: {experiment: ''}") == (
        "params.yaml: tracking.experiment is empty; leave it out for its default"
    )


@pytest.mark.parametrize("override", ["training={epochs: 7}", "conf={training: default}"])
def test_a_section_may_be_set_on_the_command_line(override: str) -> None:
    training = composed("{}", override).config.training
    assert training.epochs == (7 if "epochs" in override else 100)


# Warnings


@pytest.mark.parametrize(
    ("params", "overrides"),
    [
        ("conf: {data: proportional}\ndata: {path: data/raw/cars.csv, target: mpg}", []),
        ("conf: {data: proportional}", ["data.path=data/raw/cars.csv"]),
        ("data: {path: data/raw/cars.csv}", ["data=proportional"]),
    ],
)
def test_another_table_with_the_option_of_some_table_is_warned_of(
    params: str, overrides: list[str]
) -> None:
    (warning,) = warnings(Path(), composed(params, *overrides).config)
    assert warning == (
        "data.path is data/raw/cars.csv, but conf.data=proportional is for"
        " data/raw/proportional.csv; for your own table, params.yaml needs only data.path and"
        " data.target"
    )


@pytest.mark.parametrize(
    "params",
    [
        "conf: {data: proportional}",
        "conf: {data: proportional}\ndata: {path: data/raw/proportional.csv}",
        "conf: {data: proportional}\ndata: {split: {test: 0.2}}",
        "conf: {data: table}\ndata: {path: data/raw/proportional.csv, target: y}",
    ],
)
def test_a_table_with_its_own_option_or_the_one_for_any_is_not_warned_of(params: str) -> None:
    restore_conf()
    assert warnings(Path(), composed(params).config) == []


def test_an_option_without_a_path_is_for_any_table() -> None:
    write_conf("data/mine.yaml", "target: y\n")
    assert warnings(Path(), composed("conf: {data: mine}\ndata: {path: a.csv}").config) == []
    write_conf("data/mine.yaml", "")
    config = composed("conf: {data: mine}\ndata: {path: a.csv, target: y}").config
    assert warnings(Path(), config) == []


# What wins


def test_the_command_line_wins_over_params_and_params_over_conf() -> None:
    write_conf("training/default.yaml", "epochs: 3\nbatch_size: 3\nseed: 3\n")
    training = composed("training: {epochs: 2, batch_size: 2}", "training.epochs=1").config.training
    assert (training.epochs, training.batch_size, training.seed) == (1, 2, 3)


def test_params_win_over_the_main_file() -> None:
    with (Path(CONF) / "config.yaml").open("a", encoding="utf-8") as main:
        main.write("\ntraining: {epochs: 3, batch_size: 3}\n")
    training = composed("training: {epochs: 2}").config.training
    assert (training.epochs, training.batch_size) == (2, 3)


def test_the_command_line_chooses_over_params_and_params_over_conf() -> None:
    default = composed("{}").config.conf.optimizer
    first, second = [option for option in sorted(OPTIMIZERS) if option != default][:2]
    params = f"conf: {{optimizer: {first}}}"
    assert composed(params).config.conf.optimizer == first
    config = composed(params, f"optimizer={second}").config
    assert config.conf.optimizer == config.optimizer.name == second


def test_a_list_in_params_replaces_the_options_list_and_a_key_of_an_item_can_be_overridden() -> (
    None
):
    config = composed(
        "conf: {model: mlp}\nmodel: {layers: [{units: 5}, {units: 1}]}", "model.layers.0.units=7"
    ).config
    assert [layer.units for layer in config.model.layers] == [7, 1]


def test_empty_params_are_the_defaults() -> None:
    write_params("")
    assert compose(Path()) == composed("{}")

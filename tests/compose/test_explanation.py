"""How each mistake in the configuration is explained."""

import shutil
from pathlib import Path

import pytest

from pipeline.compose.experiment import compose
from pipeline.compose.explanation import RENAMED
from pipeline.compose.schema import flatten
from pipeline.compose.sources import CONF, PARAMS
from pipeline.runtime.errors import UserError
from tests.compose.folder import OPTIONS, composed, mistake, write_conf, write_params

# Unknown names


@pytest.mark.parametrize(
    ("params", "text"),
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
            "training.early_stopping.zzz; known are enabled, shared, patience, min_delta",
        ),
        (
            "conf: {schedule: exponential}\nschedule: {final_fraction: 0.1}",
            "schedule.final_fraction; it is one of conf.schedule=cosine",
        ),
        (
            "conf: {schedule: exponential}\nschedule: {least: 0.1}",
            "schedule.least; known are decay_rate, decay_epochs, final_fraction",
        ),
        (
            "conf: {optimizer: sgd}\noptimizer: {beta_1: 0.9}",
            "optimizer.beta_1; it is one of conf.optimizer=adam or adamw",
        ),
        (
            "training.early_stopping.patience: 3",
            "training.early_stopping.patience; write training: {early_stopping: {patience: ...}}",
        ),
        ("Training: {epochs: 3}", "Training; did you mean training?"),
        (
            "tr\u0430ining: {epochs: 3}",
            "tr\u0430ining; did you mean training? (it contains CYRILLIC SMALL LETTER A)",
        ),
        (
            "'': 3",
            (
                "''; known are model, optimizer, schedule, training, conf, data, evaluation,"
                " tracking, registry, sweep"
            ),
        ),
        ("hydra: {}", "hydra; settings of Hydra itself have no effect; remove it"),
        ("defaults: []", "defaults; options are chosen under conf"),
        ("epochs: 5", "epochs; write training: {epochs: ...}"),
        ("learning_rate: 0.1", "learning_rate; write optimizer: {learning_rate: ...}"),
    ],
)
def test_an_unknown_key_is_named_with_a_suggestion(params: str, text: str) -> None:
    assert mistake(params) == f"params.yaml: unknown key {text}"


def test_an_unknown_key_of_a_list_item_is_named_with_a_suggestion() -> None:
    assert mistake("model: {layers: [{unit: 1}]}") == (
        "params.yaml: unknown key model.layers[0].unit; did you mean units?"
    )


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("training.epoch=3", "training.epoch; did you mean epochs?"),
        ("+training.epoch=3", "training.epoch; did you mean epochs?"),
        ("optimiser=sgd", "optimiser; did you mean optimizer?"),
    ],
)
def test_an_unknown_key_of_the_command_line_is_named_with_a_suggestion(
    override: str, text: str
) -> None:
    assert mistake("{}", override) == f"command line: unknown key {text}"


def test_an_unknown_group_is_named_with_a_suggestion() -> None:
    assert mistake("conf: {optimiser: sgd}") == (
        "params.yaml: unknown group conf.optimiser; did you mean optimizer?"
    )


@pytest.mark.parametrize(
    ("source", "params", "overrides"),
    [("params.yaml", "conf: {optimizer: sgdd}", []), ("command line", "{}", ["optimizer=sgdd"])],
)
def test_a_missing_option_is_named_beside_those_there_are(
    source: str, params: str, overrides: list[str]
) -> None:
    there = ", ".join(option for group, option in OPTIONS if group == "optimizer")
    assert mistake(params, *overrides) == (
        f"{source}: conf/optimizer/ has no option 'sgdd'; it has {there}"
    )


@pytest.mark.parametrize(
    ("section", "name"), [("optimizer", "foo"), ("optimizer", "adam"), ("schedule", "cosine")]
)
def test_a_kind_is_chosen_by_its_option_and_not_by_its_name(section: str, name: str) -> None:
    params = "conf: {optimizer: sgd, schedule: constant}\n"
    text = f"unknown key {section}.name; choose conf.{section}"
    assert mistake(f"{params}{section}: {{name: {name}}}") == f"params.yaml: {text}"
    assert mistake(params, f"{section}.name={name}") == f"command line: {text}"


def test_a_choice_that_is_no_name_is_refused() -> None:
    assert mistake("conf: {model: [mlp]}") == (
        "params.yaml: conf.model must name an option, not a list"
    )


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_renamed_key_is_named_with_its_new_name(old: str, new: str) -> None:
    section, name = old.split(".")
    error = f"unknown key {old}; renamed to {new}"
    assert mistake(f"{section}: {{{name}: 3}}") == f"params.yaml: {error}"


def test_a_key_of_a_renamed_section_is_named_with_the_new_section() -> None:
    error = "unknown key data.deviations; renamed to data.violations"
    assert mistake("data: {deviations: {missing_value: warn}}") == f"params.yaml: {error}"
    assert mistake("{}", "data.deviations.missing_value=warn") == f"command line: {error}"


def test_every_renamed_key_has_a_new_name_that_exists() -> None:
    known = flatten(compose(Path()).plain)
    for old, new in RENAMED.items():
        assert not any(f"{key}.".startswith(f"{old}.") for key in known)
        assert any(f"{key}.".startswith(f"{new}.") for key in known)


def test_choices_that_are_no_mapping_are_refused() -> None:
    assert mistake("conf: [sgd]") == ("params.yaml: conf must map groups of conf/ to their options")


# Wrong values


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ("training: {epochs: many}", "training.epochs must be a whole number, not 'many'"),
        (
            "training: {epochs: 1.0}",
            "training.epochs must be a whole number, not '1.0'; write 1",
        ),
        (
            "training: {epochs: 010}",
            "training.epochs must be a whole number, not '010'; write 10",
        ),
        (
            "training: {epochs: 9223372036854775808}",
            "training.epochs must be a whole number, not '9223372036854775808'; it is too large",
        ),
        (
            "training: {epochs: null}",
            "training.epochs must be a whole number, not null; leave it out for its default",
        ),
        ("training: {shuffle: 2}", "training.shuffle must be true or false, not '2'"),
        ("training: {loss: rmse}", "training.loss must be mse, mae or huber, not 'rmse'"),
        ("data: {split: {test: half}}", "data.split.test must be a number, not 'half'"),
        (
            "data: {split: {test: '0,2'}}",
            "data.split.test must be a number, not '0,2'; write 0.2",
        ),
        ("data: {split: {test: 20%}}", "data.split.test must be a number, not '20%'; write 0.2"),
        ("model: {layers: 3}", "model.layers must be a list, not '3'"),
        (
            "model: {layers: [3]}",
            "model.layers[0] must be a mapping of keys to values, not '3'",
        ),
        (
            "model: {layers: [{units: 1, activation: swoosh}]}",
            (
                "model.layers[0].activation must be linear, relu, leaky_relu, elu, selu, gelu,"
                " silu, softplus, tanh or sigmoid, not 'swoosh'"
            ),
        ),
        ("training: 3", "training must be a mapping of keys to values, not '3'"),
        ("data: {leave_out: x}", "data.leave_out must be a list, not 'x'; write [x]"),
        (
            "data: {features: [x, null]}",
            'data.features[1] must be a text, not null; write "null" in quotes for a text',
        ),
        (
            "data: {lint: {accept: [constant: x]}}",
            (
                "data.lint.accept[0] must be a text, not a mapping; put a text that contains ': '"
                " in quotes"
            ),
        ),
        (
            "data: {kinds: {zip: text}}",
            "data.kinds.zip must be numeric, category, boolean or date, not 'text'",
        ),
        (
            f"data: {{target: [{'x' * 100}], path: {{}}}}",
            "data.target must be a text, not a list",
        ),
        (
            f"training: {{epochs: {'x' * 100}}}",
            f"training.epochs must be a whole number, not '{'x' * 60}...'",
        ),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_what_is_expected(params: str, text: str) -> None:
    assert mistake(params) == f"params.yaml: {text}"


def test_a_wrong_value_of_the_command_line_is_its_mistake() -> None:
    assert mistake("{}", "training.epochs=many") == (
        "command line: training.epochs must be a whole number, not 'many'"
    )


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("${training.epoch}", "refers to a key that does not exist; write its value instead"),
        ("${data.target}", "must be a whole number, not 'own'"),
        ("${training.shuffle}", "must be a whole number, not 'True'"),
        (
            "${training.epochs}",
            "refers to a key that leads to no value; write its value instead",
        ),
        (
            "${training.batch_size",
            (
                ": '${training.batch_size' is not a reference to another key, such as"
                " ${training.epochs}; write '\\${' in single quotes for a text that contains ${"
            ),
        ),
        (
            "${oc.env:HOME}",
            (
                ": '${oc.env:HOME}' would be written to data/config.yaml as the value that it has"
                " now; write the value itself, or refer to another key, such as ${training.epochs}"
            ),
        ),
    ],
)
def test_a_reference_that_gives_no_value_is_refused(reference: str, text: str) -> None:
    message = mistake(f"training:\n  epochs: {reference}\n").replace("epochs:", "epochs :", 1)
    assert message == f"params.yaml: training.epochs {text}"


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ("training: {epochs: 0}", "training.epochs is 0, but must be at least 1"),
        (
            "training: {seed: 4294967296}",
            "training.seed is 4294967296, but must be below 4294967296",
        ),
        ("optimizer: {learning_rate: 0}", "optimizer.learning_rate is 0.0, but must be above 0"),
        (
            "optimizer: {learning_rate: inf}",
            "optimizer.learning_rate is inf, but must be a finite float32 number",
        ),
        (
            "optimizer: {learning_rate: 1e300}",
            "optimizer.learning_rate is 1e+300, but must be a finite float32 number",
        ),
        (
            "optimizer: {learning_rate: 1e-300}",
            "optimizer.learning_rate is 1e-300, but must be above 0 after rounding to float32",
        ),
        (
            "optimizer: {beta_1: 0.9999999999}",
            "optimizer.beta_1 is 0.9999999999, but must be below 1 after rounding to float32",
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
def test_a_value_out_of_range_is_named_with_its_bound(params: str, text: str) -> None:
    assert mistake(params) == f"params.yaml: {text}"


@pytest.mark.parametrize("how", ["{}", "${{oc.env:HIDDEN_URL}}"])
@pytest.mark.parametrize(
    ("key", "url", "variable"),
    [
        ("tracking.uri", "https://ann:hunter2@runs.example.org", "MLFLOW_TRACKING_URI"),
        ("tracking.uri", "postgresql://ann:hunter2@db/runs", "MLFLOW_TRACKING_URI"),
        ("sweep.storage", "postgresql+psycopg2://ann:hunter2@db/sweeps", "SWEEP_STORAGE"),
        ("sweep.storage", "mysql://db/sweeps?user=ann&password=hunter2", "SWEEP_STORAGE"),
    ],
)
def test_a_password_is_refused_with_the_variable_that_may_hold_it(
    monkeypatch: pytest.MonkeyPatch, key: str, url: str, variable: str, how: str
) -> None:
    monkeypatch.setenv("HIDDEN_URL", url)
    section, name = key.split(".")
    message = mistake(f"{section}: {{{name}: '{how.format(url)}'}}")
    assert message.startswith(f"params.yaml: {key}")
    assert "would be written to" in message
    assert variable in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "url", ["postgresql://ann@db/runs", "https://runs.example.org:5000", "sqlite:///a@b.db"]
)
def test_a_url_without_a_password_is_as_given(url: str) -> None:
    written = composed(f"tracking: {{uri: '{url}'}}\nsweep: {{storage: '{url}'}}").config
    assert (written.tracking.uri, written.sweep.storage) == (url, url)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        (
            "data: {split: {validation: 0.5, test: 0.5}}",
            "data.split: validation + test must be below 1, or no rows are left for training",
        ),
        ("data: {split: {by: group}}", "data.split: by is group, which needs column"),
        (
            "data: {reading: {comment: ''}}",
            "data.reading: comment is '', but must be what comment lines begin with",
        ),
        (
            "model: {layers: [{units: 2}]}",
            "model: the last layer has 2 units; one target needs units: 1",
        ),
        (
            "model: {layers: [{units: 1, dropout: 0.1}]}",
            "model: the last layer has dropout, which would set predictions to zero",
        ),
        (
            "model: {layers: [{units: 1, kernel_initializer: constant}]}",
            "model.layers[0]: kernel_initializer is constant, so kernel_value must be a number",
        ),
        (
            "model: {layers: [{units: 1, kernel_value: 0.5}]}",
            "model.layers[0]: kernel_value has an effect only with kernel_initializer: constant",
        ),
        (
            "model: {layers: [{units: 1, layer_normalization: true}]}",
            "model.layers[0]: layer_normalization over 1 unit would make every output 0",
        ),
        (
            "optimizer: {clipnorm: 1, clipvalue: 1}",
            "optimizer: set clipnorm or clipvalue, not both",
        ),
        (
            "conf: {optimizer: sgd}\noptimizer: {nesterov: true}",
            "optimizer: nesterov needs a momentum above 0",
        ),
    ],
)
def test_values_that_contradict_each_other_are_named(params: str, text: str) -> None:
    assert mistake(params) == f"params.yaml: {text}"


def test_a_network_without_layers_is_refused() -> None:
    assert mistake("model: {layers: []}") == (
        "params.yaml: model: layers is empty; a network needs at least one layer, of 1 unit"
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
    ("overrides", "text"),
    [
        (
            ["model.layers=[{units: 2}]"],
            "model: the last layer has 2 units; one target needs units: 1",
        ),
        (
            ["data.split.test=0.6", "data.split.validation=0.6"],
            "data.split: validation + test must be below 1, or no rows are left for training",
        ),
    ],
    ids=["a list", "keys of a section"],
)
def test_values_of_the_command_line_that_contradict_each_other_are_its_mistake(
    overrides: list[str], text: str
) -> None:
    assert mistake("{}", *overrides) == f"command line: {text}"


GRAMMAR = "is not a KEY=VALUE in Hydra's grammar"


@pytest.mark.parametrize(
    ("override", "remedy"),
    [
        *(
            (override, "write it without spaces, such as training.epochs=50")
            for override in ("training.epochs", "=3", "+=3", "", "--epochs=3", "a =3")
        ),
        *(
            (
                override,
                "check its brackets, and quote texts with special characters: ['Preis (EUR)']",
            )
            for override in ("data.kinds={a", "data.leave_out=[größe]", "data.target=f(")
        ),
        ("model.layers[0].units=1", "write model.layers.0.units=1"),
        ("data.path=a=b.csv", "quote a value with special characters: \"data.path='a=b.csv'\""),
        ("data.target='a", "close the quote '"),
        ("data.target=größe", "quote a value with special characters: \"data.target='größe'\""),
        ("+data.target=a (b)", "quote a value with special characters: \"+data.target='a (b)'\""),
    ],
)
def test_what_is_no_key_and_value_is_refused(override: str, remedy: str) -> None:
    with pytest.raises(UserError) as caught:
        compose(Path(), [override])
    assert str(caught.value) == f"command line: {override!r} {GRAMMAR}; {remedy}"


@pytest.mark.parametrize(
    ("override", "text"),
    [
        (
            "training.epochs=1,2",
            (
                "'training.epochs=1,2' has several values; a list is [1,2], a text with a comma"
                " '1,2' in quotes, and only a sweep varies a key"
            ),
        ),
        ("~training", "'~training' would remove a key, and each one is needed; set a value"),
        ("training=null", "conf.training must name an option, not null"),
        ("conf={trainin: default}", "unknown group conf.trainin; did you mean training?"),
        ("training/epochs=3", "unknown key training/epochs; write training: {epochs: ...}"),
        (
            "data.kinds.a.b=date",
            (
                "unknown key data.kinds.a.b; what it is in has no keys; a name with a dot is given"
                " in braces, such as {a.b: ...}"
            ),
        ),
        (
            "data.reading.names.0=a",
            "unknown key data.reading.names.0; data.reading.names has 0 items, counted from 0",
        ),
        (
            "hydra.run.dir=x",
            "unknown key hydra; settings of Hydra itself have no effect; remove it",
        ),
        (
            "data.kinds={a: date,a: numeric}",
            "{a: date,a: numeric} has a key twice; keep one of them",
        ),
        (
            "model.layers.9.units=7",
            "unknown key model.layers.9.units; model.layers has 3 items, counted from 0",
        ),
    ],
)
def test_an_override_that_sets_no_value_is_a_mistake_of_the_command_line(
    override: str, text: str
) -> None:
    assert mistake("conf: {model: mlp}", override) == f"command line: {text}"


# Mistakes in a file of conf/


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ("epoch: 3\n", "unknown key training.epoch; did you mean epochs?"),
        ("epochs: 0\n", "training.epochs is 0, but must be at least 1"),
        (
            "early_stopping: {patience: 0}\n",
            "training.early_stopping.patience is 0, but must be at least 1",
        ),
    ],
)
def test_a_mistake_in_an_option_names_the_options_file(option: str, problem: str) -> None:
    write_conf("training/default.yaml", option)
    assert mistake("conf: {training: default}") == f"conf/training/default.yaml: {problem}"


@pytest.mark.parametrize(
    ("default", "built_on_it", "file", "text"),
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
    default: str, built_on_it: str, file: str, text: str
) -> None:
    write_conf("training/default.yaml", default)
    write_conf("training/early_stopping.yaml", f"defaults: [default, _self_]\n{built_on_it}")
    params = "conf: {training: early_stopping}"
    assert mistake(params) == f"conf/training/{file}.yaml: {text}"


def test_an_option_that_is_built_on_a_missing_one_names_its_own_file() -> None:
    write_conf("training/early_stopping.yaml", "defaults: [defalt, _self_]\n")
    assert mistake("conf: {training: early_stopping}") == (
        "conf/training/early_stopping.yaml: there is no conf/training/defalt.yaml"
    )


def test_a_wrong_type_in_an_option_names_the_options_file() -> None:
    write_conf("training/default.yaml", "epochs: many\n")
    assert mistake("{}") == (
        "conf/training/default.yaml: training.epochs must be a whole number, not 'many'"
    )


def test_a_mistake_in_an_option_with_a_schema_of_its_own_names_the_options_file() -> None:
    write_conf("optimizer/sgd.yaml", "defaults: [sgd_schema]\nlearning_rate: 0.1\nmomentun: 0\n")
    assert mistake("{}", "optimizer=sgd") == (
        "conf/optimizer/sgd.yaml: unknown key optimizer.momentun; did you mean momentum?"
    )


def test_a_mistake_in_a_list_item_of_an_option_names_the_options_file() -> None:
    write_conf("model/linear.yaml", "layers: [{unit: 1}]\n")
    assert mistake("{}", "model=linear") == (
        "conf/model/linear.yaml: unknown key model.layers[0].unit; did you mean units?"
    )


def test_a_mistake_in_an_option_that_params_fixes_is_none() -> None:
    write_conf("training/default.yaml", "epochs: 0\n")
    assert composed("training: {epochs: 2}").config.training.epochs == 2


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


def test_a_duplicated_key_is_named_with_the_line() -> None:
    assert mistake("training:\n  epochs: 1\n  epochs: 2\n") == (
        "params.yaml, line 3: the key epochs is already in line 2"
    )


@pytest.mark.parametrize("params", ["- training\n", "3\n"])
def test_params_that_are_no_mapping_are_refused(params: str) -> None:
    assert mistake(params) == "params.yaml: must be a mapping of keys to values"


def test_params_that_are_not_in_utf_8_are_refused() -> None:
    Path(PARAMS).write_bytes("# grün\n".encode("latin-1"))
    with pytest.raises(UserError) as caught:
        compose(Path())
    assert str(caught.value) == "params.yaml: is not encoded in UTF-8; save it in UTF-8"


@pytest.mark.parametrize("name", ["conf/", "conf/config.yaml", "params.yaml"])
def test_a_missing_file_is_named(name: str) -> None:
    write_params("{}")
    path = Path(name)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(UserError) as caught:
        compose(Path())
    assert str(caught.value) == f"{name} is missing; run this at the root of the repository"


def test_a_group_set_to_a_number_is_refused_in_one_line() -> None:
    assert mistake("{}", "training=3").startswith("command line: ")


def test_an_option_that_stands_for_its_section_is_chosen_under_conf() -> None:
    assert mistake("model: tabular_large") == (
        "params.yaml: model must be a mapping of keys to values, not 'tabular_large'; an option is"
        " chosen by conf: {model: tabular_large}"
    )

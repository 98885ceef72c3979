"""A search space is written in Hydra's override grammar, and each mistake in it is named."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.compose.explanation import not_an_override
from pipeline.compose.schema import experiment_parameters
from pipeline.compose.sources import CONF, PARAMS
from pipeline.config.training import Activation
from pipeline.runtime.errors import UserError
from pipeline.sweep import space as sweep_space
from pipeline.sweep.space import Choice, Interval, Space, read_space
from tests.compose_once import compose_once

ROOT = Path(__file__).parents[2]
EXPERIMENT = "conf: {data: diabetes, model: linear, optimizer: sgd}\ntraining: {epochs: 5}\n"


@pytest.fixture(autouse=True)
def _copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory is a copy of the configuration, with an experiment of its own."""
    shutil.copytree(ROOT / CONF, tmp_path / CONF)
    (tmp_path / PARAMS).write_text(EXPERIMENT, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sweep_space, "compose", compose_once)


def read(*arguments: str) -> Space:
    return read_space(Path(), arguments)


def validated(*arguments: str) -> Space:
    """The space of a command line, as the sweep validates it before its first trial."""
    space = read(*arguments)
    space.validate()
    return space


def mistake(*arguments: str) -> str:
    """The error of a command line, in one line."""
    with pytest.raises(UserError) as caught:
        validated(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    "axes",
    [
        {
            "training.batch_size=32,128": Choice(("32", "128")),
            "training.loss=mse,huber": Choice(("mse", "huber")),
            "optimizer.clipnorm=null,1": Choice(("null", "1")),
            "model=linear,mlp": Choice(("linear", "mlp")),
            "training.epochs=range(50,200,50)": Choice(("50", "100", "150")),
            "optimizer.momentum=interval(0, 0.5)": Interval(0.0, 0.5),
            "optimizer.learning_rate=tag(log, interval(1e-4, 1e-1))": Interval(
                1e-4, 1e-1, log=True
            ),
        },
        {
            "training.batch_size=choice(32,128)": Choice(("32", "128")),
            "conf.model=linear,mlp": Choice(("linear", "mlp")),
            "training.epochs=range(3)": Choice(("0", "1", "2")),
        },
        {
            "training.batch_size=32,128,32": Choice(("32", "128")),
            "training.epochs=tag(int, interval(8, 64))": Interval(8, 64),
            "training.seed=tag(int, log, interval(8, 64))": Interval(8, 64, log=True),
        },
    ],
)
def test_an_override_with_several_values_is_an_axis(axes: dict[str, Choice | Interval]) -> None:
    space = read(*axes)
    keys = [override.partition("=")[0].removeprefix("conf.") for override in axes]
    assert space.axes == dict(zip(keys, axes.values(), strict=True))
    assert space.fixed == []
    for key, override in zip(keys, axes, strict=True):
        axis = space.axes[key]
        assert isinstance(axis, Choice) or axis.integer == ("tag(int" in override)


def test_an_override_with_a_single_value_fixes_its_key() -> None:
    space = read("training.epochs=7", "training.batch_size=8,16", "model=mlp")
    assert space.fixed == ["training.epochs=7", "model=mlp"]
    assert list(space.axes) == ["training.batch_size"]
    config = space.config({"training.batch_size": "16"})
    assert (config.training.epochs, config.training.batch_size) == (7, 16)
    assert len(config.model.layers) == 3


def test_a_group_is_named_as_in_params() -> None:
    space = read("conf.model=mlp", "conf.sweep=learning_rate")
    assert space.experiment.conf.model == "mlp"
    assert list(space.axes) == ["optimizer.learning_rate"]


def test_the_command_line_adds_to_the_space_of_conf_and_wins() -> None:
    extended = read("sweep=learning_rate", "training.batch_size=8,16")
    assert list(extended.axes) == ["optimizer.learning_rate", "training.batch_size"]
    other = read("sweep=learning_rate", "optimizer.learning_rate=0.1,0.2")
    assert other.axes == {"optimizer.learning_rate": Choice(("0.1", "0.2"))}
    fixed = read("sweep=learning_rate", "training.batch_size=8,16", "optimizer.learning_rate=0.1")
    assert list(fixed.axes) == ["training.batch_size"]
    assert fixed.config({"training.batch_size": "8"}).optimizer.learning_rate == 0.1


def test_the_spaces_of_conf_are_valid() -> None:
    validated("sweep=learning_rate")
    validated("sweep=mlp", "model=mlp", "optimizer=adamw")


def test_the_defaults_for_a_table_are_the_first_trial_of_their_space() -> None:
    Path(PARAMS).write_text("data: {path: data/raw/a.csv, target: y}\n", "utf-8")
    space = validated("sweep=tabular", "sweep.minutes=10")
    assert space.start is not None
    start = space.config(space.start)
    assert experiment_parameters(start) == experiment_parameters(space.experiment)


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        (["training.batch_size=32,128", "optimizer.learning_rate=interval(0,1)",
          "training.seed=9", "training.epochs=tag(int,interval(1,9))",
          "optimizer.clipnorm=null,1", "training.shuffle=true,false",
          "training.early_stopping.enabled=true,false"],
         {"training.batch_size": "128", "optimizer.learning_rate": 0.12345678901234567,
          "training.epochs": 4, "optimizer.clipnorm": "null", "training.shuffle": "false",
          "training.early_stopping.enabled": "true"}),
        (["model=linear,mlp", "optimizer=sgd,adam", "optimizer.learning_rate=0.1,0.2",
          "training=default,early_stopping"],
         {"model": "mlp", "optimizer": "adam", "optimizer.learning_rate": "0.2",
          "training": "early_stopping"}),
        (["model.layers.0.dropout=interval(0,0.5)", "model.layers.1.activation=relu,tanh",
          "model=mlp", "optimizer.learning_rate=tag(log,interval(1e-6,1))"],
         {"model.layers.0.dropout": 0.25, "model.layers.1.activation": "tanh",
          "optimizer.learning_rate": 1.2345678e-05}),
    ],
)  # fmt: skip
def test_a_trial_is_the_experiment_that_its_overrides_compose_to(
    arguments: list[str], values: dict[str, Any]
) -> None:
    space = read(*arguments)
    expected = compose_once(Path(), [*space.fixed, *space.overrides(values)]).config
    assert space.config(values) == expected


def test_trials_share_no_values() -> None:
    space = read("model=mlp", "model.layers.0.activation=relu,tanh")
    one, other = (space.config({"model.layers.0.activation": name}) for name in ("relu", "tanh"))
    assert one.model.layers[0].activation is Activation.relu
    assert other.model.layers[0].activation is Activation.tanh


def test_a_grid_is_all_combinations() -> None:
    space = read("training.batch_size=8,16", "training.epochs=tag(int,interval(2,4))")
    points = [tuple(point.values()) for point in space.grid()]
    assert points == [("8", 2), ("8", 3), ("8", 4), ("16", 2), ("16", 3), ("16", 4)]


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        (["optimizer.learning_rate=interval(0.001, 0.1)"], {"optimizer.learning_rate": 0.01}),
        (["optimizer.learning_rate=1e-2,1"], {"optimizer.learning_rate": "0.01"}),
        (
            ["model=mlp,linear", "training.epochs=tag(int, interval(1, 5))"],
            {"model": "linear", "training.epochs": 5},
        ),
        (["optimizer.clipnorm=1,null", "training.epochs=6"], {"optimizer.clipnorm": "null"}),
        (
            ["model=linear,mlp", "model.layers.0.units=1,2"],
            {"model": "linear", "model.layers.0.units": "1"},
        ),
    ],
)
def test_the_starting_point_is_a_point_of_the_space(
    arguments: list[str], start: dict[str, Any]
) -> None:
    space = read(*arguments)
    assert space.start == start
    assert space.outside == []
    configured = experiment_parameters(space.config(start))
    assert configured == experiment_parameters(space.experiment)


@pytest.mark.parametrize(
    ("arguments", "outside"),
    [
        (
            ["optimizer.learning_rate=interval(0.02, 0.1)", "training.epochs=5,6"],
            ["optimizer.learning_rate"],
        ),
        (["optimizer=adam,adamw", "training.seed=1,2"], ["optimizer", "training.seed"]),
        (["optimizer.clipnorm=interval(1, 2)"], ["optimizer.clipnorm"]),
        (["optimizer=adam,adamw", "optimizer.beta_1=0.9,0.8"], ["optimizer", "optimizer.beta_1"]),
    ],
)
def test_a_starting_point_outside_the_space_has_its_keys_named(
    arguments: list[str], outside: list[str]
) -> None:
    space = read(*arguments)
    assert space.start is None
    assert space.outside == outside


def test_the_axes_are_described_in_words() -> None:
    space = read(
        "training.batch_size=8,16",
        "optimizer.momentum=interval(0, 0.5)",
        "optimizer.learning_rate=tag(log, interval(1e-4, 1e-1))",
    )
    assert space.described() == {
        "training.batch_size": "8, 16",
        "optimizer.momentum": "0 to 0.5",
        "optimizer.learning_rate": "0.0001 to 0.1, logarithmic",
    }


def test_options_may_need_each_other() -> None:
    space = validated("optimizer.nesterov=true,false", "optimizer.momentum=0,0.9")
    values = {"optimizer.nesterov": "true", "optimizer.momentum": "0.9"}
    assert space.config(values) == compose_once(Path(), space.overrides(values)).config
    with pytest.raises(UserError, match=r"^optimizer: nesterov needs a momentum above 0$"):
        space.config(values | {"optimizer.momentum": "0"})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            [],
            (
                "the space is empty: vary a key, as in 'optimizer.learning_rate=0.01,0.1', or"
                " choose an option of conf/sweep/ with conf.sweep"
            ),
        ),
        (
            ["training.seed=1,2", "training.seed=3"],
            (
                "the space is empty: vary a key, as in 'optimizer.learning_rate=0.01,0.1', or"
                " choose an option of conf/sweep/ with conf.sweep"
            ),
        ),
        *(
            ([argument], not_an_override(argument))
            for argument in (
                "epochs",
                "=1,2",
                "training.epochs=choice()",
                "optimizer.learning_rate=interval(0.1)",
            )
        ),
        (
            ["+optimizer.momentum=0,1"],
            "command line: '+optimizer.momentum=0,1': write KEY=VALUE, without +, ~ or @",
        ),
        (
            ["~optimizer.momentum"],
            "command line: '~optimizer.momentum': write KEY=VALUE, without +, ~ or @",
        ),
        (
            ["model=glob(*)"],
            "command line: 'model=glob(*)': give choices, a range or an interval",
        ),
        (
            ["optimizer.learning_rat=1,2"],
            "command line: unknown key optimizer.learning_rat; did you mean learning_rate?",
        ),
        (
            ["optimizer.learning_rat=interval(1,2)"],
            "command line: unknown key optimizer.learning_rat; did you mean learning_rate?",
        ),
        (
            ["model=linear,none"],
            (
                "command line: conf/model/ has no option 'none'; it has linear, mlp, tabular,"
                " tabular_large"
            ),
        ),
        (
            ["optimizer.learning_rate=0.1,fast"],
            "command line: optimizer.learning_rate must be a number, not 'fast'",
        ),
        (
            ["training.epochs=interval(1,9)"],
            (
                "training.epochs must be a whole number; write"
                " training.epochs=tag(int,interval(1,9))"
            ),
        ),
        (
            ["training.loss=mse,rmse"],
            "command line: training.loss must be mse, mae or huber, not 'rmse'",
        ),
        (["training.epochs=0,9"], "command line: training.epochs is 0, but must be at least 1"),
        (
            ["optimizer.learning_rate=interval(-1,1)"],
            "command line: optimizer.learning_rate is -1.0, but must be above 0",
        ),
        (
            ["optimizer.momentum=interval(0,1)"],
            "command line: optimizer.momentum is 1.0, but must be below 1",
        ),
        (
            ["optimizer.nesterov=true,false"],
            "command line: optimizer: nesterov needs a momentum above 0",
        ),
        (
            ["optimizer.nesterov=true,false", "optimizer.momentum=0.9,2"],
            "command line: optimizer.momentum is 2.0, but must be below 1",
        ),
        (
            ["optimizer.learning_rate=interval(2,1)"],
            (
                "command line: 'optimizer.learning_rate=interval(2,1)': the interval ends at 1.0,"
                " not above its start 2.0"
            ),
        ),
        (
            ["optimizer.learning_rate=interval(1,1)"],
            (
                "command line: 'optimizer.learning_rate=interval(1,1)': the interval ends at 1.0,"
                " not above its start 1.0"
            ),
        ),
        (
            ["optimizer.learning_rate=tag(log,interval(0,1))"],
            (
                "command line: 'optimizer.learning_rate=tag(log,interval(0,1))': a logarithmic"
                " interval must start above 0"
            ),
        ),
        (
            ["training.epochs=range(5,1)"],
            (
                "command line: 'training.epochs=range(5,1)' is an empty range; its bounds"
                " contradict its step"
            ),
        ),
        *(
            (
                [f"{key}=1,2"],
                (
                    f"command line: {key} cannot be varied: trials are compared on the same rows"
                    " and columns, which it may change; run a sweep for each value. Of data,"
                    " data.scale_inputs, data.bins, data.bin_edges, data.scale_target,"
                    " data.impute, data.min_category_count, data.max_categories can be varied"
                ),
            )
            for key in ("data", "data.path", "data.target", "data.split.seed", "data.leave_out")
        ),
        *(
            (
                [f"{key}=1,2"],
                (
                    f"command line: {key} cannot be varied: it has no effect on a trial; give it"
                    " one value"
                ),
            )
            for key in (
                "tracking",
                "tracking.uri",
                "sweep.trials",
                "training.minutes",
                "registry.max.test_rmse",
                "evaluation.coverage",
            )
        ),
        (
            ["data.bins=1,8"],
            "command line: data.bins is 1, but must be at least 2",
        ),
        (
            ["sweep=none"],
            (
                "command line: conf/sweep/ has no option 'none'; it has default, learning_rate,"
                " mlp, tabular"
            ),
        ),
        (
            ["sweep.trials=0", "training.epochs=1,2"],
            "command line: sweep.trials is 0, but must be at least 1",
        ),
    ],
    ids=" ".join,
)
def test_a_mistake_is_named(arguments: list[str], message: str) -> None:
    assert mistake(*arguments) == message


def test_an_interval_has_no_grid() -> None:
    space = read("training.batch_size=8,16", "optimizer.learning_rate=interval(0.1,0.2)")
    with pytest.raises(UserError) as caught:
        space.grid()
    assert str(caught.value) == (
        "optimizer.learning_rate is an interval, which has no finite grid; list its values, or"
        " choose another sweep.sampler"
    )


def test_a_single_value_in_the_space_of_conf_is_a_mistake() -> None:
    Path(PARAMS).write_text(EXPERIMENT + "sweep: {space: {training.epochs: '9'}}\n", "utf-8")
    assert mistake() == (
        "sweep.space: training.epochs=9: a single value does not vary; set training.epochs instead"
    )


def test_a_mistake_in_the_space_of_conf_names_its_source() -> None:
    Path(PARAMS).write_text(EXPERIMENT + "sweep: {space: {data: 'a,b'}}\n", "utf-8")
    assert mistake().startswith("conf.sweep: data cannot be varied")

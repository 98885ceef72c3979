"""The composed configuration read back, and its flat parameters."""

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.compose.experiment import Composed, compose
from pipeline.compose.schema import experiment_parameters, flatten, read_config
from pipeline.config.data import Kind
from pipeline.config.training import SGD, Loss
from pipeline.runtime.errors import UserError
from pipeline.runtime.files import write_text
from pipeline.runtime.paths import COMPOSED
from tests.compose.folder import OPTIONS, option_composed


def written(*overrides: str) -> Composed:
    """The experiment, in data/config.yaml too."""
    experiment = compose(Path(), overrides)
    write_text(COMPOSED, yaml.safe_dump(experiment.plain))
    return experiment


def test_the_configuration_that_is_read_is_the_one_that_was_written() -> None:
    for index in range(max(Counter(group for group, _ in OPTIONS).values())):
        experiment = option_composed(index)
        write_text(COMPOSED, yaml.safe_dump(experiment.plain))
        assert experiment.config == read_config()


def test_a_configuration_that_is_missing_is_named_with_what_writes_it() -> None:
    with pytest.raises(UserError) as caught:
        read_config()
    assert str(caught.value) == (
        "data/config.yaml: no such file; `dvc repro configure` makes it again"
    )


def test_what_is_read_has_the_types_of_the_schema() -> None:
    written("optimizer=sgd", "training.loss=huber", "data.kinds={zip: category, seen: date}")
    config = read_config()
    assert isinstance(config.optimizer, SGD)
    assert config.training.loss is Loss.huber
    assert config.data.kinds == {"zip": Kind.category, "seen": Kind.date}


def test_the_parameters_are_the_plain_values_of_what_defines_a_training() -> None:
    experiment = compose(Path(), ["optimizer=sgd", "data.kinds={zip: category}"])
    aside = ("evaluation", "tracking", "registry", "sweep")
    plain = {name: section for name, section in experiment.plain.items() if name not in aside}
    plain["conf"] = {name: option for name, option in plain["conf"].items() if name not in aside}
    parameters = experiment_parameters(experiment.config)
    assert parameters == flatten(plain)
    assert parameters["data.kinds.zip"] == "category"


def test_nested_values_are_flattened_under_dotted_keys() -> None:
    value = {"a": [{"b": 1}, {"b": None}], "c": {"d": {"e": "text"}}, "f": 2.5}
    assert flatten(value) == {"a.0.b": 1, "a.1.b": None, "c.d.e": "text", "f": 2.5}


KEYS = st.sampled_from(["a", "b", "c"])
TREES = st.recursive(
    st.none() | st.integers(),
    lambda inner: (
        st.dictionaries(KEYS, inner, min_size=1) | st.lists(inner, min_size=1, max_size=3)
    ),
)


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(itertools.chain.from_iterable(map(leaves, value.values())))
    if isinstance(value, list):
        return list(itertools.chain.from_iterable(map(leaves, value)))
    return [value]


@given(st.dictionaries(KEYS, TREES))
def test_no_value_is_lost_and_the_order_is_kept(tree: dict[str, Any]) -> None:
    assert list(flatten(tree).values()) == leaves(tree)

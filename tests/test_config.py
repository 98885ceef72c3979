"""The composed configuration read back, and its flat names."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.command import UserError
from pipeline.composing import CONF, compose
from pipeline.config import COMPOSED, SGD, Loss, flatten, read_config, settings
from pipeline.files import write_text

ROOT = Path(__file__).parents[1]
OPTIONS = sorted((path.parent.name, path.stem) for path in (ROOT / CONF).glob("*/*.yaml"))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written to the repository."""
    monkeypatch.chdir(tmp_path)


def composed(*overrides: str) -> dict[str, Any]:
    return compose(ROOT, overrides)


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids="/".join)
def test_what_is_read_back_is_what_was_composed(group: str, option: str) -> None:
    config = composed(f"{group}={option}")
    write_text(Path(COMPOSED), yaml.safe_dump(config))
    aside = ("tracking", "sweep")
    kept = {name: section for name, section in config.items() if name not in aside}
    kept["conf"] = {name: option for name, option in kept["conf"].items() if name not in aside}
    assert settings(read_config()) == flatten(kept)


def test_what_is_read_back_has_the_types_of_the_schema() -> None:
    config = composed("optimizer=sgd", "training.loss=huber")
    write_text(Path(COMPOSED), yaml.safe_dump(config))
    read = read_config()
    assert isinstance(read.optimizer, SGD)
    assert read.training.loss is Loss.huber


def test_a_configuration_that_is_not_there_is_named_with_what_writes_it() -> None:
    with pytest.raises(UserError) as caught:
        read_config()
    assert str(caught.value) == (
        "data/config.yaml: No such file or directory; the configure stage writes it"
    )


def test_settings_do_not_say_where_a_run_is_tracked() -> None:
    write_text(Path(COMPOSED), yaml.safe_dump(composed("tracking.experiment=a")))
    first = settings(read_config())
    write_text(Path(COMPOSED), yaml.safe_dump(composed("tracking.experiment=b")))
    assert settings(read_config()) == first
    write_text(Path(COMPOSED), yaml.safe_dump(composed("training.epochs=7")))
    assert settings(read_config()) == {**first, "training.epochs": 7}


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

"""The composed configuration read back, and its flat names."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.compose.experiment import CONF, compose
from pipeline.compose.schema import Config, flatten, read_config, settings
from pipeline.config.data import Data, Kind, Lint, Policy, Reading, Split, SplitBy, Violations
from pipeline.config.section import COMPOSED, check, typed
from pipeline.config.training import SGD, Loss
from pipeline.runtime.errors import UserError
from pipeline.runtime.files import write_text

ROOT = Path(__file__).parents[2]
OPTIONS = sorted((path.parent.name, path.stem) for path in (ROOT / CONF).glob("*/*.yaml"))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written to the repository."""
    monkeypatch.chdir(tmp_path)


def composed(*overrides: str) -> dict[str, Any]:
    return compose(ROOT, overrides)


# What the option for any table leaves to its user.
TABLE = ("data.path=data/raw/own.csv", "data.target=own")


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids="/".join)
def test_what_is_read_back_is_what_was_composed(group: str, option: str) -> None:
    config = composed(f"{group}={option}", *(TABLE if option == "table" else ()))
    write_text(COMPOSED, yaml.safe_dump(config))
    aside = ("tracking", "sweep")
    kept = {name: section for name, section in config.items() if name not in aside}
    kept["conf"] = {name: option for name, option in kept["conf"].items() if name not in aside}
    assert settings(read_config()) == flatten(kept)


def test_what_is_read_back_has_the_types_of_the_schema() -> None:
    config = composed("optimizer=sgd", "training.loss=huber")
    write_text(COMPOSED, yaml.safe_dump(config))
    read = read_config()
    assert isinstance(read.optimizer, SGD)
    assert read.training.loss is Loss.huber


def test_a_mapping_s_values_have_the_types_of_the_schema_and_settings_their_names() -> None:
    config = composed("data.kinds={zip: category, seen: date}")
    write_text(COMPOSED, yaml.safe_dump(config))
    read = read_config()
    assert read.data.kinds == {"zip": Kind.category, "seen": Kind.date}
    kinds = {key: value for key, value in settings(read).items() if key.startswith("data.kinds")}
    assert kinds == {"data.kinds.zip": "category", "data.kinds.seen": "date"}


def mistakes(section: Any) -> list[str]:
    """What check says is wrong with a section, without the key's path."""
    return [text for _, text in check(section)]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (Split(validation=-0.1), "validation is -0.1, but must be at least 0"),
        (Split(validation=1.0), "validation is 1.0, but must be below 1"),
        (Split(test=-0.1), "test is -0.1, but must be at least 0"),
        (Split(test=1.0), "test is 1.0, but must be below 1"),
        (Split(test=float("nan")), "test is nan, but must be a finite number"),
        (Split(seed=-1), "seed is -1, but must be at least 0"),
        (
            Data(path="a", target="b", min_category_count=0),
            "min_category_count is 0, but must be at least 1",
        ),
        (
            Data(path="a", target="b", max_categories=0),
            "max_categories is 0, but must be at least 1",
        ),
        (
            Data(path="a", target="b", split=Split(seed=-1)),
            "split.seed is -1, but must be at least 0",
        ),
    ],
)
def test_a_value_out_of_range_is_named_with_its_bound(section: Any, said: str) -> None:
    assert said in mistakes(section)


NEEDS_COLUMN = "by is {}, which needs column"


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (
            Split(validation=0.5, test=0.5),
            "validation + test must stay below 1: nothing is left to train on",
        ),
        (
            Split(column="day"),
            "column names what to divide by, so it needs by: group, time, hash or column",
        ),
        *((Split(by=by), NEEDS_COLUMN.format(by.value)) for by in SplitBy if by.value != "random"),
        (Reading(delimiter=""), "delimiter is '', but must be one character"),
        (Reading(delimiter=";;"), "delimiter is ';;', but must be one character"),
        (Reading(decimal=""), "decimal is '', but must be one character"),
        (Reading(decimal=".,"), "decimal is '.,', but must be one character"),
        (Reading(thousands=""), "thousands is '', but must be one character"),
        (Reading(thousands="  "), "thousands is '  ', but must be one character"),
        (Reading(decimal=",", thousands=","), "decimal and thousands are both ','"),
        (
            Reading(names=["a"], header=True),
            "names are for a file without a header; leave names or header out",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_a_problem(
    section: Split | Reading, said: str
) -> None:
    assert section.problem() == said
    data = Data(path="a", target="b")
    if isinstance(section, Split):
        data.split = section
    else:
        data.reading = section
    where = "split" if isinstance(section, Split) else "reading"
    assert mistakes(data) == [f"{where}: {said}"]


@pytest.mark.parametrize(
    "section",
    [
        Split(),
        Split(validation=0.0, test=0.999),
        Split(validation=0.999, test=0.0),
        *(Split(by=by, column="day", test=0.5) for by in SplitBy if by is not SplitBy.random),
        Reading(),
        Reading(delimiter="\t", decimal=",", thousands="."),
        Reading(header=False, names=["a", "b"]),
        Reading(names=["a", "b"]),
        Reading(header=True),
        Reading(missing=[]),
        Violations(),
        Lint(accept=["target_copy:X"]),
        Data(path="a", target="b", min_category_count=1, max_categories=1),
    ],
)
def test_the_last_allowed_values_are_no_problem(section: Any) -> None:
    assert mistakes(section) == []


@pytest.mark.parametrize("kind", [Lint, Violations])
def test_each_finding_and_each_deviation_has_a_policy(kind: type[Any]) -> None:
    policies = {name: value for name, value in vars(kind()).items() if name != "accept"}
    assert all(isinstance(value, Policy) for value in policies.values())
    section = kind.__name__.lower()
    for name in policies:
        for policy in Policy:
            config = typed(Config, composed(f"data.{section}.{name}={policy.value}"))
            assert getattr(getattr(config.data, section), name) is policy


def test_a_table_is_read_and_divided_as_its_section_says() -> None:
    config = typed(
        Config,
        composed(
            "data=table",
            *TABLE,
            "data.reading={delimiter: ';', decimal: ',', missing: ['-', '']}",
            "data.split={by: time, column: day, validation: 0.1, test: 0.3}",
            "data.group=patient",
        ),
    )
    assert config.data.reading == Reading(delimiter=";", decimal=",", missing=["-", ""])
    assert config.data.split == Split(SplitBy.time, "day", validation=0.1, test=0.3)
    assert config.data.group == "patient"


def test_a_configuration_that_is_not_there_is_named_with_what_writes_it() -> None:
    with pytest.raises(UserError) as caught:
        read_config()
    assert str(caught.value) == (
        "data/config.yaml: No such file or directory; the configure stage writes it"
    )


def test_settings_do_not_say_where_a_run_is_tracked() -> None:
    write_text(COMPOSED, yaml.safe_dump(composed("tracking.experiment=a")))
    first = settings(read_config())
    write_text(COMPOSED, yaml.safe_dump(composed("tracking.experiment=b")))
    assert settings(read_config()) == first
    write_text(COMPOSED, yaml.safe_dump(composed("training.epochs=7")))
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

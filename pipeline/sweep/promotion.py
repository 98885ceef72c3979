"""From a trial to the next experiment: its values, written into params.yaml."""

import copy
import io
import shutil
import tempfile
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter

from pipeline.compose.experiment import CONF, PARAMS, compose
from pipeline.compose.schema import GROUPS
from pipeline.runtime.errors import UserError
from pipeline.runtime.files import write_text

FLOAT = "tag:yaml.org,2002:float"


def promote(root: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """Makes params.yaml compose to what it composes to with the overrides; returns what
    it now states of them, by dotted key.

    Comments and order stay. What conf/ says anyway is not added.
    """
    wanted = compose(root, overrides)
    original = (root / PARAMS).read_text("utf-8")
    document = _load(original)
    keys = [override.partition("=")[0] for override in overrides]
    groups = [f"conf.{key}" for key in keys if key in GROUPS]
    places = dict.fromkeys(_place(document, key) for key in keys if key not in GROUPS)
    stated = {key: _at(wanted, key) for key in (*groups, *places)}
    with tempfile.TemporaryDirectory() as folder:
        # Tried out beside the experiment, which whatever goes wrong leaves as it was.
        trial = Path(folder)
        shutil.copytree(root / CONF, trial / CONF)

        def composes(values: Mapping[str, Any]) -> bool:
            write_text(trial / PARAMS, _with(original, values))
            try:
                return compose(trial) == wanted
            except UserError:
                return False

        if not composes(stated):
            raise UserError(
                f"{PARAMS}: cannot state this trial beside what it holds already; it was:"
                f" {' '.join(overrides)}"
            )
        for key in places:
            without = {name: value for name, value in stated.items() if name != key}
            if not _has(document, key) and composes(without):
                stated = without
    write_text(root / PARAMS, _with(original, stated))
    return stated


def _with(text: str, values: Mapping[str, Any]) -> str:
    """params.yaml with values by dotted key."""
    document = _load(text)
    for key, value in values.items():
        _set(document, key, copy.deepcopy(value))
    stream = io.StringIO()
    _yaml().dump(document, stream)
    return stream.getvalue()


class _Float(float):
    """A float that is written as it was read; ruamel's own loses its last digits."""

    text: str


class _Constructor(RoundTripConstructor):
    pass


class _Representer(RoundTripRepresenter):
    pass


def _read_float(constructor: RoundTripConstructor, node: ScalarNode) -> _Float:
    value = _Float(constructor.construct_yaml_float(node))
    value.text = node.value
    return value


def _write_float(representer: RoundTripRepresenter, value: _Float) -> ScalarNode:
    return representer.represent_scalar(FLOAT, value.text)


_Constructor.add_constructor(FLOAT, _read_float)
_Representer.add_representer(_Float, _write_float)


def _yaml() -> YAML:
    round_trip = YAML()
    round_trip.Constructor = _Constructor
    round_trip.Representer = _Representer
    round_trip.preserve_quotes = True
    round_trip.width = 100
    round_trip.indent(mapping=2, sequence=4, offset=2)
    return round_trip


def _load(text: str) -> CommentedMap:
    document: CommentedMap = _yaml().load(text)
    return document


def _place(document: CommentedMap, key: str) -> str:
    """The key to state. A list is stated as a whole, model.layers for
    model.layers.0.units, unless the document has the item already."""
    parts = key.split(".")
    numbers = [place for place, part in enumerate(parts) if part.isdigit()]
    if not numbers or _has(document, ".".join(parts[: numbers[-1] + 1])):
        return key
    return ".".join(parts[: numbers[0]])


def _set(document: Any, key: str, value: Any) -> None:
    *path, name = key.split(".")
    for part in path:
        if isinstance(document, MutableMapping) and not isinstance(
            document.get(part), Mapping | list
        ):
            document[part] = CommentedMap()
        document = _at(document, part)
    place = int(name) if isinstance(document, list) else name
    # Comments hang on values: what is the same stays the same object.
    if not _has(document, name) or document[place] != value:
        document[place] = value


def _at(document: Any, key: str) -> Any:
    for part in key.split("."):
        document = document[int(part) if isinstance(document, list) else part]
    return document


def _has(document: Any, key: str) -> bool:
    try:
        _at(document, key)
    except (KeyError, IndexError, TypeError):
        return False
    return True

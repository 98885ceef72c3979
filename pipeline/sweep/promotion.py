"""Promoting a trial: its values become those of the experiment, in params.yaml."""

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

from pipeline.compose.experiment import compose
from pipeline.compose.schema import GROUPS
from pipeline.compose.sources import CONF, PARAMS
from pipeline.runtime.errors import UserError
from pipeline.runtime.files import write_text

# The keys of data that say which table a sweep was for.
TABLE = ("path", "target")
FLOAT = "tag:yaml.org,2002:float"


def promote(root: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """Writes overrides to params.yaml, so that it composes to what it composes to with them.

    Comments and order are kept. A value that conf/ has anyway is not added.

    Parameters
    ----------
    root
        The folder that holds conf/ and params.yaml.
    overrides
        KEY=VALUE, in Hydra's grammar.

    Returns
    -------
    The values that params.yaml now has for these keys, by dotted key.

    Raises
    ------
    UserError
        For overrides that are not valid, or that params.yaml cannot express; it is not changed.
    """
    wanted = compose(root, overrides).plain
    original = (root / PARAMS).read_text("utf-8")
    document = _load(original)
    keys = [override.partition("=")[0] for override in overrides]
    groups = {key: _get(wanted, key) for key in (f"conf.{one}" for one in keys if one in GROUPS)}
    others = dict.fromkeys(_key_to_set(document, key) for key in keys if key not in GROUPS)
    values = {key: _get(wanted, key) for key in others}
    with tempfile.TemporaryDirectory() as folder:
        # Tried on a copy, so that the experiment is left as it is whatever goes wrong.
        draft = Path(folder)
        shutil.copytree(root / CONF, draft / CONF)

        def composed(changed: Mapping[str, Any]) -> dict[str, Any]:
            write_text(draft / PARAMS, _with(original, changed))
            try:
                return compose(draft).plain
            except UserError:
                return {}

        defaults = composed(groups)
        needed = {
            key: value
            for key, value in values.items()
            if _has(document, key) or not _has(defaults, key) or _get(defaults, key) != value
        }
        for changed in (groups | needed, groups | values):
            if composed(changed) == wanted:
                break
        else:
            raise UserError(
                f"{PARAMS}: cannot express this trial beside its other values:"
                f" {' '.join(overrides)}"
            )
    write_text(root / PARAMS, _with(original, changed))
    return changed


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


def _key_to_set(document: CommentedMap, key: str) -> str:
    """The key to set for a key of an override. A list is set as a whole, model.layers for
    model.layers.0.units, unless the document has the item already."""
    parts = key.split(".")
    indices = [index for index, part in enumerate(parts) if part.isdigit()]
    if not indices or _has(document, ".".join(parts[: indices[-1] + 1])):
        return key
    return ".".join(parts[: indices[0]])


def _set(document: Any, key: str, value: Any) -> None:
    *path, name = key.split(".")
    for part in path:
        if isinstance(document, MutableMapping) and not isinstance(
            document.get(part), Mapping | list
        ):
            document[part] = CommentedMap()
        document = _get(document, part)
    item = int(name) if isinstance(document, list) else name
    # Comments belong to the value objects, so that an equal value keeps its object.
    if not _has(document, name) or document[item] != value:
        document[item] = value


def _get(document: Any, key: str) -> Any:
    for part in key.split("."):
        document = document[int(part) if isinstance(document, list) else part]
    return document


def _has(document: Any, key: str) -> bool:
    try:
        _get(document, key)
    except (KeyError, IndexError, TypeError):
        return False
    return True

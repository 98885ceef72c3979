"""From a trial to the next experiment: its values, written into params.yaml."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from pipeline.command import UserError
from pipeline.composing import PARAMS, compose
from pipeline.config import GROUPS
from pipeline.files import write_text


def promote(root: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """Makes params.yaml compose to what it composes to with the overrides; returns what
    it now states of them, by dotted key.

    Comments and order stay. What conf/ says anyway is not repeated.
    """
    wanted = compose(root, overrides)
    path = root / PARAMS
    original = path.read_text("utf-8")
    document = _load(original)
    keys = [override.partition("=")[0] for override in overrides]
    for key in keys:
        if key in GROUPS:
            _set(document, f"conf.{key}", wanted["conf"][key])
    # A list is stated as a whole.
    places = dict.fromkeys(_whole(key) for key in keys if key not in GROUPS)
    for key in places:
        _set(document, key, _get(wanted, key))
    try:
        stating = _least(root, document, list(places), wanted)
    except BaseException:
        write_text(path, original)
        raise
    if stating is None:
        write_text(path, original)
        raise UserError(
            f"{PARAMS}: cannot state this trial beside what it holds already; it was:"
            f" {' '.join(overrides)}"
        )
    stated = [*(f"conf.{key}" for key in keys if key in GROUPS), *places]
    return {key: _get(stating, key) for key in stated if _has(stating, key)}


def _least(
    root: Path, document: CommentedMap, keys: Sequence[str], wanted: dict[str, Any]
) -> CommentedMap | None:
    """params.yaml is written as document without those keys that it can do without;
    None if even all of it does not compose to what is wanted."""
    path = root / PARAMS
    write_text(path, _dump(document))
    if compose(root) != wanted:
        return None
    for key in keys:
        without = _load(_dump(document))
        _delete(without, key)
        write_text(path, _dump(without))
        if compose(root) == wanted:
            document = without
    write_text(path, _dump(document))
    return document


def _yaml() -> YAML:
    round_trip = YAML()
    round_trip.preserve_quotes = True
    round_trip.width = 100
    round_trip.indent(mapping=2, sequence=4, offset=2)
    return round_trip


def _load(text: str) -> CommentedMap:
    document: CommentedMap = _yaml().load(text)
    return document


def _dump(document: CommentedMap) -> str:
    stream = io.StringIO()
    _yaml().dump(document, stream)
    return stream.getvalue()


def _whole(key: str) -> str:
    """The key up to the list that it reaches into: model.layers.0.units is of model.layers."""
    parts = key.split(".")
    numbers = [place for place, part in enumerate(parts) if part.isdigit()]
    return ".".join(parts[: numbers[0]] if numbers else parts)


def _set(document: CommentedMap, key: str, value: Any) -> None:
    *path, name = key.split(".")
    for part in path:
        if not isinstance(document.get(part), Mapping):
            document[part] = CommentedMap()
        document = document[part]
    document[name] = value


def _delete(document: CommentedMap, key: str) -> None:
    *path, name = key.split(".")
    owners = [document]
    for part in path:
        owners.append(owners[-1][part])
    del owners[-1][name]
    for part, owner in zip(reversed(path), reversed(owners[:-1]), strict=True):
        if not owner[part]:
            del owner[part]


def _get(document: Mapping[str, Any], key: str) -> Any:
    value: Any = document
    for part in key.split("."):
        value = value[part]
    return yaml.safe_load(yaml.safe_dump(value)) if isinstance(value, dict) else value


def _has(document: Mapping[str, Any], key: str) -> bool:
    value: Any = document
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return False
        value = value[part]
    return True

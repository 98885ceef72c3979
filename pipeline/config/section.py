"""Sections of the configuration: how they are read, typed and checked."""

import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import yaml
from omegaconf import MISSING

from pipeline.runtime.errors import read_errors
from pipeline.runtime.paths import COMPOSED

T = TypeVar("T")
# Whole numbers become numbers of 64 bits.
MAX_WHOLE = 2**63
TRUTH = dict.fromkeys(("true", "yes", "on", "y", "1"), True)
TRUTH |= dict.fromkeys(("false", "no", "off", "n", "0"), False)


def read_section(name: str, schema: type[T], path: Path = COMPOSED) -> T:
    """One section of the composed configuration, typed. dvc.yaml lists the sections that each
    stage reads. Raises UserError if the file is missing or damaged."""
    with read_errors(path):
        return typed(schema, read_composed(path)[name])


def read_composed(path: Path = COMPOSED) -> dict[str, Any]:
    """The composed configuration as plain mappings. Raises UserError if it is missing or
    damaged."""
    with read_errors(path):
        text = path.read_text(encoding="utf-8")
        try:
            return cast("dict[str, Any]", yaml.safe_load(text))
        except yaml.YAMLError as error:
            raise ValueError(str(error)) from error


@dataclass(eq=False)
class SchemaError(ValueError):
    """What the schema does not allow at a key: its value, which is None where it has none, or its
    name, where the section has the known ones."""

    key: str
    kind: Any = None
    value: Any = None
    name: str | None = None
    known: Sequence[str] = ()


def typed(schema: type[T], plain: Mapping[str, Any]) -> T:
    """A schema's dataclass with the resolved values. Of a schema with `variants`, the one
    with plain["name"] is used. Raises SchemaError."""
    return cast("T", convert(plain, schema, whole=True))


def convert(value: Any, hint: Any, key: str = "", *, whole: bool = False) -> Any:
    """A value with the type that the schema has for its key.

    Numbers may be texts. None for a section, a mapping or a list is an empty one: YAML reads a key
    with nothing below it so. If whole, sections become dataclasses; otherwise they stay mappings,
    may lack keys, and their values may be references.
    """
    kind = without_none(hint)
    container = dict if is_dataclass(kind) else get_origin(kind)
    if whole and value == MISSING:
        raise SchemaError(key)
    later = not whole and isinstance(value, str) and (value == MISSING or "${" in value)
    if later or kind is Any or (value is None and kind is not hint):
        return value
    if value is None and container:
        value = container()
    if is_dataclass(kind) and isinstance(value, dict):
        return _section(kind, value, key, whole=whole)
    if container is dict and isinstance(value, dict):
        (_, inner) = get_args(kind)
        return {
            name: convert(item, inner, join(key, name), whole=whole) for name, item in value.items()
        }
    if container is list and isinstance(value, list):
        (inner,) = get_args(kind)
        items = enumerate(value)
        return [convert(item, inner, f"{key}[{index}]", whole=whole) for index, item in items]
    if not container and isinstance(value, str | bool | int | float):
        with suppress(KeyError, ValueError):
            one = READ[kind](str(value)) if kind in READ else kind[value]
            return one.name if isinstance(one, Enum) and not whole else one
    raise SchemaError(key, kind, value)


def _section(schema: Any, given: Mapping[str, Any], key: str, *, whole: bool) -> Any:
    if whole and "variants" in vars(schema):
        if given.get("name") not in schema.variants:
            raise SchemaError(join(key, "name"))
        schema = schema.variants[given["name"]]
    types = types_of(schema)
    for name in given:
        if name not in types:
            raise SchemaError(join(key, name), name=name, known=list(types))
    values = {
        name: convert(item, types[name], join(key, name), whole=whole)
        for name, item in given.items()
    }
    if not whole:
        return values
    for item in fields(schema):
        if item.name not in values and is_dataclass(types[item.name]):
            values[item.name] = convert({}, types[item.name], join(key, item.name), whole=True)
        elif item.name not in values and item.default == MISSING:
            raise SchemaError(join(key, item.name))
    return schema(**values)


def without_none(hint: Any) -> Any:
    """The type of a value that may be None."""
    types = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return next(one for one in types if one is not NoneType)


@cache
def types_of(section: Any) -> dict[str, Any]:
    """The types of a section's keys. If it has variants, those of the keys of all of them, but
    for the name: it is that of the chosen one."""
    variants = vars(section).get("variants", {})
    types: dict[str, Any] = {}
    for schema in (section, *variants.values()):
        hints = get_type_hints(schema)
        types |= {item.name: hints[item.name] for item in fields(schema)}
    if variants:
        del types["name"]
    return types


def join(key: str, name: str) -> str:
    """The dotted key of a name below another key."""
    return f"{key}.{name}" if key else name


def _whole_number(text: str) -> int:
    # With base 0, 010 is an error: YAML 1.1 takes it for 8, YAML 1.2 for 10.
    value = int(text, 0)
    if abs(value) >= MAX_WHOLE:
        raise ValueError(text)
    return value


READ: dict[Any, Callable[[str], Any]] = {
    str: str,
    int: _whole_number,
    float: lambda text: float(text) + 0.0,  # -0.0 becomes 0.0
    bool: lambda text: TRUTH[text.lower()],
}


def bounded(
    default: Any = MISSING,
    *,
    at_least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> Any:
    """A dataclass field with the range of its values."""
    bounds = {
        "at least": (at_least, lambda value, limit: value >= limit),
        "above": (above, lambda value, limit: value > limit),
        "below": (below, lambda value, limit: value < limit),
        "at most": (at_most, lambda value, limit: value <= limit),
    }
    given = {name: pair for name, pair in bounds.items() if pair[0] is not None}
    return field(default=default, metadata={"bounds": given})


def _float32(value: float) -> float:
    """A number as the training computes with it; inf if it is too large."""
    try:
        (rounded,) = struct.unpack("f", struct.pack("f", value))
    except OverflowError:
        return math.inf
    return float(rounded)


def check(config: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yields each key whose value is invalid, and the error's text."""
    problems = list(_check_fields(config, prefix))
    if not problems and hasattr(config, "problem") and (problem := config.problem()):
        problems = [(prefix.rstrip("."), f"{prefix.rstrip('.')}: {problem}")]
    if not problems:
        empty = (
            f"{prefix}{item.name}" for item in fields(config) if getattr(config, item.name) == ""
        )
        problems = [(key, f"{key} is empty; leave it out for its default") for key in empty]
    yield from problems


def _check_fields(config: Any, prefix: str) -> Iterator[tuple[str, str]]:
    for item in fields(config):
        key = f"{prefix}{item.name}"
        value = getattr(config, item.name)
        computed = _float32(value) if isinstance(value, float) else value
        if isinstance(value, float) and not math.isfinite(computed):
            yield key, f"{key} is {value}, but must be a finite float32 number"
            continue
        for name, (limit, holds) in item.metadata.get("bounds", {}).items():
            if value is not None and not holds(computed, limit):
                rounded = " after rounding to float32" if holds(value, limit) else ""
                yield key, f"{key} is {value}, but must be {name} {limit}{rounded}"
        parts = value if isinstance(value, list) else [value]
        for index, part in enumerate(parts):
            if is_dataclass(part):
                yield from check(part, f"{key}[{index}]." if isinstance(value, list) else f"{key}.")

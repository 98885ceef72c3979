"""Sections of the configuration: how they are read, typed and checked."""

import math
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from omegaconf import MISSING, OmegaConf

from pipeline.runtime.errors import read_errors
from pipeline.runtime.paths import COMPOSED

T = TypeVar("T")


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


def typed(schema: type[T], plain: Mapping[str, Any]) -> T:
    """A schema's dataclass with the resolved values. Of a schema with `variants`, the one
    with plain["name"] is used."""
    structured = OmegaConf.structured(_variant(schema, plain))
    for item in fields(cast("Any", schema)):
        if hasattr(item.type, "variants"):
            structured[item.name] = _variant(item.type, plain[item.name])
    merged = OmegaConf.merge(structured, OmegaConf.create(_escaped(dict(plain))))
    return cast("T", OmegaConf.to_object(merged))


def _escaped(value: Any) -> Any:
    """A resolved value in which OmegaConf sees no references."""
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    if isinstance(value, str):
        return re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
    return value


def _variant(schema: Any, plain: Mapping[str, Any]) -> Any:
    return schema.variants[plain["name"]] if hasattr(schema, "variants") else schema


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

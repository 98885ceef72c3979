"""The values of an experiment: from what is written to the types of the schema."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from omegaconf.errors import GrammarParseError
from omegaconf.grammar.gen.OmegaConfGrammarParser import OmegaConfGrammarParser
from omegaconf.grammar_parser import parse

from pipeline.compose.explanation import (
    MAX_WHOLE,
    broken_reference,
    resolver,
    unknown_key,
    wrong_value,
)
from pipeline.compose.schema import Config
from pipeline.runtime.errors import UserError

MISSING = "???"
TRUTH = dict.fromkeys(("true", "yes", "on", "y", "1"), True)
TRUTH |= dict.fromkeys(("false", "no", "off", "n", "0"), False)


def typed(value: Any, key: str, source: str) -> Any:
    """A value as it is written, with the types that the schema has for it.

    Parameters
    ----------
    value
        Mappings and lists of texts and None; numbers are texts too. None for a section, a mapping
        or a list is an empty one: YAML reads a key with nothing below it so.
    key
        Its dotted key; "" for the whole configuration.
    source
        Where it is set, for errors.

    Raises
    ------
    UserError
        For an unknown key, and for a value that the type of its key does not allow.
    """
    try:
        return _typed(value, _known_type(key), key)
    except ValueError as error:
        raise UserError(f"{source}: {error}") from error


def type_of(key: str) -> Any:
    """The type of a dotted key in the schema, None for an unknown key."""
    try:
        return _known_type(key)
    except ValueError:
        return None


def _known_type(key: str) -> Any:
    kind, owner = Config, ""
    for name in key.split(".") if key else ():
        kind, owner = _within(kind, name, owner), _join(owner, name)
    return kind


def _typed(value: Any, hint: Any, key: str) -> Any:
    types = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kind = next(one for one in types if one is not NoneType)
    if isinstance(value, bool | int | float):
        # A cast of Hydra's grammar, such as int(3.7).
        value = str(value)
    if isinstance(value, str) and "${" in value:
        _check_reference(value, key)
        return value
    if kind is Any or value == MISSING or (value is None and NoneType in types):
        return value
    container = dict if is_dataclass(kind) else get_origin(kind)
    if value is None and container:
        return container()
    if container is dict and isinstance(value, dict):
        return {
            name: _typed(item, _within(kind, name, key), _join(key, name))
            for name, item in value.items()
        }
    if container is list and isinstance(value, list):
        (inner,) = get_args(kind)
        return [_typed(item, inner, f"{key}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, str) and not container:
        with suppress(KeyError, ValueError):
            return READ[kind](value) if kind in READ else kind[value].name
    raise ValueError(wrong_value(key, kind, value))


def _within(kind: Any, name: str, key: str) -> Any:
    """The type of a name in a section, a mapping or a list. Raises ValueError if it has none."""
    if isinstance(kind, type) and is_dataclass(kind):
        types = _types_of(kind)
        if name not in types:
            raise ValueError(unknown_key(key, name, list(types)))
        return types[name]
    origin, inner = get_origin(kind), get_args(kind)
    if origin is dict or (origin is list and name.isdecimal()):
        return inner[-1]
    raise ValueError(unknown_key(key, name, []))


@cache
def _types_of(section: Any) -> dict[str, Any]:
    """The types of a section's keys; if it has variants, of the keys of all of them."""
    types: dict[str, Any] = {}
    for schema in (section, *getattr(section, "variants", {}).values()):
        hints = get_type_hints(schema)
        types |= {item.name: hints[item.name] for item in fields(schema)}
    return types


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _whole(text: str) -> int:
    # With base 0, 010 is an error: YAML 1.1 takes it for 8, YAML 1.2 for 10.
    value = int(text, 0)
    if abs(value) >= MAX_WHOLE:
        raise ValueError(text)
    return value


def _number(text: str) -> float:
    # -0.0 becomes 0.0.
    return float(text) + 0.0


def _truth(text: str) -> bool:
    return TRUTH[text.lower()]


READ: dict[Any, Callable[[str], Any]] = {str: str, int: _whole, float: _number, bool: _truth}


def _check_reference(text: str, key: str) -> None:
    """Raises ValueError for a ${...} that is not a reference to another key."""
    try:
        tree = parse(text)
    except GrammarParseError as error:
        raise ValueError(broken_reference(key, text)) from error
    if _calls_resolver(tree):
        raise ValueError(resolver(key, text))


def _calls_resolver(tree: Any) -> bool:
    return isinstance(tree, OmegaConfGrammarParser.InterpolationResolverContext) or any(
        map(_calls_resolver, getattr(tree, "children", None) or ())
    )

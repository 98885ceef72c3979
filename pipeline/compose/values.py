"""The values of an experiment: from what is written to the types of the schema."""

import re
from dataclasses import is_dataclass
from typing import Any, get_args, get_origin

from omegaconf.errors import GrammarParseError
from omegaconf.grammar_parser import parse

from pipeline.compose.explanation import broken_reference, explain_value, resolver
from pipeline.compose.schema import Config
from pipeline.config.section import SchemaError, convert, join, types_of, without_none
from pipeline.runtime.errors import UserError


def typed(value: Any, key: str, source: str) -> Any:
    """A value as it is written, with the types that the schema has for it.

    Parameters
    ----------
    value
        Mappings and lists of texts and None; numbers are texts too.
    key
        Its dotted key; "" for the whole configuration.
    source
        Where it is set, for errors.

    Raises
    ------
    UserError
        For an unknown key, for a value that the type of its key does not allow, and for a ${...}
        that is not a reference to another key.
    """
    try:
        _check_references(value, key)
        return convert(value, _known_type(key), key)
    except ValueError as error:
        raise UserError(f"{source}: {explain_value(error)}") from error


def type_of(key: str) -> Any:
    """The type of a dotted key in the schema, None for an unknown key."""
    try:
        return without_none(_known_type(key))
    except SchemaError:
        return None


def _known_type(key: str) -> Any:
    kind: Any = Config
    owner = ""
    for name in key.split(".") if key else ():
        kind = without_none(kind)
        origin = get_origin(kind)
        if origin is dict or (origin is list and name.isdecimal()):
            kind = get_args(kind)[-1]
        else:
            known = types_of(kind) if isinstance(kind, type) and is_dataclass(kind) else {}
            if name not in known:
                raise SchemaError(join(owner, name), name=name, known=list(known))
            kind = known[name]
        owner = join(owner, name)
    return kind


def _check_references(value: Any, key: str) -> None:
    """Raises ValueError for a ${...} that is not a reference to another key."""
    if isinstance(value, dict):
        for name, item in value.items():
            _check_references(item, join(key, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_references(item, f"{key}[{index}]")
    elif isinstance(value, str) and "${" in value:
        try:
            parse(value)
        except GrammarParseError as error:
            raise ValueError(broken_reference(key, value)) from error
        # A resolver's name ends with a colon.
        if re.search(r"(?<!\\)(\\\\)*\$\{[^}]*:", value):
            raise ValueError(resolver(key, value))

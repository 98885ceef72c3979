"""Mistakes in the configuration, explained in one line: the file, the key, the remedy."""

import difflib
import math
import re
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from hydra.errors import MissingConfigException
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException

from pipeline.compose.schema import GROUPS, PASSWORD_KEYS, VARIANTS, Config
from pipeline.compose.sources import COMMAND_LINE, CONF, PARAMS, Sources, circular_option
from pipeline.config.section import MAX_WHOLE, SchemaError

# Keys of earlier versions.
RENAMED = {
    "data.deviations": "data.violations",
    "data.most_categories": "data.max_categories",
    "data.rare": "data.min_category_count",
    "data.standardize_inputs": "data.scale_inputs",
    "data.standardize_target": "data.scale_target",
    "sweep.together": "sweep.parallel_trials",
}
# Keys that are not set, and what to do instead.
FOREIGN = {
    "hydra": "settings of Hydra itself have no effect; remove it",
    "defaults": "options are chosen under conf",
    **{f"{group}.name": f"choose conf.{group}" for group in VARIANTS},
}
KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
MAX_SHOWN = 60


# A value


def explain_value(error: ValueError) -> str:
    """What is wrong with a value or a key that the schema does not allow."""
    if not isinstance(error, SchemaError):
        return str(error)
    if error.name is not None:
        return _unknown_key(error.key, error.name, error.known)
    if error.kind is not None:
        return _wrong_value(error.key, error.kind, error.value)
    section, _, name = error.key.partition(".")
    if name == "name" and section in VARIANTS:
        schemas = " or ".join(f"{option}_schema" for option in VARIANTS[section])
        return f"its defaults must contain {schemas}"
    return f"{error.key} has no value; set it there or in {PARAMS}"


def _wrong_value(key: str, kind: Any, value: Any) -> str:
    if key in GROUPS and isinstance(value, str) and value.isidentifier():
        hint = f"; an option is chosen by conf: {{{key}: {_short(value)}}}"
    else:
        hint = _hint(kind, value)
    return f"{key} must be {_expected(kind)}, not {_shown(value)}{hint}"


def _expected(kind: Any) -> str:
    if kind in KINDS:
        return KINDS[kind]
    if get_origin(kind) is list:
        return "a list"
    if get_origin(kind) is dict or is_dataclass(kind):
        return "a mapping of keys to values"
    *others, last = kind.__members__
    return f"{', '.join(others)} or {last}"


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return repr(_short(str(value)))


def _short(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _hint(kind: Any, value: Any) -> str:
    """How to fix some common mistakes; empty for others."""
    if value is None:
        text = (
            'write "null" in quotes for a text' if kind is str else "leave it out for its default"
        )
        return f"; {text}"
    if kind is str and isinstance(value, dict):
        return "; put a text that contains ': ' in quotes"
    if get_origin(kind) is list and get_args(kind) == (str,) and isinstance(value, str):
        return f"; write [{_short(value)}]"
    if kind in (int, float) and isinstance(value, str):
        with suppress(ValueError, OverflowError):
            return _number_hint(kind, value)
    return ""


def _number_hint(kind: Any, value: str) -> str:
    number = float(value.replace(",", ".").replace("%", "e-2"))
    if kind is int and abs(number) >= MAX_WHOLE:
        return "; it is too large"
    if kind is int and not number.is_integer():
        return ""
    return f"; write {kind(number)}" if math.isfinite(number) else ""


def broken_reference(key: str, text: str) -> str:
    """The error for a ${ that begins no reference."""
    return (
        f"{key}: {_shown(text)} is not a reference to another key, such as ${{training.epochs}};"
        r" write '\${' in single quotes for a text that contains ${"
    )


def resolver(key: str, text: str) -> str:
    """The error for a reference to what is no key, such as a variable of the environment."""
    remedy = "write the value itself, or refer to another key, such as ${training.epochs}"
    if key in ("tracking.uri", "sweep.storage"):
        remedy = PASSWORD_KEYS[key]
    return (
        f"{key}: {_shown(text)} would be written to data/config.yaml as the value that it has"
        f" now; {remedy}"
    )


# A key


def _unknown_key(key: str, name: str, known: Sequence[str]) -> str:
    shown = key if name.strip() and key.isprintable() else repr(key)
    return f"unknown key {_short(shown)}; {_remedy(key, name, known)}{_odd_letter(key)}"


def _remedy(key: str, name: str, known: Sequence[str]) -> str:
    """What to write instead of an unknown key."""
    if key in RENAMED or key in FOREIGN:
        return FOREIGN.get(key) or f"renamed to {RENAMED[key]}"
    first, _, rest = name.replace("/", ".").partition(".")
    if rest and first in known:
        return f"write {first}: {{{rest.replace('.', ': {')}: ...{'}' * (rest.count('.') + 1)}"
    group = key.rpartition(".")[0]
    if name and name == group:
        return f"write the keys of {name} without it"
    options = [
        option
        for option, variant in VARIANTS.get(group, {}).items()
        if name in {item.name for item in fields(variant)}
    ]
    if options:
        return f"it is one of conf.{group}={' or '.join(options)}"
    sections = [] if group else _sections_with(name)
    if sections:
        return " or ".join(f"write {section}: {{{name}: ...}}" for section in sections)
    return suggest(name, known)


def _sections_with(name: str) -> list[str]:
    """The sections that have a key of that name."""
    schemas: dict[str, list[Any]] = {
        item.name: [*VARIANTS.get(item.name, {}).values(), item.type] for item in fields(Config)
    }
    return [
        section
        for section, found in schemas.items()
        if any(name in {item.name for item in fields(schema)} for schema in found)
    ]


def _odd_letter(key: str) -> str:
    """Names the first letter that looks like another one but is not."""
    odd = next((letter for letter in key if not letter.isascii()), None)
    return f" (it contains {unicodedata.name(odd, ascii(odd))})" if odd else ""


def suggest(name: str, known: Sequence[str]) -> str:
    """The known name that is nearest to an unknown one, or else all of them."""
    near = difflib.get_close_matches(name.lower(), known, n=1)
    if near:
        return f"did you mean {near[0]}?"
    if known:
        return f"known are {', '.join(known)}"
    return "what it is in has no keys; a name with a dot is given in braces, such as {a.b: ...}"


# An option


def wrong_option(group: str, option: Any, options: Sequence[str]) -> str | None:
    """The error for an option that a group does not have; None if it has it."""
    if group not in GROUPS:
        return f"unknown group conf.{group}; {suggest(group, GROUPS)}"
    if not isinstance(option, str):
        return f"conf.{group} must name an option, not {_shown(option)}"
    if option in options:
        return None
    known = f"; it has {', '.join(options)}" if options else ""
    return f"{CONF}/{group}/ has no option {_shown(option)}{known}"


# An argument of the command line


def not_an_override(text: str, source: str = COMMAND_LINE) -> str:
    """The error for an argument that Hydra cannot parse."""
    key, equal, value = text.partition("=")
    item = re.sub(r"\[(\d+)\]", r".\1", key)
    remedy = "write it without spaces, such as training.epochs=50"
    if equal and re.fullmatch(r"\+*[A-Za-z_]\w*(\.\w+)*", item) and value.isprintable():
        if item != key:
            remedy = f"write {item}={value}"
        elif re.match(r"[\[{]|\w+\(", value):
            remedy = "check its brackets, and quote texts with special characters: ['Preis (EUR)']"
        elif value[:1] in ("'", '"'):
            remedy = f"close the quote {value[0]}"
        elif not set(value) & set("'\""):
            remedy = f"quote a value with special characters: \"{key}='{value}'\""
    return f"{source}: {text!r} is not a KEY=VALUE in Hydra's grammar; {remedy}"


# What Hydra and OmegaConf find


def explain(error: Exception, sources: Sources) -> str:
    """The cause of an exception that was raised while composing."""
    if isinstance(error, SchemaError):
        return f"{sources.of(error.key)}: {explain_value(error)}"
    if isinstance(error, MissingConfigException):
        return f"{_file_of(error)}: there is no {CONF}/{error.missing_cfg_file}.yaml"
    if isinstance(error, OmegaConfBaseException):
        key = error.full_key or ""
        missing = isinstance(error, InterpolationKeyError)
        to = "does not exist" if missing else "leads to no value"
        return f"{sources.of(key)}: {key} refers to a key that {to}; write its value instead"
    text = re.sub(r"^In '.+?': ", "", str(error).splitlines()[0])
    return f"{_file_of(error) or CONF}: {text}"


def circular(root: Path) -> str:
    """The error for a configuration that refers to itself."""
    file = circular_option(root)
    if file:
        return f"{file}: its defaults lead back to itself; remove it from one of them"
    return f"{PARAMS}: a reference such as ${{training.epochs}} leads back to itself; write a value"


def _file_of(error: Exception) -> str | None:
    """The file that Hydra names at the beginning of an error."""
    found = re.match(r"In '(.+?)': ", str(error))
    if found is None:
        return None
    return PARAMS if found[1] == "params" else f"{CONF}/{found[1]}.yaml"

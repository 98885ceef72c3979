"""Errors of Hydra, OmegaConf and YAML, explained in one line: the file, the key, the remedy."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path

import yaml
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from pipeline.compose.schema import VARIANTS
from pipeline.compose.sources import COMMAND_LINE, CONF, PARAMS, Sources
from pipeline.config.training import Layer

# Keys of earlier versions.
RENAMED = {
    "data.deviations": "data.violations",
    "data.most_categories": "data.max_categories",
    "data.rare": "data.min_category_count",
    "data.standardize_inputs": "data.scale_inputs",
    "data.standardize_target": "data.scale_target",
    "sweep.together": "sweep.parallel_trials",
}


def explain(error: Exception, sources: Sources) -> str:
    """The cause of an exception that Hydra or OmegaConf raised while composing."""
    if isinstance(error, yaml.MarkedYAMLError):
        return explain_yaml(error, sources.root)
    if isinstance(error, OverrideParseException):
        typed = {error.override, error.override.removeprefix("++")} & set(sources.overrides)
        return not_an_override(typed.pop() if typed else error.override)
    if isinstance(error, MissingConfigException):
        return _explain_missing_option(error, sources)
    cause = _omegaconf_error(error)
    if cause is None:
        return f"{_file_of(error) or COMMAND_LINE}: {str(error).splitlines()[0]}"
    key = cause.full_key or ""
    if cause.object_type is Layer and "." not in key:
        # OmegaConf names a key of a list's item without the list.
        key = f"model.layers[...].{key}"
    # Hydra's own errors are about one file or override, OmegaConf's about the whole.
    hydra = isinstance(error, HydraException)
    source = (_file_of(error) or COMMAND_LINE) if hydra else sources.of(key)
    return f"{source}: {_problem(cause, key)}"


def _problem(cause: OmegaConfBaseException, key: str) -> str:
    if isinstance(cause, ConfigKeyError | ConfigAttributeError):
        owner = cause.object_type
        known = [item.name for item in fields(owner)] if is_dataclass(owner) else []
        return f"unknown key {key}; {_remedy(key, known)}"
    if isinstance(cause, MissingMandatoryValue):
        return f"{key} has no value; set it there or in {PARAMS}"
    text = str(cause).splitlines()[0]
    return f"{key}: {text}" if key else text


def explain_yaml(error: yaml.MarkedYAMLError, root: Path) -> str:
    """What makes a file of the experiment invalid YAML, and in which line."""
    mark = error.problem_mark
    source = "a YAML file"
    if mark:
        source = f"{Path(mark.name).resolve().relative_to(root.resolve())}, line {mark.line + 1}"
    return f"{source}: not YAML: {error.problem}"


def not_an_override(text: str, source: str = COMMAND_LINE) -> str:
    """The error for an argument that Hydra cannot parse."""
    return f"{source}: {text!r} is not a KEY=VALUE in Hydra's grammar"


def suggest(name: str, known: Sequence[str]) -> str:
    """The known name that is nearest to an unknown one, or else all of them."""
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"known are {', '.join(known)}" if known else "see the keys in conf/"


def _remedy(key: str, known: Sequence[str]) -> str:
    """What to write instead of an unknown key."""
    if key in RENAMED:
        return f"renamed to {RENAMED[key]}"
    group, _, name = key.rpartition(".")
    options = [
        option
        for option, variant in VARIANTS.get(group, {}).items()
        if name in {item.name for item in fields(variant)}
    ]
    if options:
        return f"it is one of conf.{group}={' or '.join(options)}"
    return suggest(name, known)


def _explain_missing_option(error: MissingConfigException, sources: Sources) -> str:
    group, _, option = (error.missing_cfg_file or "").rpartition("/")
    options = [name for name in error.options or () if not name.endswith("_schema")]
    source = _file_of(error)
    if f"{group}={option}" in sources.overrides:
        source = COMMAND_LINE
    elif sources.params["conf"].get(group) == option:
        source = PARAMS
    known = f"; it has {', '.join(sorted(options))}" if options else ""
    return f"{source}: {f'{CONF}/{group}'.rstrip('/')}/ has no option {option!r}{known}"


def _file_of(error: Exception) -> str | None:
    """The file that Hydra names at the beginning of an error."""
    found = re.match(r"In '(.+?)': ", str(error))
    if found is None:
        return None
    return PARAMS if found[1] == "params" else f"{CONF}/{found[1]}.yaml"


def _omegaconf_error(error: BaseException | None) -> OmegaConfBaseException | None:
    """The error of OmegaConf that is, or led to, an exception."""
    while error is not None and not isinstance(error, OmegaConfBaseException):
        error = error.__cause__ or error.__context__
    return error

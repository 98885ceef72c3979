"""The experiment, composed: conf/ < params.yaml < command line.

Hydra merges them, and the dataclasses of the schema type and check the result.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_origin

from hydra import compose as hydra_compose
from hydra import initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pipeline.compose.explanation import (
    circular,
    explain,
    wrong_option,
)
from pipeline.compose.files import MAIN, Files
from pipeline.compose.overrides import read_override
from pipeline.compose.schema import GROUPS, VARIANTS, Config, check_passwords, plain_sections
from pipeline.compose.sources import (
    COMMAND_LINE,
    CONF,
    PARAMS,
    Sources,
    options_of,
    read_file,
    read_option,
)
from pipeline.compose.values import type_of, typed
from pipeline.config import section
from pipeline.config.section import SchemaError
from pipeline.runtime.errors import UserError

_store = ConfigStore.instance()
# Hydra looks for the file to begin with before it knows where the files are.
_store.store(name="experiment", node={"defaults": [MAIN, "_self_"]})
# Which variant an option is of.
for _group, _variants in VARIANTS.items():
    for _name in _variants:
        _store.store(group=_group, name=f"{_name}_schema", node={"name": _name})

# Groups of Hydra's own configuration that only its command line reads; a third of the time.
UNUSED = ("hydra_logging", "job_logging", "launcher", "sweeper", "output", "help", "hydra_help",
          "env")  # fmt: skip


@dataclass(frozen=True)
class Composed:
    """A resolved configuration: plain, as data/config.yaml holds it, and typed."""

    plain: dict[str, Any]
    config: Config


def compose(root: Path, overrides: Sequence[str] = ()) -> Composed:
    """The configuration of the experiment in a folder.

    Parameters
    ----------
    root
        The folder that holds conf/ and params.yaml.
    overrides
        Values that win over those of params.yaml, in Hydra's grammar; a group may be written
        as in params.yaml (conf.model=mlp) or as in Hydra (model=mlp).

    Raises
    ------
    UserError
        For anything that the schema does not allow; the text names the file and the key.
    """
    for needed in (f"{CONF}/", f"{CONF}/{MAIN}.yaml", PARAMS):
        if not (root / needed).exists():
            raise UserError(f"{needed} is missing; run this at the root of the repository")
    params = read_file(root / PARAMS, PARAMS)
    options, values = _options_and_values(root, params, overrides)
    sources = Sources(root, params, [key for key, _ in values], options)
    try:
        sections, choices = _merge(root, options, values)
        sources = replace(sources, choices=choices)
        resolved: Any = OmegaConf.to_container(sections, resolve=True)
        config = section.typed(Config, {**resolved, "conf": choices})
    except (SchemaError, HydraException, OmegaConfBaseException) as error:
        raise UserError(explain(error, sources)) from error
    except RecursionError as error:
        raise UserError(circular(root)) from error
    found = (*section.check(config), *check_passwords(config))
    problems = [f"{sources.of(key)}: {text}" for key, text in found]
    if problems:
        raise UserError("\n".join(problems))
    return Composed(plain_sections(config), config)


def _options_and_values(
    root: Path, params: Mapping[str, Any], overrides: Sequence[str]
) -> tuple[dict[str, str], list[tuple[str, Any]]]:
    """The options that params.yaml and the command line choose, and the values that the command
    line sets."""
    conf = params.get("conf") or {}
    if not isinstance(conf, dict):
        raise UserError(f"{PARAMS}: conf must map groups of {CONF}/ to their options")
    chosen = [(group, option, PARAMS) for group, option in conf.items() if option is not None]
    values = []
    for override in overrides:
        key, value = read_override(override)
        if key == CONF and isinstance(value, dict):
            chosen += [(group, option, COMMAND_LINE) for group, option in value.items()]
        elif key in GROUPS and not isinstance(value, dict):
            chosen.append((key, value, COMMAND_LINE))
        else:
            values.append((key, typed(value, key, COMMAND_LINE)))
    for group, option, source in chosen:
        problem = wrong_option(group, option, options_of(root, group))
        if problem:
            raise UserError(f"{source}: {problem}")
    return {group: option for group, option, _ in chosen}, values


def _merge(
    root: Path, options: Mapping[str, str], values: Sequence[tuple[str, Any]]
) -> tuple[DictConfig, dict[str, Any]]:
    """The sections that conf/, params.yaml and the command line set, and the option of each
    group."""
    searchpath = [f"{Files.scheme()}://{folder.resolve()}" for folder in (root / CONF, root)]
    with initialize_config_module("pipeline.compose", version_base="1.3"):
        composed = hydra_compose(
            "experiment",
            [
                f"hydra.searchpath=[{','.join(map(_quoted, searchpath))}]",
                *(f"hydra/{group}=[]" for group in UNUSED),
                *(f"{group}={_quoted(option)}" for group, option in options.items()),
            ],
            return_hydra_config=True,
        )
    OmegaConf.set_struct(composed, None)
    known = composed.pop("hydra").runtime.choices
    for key, value in values:
        _check_items(composed, key)
        OmegaConf.update(composed, key, value, merge=True)
    return composed, {group: known.get(group) for group in GROUPS}


def _check_items(sections: DictConfig, key: str) -> None:
    """Raises UserError for a key of an item, such as model.layers.9.units, that is not there."""
    for index in re.finditer(r"\.(\d+)(?=\.|$)", key):
        name = key[: index.start()]
        count = len(OmegaConf.select(sections, name) or ())
        if get_origin(type_of(name)) is list and int(index[1]) >= count:
            raise UserError(
                f"{COMMAND_LINE}: unknown key {key}; {name} has {count} items, counted from 0"
            )


def _quoted(text: str) -> str:
    return QuotedString(text, Quote.single).with_quotes()


def warnings(root: Path, config: Config) -> list[str]:
    """What is allowed, but hardly intended."""
    option, path = config.conf.data, config.data.path
    preset = option and read_option(root, "data", option).get("path")
    if preset in (None, "???", path):
        return []
    text = f"data.path is {path}, but conf.data={option} is for {preset}"
    return [f"{text}; for your own table, {PARAMS} needs only data.path and data.target"]

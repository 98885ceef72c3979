"""The experiment, composed: conf/ < params.yaml < command line.

Hydra merges them, and the dataclasses of the schema type and check the result.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pipeline.compose.explanation import explain, explain_yaml, not_an_override, suggest
from pipeline.compose.schema import GROUPS, VARIANTS, Choices, Config, check_passwords
from pipeline.compose.sources import COMMAND_LINE, CONF, PARAMS, Sources, read_option
from pipeline.config.section import check
from pipeline.runtime.errors import UserError

_store = ConfigStore.instance()
_store.store(name="schema", node=Config)
for _group, _variants in VARIANTS.items():
    for _name, _schema in _variants.items():
        _store.store(group=_group, name=f"{_name}_schema", node=_schema)


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
    conf = (root / CONF).resolve()
    if not conf.is_dir():
        raise UserError(f"{CONF}/ is missing; run this at the root of the repository")
    params = _read_params(root)
    overrides = [without_conf(override) for override in overrides]
    for override in overrides:
        if override.lstrip("+~").startswith("="):
            raise UserError(not_an_override(override))
    sources = Sources(root, params, overrides, params["conf"])
    chosen = [f"{group}={option}" for group, option in params["conf"].items()]
    # params.yaml is a Hydra configuration too, found in root.
    quoted = root.resolve().as_posix().replace("\\", "\\\\").replace("'", "\\'")
    searchpath = f"hydra.searchpath=['file://{quoted}']"
    try:
        with initialize_config_dir(str(conf), version_base="1.3"):
            composed = hydra_compose(
                "config",
                [searchpath, *chosen, *map(_allow_new_keys, overrides)],
                return_hydra_config=True,
            )
        sources = replace(sources, choices=composed.hydra.runtime.choices)
        sections = OmegaConf.masked_copy(composed, list(GROUPS))
        resolved: Any = OmegaConf.to_container(sections, resolve=True, enum_to_str=True)
        for group in VARIANTS:
            if resolved[group]["name"] != getattr(
                OmegaConf.get_type(sections[group]), "name", None
            ):
                source = sources.of(f"{group}.name")
                raise UserError(
                    f"{source}: {group}.name cannot be set; choose conf.{group} instead"
                )
        choices = {group: sources.choices[group] for group in GROUPS}
        plain = {"conf": choices, **{group: resolved[group] for group in GROUPS}}
        typed: Any = {group: OmegaConf.to_object(sections[group]) for group in GROUPS}
        config = Config(conf=Choices(**choices), **typed)
    except (HydraException, OmegaConfBaseException, yaml.MarkedYAMLError) as error:
        raise UserError(explain(error, sources)) from error
    except ValueError as error:
        # Hydra's own, for a group that is set to a number.
        raise UserError(f"{COMMAND_LINE}: {' '.join(str(error).split())}") from error
    found = (*check(config), *check_passwords(config))
    problems = [f"{sources.of(key)}: {text}" for key, text in found]
    if problems:
        raise UserError("\n".join(problems))
    return Composed(plain, config)


def without_conf(override: str) -> str:
    """An override as Hydra expects it: a group is conf.model in params.yaml, model there."""
    return re.sub(r"^\+*conf\.", "", override)


def warnings(root: Path, config: Config) -> list[str]:
    """What is allowed, but hardly intended."""
    option, path = config.conf.data, config.data.path
    assert option is not None
    preset = read_option(root, "data", option).get("path")
    if preset in (None, "???", path):
        return []
    text = f"data.path is {path}, but conf.data={option} is for {preset}"
    return [f"{text}; for your own table, {PARAMS} needs only data.path and data.target"]


def _allow_new_keys(override: str) -> str:
    """An override that may add a key where the schema has no keys, and only there."""
    plain = override.lstrip("+")
    return f"++{plain}" if re.match(r"(data\.kinds|sweep\.space)[.=]", plain) else plain


def _read_params(root: Path) -> dict[str, Any]:
    """The content of params.yaml, with a mapping under conf."""
    no_mapping = f"{PARAMS}: must be a mapping of keys to values"
    try:
        params = OmegaConf.to_container(OmegaConf.load(root / PARAMS))
    except OSError as error:
        # OmegaConf raises one without strerror for a file that holds a single value.
        missing = f"{PARAMS}: {error.strerror}; it describes the experiment"
        raise UserError(missing if error.strerror else no_mapping) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{PARAMS}: is not encoded in UTF-8; save it in UTF-8") from error
    except yaml.MarkedYAMLError as error:
        raise UserError(explain_yaml(error, root)) from error
    if not isinstance(params, dict):
        raise UserError(no_mapping)
    conf = params.get("conf") or {}
    if not isinstance(conf, dict):
        raise UserError(f"{PARAMS}: conf must map groups of {CONF}/ to their options")
    for group, option in conf.items():
        if group not in GROUPS:
            raise UserError(f"{PARAMS}: unknown group conf.{group}; {suggest(str(group), GROUPS)}")
        if not isinstance(option, str):
            raise UserError(f"{PARAMS}: conf.{group} must name an option, not {option!r}")
    return {**cast("dict[str, Any]", params), "conf": conf}

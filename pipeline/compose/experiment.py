"""Composing the configuration, and saying in one line what is wrong with it.

conf/ < params.yaml < command line: Hydra does the merging, config.py's dataclasses
the typing.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from pipeline.compose import schema
from pipeline.compose.schema import GROUPS, Config
from pipeline.config.section import check, typed
from pipeline.config.training import OPTIMIZERS, SCHEDULES, Layer
from pipeline.runtime.errors import UserError

CONF = "conf"
PARAMS = "params.yaml"
_store = ConfigStore.instance()
_store.store(name="schema", node=Config)
# Groups whose options differ in their keys.
KINDS: dict[str, Mapping[str, type[Any]]] = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES}
for _group, _kinds in KINDS.items():
    for _name, _schema in _kinds.items():
        _store.store(group=_group, name=f"{_name}_schema", node=_schema)


def compose(root: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The resolved configuration of the experiment in root/params.yaml.

    overrides are in Hydra's grammar, in which conf.model may be called so too, and win
    over params.yaml. Raises UserError, naming file and key, for anything that the schema
    does not allow.
    """
    overrides = [as_hydra_calls_it(override) for override in overrides]
    params = _read_params(root)
    choices = [f"{group}={option}" for group, option in params.get("conf", {}).items()]
    conf = (root / CONF).resolve()
    if not conf.is_dir():
        raise UserError(f"{CONF}/ is missing; run this at the root of the repository")
    taken: Mapping[str, str] = params["conf"]
    for override in overrides:
        if override.lstrip("+~").startswith("="):
            raise UserError(f"command line: {override!r} is not a KEY=VALUE in Hydra's grammar")
    try:
        with initialize_config_dir(str(conf), version_base="1.3"):
            # params.yaml is a Hydra config too: the root is where it is found.
            quoted = root.resolve().as_posix().replace("\\", "\\\\").replace("'", "\\'")
            composed = hydra_compose(
                "config",
                [f"hydra.searchpath=['file://{quoted}']", *choices, *map(_adding, overrides)],
                return_hydra_config=True,
            )
            taken = composed.hydra.runtime.choices
            OmegaConf.set_struct(composed, False)
            del composed["hydra"]
            plain = OmegaConf.to_container(composed, resolve=True, enum_to_str=True)
        resolved = cast("dict[str, Any]", plain)
        for section in KINDS:
            if resolved[section]["name"] != getattr(
                OmegaConf.get_type(composed[section]), "name", None
            ):
                key = f"{section}.name"
                place = _origin(key, root, params, overrides, taken)
                raise UserError(f"{place}: {key} cannot be set; choose conf.{section} instead")
        resolved["conf"] = {group: taken[group] for group in GROUPS}
        experiment = typed(Config, resolved)
    except (HydraException, OmegaConfBaseException, yaml.MarkedYAMLError) as error:
        raise UserError(_explain(error, root, params, overrides, taken)) from error
    except ValueError as error:
        # Hydra's own, for a group that is set to a number.
        raise UserError(f"command line: {' '.join(str(error).split())}") from error
    problems = [
        f"{_origin(key, root, params, overrides, resolved['conf'])}: {text}"
        for key, text in check(experiment)
    ]
    if problems:
        raise UserError("\n".join(problems))
    return resolved


def as_hydra_calls_it(override: str) -> str:
    """What is conf.model as a key of params.yaml is model to Hydra."""
    return re.sub(r"^\+*conf\.", "", override)


def _adding(override: str) -> str:
    """An override that may add to a mapping whose keys no schema knows."""
    added = re.match(r"(data\.kinds|sweep\.space)[.=]", override)
    return f"++{override}" if added else override


def doubts(root: Path, composed: Mapping[str, Any]) -> list[str]:
    """What may go well, but hardly is what its user wants."""
    option, path = composed["conf"]["data"], composed["data"]["path"]
    own = _read_option(root, "data", option).get("path")
    if own in (None, "???", path):
        return []
    doubt = (
        f"data.path is {path}, but conf.data={option} is about {own}; for a table of your own"
        f" let {PARAMS} hold nothing but data.path and data.target"
    )
    return [doubt]


def _read_params(root: Path) -> dict[str, Any]:
    path = root / PARAMS
    try:
        params = OmegaConf.to_container(OmegaConf.load(path))
    except OSError as error:
        # OmegaConf's own, which has no strerror, is of a file that holds one value.
        said = f"{error.strerror}; it is the experiment to run"
        said = said if error.strerror else "must be a mapping of keys to values"
        raise UserError(f"{PARAMS}: {said}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{PARAMS}: is not in UTF-8; save it so") from error
    except yaml.MarkedYAMLError as error:
        raise UserError(_explain_yaml(error, root)) from error
    if not isinstance(params, dict):
        raise UserError(f"{PARAMS}: must be a mapping of keys to values")
    conf = params.get("conf") or {}
    if not isinstance(conf, dict):
        raise UserError(f"{PARAMS}: conf must map groups of {CONF}/ to their options")
    for group, option in conf.items():
        if group not in GROUPS:
            raise UserError(f"{PARAMS}: unknown group conf.{group}; {_suggest(str(group), GROUPS)}")
        if not isinstance(option, str):
            raise UserError(f"{PARAMS}: conf.{group} must name an option, not {option!r}")
    return {**cast("dict[str, Any]", params), "conf": conf}


def _explain(
    error: Exception,
    root: Path,
    params: Mapping[str, Any],
    overrides: Sequence[str],
    choices: Mapping[str, str],
) -> str:
    """The cause of an exception of Hydra's or OmegaConf's, in one line."""
    if isinstance(error, MissingConfigException):
        group, _, option = (error.missing_cfg_file or "").rpartition("/")
        options = [name for name in error.options or () if not name.endswith("_schema")]
        place = "command line" if f"{group}={option}" in overrides else PARAMS
        return (
            f"{place}: {CONF}/{group}/ has no option {option!r};"
            f" it has {', '.join(sorted(options))}"
        )
    if isinstance(error, yaml.MarkedYAMLError):
        return _explain_yaml(error, root)
    overriding = str(error).startswith(("Error merging override", "Could not override"))
    if overriding and error.__cause__:
        text, place = str(error.__cause__), "command line"
    elif isinstance(error, OverrideParseException):
        given = next((one for one in overrides if _adding(one) == error.override), error.override)
        return f"command line: {given!r} is not a KEY=VALUE in Hydra's grammar"
    else:
        text, place = str(error), ""
    found = re.match(r"In '(.+)': \w+ raised while composing config:\n", text)
    key = (
        getattr(error, "full_key", None)
        or _first_match(r"full_key: *(\S+)$", text)
        or _first_match(r"^Key '(.*)' (?:is )?not in", text)
        or ""
    )
    if found:
        file = found.group(1)
        text = text[found.end() :]
        place = PARAMS if file == "params" else f"{CONF}/{file}.yaml"
    place = place or _origin(key, root, params, overrides, choices)
    first = text.splitlines()[0]
    if re.match(r"Key '.*' (is )?not in|Could not (override|append)", first):
        owner = getattr(schema, _first_match(r"object_type=(\w+)", text) or "", Config)
        known = [item.name for item in fields(owner)]
        key = f"model.layers[...].{key}" if owner is Layer and "." not in key else key
        group, _, name = key.rpartition(".")
        advice = _choose(group, name) or _suggest(name, known)
        return f"{place}: unknown key {key}; {advice}"
    if isinstance(error, MissingMandatoryValue):
        return f"{place}: {key} has no value; set it there or in {PARAMS}"
    return f"{place}: {key}: {first}" if key else f"{place}: {first}"


def _explain_yaml(error: yaml.MarkedYAMLError, root: Path) -> str:
    mark = error.problem_mark
    place = "a YAML file"
    if mark:
        place = f"{Path(mark.name).resolve().relative_to(root.resolve())}, line {mark.line + 1}"
    return f"{place}: not YAML: {error.problem}"


def _choose(group: str, name: str) -> str | None:
    """Which options of a group have a key that the chosen one has not."""
    kinds = KINDS.get(group, {})
    having = [kind for kind, schema in kinds.items() if name in schema.__dataclass_fields__]
    return f"it is one of conf.{group}={' or '.join(having)}" if having else None


def _suggest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"known are {', '.join(known)}" if known else "see the keys in conf/"


def _first_match(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1) if found else None


def _origin(
    key: str,
    root: Path,
    params: Mapping[str, Any],
    overrides: Sequence[str],
    choices: Mapping[str, str],
) -> str:
    """The place whose value of key counts: command line, params.yaml or a file of conf/."""
    dotted = re.sub(r"\[(\d+)\]", r".\1", key)
    stated = {override.lstrip("+~").split("=")[0] for override in overrides} - set(GROUPS)
    if any(f"{name}.".startswith(f"{dotted}.") or dotted.startswith(f"{name}.") for name in stated):
        return "command line"
    # A list is stated as a whole: all of its items come from the same place.
    whole = re.split(r"\.\d+", dotted)[0]
    if _states(params, whole):
        return PARAMS
    group, _, within = whole.partition(".")
    option = choices.get(group)
    if option and (root / CONF / group / f"{option}.yaml").is_file():
        return f"{CONF}/{group}/{_stating(root, group, option, within) or option}.yaml"
    return f"{CONF}/config.yaml"


def _stating(root: Path, group: str, option: str, key: str) -> str | None:
    """The option that states key: this one, or one that it is built on."""
    plain = _read_option(root, group, option)
    if _states(plain, key):
        return option
    bases = [base for base in plain.get("defaults", []) if isinstance(base, str)]
    # Of those that state it, the last one counts.
    found = [_stating(root, group, base, key) for base in bases if base != "_self_"]
    return next((base for base in reversed(found) if base), None)


def _read_option(root: Path, group: str, option: str) -> dict[str, Any]:
    """What the file of an option holds, which is nothing where there is none."""
    path = root / CONF / group / f"{option}.yaml"
    plain = yaml.safe_load(path.read_text("utf-8")) if path.is_file() else None
    return plain if isinstance(plain, dict) else {}


def _states(plain: Any, key: str) -> bool:
    for part in key.split("."):
        if not isinstance(plain, Mapping) or part not in plain:
            return False
        plain = plain[part]
    return True

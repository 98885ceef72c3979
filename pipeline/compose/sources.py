"""Where each value of an experiment is set: conf/, params.yaml or the command line."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.compose.yaml_text import read_yaml
from pipeline.runtime.errors import UserError

CONF = "conf"
PARAMS = "params.yaml"
COMMAND_LINE = "command line"


@dataclass(frozen=True)
class Sources:
    """What an experiment is composed from.

    Parameters
    ----------
    root
        The folder that holds conf/ and params.yaml.
    params
        The content of params.yaml.
    overridden
        The keys that the command line sets.
    choices
        The chosen option of each group, as far as it is known.
    """

    root: Path
    params: Mapping[str, Any]
    overridden: Sequence[str]
    choices: Mapping[str, str]

    def of(self, key: str) -> str:
        """The source that sets a key; model.layers[0].units is a key too."""
        dotted = re.sub(r"\[(\d+)\]", r".\1", key)
        if any(_overlap(dotted, name) for name in self.overridden):
            return COMMAND_LINE
        # A list is replaced as a whole, so that all of its items have one source.
        dotted = re.split(r"\.\d+", dotted)[0]
        if _has_key(self.params, dotted):
            return PARAMS
        group, _, within = dotted.partition(".")
        option = self.choices.get(group)
        if option and (self.root / CONF / group / f"{option}.yaml").is_file():
            return f"{CONF}/{group}/{self._option_that_sets(group, option, within) or option}.yaml"
        return f"{CONF}/config.yaml"

    def _option_that_sets(self, group: str, option: str, key: str) -> str | None:
        """This option, or one that it is built on."""
        content = read_option(self.root, group, option)
        if _has_key(content, key):
            return option
        found = [self._option_that_sets(group, base, key) for base in _bases(content)]
        # The last one wins.
        return next((base for base in reversed(found) if base), None)


def read_file(path: Path, name: str) -> dict[str, Any]:
    """The mapping in a YAML file, with all but null as text; empty for an empty file. Raises
    UserError."""
    content = read_yaml(path, name)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(f"{name}: must be a mapping of keys to values")
    return content


def read_option(root: Path, group: str, option: str) -> dict[str, Any]:
    """The content of an option's file, empty if there is none."""
    name = f"{CONF}/{group}/{option}.yaml"
    return read_file(root / name, name) if (root / name).is_file() else {}


def options_of(root: Path, group: str) -> list[str]:
    """The options of a group, in alphabetical order."""
    return sorted(path.stem for path in (root / CONF / group).glob("*.yaml") if path.is_file())


def circular_option(root: Path) -> str | None:
    """The file of the first option that is built on itself, by way of others or not."""
    for path in sorted((root / CONF).glob("*/*.yaml")):
        reached: set[str] = set()
        open_options = [path.stem]
        while open_options:
            bases = set(_bases(read_option(root, path.parent.name, open_options.pop())))
            open_options += bases - reached
            reached |= bases
        if path.stem in reached:
            return f"{CONF}/{path.parent.name}/{path.name}"
    return None


def _bases(content: Mapping[str, Any]) -> list[str]:
    """The options that an option is built on."""
    defaults = content.get("defaults") or []
    return [base for base in defaults if isinstance(base, str) and base != "_self_"]


def _overlap(key: str, other: str) -> bool:
    """Whether two keys are the same, or one is inside the other."""
    return f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}.")


def _has_key(content: Any, key: str) -> bool:
    for part in key.split("."):
        if not isinstance(content, Mapping) or part not in content:
            return False
        content = content[part]
    return True

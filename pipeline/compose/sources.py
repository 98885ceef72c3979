"""Where each value of an experiment is set: conf/, params.yaml or the command line."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.compose.schema import GROUPS

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
    overrides
        Those of the command line, in Hydra's grammar.
    choices
        The chosen option of each group, as far as it is known.
    """

    root: Path
    params: Mapping[str, Any]
    overrides: Sequence[str]
    choices: Mapping[str, str]

    def of(self, key: str) -> str:
        """The source that sets a key; model.layers[0].units is a key too."""
        dotted = re.sub(r"\[(\d+)\]", r".\1", key)
        overridden = {one.lstrip("+~").partition("=")[0] for one in self.overrides} - set(GROUPS)
        if any(_overlap(dotted, name) for name in overridden):
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
        bases = [base for base in content.get("defaults", []) if isinstance(base, str)]
        found = [self._option_that_sets(group, base, key) for base in bases if base != "_self_"]
        # The last one wins.
        return next((base for base in reversed(found) if base), None)


def read_option(root: Path, group: str, option: str) -> dict[str, Any]:
    """The content of an option's file, empty if there is none."""
    path = root / CONF / group / f"{option}.yaml"
    content = yaml.safe_load(path.read_text("utf-8")) if path.is_file() else None
    return content if isinstance(content, dict) else {}


def _overlap(key: str, other: str) -> bool:
    """Whether two keys are the same, or one is inside the other."""
    return f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}.")


def _has_key(content: Any, key: str) -> bool:
    for part in key.split("."):
        if not isinstance(content, Mapping) or part not in content:
            return False
        content = content[part]
    return True

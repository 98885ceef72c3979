"""The identity of a training's run: its fingerprint, and its names."""

import os
import re
from dataclasses import dataclass, field

from pipeline.compose.schema import Config


@dataclass(frozen=True)
class Identity:
    """The fingerprint of a training, a name for it, and the name of DVC's experiment where
    it is part of one."""

    fingerprint: str
    name: str
    experiment: str | None = field(default_factory=lambda: os.environ.get("DVC_EXP_NAME") or None)

    @property
    def run_name(self) -> str:
        return self.experiment or f"{self.name}-{self.fingerprint[:6]}"

    @property
    def tags(self) -> dict[str, str]:
        """By which the run is found later."""
        experiment = {"dvc.exp_name": self.experiment} if self.experiment else {}
        return {"fingerprint": self.fingerprint} | experiment


def of_training(config: Config, fingerprint: str) -> Identity:
    """The identity of a training with that configuration and that fingerprint."""
    choices = config.conf
    name = f"{table_name(config.data.path)}-{choices.model}-{choices.optimizer}"
    return Identity(fingerprint, name)


def table_name(path: str) -> str:
    """A short name for a table: that of its file, of its folder, or scikit-learn's."""
    parts = [
        re.sub(r"[^\w-]+", "-", part.split(".")[0]).strip("-") for part in re.split("[/:]", path)
    ]
    return next((part for part in reversed(parts) if part), "table")

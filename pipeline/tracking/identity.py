"""By what a tracked run is known, and what is written beside its name."""

import os
import re
from dataclasses import dataclass, field

from pipeline.compose.schema import Config
from pipeline.tracking import fingerprint, provenance


@dataclass(frozen=True)
class Identity:
    """What a run is known by: the fingerprint of its training and, where it is an
    experiment of DVC's, that experiment's name."""

    fingerprint: str
    name: str
    experiment: str | None = field(default_factory=lambda: os.environ.get("DVC_EXP_NAME"))

    @property
    def run_name(self) -> str:
        return self.experiment or f"{self.name}-{self.fingerprint[:6]}"


def of_training(config: Config) -> Identity:
    """That of the run of the training that the files stand for now."""
    choices = config.conf
    name = f"{table_name(config.data.path)}-{choices.model}-{choices.optimizer}"
    return Identity(fingerprint.of_stage("train").hash, name)


def table_name(path: str) -> str:
    """What a table is called for short: as its file, its folder, or as scikit-learn calls it."""
    parts = [
        re.sub(r"[^\w-]+", "-", part.split(".")[0]).strip("-") for part in re.split("[/:]", path)
    ]
    return next((part for part in reversed(parts) if part), "table")


def tags() -> dict[str, str]:
    """Commit and versions, which MLflow's list of runs shows as columns."""
    versions = {f"version.{name}": number for name, number in provenance.packages().items()}
    commit = provenance.git_commit()
    source = {"mlflow.source.type": "PROJECT", "mlflow.source.name": "dvc.yaml"}
    return versions | source | ({"mlflow.source.git.commit": commit} if commit else {})

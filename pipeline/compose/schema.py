"""The schema of the whole configuration.

Hydra types the configuration by these dataclasses; the bounds of the fields are checked
afterwards. The sections that stages read are in pipeline/config/, the others here.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from pipeline.config.data import Data
from pipeline.config.evaluation import Evaluation
from pipeline.config.section import bounded, read_composed, typed
from pipeline.config.training import OPTIMIZERS, SCHEDULES, TrainingConfig
from pipeline.runtime.errors import read_errors
from pipeline.runtime.paths import COMPOSED
from pipeline.runtime.redaction import redact


class Sampler(Enum):
    """How a sweep chooses the next trials."""

    tpe = "tpe"
    random = "random"
    quasi_random = "quasi_random"
    grid = "grid"


class Score(Enum):
    """The error by which trials are compared: on the rows that folds hold out, or on the validation
    part."""

    rmse = "rmse"
    mae = "mae"


class Cluster(Enum):
    """Where the trials of a sweep are trained: on the cores of this machine, or on those of the Ray
    cluster that it belongs to."""

    local = "local"
    auto = "auto"


@dataclass
class Pruning:
    """Successive halving: after first_epoch epochs, and again after factor times as many,
    one in factor of the trials trained together continues; the starting point always does."""

    enabled: bool = True
    first_epoch: int = bounded(120, at_least=1)
    factor: int = bounded(2, at_least=2)


@dataclass
class Sweep:
    """A search for better values of some keys."""

    name: str | None = None
    space: dict[str, str] = field(default_factory=dict)
    sampler: Sampler = Sampler.tpe
    score: Score = Score.rmse
    trials: int = bounded(64, at_least=1)
    minutes: float | None = bounded(None, above=0)
    parallel_trials: int = bounded(64, at_least=1)
    seed: int = bounded(0, at_least=0)
    pruning: Pruning = field(default_factory=Pruning)
    seeds: int = bounded(8, at_least=0)
    ensemble: int = bounded(16, at_least=0)
    storage: str | None = None
    cluster: Cluster | None = None


@dataclass
class Tracking:
    """Where the run is recorded."""

    enabled: bool = True
    experiment: str = "dense-regression"
    uri: str | None = None


@dataclass
class Registry:
    """What the model of a result must achieve to become the champion of MLflow's registry.

    Attributes
    ----------
    name
        The registered model; None is the table's name.
    max, min
        Limits of metrics of data/metrics.json, named as in MLflow.
    improvement_over
        For a baseline, or the champion: what the lower end of the interval of the improvement over
        it, a fraction, must be above; None is no limit.
    """

    name: str | None = None
    max: dict[str, float | None] = field(default_factory=dict)
    min: dict[str, float | None] = field(default_factory=dict)
    improvement_over: dict[str, float | None] = field(default_factory=dict)

    def problem(self) -> str | None:
        if self.name is not None and not re.fullmatch(r"[\w. -]+", self.name):
            return (
                f"name is {self.name!r}, but may only have letters, digits and any of ._- or blanks"
            )
        for key in ("max", "min", "improvement_over"):
            for name, limit in getattr(self, key).items():
                if limit is not None and not math.isfinite(limit):
                    return f"{key}.{name} is {limit}, but must be a finite number or null"
        return None


@dataclass
class Choices:
    """The chosen option of each group of conf/."""

    data: str | None = None
    model: str | None = None
    optimizer: str | None = None
    schedule: str | None = None
    training: str | None = None
    evaluation: str | None = None
    tracking: str | None = None
    registry: str | None = None
    sweep: str | None = None


@dataclass
class Config(TrainingConfig):
    """A whole experiment."""

    conf: Choices = field(default_factory=Choices)
    data: Data = field(default_factory=Data)
    evaluation: Evaluation = field(default_factory=Evaluation)
    tracking: Tracking = field(default_factory=Tracking)
    registry: Registry = field(default_factory=Registry)
    sweep: Sweep = field(default_factory=Sweep)


GROUPS = tuple(choice.name for choice in fields(Choices))
# Groups whose options differ in their keys, and the schema of each option.
VARIANTS: dict[str, Mapping[str, type[Any]]] = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES}


# Keys of URLs that may hold a password, and what to do instead: data/config.yaml and dvc.lock have
# every value.
PASSWORD_KEYS = {
    "data.path": "download the table, and give the path of the file",
    "data.new_rows": "download the table, and give the path of the file",
    "tracking.uri": "set the environment variable MLFLOW_TRACKING_URI to the URI, and leave out"
    " tracking.uri",
    "sweep.storage": "set the environment variable SWEEP_STORAGE to the URL, and leave out"
    " sweep.storage",
}


def check_passwords(config: Config) -> Iterator[tuple[str, str]]:
    """Yields each key whose value holds a password, and the error's text."""
    for key, remedy in PASSWORD_KEYS.items():
        section, name = key.split(".")
        value = str(getattr(getattr(config, section), name))
        if "://" in value and redact(value) != value:
            yield key, f"{key} holds a password, which would be written to files; {remedy}"


def read_config(path: Path = COMPOSED) -> Config:
    """The composed configuration, typed, with all of its sections."""
    with read_errors(path):
        return typed(Config, read_composed(path))


def plain_sections(config: Config) -> dict[str, Any]:
    """The configuration as mappings, lists, texts and numbers: the choices, then each group."""
    return {name: _plain(getattr(config, name)) for name in ("conf", *GROUPS)}


def experiment_parameters(config: Config) -> dict[str, Any]:
    """All values that define the experiment, by dotted key: neither how a sweep searches nor how
    the result is evaluated, tracked and registered, which may change after the training."""
    sections = plain_sections(config)
    for section in ("evaluation", "tracking", "registry", "sweep"):
        del sections[section], sections["conf"][section]
    return flatten(sections)


def _plain(value: Any) -> Any:
    # OmegaConf would take a hundred times as long, for each trial of a sweep.
    if is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.name if isinstance(value, Enum) else value


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings and lists as one mapping with dotted keys, in order.

    Examples
    --------
    >>> flatten({"a": [{"b": 1}], "c": 2})
    {'a.0.b': 1, 'c': 2}
    """
    if isinstance(value, Mapping):
        pairs = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list):
        pairs = [(str(index), item) for index, item in enumerate(value)]
    else:
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, item in pairs:
        flat |= flatten(item, f"{prefix}.{key}" if prefix else key)
    return flat

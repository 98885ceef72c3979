"""The schema of the whole configuration: what an experiment may state.

Hydra types the configuration by these dataclasses; the bounds beside the fields are the
range checks. What a stage computes with is in pipeline/config/, the rest is here.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import Any

from pipeline.config.data import Data
from pipeline.config.section import COMPOSED, bounded, read_composed, typed
from pipeline.config.training import TrainingConfig


class Sampler(Enum):
    """How a sweep chooses the next trials."""

    tpe = "tpe"
    random = "random"
    quasi_random = "quasi_random"
    grid = "grid"


class Score(Enum):
    """By which error of the validation part trials are compared."""

    rmse = "rmse"
    mae = "mae"


@dataclass
class Pruning:
    """Successive halving: after first_epoch epochs, and again whenever factor times as
    many are done, one in factor of the networks trained together goes on."""

    enabled: bool = True
    first_epoch: int = bounded(10, at_least=1)
    factor: int = bounded(3, at_least=2)


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


@dataclass
class Tracking:
    """Where the run is recorded."""

    enabled: bool = True
    experiment: str = "dense-regression"
    uri: str | None = None


@dataclass
class Choices:
    """The option of each group of conf/ that the experiment takes."""

    data: str | None = None
    model: str | None = None
    optimizer: str | None = None
    schedule: str | None = None
    training: str | None = None
    tracking: str | None = None
    sweep: str | None = None


@dataclass
class Config(TrainingConfig):
    """A whole experiment."""

    conf: Choices = field(default_factory=Choices)
    data: Data = field(default_factory=Data)
    tracking: Tracking = field(default_factory=Tracking)
    sweep: Sweep = field(default_factory=Sweep)


GROUPS = tuple(choice.name for choice in fields(Choices))


def read_config(path: Path = COMPOSED) -> Config:
    """The composed configuration, typed, with all of its sections."""
    return typed(Config, read_composed(path))


def settings(config: Config) -> dict[str, Any]:
    """Everything that makes the experiment what it is (so neither where it is
    tracked nor how others are searched for), under dotted names."""
    # Not by way of OmegaConf, which takes a hundred times as long for each trial of a sweep.
    sections = asdict(config, dict_factory=_plain)
    for aside in ("tracking", "sweep"):
        del sections[aside], sections["conf"][aside]
    return flatten(sections)


def _plain(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: _named(value) for key, value in pairs}


def _named(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _named(one) for key, one in value.items()}
    return value.name if isinstance(value, Enum) else value


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings and lists as one mapping with dotted keys, in order:
    {"a": [{"b": 1}]} becomes {"a.0.b": 1}."""
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

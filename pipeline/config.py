"""The schema of the configuration, and the composed one read back.

The dataclasses below are what Hydra types the configuration by; the bounds beside
the fields are the range checks.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, cast

import yaml
from omegaconf import MISSING, OmegaConf

from pipeline.command import UserError

COMPOSED = "data/config.yaml"


class Activation(Enum):
    """Names that Keras knows an elementwise activation by."""

    linear = "linear"
    relu = "relu"
    leaky_relu = "leaky_relu"
    elu = "elu"
    selu = "selu"
    gelu = "gelu"
    silu = "silu"
    softplus = "softplus"
    tanh = "tanh"
    sigmoid = "sigmoid"


class KernelInitializer(Enum):
    """Names that Keras knows an initializer by."""

    constant = "constant"
    glorot_uniform = "glorot_uniform"
    glorot_normal = "glorot_normal"
    he_uniform = "he_uniform"
    he_normal = "he_normal"
    lecun_uniform = "lecun_uniform"
    lecun_normal = "lecun_normal"
    zeros = "zeros"


class BiasInitializer(Enum):
    """How a bias may begin."""

    zeros = "zeros"
    ones = "ones"


class Loss(Enum):
    """What training minimises."""

    mse = "mse"
    mae = "mae"
    huber = "huber"


class When(Enum):
    """Whether to do a thing that is of use only sometimes."""

    auto = "auto"
    always = "always"
    never = "never"

    def decided(self, *, useful: bool) -> bool:
        """What auto comes to, if the thing is useful or is not."""
        return useful if self is When.auto else self is When.always


def bounded(
    default: Any = MISSING,
    *,
    at_least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> Any:
    """A field and the range that its value must lie in."""
    bounds = {
        "at least": (at_least, lambda value, limit: value >= limit),
        "above": (above, lambda value, limit: value > limit),
        "below": (below, lambda value, limit: value < limit),
        "at most": (at_most, lambda value, limit: value <= limit),
    }
    stated = {name: pair for name, pair in bounds.items() if pair[0] is not None}
    return field(default=default, metadata={"bounds": stated})


class Policy(Enum):
    """What to do about a finding."""

    error = "error"
    warn = "warn"
    accept = "accept"


class Kind(Enum):
    """What a column of a table holds."""

    numeric = "numeric"
    category = "category"
    boolean = "boolean"
    date = "date"


class SplitBy(Enum):
    """What decides in which part a row comes."""

    random = "random"
    group = "group"
    time = "time"
    hash = "hash"
    column = "column"


class ScaleInputs(Enum):
    """What becomes of a number before the network reads it."""

    none = "none"
    standardize = "standardize"
    quantile = "quantile"


class ScaleTarget(Enum):
    """In which units the network learns the target."""

    none = "none"
    standardize = "standardize"
    log = "log"


class Impute(Enum):
    """What stands in for a missing number."""

    median = "median"
    mean = "mean"


@dataclass
class Reading:
    """How a CSV file is written; what is None is found out from the file."""

    delimiter: str | None = None
    header: bool | None = None
    names: list[str] | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str = "utf-8"
    missing: list[str] = field(
        default_factory=lambda: ["", "?", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None"]
    )

    def problem(self) -> str | None:
        for name in ("delimiter", "decimal", "thousands"):
            value = getattr(self, name)
            if value is not None and len(value) != 1:
                return f"{name} is {value!r}, but must be one character"
        if self.decimal is not None and self.decimal == self.thousands:
            return f"decimal and thousands are both {self.decimal!r}"
        if self.names is not None and self.header is True:
            return "names are for a file without a header; leave names or header out"
        return None


@dataclass
class Split:
    """Fractions of the rows that are set aside, and how they are chosen; the rest is
    trained on. column is what group, time, hash and column go by."""

    by: SplitBy = SplitBy.random
    column: str | None = None
    validation: float = bounded(0.0, at_least=0, below=1)
    test: float = bounded(0.0, at_least=0, below=1)
    seed: int = bounded(0, at_least=0)

    def problem(self) -> str | None:
        if self.validation + self.test >= 1:
            return "validation + test must stay below 1: nothing is left to train on"
        if (self.column is None) != (self.by is SplitBy.random):
            return (
                "column names what to divide by, so it needs by: group, time, hash or column"
                if self.column is not None
                else f"by is {self.by.value}, which needs column"
            )
        return None


@dataclass
class Deviations:
    """What to do about values that the schema does not expect."""

    missing_value: Policy = Policy.error
    unseen_category: Policy = Policy.warn
    out_of_range: Policy = Policy.warn


@dataclass
class Lint:
    """What to do about each kind of finding in a table. accept has single findings that
    are all right, each as kind:column."""

    shared_rows: Policy = Policy.warn
    shared_group: Policy = Policy.error
    target_copy: Policy = Policy.error
    target_sum: Policy = Policy.error
    identifier: Policy = Policy.warn
    constant: Policy = Policy.warn
    all_missing: Policy = Policy.warn
    future_date: Policy = Policy.warn
    accept: list[str] = field(default_factory=list)


@dataclass
class Data:
    """Which table, which of its columns, what becomes of them, how the rows are divided."""

    path: str = MISSING
    target: str = MISSING
    features: list[str] | None = None
    leave_out: list[str] = field(default_factory=list)
    kinds: dict[str, Kind] = field(default_factory=dict)
    group: str | None = None
    new_rows: str | None = None
    reading: Reading = field(default_factory=Reading)
    split: Split = field(default_factory=Split)
    deviations: Deviations = field(default_factory=Deviations)
    lint: Lint = field(default_factory=Lint)
    scale_inputs: ScaleInputs = ScaleInputs.standardize
    scale_target: ScaleTarget = ScaleTarget.standardize
    impute: Impute = Impute.median
    rare: int = bounded(10, at_least=1)
    most_categories: int = bounded(50, at_least=1)


@dataclass
class Layer:
    """One Dense layer, and the dropout after it."""

    units: int = bounded(at_least=1)
    activation: Activation = Activation.linear
    kernel_initializer: KernelInitializer = KernelInitializer.glorot_uniform
    kernel_value: float | None = None
    bias_initializer: BiasInitializer = BiasInitializer.zeros
    dropout: float = bounded(0.0, at_least=0, below=1)
    l1: float = bounded(0.0, at_least=0)
    l2: float = bounded(0.0, at_least=0)

    def problem(self) -> str | None:
        constant = self.kernel_initializer is KernelInitializer.constant
        if constant and self.kernel_value is None:
            return "kernel_initializer is constant, so kernel_value must be a number"
        if not constant and self.kernel_value is not None:
            return "kernel_value only means something with kernel_initializer: constant"
        return None


@dataclass
class Model:
    """A Dense network of any depth, first layer first."""

    layers: list[Layer] = MISSING

    def problem(self) -> str | None:
        if not self.layers:
            return "layers is empty; a network needs at least one layer of 1 unit"
        last = self.layers[-1]
        if last.units != 1:
            return f"the last of layers has {last.units} units; one target needs units: 1"
        if last.dropout > 0:
            return "the last of layers has dropout, which would blank out predictions"
        return None


@dataclass
class Optimizer:
    """What all optimizers share."""

    name: str = MISSING
    learning_rate: float = bounded(above=0)
    clipnorm: float | None = bounded(None, above=0)
    clipvalue: float | None = bounded(None, above=0)

    def problem(self) -> str | None:
        if self.clipnorm is not None and self.clipvalue is not None:
            return "set clipnorm or clipvalue, not both: one would undo the other"
        return None


@dataclass
class SGD(Optimizer):
    name: str = "sgd"
    momentum: float = bounded(0.0, at_least=0, below=1)
    nesterov: bool = False

    def problem(self) -> str | None:
        if self.nesterov and self.momentum == 0:
            return "nesterov needs a momentum above 0"
        return super().problem()


@dataclass
class Adam(Optimizer):
    name: str = "adam"
    beta_1: float = bounded(0.9, at_least=0, below=1)
    beta_2: float = bounded(0.999, at_least=0, below=1)
    epsilon: float = bounded(1e-7, above=0)


@dataclass
class AdamW(Adam):
    name: str = "adamw"
    weight_decay: float = bounded(0.004, at_least=0)


@dataclass
class RMSprop(Optimizer):
    name: str = "rmsprop"
    rho: float = bounded(0.9, at_least=0, below=1)
    momentum: float = bounded(0.0, at_least=0, below=1)
    epsilon: float = bounded(1e-7, above=0)


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSprop,
}


@dataclass
class Schedule:
    """How the learning rate changes over the epochs."""

    name: str = MISSING


@dataclass
class Constant(Schedule):
    name: str = "constant"


@dataclass
class Exponential(Schedule):
    """Times decay_rate every decay_epochs epochs, smoothly."""

    name: str = "exponential"
    decay_rate: float = bounded(0.5, above=0, at_most=1)
    decay_epochs: int = bounded(50, at_least=1)


@dataclass
class Cosine(Schedule):
    """Half a cosine from the learning rate to final_fraction of it, over all epochs."""

    name: str = "cosine"
    final_fraction: float = bounded(0.0, at_least=0, at_most=1)


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "exponential": Exponential,
    "cosine": Cosine,
}


@dataclass
class EarlyStopping:
    """Stop when the validation loss (else the training loss) has not improved
    by more than min_delta for patience epochs; the best weights are kept."""

    enabled: bool = False
    patience: int = bounded(20, at_least=1)
    min_delta: float = bounded(0.0, at_least=0)


@dataclass
class Training:
    """How the network is fitted."""

    loss: Loss = Loss.mse
    epochs: int = bounded(100, at_least=1)
    batch_size: int = bounded(32, at_least=1)
    shuffle: bool = True
    seed: int = bounded(0, at_least=0, below=2**32)
    xla: When = When.auto
    streaming: When = When.auto
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)


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
    together: int = bounded(64, at_least=1)
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
class Config:
    """An experiment. Everything that a stage may read."""

    conf: Choices = field(default_factory=Choices)
    data: Data = field(default_factory=Data)
    model: Model = field(default_factory=Model)
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)
    training: Training = field(default_factory=Training)
    tracking: Tracking = field(default_factory=Tracking)
    sweep: Sweep = field(default_factory=Sweep)


GROUPS = tuple(choice.name for choice in fields(Choices))


def read_config(path: Path = Path(COMPOSED)) -> Config:
    """The composed configuration, typed. A stage uses only the sections that
    dvc.yaml names for it."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; the configure stage writes it") from error
    return typed(yaml.safe_load(text))


def typed(plain: Mapping[str, Any]) -> Config:
    """The dataclasses for a resolved configuration."""
    schema = OmegaConf.structured(Config)
    schema.optimizer = OPTIMIZERS[plain["optimizer"]["name"]]
    schema.schedule = SCHEDULES[plain["schedule"]["name"]]
    merged = OmegaConf.merge(schema, OmegaConf.create(dict(plain)))
    return cast("Config", OmegaConf.to_object(merged))


def check(config: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Each key whose value is out of range, with what is wrong with it."""
    for item in fields(config):
        key = f"{prefix}{item.name}"
        value = getattr(config, item.name)
        if isinstance(value, float) and not math.isfinite(value):
            yield key, f"{key} is {value}, but must be a finite number"
            continue
        for name, (limit, holds) in item.metadata.get("bounds", {}).items():
            if value is not None and not holds(value, limit):
                yield key, f"{key} is {value}, but must be {name} {limit}"
        parts = value if isinstance(value, list) else [value]
        for index, part in enumerate(parts):
            if is_dataclass(part):
                place = f"{key}[{index}]." if isinstance(value, list) else f"{key}."
                yield from check(part, place)
    problem = config.problem() if hasattr(config, "problem") else None
    if problem:
        yield prefix.rstrip("."), f"{prefix.rstrip('.')}: {problem}"


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

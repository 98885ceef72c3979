"""The sections that define a training: model, optimizer, schedule, training."""

from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar

from omegaconf import MISSING

from pipeline.config.section import bounded, read_section

# Larger tables have enough steps in batches four times as large, which take half the time.
SMALL_ROWS = 4000


class Activation(Enum):
    """Elementwise activations, by their names in Keras."""

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
    """Initializers of a kernel, by their names in Keras."""

    constant = "constant"
    glorot_uniform = "glorot_uniform"
    glorot_normal = "glorot_normal"
    he_uniform = "he_uniform"
    he_normal = "he_normal"
    lecun_uniform = "lecun_uniform"
    lecun_normal = "lecun_normal"
    zeros = "zeros"


class BiasInitializer(Enum):
    """Initializers of a bias, by their names in Keras."""

    zeros = "zeros"
    ones = "ones"


class Loss(Enum):
    """The function that training minimises."""

    mse = "mse"
    mae = "mae"
    huber = "huber"


class When(Enum):
    """Whether to use a technique that does not always pay off."""

    auto = "auto"
    always = "always"
    never = "never"

    def decided(self, *, useful: bool) -> bool:
        """Whether to use it, where auto means: if it is useful."""
        return useful if self is When.auto else self is When.always


@dataclass
class Layer:
    """A Dense layer, followed by dropout. With layer_normalization, the mean and the standard
    deviation over its units are 0 and 1 before the activation."""

    units: int = bounded(at_least=1)
    activation: Activation = Activation.linear
    layer_normalization: bool = False
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
            return "kernel_value has an effect only with kernel_initializer: constant"
        if self.layer_normalization and self.units == 1:
            return "layer_normalization over 1 unit would make every output 0"
        return None


@dataclass
class Model:
    """A Dense network of any depth; the first layer comes first."""

    layers: list[Layer] = MISSING

    def problem(self) -> str | None:
        if not self.layers:
            return "layers is empty; a network needs at least one layer, of 1 unit"
        last = self.layers[-1]
        if last.units != 1:
            return f"the last layer has {last.units} units; one target needs units: 1"
        if last.dropout > 0:
            return "the last layer has dropout, which would set predictions to zero"
        return None


@dataclass
class Optimizer:
    """The keys that all optimizers share."""

    variants: ClassVar[dict[str, type["Optimizer"]]]

    name: str = MISSING
    learning_rate: float = bounded(above=0)
    clipnorm: float | None = bounded(None, above=0)
    clipvalue: float | None = bounded(None, above=0)

    def problem(self) -> str | None:
        if self.clipnorm is not None and self.clipvalue is not None:
            return "set clipnorm or clipvalue, not both"
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
Optimizer.variants = OPTIMIZERS


@dataclass
class Schedule:
    """How the learning rate changes over the epochs."""

    variants: ClassVar[dict[str, type["Schedule"]]]

    name: str = MISSING


@dataclass
class Constant(Schedule):
    name: str = "constant"


@dataclass
class Exponential(Schedule):
    """Multiplied by decay_rate over every decay_epochs epochs, smoothly."""

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
Schedule.variants = SCHEDULES


@dataclass
class EarlyStopping:
    """Stops when the validation loss (without a validation part, the training loss) has not
    improved by more than min_delta for patience epochs; the best weights are kept. Shared, the
    networks of all folds stop together and keep the weights of one epoch, that of the lowest mean
    loss: the best epoch of each would be chosen by the rows on which it is scored."""

    enabled: bool = False
    shared: bool = False
    patience: int = bounded(20, at_least=1)
    min_delta: float = bounded(0.0, at_least=0)

    @property
    def chooses_by_fold(self) -> bool:
        """Whether the network of each fold keeps an epoch of its own."""
        return self.enabled and not self.shared


class Final(Enum):
    """What is saved after cross-validation: the mean of the folds' networks, or one network that
    is trained on all of their rows; auto is bag, but refit where folds follow time."""

    auto = "auto"
    bag = "bag"
    refit = "refit"

    def refits(self, *, expanding: bool) -> bool:
        """Whether it is one network, for folds that follow time or others."""
        return self is Final.refit or (self is Final.auto and expanding)


@dataclass
class Training:
    """How the network is fitted."""

    loss: Loss = Loss.mse
    epochs: int = bounded(100, at_least=1)
    minutes: float | None = bounded(None, above=0)
    batch_size: int | None = bounded(32, at_least=1)
    shuffle: bool = True
    seed: int = bounded(0, at_least=0, below=2**32)
    xla: When = When.auto
    streaming: When = When.auto
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)
    final: Final = Final.auto

    def rows_per_batch(self, rows: int) -> int:
        """batch_size or, if that is null, what suits so many training rows."""
        return self.batch_size or (32 if rows <= SMALL_ROWS else 128)


@dataclass
class TrainingConfig:
    """All that a training depends on, besides its rows."""

    model: Model = field(default_factory=Model)
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)
    training: Training = field(default_factory=Training)


def read_training_config() -> TrainingConfig:
    """The four sections of the composed configuration."""
    return TrainingConfig(
        model=read_section("model", Model),
        optimizer=read_section("optimizer", Optimizer),
        schedule=read_section("schedule", Schedule),
        training=read_section("training", Training),
    )

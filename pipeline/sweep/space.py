"""A search space: the keys that a sweep varies, and over what, in Hydra's override grammar."""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    RangeSweep,
)
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pipeline.compose.experiment import compose
from pipeline.compose.explanation import not_an_override
from pipeline.compose.overrides import without_conf
from pipeline.compose.schema import GROUPS, Config
from pipeline.compose.sources import COMMAND_LINE
from pipeline.compose.values import type_of
from pipeline.config.data import Data
from pipeline.config.section import check
from pipeline.runtime.errors import UserError
from pipeline.sweep.encodings import ENCODING_KEYS

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Choice:
    """One of some values, each written as on the command line."""

    options: tuple[str, ...]


@dataclass(frozen=True)
class Interval:
    """A number from low to high, both included; log: uniform on a logarithmic scale."""

    low: float
    high: float
    log: bool = False

    @property
    def integer(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int)


@dataclass
class Space:
    """The keys that vary, and the experiment in which they vary.

    Parameters
    ----------
    root
        The folder that holds conf/ and params.yaml.
    experiment
        The configuration with the overrides in fixed.
    fixed
        The overrides that all trials have in common.
    axes
        What each key varies over. A group of conf/, such as model, is a key too.
    """

    root: Path
    experiment: Config
    fixed: list[str]
    axes: dict[str, Choice | Interval]
    _composed: dict[tuple[str, ...], Config] = field(default_factory=dict)
    _options: dict[tuple[tuple[str, ...], str, str], Any] = field(default_factory=dict)

    def config(self, values: Values) -> Config:
        """The configuration of a trial. Raises UserError for values that contradict each
        other."""
        groups = tuple(f"{key}={values[key]}" for key in self.axes if key in GROUPS)
        config = copy.deepcopy(self._experiment(groups))
        for key, axis in self.axes.items():
            if key in GROUPS:
                group = key
                setattr(config.conf, group, values[key])
            elif isinstance(axis, Choice):
                _set(config, key, self._typed_option(groups, key, values[key]))
            else:
                _set(config, key, values[key])
        problems = [text for _, text in check(config)]
        if problems:
            raise UserError("; ".join(problems))
        return config

    @cached_property
    def start(self) -> dict[str, Any] | None:
        """The values that the experiment itself has; None unless they lie in the space."""
        if self.outside:
            return None
        return {key: self._value_of_start(key) for key in self.axes}

    @cached_property
    def outside(self) -> list[str]:
        """The keys whose value in the experiment does not lie in the space."""
        return [key for key in self.axes if self._value_of_start(key) is None]

    def overrides(self, values: Values) -> list[str]:
        """A trial as on the command line: KEY=VALUE for each axis."""
        return [f"{key}={values[key]}" for key in self.axes]

    def grid(self) -> list[dict[str, Any]]:
        """All combinations. Raises UserError for an interval of real numbers."""
        columns: list[list[tuple[str, Any]]] = []
        for key, axis in self.axes.items():
            if isinstance(axis, Choice):
                columns.append([(key, option) for option in axis.options])
            elif axis.integer:
                whole = range(int(axis.low), int(axis.high) + 1)
                columns.append([(key, value) for value in whole])
            else:
                raise UserError(
                    f"{key} is an interval, which has no finite grid; list its values, or choose"
                    " another sweep.sampler"
                )
        return [dict(point) for point in product(*columns)]

    def validate(self) -> None:
        """Composes every option and every bound, so that an unknown key or a wrong value is
        found before the first trial. Raises UserError."""
        choices = [
            [f"{key}={option}" for option in axis.options]
            for key, axis in self.axes.items()
            if key in GROUPS and isinstance(axis, Choice)
        ]
        for groups in product(*choices):
            self._experiment(groups)
            for key, axis in self.axes.items():
                if key in GROUPS:
                    continue
                if isinstance(axis, Choice):
                    for option in axis.options:
                        self._typed_option(groups, key, option)
                else:
                    if type_of(key) is int and not axis.integer:
                        raise UserError(
                            f"{key} must be a whole number; write"
                            f" {key}=tag(int,interval({axis.low:g},{axis.high:g}))"
                        )
                    for bound in (axis.low, axis.high):
                        compose(self.root, [*self.fixed, *groups, f"{key}={bound}"])

    def sections(self) -> Iterator[Data]:
        """The section `data` of the experiment with each option of its keys."""
        for key, axis in self.axes.items():
            section, _, name = key.partition(".")
            if section == "data" and isinstance(axis, Choice):
                for option in axis.options:
                    value = self._typed_option((), key, option)
                    yield replace(self.experiment.data, **{name: value})

    def described(self) -> dict[str, str]:
        """What each key varies over, in words."""
        return {
            key: ", ".join(axis.options)
            if isinstance(axis, Choice)
            else f"{axis.low:g} to {axis.high:g}{', logarithmic' if axis.log else ''}"
            for key, axis in self.axes.items()
        }

    def _value_of_start(self, key: str) -> Any:
        """The value of the experiment itself, as a trial has it; None if no trial can have it."""
        axis = self.axes[key]
        if key in GROUPS:
            option = getattr(self.experiment.conf, key)
            return option if isinstance(axis, Choice) and option in axis.options else None
        try:
            value = _get(self.experiment, key)
        except (AttributeError, IndexError):
            return None  # a key of another option of its group
        if isinstance(axis, Interval):
            is_number = isinstance(value, int if axis.integer else int | float)
            inside = is_number and axis.low <= value <= axis.high
            return (value if axis.integer else float(value)) if inside else None
        groups = tuple(
            f"{group}={getattr(self.experiment.conf, group)}" for group in self.axes
            if group in GROUPS
        )  # fmt: skip
        equal = (one for one in axis.options if self._has_option(groups, key, one, value))
        return next(equal, None)

    def _has_option(self, groups: tuple[str, ...], key: str, option: str, value: Any) -> bool:
        try:
            return bool(self._typed_option(groups, key, option) == value)
        except UserError:
            return False

    def _experiment(self, groups: tuple[str, ...]) -> Config:
        """The experiment with these options of groups."""
        if not groups:
            return self.experiment
        if groups not in self._composed:
            self._composed[groups] = compose(self.root, [*self.fixed, *groups]).config
        return self._composed[groups]

    def _typed_option(self, groups: tuple[str, ...], key: str, option: str) -> Any:
        """The typed value of an option."""
        name = (groups, key, option)
        if name not in self._options:
            try:
                config = compose(self.root, [*self.fixed, *groups, f"{key}={option}"]).config
            except UserError:
                alone = self._unchecked(groups, key, option)
                if alone is None:
                    raise
                config = alone
            self._options[name] = _get(config, key)
        return copy.deepcopy(self._options[name])

    def _unchecked(self, groups: tuple[str, ...], key: str, option: str) -> Config | None:
        """The experiment with an option that is valid by itself and contradicts another key of
        its section, if another axis may resolve that: nesterov needs a momentum, which may vary
        too. None otherwise."""
        section = key.partition(".")[0]
        if not any(other != key and other.partition(".")[0] == section for other in self.axes):
            return None
        structured = OmegaConf.structured(self._experiment(groups))
        try:
            OmegaConf.update(structured, key, _parse(f"{key}={option}", COMMAND_LINE).value())
        except OmegaConfBaseException:
            return None
        config = cast("Config", OmegaConf.to_object(structured))
        bracketed = re.sub(r"\.(\d+)", r"[\1]", key)
        return None if any(wrong == bracketed for wrong, _ in check(config)) else config


def read_space(root: Path, arguments: Sequence[str]) -> Space:
    """The space of the sweep section and of the command line, which wins.

    Parameters
    ----------
    root
        The folder that holds conf/ and params.yaml.
    arguments
        Overrides in Hydra's grammar: several values vary a key, a single one fixes it.

    Raises
    ------
    UserError
        For an argument that is not an override, an empty space, invalid bounds, and a key that
        a sweep cannot vary.
    """
    arguments = [without_conf(text) for text in arguments]
    varied: dict[str, Choice | Interval] = {}
    fixed: dict[str, str] = {}
    single = []
    for text in arguments:
        override = _parse(text, COMMAND_LINE)
        key = _key(override)
        if override.is_sweep_override():
            varied[key] = _axis(override, text, COMMAND_LINE)
            fixed.pop(key, None)
        else:
            single.append(text)
            fixed[key] = text
            varied.pop(key, None)
    experiment = compose(root, single).config
    axes: dict[str, Choice | Interval] = {}
    for key, value in experiment.sweep.space.items():
        text = f"{key}={value}"
        override = _parse(text, "conf.sweep")
        if not override.is_sweep_override():
            raise UserError(f"sweep.space: {text}: a single value does not vary; set {key} instead")
        axes[_key(override)] = _axis(override, text, "conf.sweep")
    axes = {key: axis for key, axis in axes.items() if key not in fixed} | varied
    if not axes:
        raise UserError(
            "the space is empty: vary a key, as in 'optimizer.learning_rate=0.01,0.1', or"
            " choose an option of conf/sweep/ with conf.sweep"
        )
    return Space(root, experiment, list(fixed.values()), axes)


def _parse(text: str, source: str) -> Override:
    try:
        (override,) = OverridesParser.create().parse_overrides([text])
    except HydraException as error:
        raise UserError(not_an_override(text, source)) from error
    if not override.key_or_group:
        raise UserError(not_an_override(text, source))
    if override.package or override.is_delete() or override.is_add():
        raise UserError(f"{source}: {text!r}: write KEY=VALUE, without +, ~ or @")
    return override


def _key(override: Override) -> str:
    return without_conf(override.key_or_group or "")


def _not_varied(key: str) -> str | None:
    """Why trials cannot differ in a key; None if they can."""
    section = key.partition(".")[0]
    if section in ("evaluation", "registry", "sweep", "tracking") or key in (
        "training.minutes",
        "training.streaming",
    ):
        return "it has no effect on a trial; give it one value"
    if section == "data" and key not in (may := [f"data.{name}" for name in ENCODING_KEYS]):
        return (
            "trials are compared on the same rows and columns, which it may change; run a sweep for"
            f" each value. Of data, {', '.join(may)} can be varied"
        )
    return None


def _axis(override: Override, text: str, source: str) -> Choice | Interval:
    key = _key(override)
    if why := _not_varied(key):
        raise UserError(f"{source}: {key} cannot be varied: {why}")
    value = override.value()
    if isinstance(value, ChoiceSweep):
        options = tuple(dict.fromkeys(override.sweep_string_iterator()))
        if not options:
            raise UserError(f"{source}: {text!r} has no values to choose from")
        return Choice(options)
    if isinstance(value, RangeSweep):
        options = tuple(override.sweep_string_iterator())
        if not options:
            raise UserError(f"{source}: {text!r} is an empty range; its bounds contradict its step")
        return Choice(options)
    if not isinstance(value, IntervalSweep):
        raise UserError(f"{source}: {text!r}: give choices, a range or an interval")
    low, high = value.start, value.end
    assert low is not None
    assert high is not None
    if not low < high:
        raise UserError(
            f"{source}: {text!r}: the interval ends at {high}, not above its start {low}"
        )
    log = "log" in value.tags
    if log and low <= 0:
        raise UserError(f"{source}: {text!r}: a logarithmic interval must start above 0")
    if "int" in value.tags:
        low, high = int(low), int(high)
    return Interval(low, high, log=log)


def _get(config: Any, key: str) -> Any:
    for part in key.split("."):
        config = config[int(part)] if isinstance(config, list) else getattr(config, part)
    return config


def _set(config: Any, key: str, value: Any) -> None:
    section, _, name = key.rpartition(".")
    owner = _get(config, section) if section else config
    if isinstance(owner, list):
        owner[int(name)] = value
    else:
        setattr(owner, name, value)

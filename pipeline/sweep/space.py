"""A search space: which keys a sweep varies and over what, in Hydra's own grammar."""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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

from pipeline.compose.experiment import as_hydra_calls_it, compose
from pipeline.compose.schema import GROUPS, Config
from pipeline.config.section import check, typed
from pipeline.runtime.errors import UserError

# Scores of trials compare only where the rows are the same; the others train nothing.
FIXED = ("data", "tracking", "sweep")
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Choice:
    """One of some values, each written as on the command line."""

    options: tuple[str, ...]


@dataclass(frozen=True)
class Interval:
    """A number from low to high, both included, and if log evenly on a logarithmic scale."""

    low: float
    high: float
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether it is of whole numbers."""
        return isinstance(self.low, int)


@dataclass
class Space:
    """The keys that vary, and the experiment that they vary.

    fixed are the overrides that every trial has. A group (conf.model, say) is a key too.
    """

    root: Path
    fixed: list[str]
    axes: dict[str, Choice | Interval]
    _bases: dict[tuple[str, ...], Config] = field(default_factory=dict)
    _typed: dict[tuple[tuple[str, ...], str, str], Any] = field(default_factory=dict)

    def groups(self, values: Values) -> tuple[str, ...]:
        """The groups' options among values, as overrides."""
        return tuple(f"{key}={values[key]}" for key in self.axes if key in GROUPS)

    def base(self, groups: tuple[str, ...]) -> Config:
        """The experiment with those options, before any value is varied."""
        if groups not in self._bases:
            self._bases[groups] = typed(Config, compose(self.root, [*self.fixed, *groups]))
        return self._bases[groups]

    def config(self, values: Values) -> Config:
        """The experiment of a trial. Raises UserError where values do not go together."""
        groups = self.groups(values)
        config = copy.deepcopy(self.base(groups))
        for key, axis in self.axes.items():
            if key in GROUPS:
                group = key
                setattr(config.conf, group, values[key])
                continue
            value = values[key]
            if isinstance(axis, Choice):
                value = self._option(groups, key, value)
            _assign(config, key, value)
        problems = [text for _, text in check(config)]
        if problems:
            raise UserError("; ".join(problems))
        return config

    def overrides(self, values: Values) -> list[str]:
        """A trial as it would be typed: KEY=VALUE for each axis."""
        return [f"{key}={values[key]}" for key in self.axes]

    def points(self) -> list[dict[str, Any]]:
        """Every combination. Raises UserError for an interval without steps."""
        columns: list[list[tuple[str, Any]]] = []
        for key, axis in self.axes.items():
            if isinstance(axis, Choice):
                columns.append([(key, option) for option in axis.options])
                continue
            if not axis.whole:
                raise UserError(
                    f"{key} is an interval, of which a grid has no end; give choices or a range,"
                    " or take another sweep.sampler"
                )
            columns.append([(key, value) for value in range(int(axis.low), int(axis.high) + 1)])
        return [dict(point) for point in product(*columns)]

    def check_all(self) -> None:
        """Composes every option and every bound, so that a key that does not exist or a
        value of the wrong type is found before the first trial. Raises UserError."""
        choices = [
            [f"{key}={option}" for option in axis.options]
            for key, axis in self.axes.items()
            if key in GROUPS and isinstance(axis, Choice)
        ]
        for groups in product(*choices):
            self.base(groups)
            for key, axis in self.axes.items():
                if key in GROUPS:
                    continue
                if isinstance(axis, Choice):
                    for option in axis.options:
                        self._option(groups, key, option)
                else:
                    for bound in (axis.low, axis.high):
                        compose(self.root, [*self.fixed, *groups, f"{key}={bound}"])

    def _option(self, groups: tuple[str, ...], key: str, option: str) -> Any:
        """The typed value that an option becomes."""
        place = (groups, key, option)
        if place not in self._typed:
            try:
                config = typed(
                    Config, compose(self.root, [*self.fixed, *groups, f"{key}={option}"])
                )
            except UserError:
                beside = self._beside_others(groups, key, option)
                if beside is None:
                    raise
                config = beside
            self._typed[place] = _read(config, key)
        return copy.deepcopy(self._typed[place])

    def _beside_others(self, groups: tuple[str, ...], key: str, option: str) -> Config | None:
        """The experiment with an option that does not go with the rest of its section, if
        another axis may mend that: nesterov needs a momentum, which may vary too."""
        section = key.partition(".")[0]
        if not any(other != key and other.partition(".")[0] == section for other in self.axes):
            return None
        config = OmegaConf.structured(self.base(groups))
        try:
            value = _override(f"{key}={option}", "command line").value()
            OmegaConf.update(config, key, value)
        except OmegaConfBaseException:
            return None
        made = cast("Config", OmegaConf.to_object(config))
        own = re.sub(r"\.(\d+)", r"[\1]", key)
        return None if any(place == own for place, _ in check(made)) else made


def parse(root: Path, configured: Mapping[str, str], given: Sequence[str]) -> Space:
    """The space of the sweep section, with what the command line adds: an override with
    several values varies its key, one with a single value fixes it.

    Raises UserError for anything that is no override, for an empty space, for bounds
    the wrong way round and for keys that a sweep cannot vary.
    """
    axes: dict[str, Choice | Interval] = {}
    fixed: dict[str, str] = {}
    stated = [f"{key}={value}" for key, value in configured.items()]
    for text in [*stated, *given]:
        place = "conf.sweep" if text in stated else "command line"
        override = _override(text, place)
        key = as_hydra_calls_it(override.key_or_group or "")
        if not override.is_sweep_override():
            if text in stated:
                raise UserError(f"sweep.space: {text}: one value is no choice; set {key} instead")
            fixed[key] = text
            axes.pop(key, None)
            continue
        if key.partition(".")[0] in FIXED:
            raise UserError(
                f"{place}: {key} cannot be varied: a sweep compares trials on one preparation"
                " of the data; run a sweep for each"
            )
        axes[key] = _axis(override, text, place)
        fixed.pop(key, None)
    if not axes:
        raise UserError(
            "the space is empty: vary a key, as in 'optimizer.learning_rate=0.01,0.1', or"
            " choose an option of conf/sweep/ with conf.sweep"
        )
    return Space(root, list(fixed.values()), axes)


def varies(text: str) -> bool:
    """Whether an override has several values. Raises UserError if it is none."""
    return _override(text, "command line").is_sweep_override()


def _override(text: str, place: str) -> Override:
    try:
        (override,) = OverridesParser.create().parse_overrides([text])
    except HydraException as error:
        raise UserError(f"{place}: {text!r} is not a KEY=VALUE in Hydra's grammar") from error
    if not override.key_or_group:
        raise UserError(f"{place}: {text!r} is not a KEY=VALUE in Hydra's grammar")
    if override.package or override.is_delete() or override.is_add():
        raise UserError(f"{place}: {text!r}: write KEY=VALUE, without +, ~ or @")
    return override


def _axis(override: Override, text: str, place: str) -> Choice | Interval:
    value = override.value()
    if isinstance(value, ChoiceSweep):
        options = tuple(dict.fromkeys(override.sweep_string_iterator()))
        if not options:
            raise UserError(f"{place}: {text!r} has no values to choose from")
        return Choice(options)
    if isinstance(value, RangeSweep):
        options = tuple(override.sweep_string_iterator())
        if not options:
            raise UserError(f"{place}: {text!r} is an empty range; its bounds contradict its step")
        return Choice(options)
    if not isinstance(value, IntervalSweep):
        raise UserError(f"{place}: {text!r}: give choices, a range or an interval")
    low, high = value.start, value.end
    assert low is not None
    assert high is not None
    if not low < high:
        raise UserError(
            f"{place}: {text!r}: the interval ends at {high}, not above its start {low}"
        )
    log = "log" in value.tags
    if log and low <= 0:
        raise UserError(f"{place}: {text!r}: a logarithmic interval must start above 0")
    if "int" in value.tags:
        low, high = int(low), int(high)
    return Interval(low, high, log=log)


def _read(config: Any, key: str) -> Any:
    for part in key.split("."):
        config = config[int(part)] if isinstance(config, list) else getattr(config, part)
    return config


def _assign(config: Any, key: str, value: Any) -> None:
    path, _, name = key.rpartition(".")
    owner = _read(config, path) if path else config
    if isinstance(owner, list):
        owner[int(name)] = value
    else:
        setattr(owner, name, value)


def described(space: Space) -> Iterator[str]:
    """The axes, each in a line."""
    for key, axis in space.axes.items():
        if isinstance(axis, Choice):
            yield f"{key}: {', '.join(axis.options)}"
        else:
            yield f"{key}: {axis.low:g} to {axis.high:g}{', logarithmic' if axis.log else ''}"

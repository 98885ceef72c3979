"""What pruning costs and saves: the score of a sweep's winner with it, beside that without it."""

import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from benchmarks.quality import ROOT, Section, scikit_learns, sections_of
from benchmarks.race import show
from pipeline.compose.schema import Pruning, Sampler
from pipeline.dataset.curves import CURVES
from pipeline.preparation.preparation import prepare
from pipeline.runtime.errors import UserError
from pipeline.sweep import trials
from pipeline.sweep.sampling import Sampling, distributions
from pipeline.sweep.space import Space, read_space
from pipeline.sweep.tables import Tables

RATE = "optimizer.learning_rate=tag(log, interval(1e-4, 1e-1))"
MLP = ["model=mlp", "schedule=constant", "data.scale_inputs=standardize"]
SWEEPS = {
    "64-64, SGD, 100 epochs": [*MLP, "optimizer=sgd", "training=default", RATE],
    "64-64, AdamW, early stopping": [
        *MLP, "optimizer=adamw", "training=early_stopping", "sweep=mlp",
    ],
    "the defaults: cosine over 200 epochs": ["sweep=mlp"],
}  # fmt: skip
DEFAULT = Pruning()
OTHERS = [
    Pruning(first_epoch=first, factor=factor) for first in (10, 30, 50, 120) for factor in (2, 3)
]


@dataclass(frozen=True)
class Trained:
    """A trial that was trained to its end: its score after each epoch, the lowest monitored loss
    up to there, and its score."""

    scores: np.ndarray
    lowest: np.ndarray
    score: float


def pruning(tables: Path | None, targets: Path | None, count: int) -> None:
    """Prints by how much the winner's score is higher with pruning than without, and how many of
    the epochs are trained, on each table for each sweep of so many trials.

    Every trial is trained to its end once. What pruning would have done follows from its curves,
    because a trial does not depend on those that it is trained with.
    """
    kept: dict[str, list[list[Trained]]] = {}

    def lines(sections: dict[str, Section]) -> Iterator[list[object]]:
        for table, section in sections.items():
            for name, overrides in SWEEPS.items():
                try:
                    groups = trained(section, overrides, count)
                except UserError as error:
                    print(f"{table} is left out: {error}", flush=True)
                    break
                kept[f"{table}, {name}"] = groups
                best = min(one.score for group in groups for one in group)
                yield [table, name, best, *replayed(groups, DEFAULT)]

    with tempfile.TemporaryDirectory() as folder:
        sections = sections_of(tables, targets) if tables else scikit_learns(Path(folder))
        show(
            f"Pruning: {count} trials; the best score of all, and how far the winner's is above it",
            ["", "sweep", "score", "regret, %", "epochs trained, %"],
            lines(sections),
        )
    rows = []
    for one in OTHERS:
        regrets, epochs = zip(*(replayed(groups, one) for groups in kept.values()), strict=True)
        below = sum(regret < 1 for regret in regrets)
        settings = [one.first_epoch, one.factor]
        regret = [float(np.mean(regrets)), max(regrets), f"{below} of {len(regrets)}"]
        rows.append([*settings, *regret, float(np.mean(epochs))])
    show(
        "The same for other settings",
        ["first_epoch", "factor", "mean regret, %", "largest, %", "below 1 %", "epochs trained, %"],
        rows,
    )


def trained(section: Section, overrides: list[str], count: int) -> list[list[Trained]]:
    """The trials of a random sweep in the groups in which they are trained, the starting point
    first if it lies in the space; without those that diverge."""
    space = space_of(section, ["data.split.folds=0", *overrides])
    config = space.experiment
    rows = Tables(prepare(config.data), config).of(config)
    sampling = Sampling(Sampler.random, config.sweep.seed, distributions(space), space.start)
    configs = [space.config(point) for point in sampling.suggest(count, [])]
    found = []
    for indices in trials.group(configs, rows):
        group = trials.train_group([configs[i] for i in indices], rows, score=config.sweep.score)
        made = []
        for one in group:
            if one.result.score is None:
                continue
            losses = one.curves[:, CURVES.index("validation_loss")]
            lowest = np.minimum.accumulate(losses)
            scores = lowest if config.training.early_stopping.enabled else losses
            scaled = np.sqrt(scores / np.mean(scores[-1])) * one.result.score
            made.append(Trained(scaled, lowest, one.result.score))
        found.append(made)
    return found


def space_of(section: Section, overrides: list[str]) -> Space:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "conf").symlink_to(ROOT / "conf")
        (root / "params.yaml").write_text(yaml.safe_dump({"data": section}), "utf-8")
        space = read_space(root, overrides)
        space.validate()
    return space


def replayed(groups: list[list[Trained]], pruning: Pruning) -> tuple[float, float]:
    """By how many percent the winner's score is above that of the best trial, and the percentage of
    the epochs that are trained."""
    complete, pruned, epochs = [], [], 0
    for group in groups:
        longest = max((len(one.scores) for one in group), default=0)
        stopped: dict[int, int] = {}
        for rung in trials.rung_epochs(pruning, longest):
            active = [
                i for i, one in enumerate(group) if i not in stopped and len(one.scores) > rung
            ]
            lowest = np.array([one.lowest[min(rung, len(one.lowest)) - 1] for one in group])
            # The first trial is the starting point.
            others = [i for i in active if i or group is not groups[0]]
            stopped |= dict.fromkeys(trials.worst(lowest, others, pruning.factor), rung)
        complete += [one for i, one in enumerate(group) if i not in stopped]
        pruned += [(one, stopped[i]) for i, one in enumerate(group) if i in stopped]
        epochs += sum(stopped.get(i, len(one.scores)) for i, one in enumerate(group))
    best = min((one.score for one in complete), default=math.inf)
    # They are trained to their end in the summary.
    ahead = [one for one, epoch in pruned if one.scores[epoch - 1] < best]
    epochs += sum(len(one.scores) for one in ahead)
    reached = min([best, *(one.score for one in ahead)])
    every = [one for group in groups for one in group]
    lowest = min(one.score for one in every)
    return 100 * (reached / lowest - 1), 100 * epochs / sum(len(one.scores) for one in every)

"""A result in words."""

from collections.abc import Mapping, Sequence
from math import inf, sqrt

from pipeline.config.data import ScaleTarget, SplitBy
from pipeline.config.training import (
    Activation,
    AdamW,
    Cosine,
    Exponential,
    Layer,
    Loss,
    TrainingConfig,
)
from pipeline.dataset.results import CHOSEN_BY_FOLD
from pipeline.evaluation.comparison import IN_WORDS, JUDGED, judged
from pipeline.pages.page import number, shorten
from pipeline.reporting.looks import Looks
from pipeline.reporting.result import Result

# The parts by name, and their rows in a sentence.
NAMES = {
    "train": "training",
    "in_sample": "training",
    "cv": "cross-validation",
    "validation": "validation",
    "test": "test",
}
PARTS = {
    "train": "rows that it was trained on",
    "in_sample": "rows that it was trained on",
    "cv": "rows, each by networks that were not trained on it",
    "validation": "validation rows that it was not trained on",
    "test": "test rows used for nothing else",
}
OPTIMIZERS = {
    "sgd": "stochastic gradient descent",
    "adam": "Adam",
    "adamw": "AdamW",
    "rmsprop": "RMSprop",
}
LOSSES = {
    Loss.mse: "mean squared error",
    Loss.mae: "mean absolute error",
    Loss.huber: "Huber loss",
}
LEARNED = {
    ScaleTarget.none: "target",
    ScaleTarget.standardize: "standardised target",
    ScaleTarget.log: "target's logarithm",
}
# How rows are split by a seed.
SEEDED = (SplitBy.random, SplitBy.group, SplitBy.hash)


def verdict(result: Result) -> str:
    """One sentence: how good the model is, how sure that is, and against which baseline."""
    found = judged(result.compared)
    held_out = next((part for part in JUDGED if part in result.metrics), None)
    part = found[0] if found else held_out or next(iter(result.metrics))
    sentence = (
        f"The model predicts {shorten(result.config.data.target)} with a typical error (RMSE) of"
        f" {with_interval(result.metrics[part], 'rmse')} for {rows_of(result, part)}"
    )
    if found:
        return f"{sentence}: {_compared(result, *found)}."
    if held_out:
        few = "of too few groups" if result.config.data.group_column else "too few"
        return f"{sentence}, {few} to say how sure that is or to compare it with baselines."
    return f"{sentence}; how well it predicts other rows is not known, as none were held out."


def test_verdict(result: Result) -> str | None:
    """The same of the test part in short; None if the verdict is of that, or there is none."""
    found = judged({part: each for part, each in result.compared.items() if part == "test"})
    if found is None or judged(result.compared) == found:
        return None
    return (
        f"For {rows_of(result, 'test')}, its RMSE is"
        f" {with_interval(result.metrics['test'], 'rmse')}: {_compared(result, *found)}."
    )


def _compared(result: Result, part: str, name: str) -> str:
    each = result.compared[part]
    best = ", the best of the baselines," if min(one.low for one in each.values()) > 0 else ""
    return each[name].in_words(f"{IN_WORDS[name]}{best}")


def with_interval(values: Mapping[str, float], name: str) -> str:
    """A metric and, in brackets, the ends of its 95 % interval if it has one."""
    low, high = (values.get(f"{name}_{end}") for end in ("low", "high"))
    ends = "" if low is None or high is None else f" ({number(low)} to {number(high)})"
    return f"{number(values[name])}{ends}"


def rows_of(result: Result, part: str) -> str:
    """The rows of a part, and what the model knows of them."""
    count, words = result.rows[part], PARTS[part]
    return f"{count:,} {words if count != 1 else words.replace('rows', 'row', 1)}"


def judged_rows(result: Result) -> str:
    """The rows among which those with larger errors are looked for."""
    return rows_of(result, next(part for part in (*JUDGED, *result.metrics) if part in result.rows))


def coverage(result: Result) -> str | None:
    """How many test rows are within their prediction intervals, and how many should be; None
    without such rows."""
    values = result.metrics.get("test", {})
    if "coverage" not in values:
        return None
    asked, rows = values["nominal_coverage"], result.rows["test"]
    # Both the rows within and the quantile that intervals end at are of a sample.
    spread = 1.96 * sqrt(asked * (1 - asked) * (1 / rows + 1 / (result.calibrated_with or rows)))
    low, high = max(0, asked - spread), min(1, asked + spread)
    return (
        f"The true value is within the {100 * asked:g} % interval for"
        f" {100 * values['coverage']:.1f} % of the {rows:,} test rows; if the intervals are right,"
        f" {100 * low:.1f} to {100 * high:.1f} % is expected for this number of rows. The intervals"
        f" are {number(values['interval_width'])} wide on average."
    )


def looks(result: Result, seen: Looks | str) -> str:
    """How many results were evaluated on the test rows and what that means, or why it is not
    known."""
    if "test" not in result.metrics:
        return "No rows were set aside for test."
    if isinstance(seen, str):
        return f"How many results were evaluated on these test rows is not known: {seen}."
    rows, total = f"{result.rows['test']:,} test rows", len(seen.errors)
    bias = seen.selection_bias(result.metrics["test"].get("rmse_standard_error", inf))
    if bias is None:
        return (
            f"This is the first result in {seen.store} evaluated on these {rows}, so it was not"
            " chosen by its test error."
        )
    ends = [number(end(seen.known, default=inf)) for end in (min, max)]
    text = (
        f"This is result {seen.number} of {total} in {seen.store} evaluated on these {rows}."
        f" Their test RMSEs are {' to '.join(ends)}. The lowest of several test errors is partly"
        f" luck: if the results are equally good, it is too low by up to {number(bias)}."
    )
    if not seen.is_lowest:
        return f"{text} The error of this result is not the lowest."
    return f"{text} The error of this result is the lowest: {_remedy(result)}."


def _remedy(result: Result) -> str:
    """How to get a test error that no result was chosen by."""
    settings = result.config.data.split
    if settings.by in SEEDED:
        return (
            f"data.split.seed={settings.seed + 1} sets other rows aside, by which no result was"
            " chosen"
        )
    return "new rows would be a test by which no result was chosen"


def network(layers: Sequence[Layer]) -> str:
    """A network, from its layers."""
    *hidden, last = layers
    if not hidden:
        linear = last.activation is Activation.linear
        return "one linear neuron" if linear else f"one neuron ({last.activation.value})"
    each = [_layer(one) for one in hidden]
    if len(set(each)) == 1:
        each = [f"{len(hidden)} of {each[0]}" if len(hidden) > 1 else each[0]]
    return f"a dense network; hidden layers: {', '.join(each)}"


def _layer(layer: Layer) -> str:
    more = [layer.activation.value]
    more += ["layer normalization"] if layer.layer_normalization else []
    more += [f"dropout {layer.dropout:g}"] if layer.dropout else []
    return f"{layer.units} units ({', '.join(more)})"


def optimizer(config: TrainingConfig) -> str:
    """An optimizer and its learning rate."""
    rate, schedule = f"learning rate {config.optimizer.learning_rate:g}", config.schedule
    if isinstance(schedule, Cosine):
        end = f"{schedule.final_fraction:g} times that" if schedule.final_fraction else "0"
        rate += f", falling along a cosine to {end}"
    if isinstance(schedule, Exponential):
        rate += f", times {schedule.decay_rate:g} every {schedule.decay_epochs} epochs"
    decay = config.optimizer.weight_decay if isinstance(config.optimizer, AdamW) else 0
    more = f", weight decay {decay:g}" if decay else ""
    return f"{OPTIMIZERS[config.optimizer.name]}, {rate}{more}"


def epochs(result: Result) -> str:
    """How long a network was trained, and which weights it has."""
    training = result.config.training
    text = f"{result.epochs:,} of at most {training.epochs:,}"
    if training.early_stopping.enabled and result.epochs < training.epochs and not training.minutes:
        text += f"; stopped {training.early_stopping.patience} epochs after the best one"
    return (
        text if result.kept is None else f"{text}; the weights are those of epoch {result.kept:,}"
    )


def folds(result: Result) -> str:
    """What the folds are for; none without."""
    if not result.folds.count:
        return "none"
    refits = result.config.training.final.refits(expanding=result.folds.expanding)
    what = "one network trained on all of their rows" if refits else "the mean of their networks"
    repeats = f", in {result.folds.repeats} repeats" if result.folds.repeats > 1 else ""
    return f"{result.folds.count}{repeats}, with a network each; the model is {what}"


def split(result: Result) -> str:
    """How rows came to be in the parts."""
    settings = result.config.data.split
    column = shorten(settings.column or "")
    seed = f", seed {settings.seed}" if settings.by in SEEDED else ""
    return {
        SplitBy.random: "at random",
        SplitBy.group: f"by {column}: rows with the same value are in the same part",
        SplitBy.time: f"by {column}: the latest rows are for test",
        SplitBy.hash: f"by a hash of {column}",
        SplitBy.column: f"as {column} says",
    }[settings.by] + seed


def loss(config: TrainingConfig, scale: ScaleTarget) -> str:
    """What training minimises."""
    return f"{LOSSES[config.training.loss]} of the {LEARNED[scale]}"


def limits(result: Result) -> list[str]:
    """What a reader has to know before relying on the model."""
    found = judged(result.compared)
    stopping = result.config.training.early_stopping
    rows_like_these = (
        "All of this holds for rows like those of the table, not for others, such as later times or"
        " values that the table does not have; predict flags values out of range and unseen"
        " categories."
    )
    lines = [
        rows_like_these,
        "95 % intervals cover another sample of rows, not another training of the network.",
    ]
    if result.calibrated_with:
        lines.append(
            "Prediction intervals promise their coverage for all rows together; it may be lower for"
            " some kind of row."
        )
    if result.folds.count and stopping.chooses_by_fold:
        lines.append(f"{CHOSEN_BY_FOLD}.")
    if found and found[0] == "validation" and stopping.enabled:
        lines.append(
            "The validation part has chosen the epoch, so its error is somewhat too low, and there"
            " is no test part, or too small a one."
        )
    if "importance" in result.figures:
        lines.append("Importance says what the model uses, not what causes the target.")
    return lines

"""What comes out of a sweep: its winner, how much of its lead is luck, an ensemble."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline import encoder, ensemble, evaluation, model_folder, network, trials, weights
from pipeline.backend import keras
from pipeline.batches import blocks
from pipeline.config import Config, Score, Sweep
from pipeline.files import whole_directory
from pipeline.places import CONTRACT, ENCODING
from pipeline.preparing import Prepared
from pipeline.trials import Outcome, Table, Vector


@dataclass(frozen=True)
class Result:
    """A row of winner.csv: a network, several, or a line, and their errors by part."""

    what: str
    errors: dict[str, float]

    @property
    def name(self) -> str:
        """What its numbers are called after: ensemble, say, of how many it may be."""
        return self.what.partition(" ")[0]


def errors(predicted: dict[str, Vector], rows: Table, score: Score) -> dict[str, float]:
    """The score of each part that has rows."""
    return {
        part: trials.error(predicted[part], rows.true[part], rows.target, score)
        for part in predicted
    }


def predictions(outcome: Outcome, config: Config, rows: Table) -> dict[str, Vector]:
    """What a trained network predicts for each part that has rows, in units of y."""
    return {
        name: trials.predictions(outcome.weights, config.model.layers, part)
        for name, part in rows.parts.items()
        if len(part)
    }


def train_all(configs: Sequence[Config], rows: Table, score: Score) -> list[Outcome]:
    """Each to its end, those of one structure together."""
    outcomes: dict[int, Outcome] = {}
    for places in trials.grouped(configs, streaming=rows.streaming):
        group = trials.train([configs[place] for place in places], rows, score=score)
        outcomes |= dict(zip(places, group, strict=True))
    return [outcomes[place] for place in range(len(configs))]


def with_other_seeds(config: Config, rows: Table, sweep: Sweep) -> list[Result]:
    """The winner's values with seeds that it was not chosen by."""
    own = config.training.seed
    configs = [trials.with_seed(config, (own + 1 + i) % 2**32) for i in range(sweep.seeds)]
    outcomes = train_all(configs, rows, sweep.score) if configs else []
    return [
        Result(
            f"seed {one.training.seed}", errors(predictions(outcome, one, rows), rows, sweep.score)
        )
        for one, outcome in zip(configs, outcomes, strict=True)
        if outcome.score is not None
    ]


def start(config: Config, rows: Table, score: Score) -> Result | None:
    """The experiment that a sweep varies, as it stands; None if it diverges."""
    (outcome,) = train_all([config], rows, score)
    if outcome.score is None:
        return None
    return Result("start", errors(predictions(outcome, config, rows), rows, score))


def least_squares(rows: Table, score: Score) -> Result:
    """The straight line through the training part, as the evaluation has it."""

    def inputs(part: str) -> Iterator[Vector]:
        return (block.x.astype(np.float64) for block in blocks(rows.parts[part]))

    def examples() -> Iterator[tuple[Vector, Vector]]:
        done = 0
        for x in inputs("train"):
            yield x, rows.true["train"][done : done + len(x)]
            done += len(x)

    line = evaluation.least_squares(examples())
    reached = {
        part: evaluation.metrics(true, np.concatenate([line.predict(x) for x in inputs(part)]))
        for part, true in rows.true.items()
        if len(true)
    }
    return Result("least_squares", {part: one[score.value] for part, one in reached.items()})


def best_ensemble(
    configs: Sequence[Config], rows: Table, score: Score
) -> tuple[keras.Model | None, Result | None]:
    """The greedy ensemble of the trials by the validation part, as a model and its
    errors, if it beats the best of them there; else None."""
    if rows.judged != "validation" or len(configs) <= 1:
        return None, None
    outcomes = train_all(configs, rows, score)
    kept = [place for place, outcome in enumerate(outcomes) if outcome.score is not None]
    if not kept:
        return None, None
    predicted = [predictions(outcomes[place], configs[place], rows) for place in kept]
    true = rows.target.scaled(rows.true["validation"])[:, 0].astype(np.float64)
    counts = ensemble.greedy(np.stack([one["validation"] for one in predicted]), true)
    taken = np.flatnonzero(counts)
    mean = {
        part: np.average([predicted[i][part] for i in taken], axis=0, weights=counts[taken])
        for part in predicted[0]
    }
    reached = errors(mean, rows, score)
    if reached["validation"] >= min(outcomes[place].score or np.inf for place in kept):
        return None, None
    networks = [built(configs[kept[i]], outcomes[kept[i]], rows) for i in taken]
    model = ensemble.combined(networks, counts[taken].tolist())
    return model, Result(f"ensemble of {len(taken)}", reached)


def built(config: Config, outcome: Outcome, rows: Table) -> keras.Sequential:
    """The trained network as an ordinary Keras model."""
    inputs = len(rows.encoder.encoding.names)
    made = network.build(config.model.layers, inputs, config.training.seed)
    weights.assign(made, outcome.weights)
    return made


def write_model(
    folder: Path, config: Config, outcome: Outcome, rows: Table, prepared: Prepared
) -> None:
    """The folder that the train stage would have written."""
    encoding = rows.encoder.encoding
    made = network.build(config.model.layers, len(encoding.names), config.training.seed)
    row = prepared.parts["train"].head(1)
    first = dict(row[encoding.columns].iloc[0])
    first |= network.first_prediction(made, rows.encoder.x(row)[0], encoding.target)
    before = weights.named(made)
    weights.assign(made, outcome.weights)
    with whole_directory(folder) as draft:
        model_folder.write(
            draft, encoder.whole(rows.encoder.model, made, encoding.target),
            prepared.contract, encoding,
            first=first, history=outcome.history, before=before, after=weights.named(made),
        )  # fmt: skip


def write_ensemble(folder: Path, model: keras.Model, rows: Table, prepared: Prepared) -> None:
    """A model folder for predict, with an ensemble in it."""
    encoding = rows.encoder.encoding
    with whole_directory(folder) as draft:
        saved = encoder.whole(rows.encoder.model, model, encoding.target)
        network.save(saved, draft / model_folder.MODEL)
        prepared.contract.write(draft / CONTRACT)
        encoding.write(draft / ENCODING)


def table(results: Sequence[Result]) -> pd.DataFrame:
    """winner.csv: a row for each result, a column for each part."""
    return pd.DataFrame([{"what": one.what, **one.errors} for one in results])


def summary(results: Sequence[Result], seeds: Sequence[Result], judged: str) -> dict[str, float]:
    """The numbers of the sweep's run: those of results (winner_..., say), of the winner's
    values with other seeds (seeds_..., mean and deviation), and how much better the winner
    looked than its values are with other seeds (optimism, in the target's units)."""
    numbers: dict[str, float] = {}
    for one in results:
        numbers |= {f"{one.name}_{part}": value for part, value in one.errors.items()}
    for part in seeds[0].errors if seeds else ():
        values = [one.errors[part] for one in seeds]
        numbers[f"seeds_{part}_mean"] = float(np.mean(values))
        numbers[f"seeds_{part}_deviation"] = float(np.std(values))
    if seeds:
        numbers["optimism"] = numbers[f"seeds_{judged}_mean"] - numbers[f"winner_{judged}"]
    return numbers

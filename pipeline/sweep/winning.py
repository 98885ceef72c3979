"""What comes out of a sweep: its winner, how much of its lead is luck, an ensemble."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.compose.schema import Config, Score, Sweep
from pipeline.dataset.rows import blocks
from pipeline.evaluation.linear import LeastSquares
from pipeline.evaluation.metrics import metrics
from pipeline.network import archive, dense, encoder, model_folder, weights
from pipeline.network.backend import keras
from pipeline.runtime.files import whole_directory
from pipeline.runtime.paths import CONTRACT, ENCODING
from pipeline.sweep import ensemble, trials
from pipeline.sweep.trials import Outcome, Table, Vector
from pipeline.tables.preparation import Prepared


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
    fit, done = LeastSquares(), 0
    for block in blocks(rows.parts["train"]):
        fit.add(block.x, rows.true["train"][done : done + len(block)])
        done += len(block)
    line, _ = fit.solve()
    reached = {
        part: metrics(
            true, np.concatenate([line.predict(block.x) for block in blocks(rows.parts[part])])
        )
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
    made = dense.build(config.model.layers, inputs, config.training.seed)
    weights.assign(made, outcome.weights)
    return made


def write_model(
    folder: Path, config: Config, outcome: Outcome, rows: Table, prepared: Prepared
) -> None:
    """The folder that the train stage would have written."""
    with whole_directory(folder) as draft:
        model_folder.write(
            draft, rows.encoder, config.model.layers, config.training.seed,
            trained=outcome.weights, history=outcome.history, row=prepared.parts["train"].head(1),
        )  # fmt: skip
        prepared.contract.write(draft / CONTRACT)


def write_ensemble(folder: Path, model: keras.Model, rows: Table, prepared: Prepared) -> None:
    """A model folder for predict, with an ensemble in it."""
    encoding = rows.encoder.encoding
    with whole_directory(folder) as draft:
        saved = encoder.whole(rows.encoder.model, model, encoding.target)
        archive.save(saved, draft / model_folder.MODEL)
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
        numbers[f"seeds_{part}_std"] = float(np.std(values))
    if seeds:
        numbers["optimism"] = numbers[f"seeds_{judged}_mean"] - numbers[f"winner_{judged}"]
    return numbers

"""Evaluates data/model/ on data/prepared/: data/evaluation/ gets predictions and figures,
data/metrics.json the errors of each part."""

import json

import pandas as pd

from pipeline.config.section import read_section
from pipeline.config.training import Training
from pipeline.dataset import prepared, results
from pipeline.dataset.curves import read_folds, read_history
from pipeline.dataset.folds import Folds
from pipeline.dataset.rows import PARTS
from pipeline.runtime.entry import CommandParser
from pipeline.runtime.errors import warn
from pipeline.runtime.files import whole_directory, write_table, write_text
from pipeline.runtime.paths import EVALUATION, FOLDS, METRICS, MODEL, PREPARED
from pipeline.tracking.client import record_evaluation
from pipeline.tracking.stage_command import run_stage

CHOSEN_BY_FOLD = (
    "cv: the network of each fold has kept its best epoch on the rows that it is scored on, so"
    " these errors are too low; training.early_stopping.shared=true chooses one epoch for all folds"
)


def main() -> None:
    training = read_section("training", Training)
    with record_evaluation():
        # Importing Keras takes seconds, in which the recorder starts.
        from pipeline.evaluation import figures
        from pipeline.evaluation.evaluation import evaluate
        from pipeline.evaluation.predictor import Predictor

        predictor = Predictor(MODEL)
        tables = {part: prepared.batches(PREPARED / f"{part}.parquet") for part in PARTS}
        folds = Folds.read(PREPARED / FOLDS)
        evaluation = evaluate(predictor, tables, folds)
        new = prepared.read_table(PREPARED / "new.parquet")
        history = read_history(MODEL)
        with whole_directory(EVALUATION) as folder:
            evaluation.write(folder)
            if len(new):
                answered = pd.concat([new, predictor.predict_conformed(new)], axis=1)
                write_table(answered, folder / "new_predictions.csv")
            target = predictor.encoding.target.name
            figures.write_figures(
                history, evaluation.predictions, target, training.loss.value, folder,
                folds=read_folds(MODEL),
            )  # fmt: skip
        write_text(METRICS, json.dumps(evaluation.metrics, indent=2) + "\n")
        print(*results.lines(evaluation.metrics), sep="\n", flush=True)
        if folds.count and training.early_stopping.chooses_by_fold:
            warn(CHOSEN_BY_FOLD)


if __name__ == "__main__":
    run_stage(main, CommandParser("pipeline.stages.evaluate", __doc__))

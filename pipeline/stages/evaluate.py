"""Evaluates data/model/ on data/prepared/, for data/evaluation/ and data/metrics.json."""

from pipeline.config.evaluation import Evaluation
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


def main() -> None:
    training = read_section("training", Training)
    with record_evaluation():
        # Importing Keras takes seconds, in which the recorder starts.
        from pipeline.evaluation import comparison, recorded
        from pipeline.evaluation.evaluation import evaluate
        from pipeline.evaluation.figures import write_figures
        from pipeline.evaluation.predictor import Predictor

        predictor, folds = Predictor(MODEL), Folds.read(PREPARED / FOLDS)
        tables = {part: prepared.Batches(PREPARED / f"{part}.parquet") for part in PARTS}
        evaluation = evaluate(
            predictor, tables, folds, baselines=comparison.read(),
            coverage=read_section("evaluation", Evaluation).coverage, recorded=recorded.mae(MODEL),
        )  # fmt: skip
        new = predictor.completed(prepared.read_table(PREPARED / "new.parquet"))
        with whole_directory(EVALUATION) as folder:
            evaluation.write(folder)
            if len(new):
                write_table(new, folder / "new_predictions.csv")
            write_figures(
                read_history(MODEL), evaluation.predictions, predictor.encoding.target.name,
                training.loss.value, folder, folds=read_folds(MODEL),
            )  # fmt: skip
        write_text(METRICS, results.to_json(evaluation.metrics))
        print(*evaluation.lines, sep="\n", flush=True)
        if folds.count and training.early_stopping.chooses_by_fold:
            warn(results.CHOSEN_BY_FOLD)


if __name__ == "__main__":
    run_stage(main, CommandParser("pipeline.stages.evaluate", __doc__))

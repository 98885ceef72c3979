"""Makes sure that the current result has its complete run in MLflow; prints the results."""

import json

from pipeline.compose.schema import read_config
from pipeline.dataset import results
from pipeline.runtime.entry import CommandParser, leave, run
from pipeline.runtime.errors import UserError, read_errors
from pipeline.runtime.paths import EVALUATION, HISTORY, METRICS, MODEL, REPORT, VERDICT


def main() -> None:
    config = read_config()
    for path in (MODEL / HISTORY, EVALUATION / "predictions.csv", METRICS):
        if not path.is_file():
            raise UserError(
                f"{path}: no such file; `dvc repro` makes it, `dvc checkout` restores it"
            )
    with read_errors(METRICS):
        verdict = EVALUATION / VERDICT
        lines = results.lines(
            json.loads(METRICS.read_text("utf-8")),
            verdict.read_text("utf-8").strip() if verdict.exists() else None,
        )
    # MLflow takes seconds to import.
    from pipeline.tracking import training_run

    outcome = training_run.track(config)
    print("\nResults")
    for line in lines:
        print(f"  {line}")
    print(f"  predictions: {EVALUATION}/predictions.csv")
    if (EVALUATION / "new_predictions.csv").is_file():
        print(f"  predictions for {config.data.new_rows}: {EVALUATION}/new_predictions.csv")
    print(f"  report: {REPORT}; `make report` opens it")
    print(f"  model: {MODEL}/model.keras; use it with `python -m pipeline.predict ROWS.csv`")
    if outcome is not None:
        how = f", re-created from {MODEL}/ and {EVALUATION}/" if outcome.recreated else ""
        print(f"  run: {outcome.run_name} in {outcome.store}{how}")
        print("To see it: make ui")
    elif config.tracking.enabled:
        # Why has been printed as a warning.
        raise SystemExit(1)
    else:
        print("  run: none, because tracking is off")


if __name__ == "__main__":
    run(main, CommandParser("pipeline.track", __doc__))
    leave()

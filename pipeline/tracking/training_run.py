"""The run of a result: its training's, completed from the files that the stages wrote.

The metrics of a run have one scheme of names:

- `loss`, `mae`, `validation_loss`, `validation_mae` and `learning_rate` are curves, with a
  point for each epoch, as Keras names them.
- `final_loss`, `best_loss`, ... are the values of a curve at the last epoch and at the best one,
  which is the epoch of the lowest validation loss (training loss without a validation part).
- `best_epoch`, `model_epoch` and `epochs` are the best epoch, the one whose weights the saved
  model has, and the last one.
- `{part}_{metric}`, such as `test_rmse`, `train_mae` or `in_sample_r2`, are the saved model's,
  as in data/metrics.json. `validation_mae` is the curve alone: the saved model's is in
  data/metrics.json.
- `cv_{metric}`, such as `cv_rmse`, `cv_rmse_low` or `cv_fold_1_rmse`, are those of
  out-of-fold predictions.

With folds, a curve is the mean over the folds that were trained in each epoch. `best_...`,
`final_...` and `epochs` are the means over the folds of their own best and last epoch, as the
mean curve ends with the folds that were trained the longest. `model_epoch` is that of a network
trained on all rows, and missing where the model is the mean of the folds.
- `seconds_{stage}` are the durations of the stages.
"""

import html
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.compose.schema import Config, experiment_parameters, flatten
from pipeline.dataset import prepared
from pipeline.dataset.curves import CURVES, read_folds, read_history
from pipeline.runtime.errors import UserError
from pipeline.runtime.paths import EVALUATION, METRICS, MODEL, PREPARED, STAGES
from pipeline.tables.files import files_of
from pipeline.tables.reading import DIABETES
from pipeline.tracking import fingerprint, identity, looks, provenance
from pipeline.tracking.fingerprint import Fingerprint
from pipeline.tracking.location import source
from pipeline.tracking.models import EXAMPLE_ROWS, log_model
from pipeline.tracking.provenance import Changes
from pipeline.tracking.provenance_files import log_provenance
from pipeline.tracking.report import write_report
from pipeline.tracking.stage_command import noted_seconds
from pipeline.tracking.store import STORE_ERRORS, Store, points
from pipeline.tracking.untracked import warn_untracked

# Of data/evaluation/, as tables that MLflow shows and compares: what names a row, and the number
# that is compared first.
TABLES = {
    "importance": (["column"], "rmse_increase"),
    "slices": (["slice"], "rmse"),
    "errors_by_column": (["column", "values"], "rmse"),
    "partial_dependence": (["column", "value"], "predicted"),
    "baselines": (["part", "baseline"], "improvement"),
}
DESCRIPTION = """\
| Artifact | Content |
|---|---|
| evaluation/report.html | the result in words and figures, for readers who know nothing of it |
| evaluation/predictions.csv | true and predicted value of every row, and its interval |
| evaluation/baselines.csv, evaluation/verdict.txt | the model beside simple ones |
| evaluation/out_of_fold.csv | of every training row, the prediction of the fold that holds it out |
| evaluation/new_predictions.csv | the rows of data.new_rows with their predictions |
| evaluation/*.png | learning curves, predicted against true, residuals |
| evaluation/coefficients.csv | a linear neuron beside the least-squares line |
| evaluation/slices.csv, evaluation/errors_by_column.csv | where the model fails |
| evaluation/importance.csv, evaluation/partial_dependence.csv | what it depends on |
| tables/*.json | the same tables, for MLflow's comparison of runs |
| training/weights.csv | every weight before and after training (arrays: weights_*.npz) |
| training/first_prediction.csv | the untrained network's prediction beside x · kernel + bias |
| training/history.csv | the values of every epoch, and whose weights were kept |
| training/folds.csv | the same of every fold, whose mean history.csv is |
| data/profile.html, data/profile.csv | every column: its values, and how it is encoded |
| provenance/ | configuration, dvc.lock, inputs, packages, machine, uncommitted changes |
"""


@dataclass(frozen=True)
class Outcome:
    """The run of the current result: its name, the store's, and whether the run had to be
    re-created from the files."""

    run_name: str
    store: str
    recreated: bool


def track(config: Config) -> Outcome | None:
    """Makes sure that the result under data/ has its complete run in the store. Returns None
    if tracking is off or the store is out of reach, which is then warned of."""
    if not config.tracking.enabled:
        return None
    try:
        return complete(config, Store(config.tracking.experiment, config.tracking.uri))
    except STORE_ERRORS as error:
        warn_untracked(error, store=source(config.tracking.uri))
        return None


def complete(
    config: Config,
    store: Store,
    known: Mapping[str, Fingerprint] | None = None,
    evaluate_seconds: float | None = None,
) -> Outcome:
    """Completes the run of the training whose result is under data/; where the store has
    none, the run is created from the files. Writes the report too. Raises STORE_ERRORS.

    known are the fingerprints of stages that are known already; evaluate_seconds is the
    duration of the evaluation while its stage is still running.
    """
    known = known or {}
    store.end_abandoned()
    trained, evaluated = (
        known.get(stage) or fingerprint.of_stage(stage) for stage in ("train", "evaluate")
    )
    who = identity.of_training(config, trained.hash)
    run = store.find(who)
    run_name = who.run_name if run is None else str(run.info.run_name)
    changes = provenance.git_changes()
    test_rows = looks.test_rows(config)
    verdict = write_report(
        config, trained.hash, looks.current(store, test_rows, trained.hash),
        run=run_name, changes=changes,
    )  # fmt: skip
    if run is not None and run.data.tags.get("fingerprint.evaluate") == evaluated.hash:
        return Outcome(run_name, store.name, recreated=False)
    history = read_history(MODEL)
    if run is None:
        run_id = store.create_run(
            who.run_name, experiment_parameters(config), provenance.run_tags() | who.tags
        )
        store.log_points(run_id, points({name: history[name] for name in CURVES}))
        store.log_tags(run_id, {"recreated_from": f"{MODEL}/ and {EVALUATION}/"})
    else:
        run_id = run.info.run_id

    fingerprints = {
        "configure": fingerprint.of_stage("configure"),
        "prepare": fingerprint.of_stage("prepare"),
        "baselines": fingerprint.of_stage("baselines"),
        "train": trained,
        "evaluate": evaluated,
    }
    if changes.unknown:
        provenance.warn_unknown(changes.unknown)
    _log_files(store, run_id, fingerprints, changes)
    log_model(store, run_id, MODEL, prepared.first_rows(PREPARED / "train.parquet", EXAMPLE_ROWS))
    _log_inputs(store, run_id, config, fingerprints)
    seconds = {stage: noted_seconds(stage, fingerprints[stage].hash) for stage in STAGES}
    seconds["evaluate"] = evaluate_seconds or seconds["evaluate"]
    store.log_metrics(
        run_id,
        curve_metrics(history, read_folds(MODEL))
        | part_metrics(json.loads(METRICS.read_text("utf-8")))
        | {f"seconds_{stage}": value for stage, value in seconds.items() if value is not None},
    )
    store.log_tags(
        run_id,
        {
            "fingerprint.evaluate": evaluated.hash,
            "git.dirty": changes.dirty,
            **({"git.unknown": changes.unknown} if changes.unknown else {}),
            # The one that the diff belongs to: there may be a new one since the training.
            **({"mlflow.source.git.commit": changes.commit} if changes.commit else {}),
            **({fingerprint.TEST_ROWS: test_rows} if test_rows else {}),
            "mlflow.note.content": "\n\n".join(
                [as_markdown(verdict), _link(store, run_id), DESCRIPTION]
            ),
        },
    )
    store.end(run_id, "FINISHED")
    return Outcome(run_name, store.name, recreated=run is None)


def as_markdown(text: str) -> str:
    """A text that has names from a table, for a page that reads it as Markdown with HTML: no name
    can load an image or be a link."""
    return re.sub(r"[\\`\[]", r"\\\g<0>", html.escape(text, quote=False))


def _link(store: Store, run_id: str) -> str:
    """A link to the report in MLflow's pages."""
    page = f"#/experiments/{store.experiment_id}/runs/{run_id}/artifacts/evaluation/report.html"
    return f"[Report of this result]({page})"


def raw_files(path: str | None) -> list[str]:
    """The files of a table by their paths relative to the root, as fingerprints name them; none
    for a table that is not of files or no longer exists."""
    if not path or path == DIABETES:
        return []
    with suppress(UserError):
        return [Path(os.path.relpath(file)).as_posix() for file in files_of(path)[0]]
    return []


def curve_metrics(history: pd.DataFrame, folds: pd.DataFrame | None = None) -> dict[str, float]:
    """The single numbers of data/model/history.csv and folds.csv: final_..., best_... and the
    epochs; see the module's docstring."""
    kept = history["epoch"][history["kept"]]
    model_epoch = {"model_epoch": float(kept.iloc[0])} if len(kept) else {}
    if folds is not None:
        each = pd.DataFrame([curve_metrics(fold) for _, fold in folds.groupby("fold")])
        means = each.drop(columns="model_epoch", errors="ignore").mean()
        return {str(name): float(value) for name, value in means.items()} | model_epoch
    validated = history["validation_loss"].notna().any()
    monitored = history["validation_loss" if validated else "loss"]
    best = history.iloc[int(monitored.argmin())]
    last = history.iloc[-1]
    names = ["loss", "mae", *(["validation_loss", "validation_mae"] if validated else [])]
    return {
        **{f"final_{name}": float(last[name]) for name in names},
        **{f"best_{name}": float(best[name]) for name in names},
        "best_epoch": float(best["epoch"]),
        "epochs": float(last["epoch"]),
        **model_epoch,
    }


def part_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Those of data/metrics.json as {part}_{metric}, without those that have a curve's name."""
    flat = {name.replace(".", "_"): value for name, value in flatten(metrics).items()}
    return {name: value for name, value in flat.items() if name not in CURVES}


def comparable(file: Path, keys: list[str], measure: str) -> pd.DataFrame:
    """A table of data/evaluation/ as MLflow compares those of several runs without being asked:
    rows by the first column, here called name, and of these the second one.

    Parameters
    ----------
    file
        Without it, there are no rows.
    keys
        Its columns that name a row together.
    measure
        The column to compare.
    """
    if not file.is_file():
        return pd.DataFrame(columns=["name", measure])
    # Texts are texts in every run, even those that look like numbers or missing values.
    table = pd.read_csv(
        file, dtype=dict.fromkeys(keys, "str"), keep_default_na=False, na_values=[""]
    )
    names = table[keys].agg(": ".join, axis="columns") if len(table) else None
    others = [name for name in table.columns if name not in (*keys, measure)]
    return table.assign(name=names)[["name", measure, *others]]


def _log_files(
    store: Store, run_id: str, fingerprints: Mapping[str, Fingerprint], changes: Changes
) -> None:
    """What the stages wrote, and the provenance."""
    store.client.log_artifacts(run_id, str(MODEL), "training")
    store.client.log_artifacts(run_id, str(EVALUATION), "evaluation")
    tables = {
        name: comparable(EVALUATION / f"{name}.csv", *columns) for name, columns in TABLES.items()
    }
    store.log_tables(run_id, tables, "tables")
    for page in ("profile.html", "profile.csv"):
        store.client.log_artifact(run_id, str(PREPARED / page), "data")
    inputs = {stage: one.inputs for stage, one in fingerprints.items()}
    log_provenance(store, run_id, inputs, changes)


def _log_inputs(
    store: Store, run_id: str, config: Config, fingerprints: Mapping[str, Fingerprint]
) -> None:
    """The prepared parts and the raw files as the run's data sets."""
    for part in ("train", "validation", "test", "new"):
        path = PREPARED / f"{part}.parquet"
        count = prepared.count_rows(path)
        if count:
            name = path.as_posix()
            md5 = fingerprints["evaluate"].inputs[name]
            store.log_data(run_id, part, name, md5, count)
    read = {file for path in (config.data.path, config.data.new_rows) for file in raw_files(path)}
    for file, md5 in fingerprints["prepare"].inputs.items():
        if file in read:
            store.log_data(run_id, "raw", file, md5)

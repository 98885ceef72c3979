"""What a tracked run consists of, gathered from the files that the stages wrote."""

import json
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.compose.schema import Config, flatten, settings
from pipeline.config.section import COMPOSED
from pipeline.dataset import prepared
from pipeline.runtime.errors import UserError
from pipeline.runtime.paths import CONTRACT, ENCODING, EVALUATION, METRICS, MODEL, PREPARED, STAGES
from pipeline.schema.contract import Contract
from pipeline.tables.files import files_of
from pipeline.tables.reading import DIABETES
from pipeline.tracking import durations, fingerprint, identity, provenance
from pipeline.tracking.live import say_untracked
from pipeline.tracking.mlflow_store import TROUBLE, Store

CODE = Path(__file__).parents[1]
# Beyond this a diff is of data, which DVC keeps, rather than of code.
EXAMPLE_ROWS = 3
MOST_DIFF_CHARACTERS = 1_000_000
DESCRIPTION = """\
| Artifact | What it holds |
|---|---|
| evaluation/predictions.csv | true and predicted value of every row |
| evaluation/new_predictions.csv | the rows of data.new_rows with their predictions |
| evaluation/*.png | learning curves, predicted against true, residuals |
| evaluation/coefficients.csv | a linear neuron beside the least-squares line |
| training/weights.csv | every weight before and after training (arrays: weights_*.npz) |
| training/first_prediction.csv | the untrained network's answer beside x · kernel + bias by hand |
| data/profile.html, data/profile.csv | every column: its values, and what was made of it |
| training/history.csv | the values of every epoch, and whose weights were kept |
| provenance/ | configuration, dvc.lock, hashes of all inputs, packages, uncommitted changes |
"""


@dataclass(frozen=True)
class Outcome:
    """Where the current result is tracked, and whether this took a re-creation."""

    place: str
    run_name: str
    recreated: bool


def open_store(config: Config) -> Store:
    """The store that the tracking section names."""
    return Store(config.tracking.experiment, config.tracking.uri)


def complete(config: Config, evaluate_seconds: float | None = None) -> Outcome | None:
    """Makes sure that the result under data/ has its whole run in the store.

    The run of its training is completed; where the store has none, it is created
    from the files. evaluate_seconds is what the evaluation has taken so far, if
    that is going on. Returns None if tracking is off or the store is out of reach,
    which is then warned of.
    """
    if not config.tracking.enabled:
        return None
    try:
        return _complete(config, open_store(config), evaluate_seconds)
    except TROUBLE as error:
        say_untracked(error)
        return None


def _complete(config: Config, store: Store, evaluate_seconds: float | None) -> Outcome:
    store.end_abandoned()
    who = identity.of_training(config)
    evaluated = fingerprint.of_stage("evaluate")
    history = pd.read_csv(MODEL / "history.csv")
    run = store.find(who)
    recreated = run is None
    if run is None:
        run_id = store.create(who, settings(config), identity.tags())
        values = history.drop(columns=["epoch", "kept"]).to_dict("records")
        store.log_epochs(run_id, zip(history["epoch"], values, strict=True))
        store.log_tags(run_id, {"recreated_from": f"{MODEL}/ and {EVALUATION}/"})
    else:
        run_id = run.info.run_id
        if run.data.tags.get("fingerprint.evaluate") == evaluated.hash:
            return Outcome(store.place(), str(run.info.run_name), recreated=False)

    store.log_folder(run_id, MODEL, "training")
    store.log_folder(run_id, EVALUATION, "evaluation")
    for page in ("profile.html", "profile.csv"):
        store.log_file(run_id, PREPARED / page, "data")
    with tempfile.TemporaryDirectory() as temporary:
        _gather_provenance(Path(temporary))
        store.log_folder(run_id, Path(temporary), "provenance")
    log_model(store, run_id, MODEL, prepared.first_rows(PREPARED / "train.parquet", EXAMPLE_ROWS))
    for part in ("train", "validation", "test", "new"):
        path = (PREPARED / f"{part}.parquet").as_posix()
        count = prepared.rows(Path(path))
        if count:
            store.log_data(run_id, part, path, evaluated.inputs[path], count)
    read = {file for path in (config.data.path, config.data.new_rows) for file in raw_files(path)}
    for path, md5 in fingerprint.of_stage("prepare").inputs.items():
        if path in read:
            store.log_data(run_id, "raw", path, md5)
    seconds = {stage: durations.noted_seconds(stage) for stage in STAGES}
    seconds["evaluate"] = evaluate_seconds or seconds["evaluate"]
    numbers = curve_metrics(history)
    # The prefix keeps them apart from the curves: validation_mae is one of those.
    numbers |= {
        f"evaluated_{name.replace('.', '_')}": value
        for name, value in flatten(json.loads(METRICS.read_text("utf-8"))).items()
    }
    numbers |= {f"seconds_{stage}": value for stage, value in seconds.items() if value is not None}
    store.log_metrics(run_id, numbers)
    dirty = provenance.git_diff() is not None
    store.log_tags(
        run_id,
        {
            "fingerprint.evaluate": evaluated.hash,
            "git.dirty": str(dirty).lower(),
            "mlflow.note.content": DESCRIPTION,
        },
    )
    store.end(run_id, "FINISHED")
    return Outcome(
        store.place(), who.run_name if run is None else str(run.info.run_name), recreated
    )


def raw_files(path: str | None) -> list[str]:
    """The files of a table as provenance names them, relative to the root; none of a table
    that there is not, or not any more."""
    if not path or path == DIABETES:
        return []
    with suppress(UserError):
        return [Path(os.path.relpath(file)).as_posix() for file in files_of(path)]
    return []


def log_model(
    store: Store, run_id: str, model: Path, rows: pd.DataFrame, name: str = "model"
) -> None:
    """The model of a folder; rows, with its columns among others, are for an example."""
    contract = Contract.read(model / CONTRACT)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        folder.mkdir()
        for file in ("model.keras", CONTRACT, ENCODING):
            shutil.copy(model / file, folder)
        needed = (
            "keras",
            "tensorflow",
            "numpy",
            "pandas",
            "psutil",
            "omegaconf",
            "pyyaml",
            "pyarrow",
        )
        installed = provenance.all_packages().splitlines()
        packages = [line for line in installed if line.partition("==")[0] in needed]
        example = rows[list(contract.schema.columns)].head(EXAMPLE_ROWS)
        store.log_model(run_id, folder, CODE, example, packages, name=name)


def curve_metrics(history: pd.DataFrame) -> dict[str, float]:
    """From fit's table: the last epoch's values (final_...), those of the epoch
    whose monitored loss is least (best_...), that epoch, and the epoch whose
    weights the model has, if it has those of one."""
    validated = history["validation_loss"].notna().any()
    monitored = history["validation_loss" if validated else "loss"]
    best = history.iloc[int(monitored.argmin())]
    last = history.iloc[-1]
    kept = history["epoch"][history["kept"]]
    names = ["loss", "mae", *(["validation_loss", "validation_mae"] if validated else [])]
    return {
        **{f"final_{name}": float(last[name]) for name in names},
        **{f"best_{name}": float(best[name]) for name in names},
        "best_epoch": float(best["epoch"]),
        "epochs": float(last["epoch"]),
        **({"model_epoch": float(kept.iloc[0])} if len(kept) else {}),
    }


def _gather_provenance(folder: Path) -> None:
    for path in (COMPOSED, Path("params.yaml"), Path("dvc.yaml"), Path("dvc.lock")):
        if path.is_file():
            shutil.copy(path, folder)
    (folder / "packages.txt").write_text(provenance.all_packages(), "utf-8")
    inputs = {stage: fingerprint.of_stage(stage).inputs for stage in STAGES}
    (folder / "inputs.json").write_text(json.dumps(inputs, indent=2) + "\n", "utf-8")
    diff = provenance.git_diff()
    if diff:
        if len(diff) > MOST_DIFF_CHARACTERS:
            diff = f"{diff[:MOST_DIFF_CHARACTERS]}\n... cut here, of {len(diff)} characters\n"
        (folder / "git.diff").write_text(f"{diff}\n", "utf-8")

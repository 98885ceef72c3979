"""Models in MLflow: a model folder logged with a run, and a logged model downloaded."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from yaml import YAMLError

from pipeline.compose.schema import read_config
from pipeline.runtime.errors import DAMAGE_ERRORS, UserError
from pipeline.runtime.paths import COMPOSED, CONTRACT, ENCODING, intervals_path
from pipeline.runtime.redaction import redact_code
from pipeline.schema.contract import Contract
from pipeline.tracking import provenance
from pipeline.tracking.backend import (
    AnyType,
    ColSpec,
    LoggedModelOutput,
    Model,
    ModelSignature,
    Schema,
    mlflow,
)
from pipeline.tracking.location import project_root, store_uri
from pipeline.tracking.store import STORE_ERRORS, Store

CODE = Path(__file__).parents[1]
EXAMPLE_ROWS = 3
# The module that MLflow loads a logged model with.
LOADER = "pipeline.evaluation.predictor"
# What a logged model is loaded with.
REQUIREMENTS = (
    "keras", "tensorflow", "numpy", "pandas", "psutil", "omegaconf", "pyyaml", "pyarrow",
)  # fmt: skip


def log_model(
    store: Store, run_id: str, model: Path, rows: pd.DataFrame, name: str = "model"
) -> None:
    """Logs the model in a folder as a pyfunc; the first of rows, which may have more columns
    than the model reads, are its input example.

    The signature names the columns and takes any type: MLflow would refuse whole numbers for
    a column of fractions, and the Predictor checks the cells itself.
    """
    contract = Contract.read(model / CONTRACT)
    example = rows[list(contract.schema.columns)].head(EXAMPLE_ROWS)
    anything: Any = AnyType
    intervals = intervals_path(model)
    answered = ["predicted", *(["lower", "upper"] if intervals.is_file() else [])]
    signature = ModelSignature(
        inputs=Schema([ColSpec(anything(), column) for column in example.columns]),
        outputs=Schema(
            [*(ColSpec("double", name) for name in answered), ColSpec("string", "flags")]
        ),
    )
    installed = provenance.all_packages().splitlines()
    mlflow.set_tracking_uri(store.uri)
    # Not by Model.log, which reads all points of the run, to look for some of step 0, and loads the
    # model again, and with it Keras. Tests show that a logged model predicts as that in the folder.
    logged = store.client.create_logged_model(
        store.experiment_id, name, run_id, params=store.client.get_run(run_id).data.params
    )
    described = Model(
        logged.artifact_location, run_id, model_uuid=logged.model_id, model_id=logged.model_id
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder, whole = Path(temporary) / "model", Path(temporary) / "whole"
        folder.mkdir()
        for file in ("model.keras", CONTRACT, ENCODING):
            shutil.copy(model / file, folder)
        if intervals.is_file():
            shutil.copy(intervals, folder)
        with _any_type_is_intended():
            mlflow.pyfunc.save_model(
                whole,
                mlflow_model=described,
                loader_module=LOADER,
                data_path=str(folder),
                code_paths=[str(_copy_code(Path(temporary)))],
                signature=signature,
                input_example=example,
                pip_requirements=[
                    one for one in installed if one.partition("==")[0] in REQUIREMENTS
                ],
            )
        store.client.log_model_artifacts(logged.model_id, str(whole))
    store.client.finalize_logged_model(logged.model_id, "READY")
    store.client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])


def _copy_code(folder: Path) -> Path:
    """The package in a folder, without what looks like a secret."""
    code = folder / CODE.name

    def ignored(_folder: str, names: list[str]) -> set[str]:
        return {name for name in names if name == "__pycache__" or provenance.is_secret_file(name)}

    shutil.copytree(CODE, code, ignore=ignored)
    for file in code.rglob("*.py"):
        text = file.read_text("utf-8")
        if redact_code(text) != text:
            file.write_text(redact_code(text), "utf-8")
    return code


def download(uri: str, folder: Path) -> Path:
    """Downloads a logged model (models:/..., runs:/...) to a folder; returns its model folder. The
    code that was logged with it, which may be anyone's, is not run. Raises UserError where the URI
    leads to no model of this pipeline."""
    mlflow.set_tracking_uri(store_uri(configured_uri(), project_root()))
    try:
        downloaded = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder)))
        loader = Model.load(str(downloaded)).flavors.get("python_function", {}).get("loader_module")
    except (*STORE_ERRORS, *DAMAGE_ERRORS, YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{uri}: cannot be loaded from MLflow: {reason}") from error
    if loader != LOADER:
        raise UserError(f"{uri}: is not a model of this pipeline")
    return downloaded / "data" / "model"


def configured_uri() -> str | None:
    """tracking.uri, where there is a configuration."""
    return read_config().tracking.uri if COMPOSED.is_file() else None


@contextmanager
def _any_type_is_intended() -> Iterator[None]:
    """Without MLflow's warning that columns of any type are not checked."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType")
        yield

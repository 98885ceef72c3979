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
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        folder.mkdir()
        for file in ("model.keras", CONTRACT, ENCODING):
            shutil.copy(model / file, folder)
        if intervals.is_file():
            shutil.copy(intervals, folder)
        code = _copy_code(Path(temporary))
        with _any_type_is_intended(), mlflow.start_run(run_id=run_id):
            Model.log(
                artifact_path=None,
                name=name,
                flavor=_Pyfunc,
                flavor_name="pyfunc",
                validate_serving_input=False,
                loader_module=LOADER,
                data_path=str(folder),
                code_paths=[str(code)],
                signature=signature,
                input_example=example,
                # MLflow's own has the password of the remote's URL.
                tags={"mlflow.source.git.repoURL": "not recorded"},
                pip_requirements=[
                    one for one in installed if one.partition("==")[0] in REQUIREMENTS
                ],
            )


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


class _Pyfunc:
    """mlflow.pyfunc as a flavor of Model.log, without the validation of the input example.

    mlflow.pyfunc.log_model has no argument against that validation, which loads the model
    again, and with it Keras, for ten seconds. Tests show that a logged model predicts as the
    one in the folder does.
    """

    @staticmethod
    def save_model(*, validate_serving_input: bool, **content: Any) -> None:
        del validate_serving_input
        mlflow.pyfunc.save_model(**content)


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

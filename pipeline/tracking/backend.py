"""MLflow, imported in one module and quietly.

The import takes three seconds or more, so a module that only some of its callers need MLflow
for must not import this one at its top.
"""

import logging
import os
import warnings
from typing import Any

from pipeline.runtime.imports import heavy_import

# Read by MLflow when it is imported. A store that does not answer must cost seconds, not the
# minutes of the default retries.
for _name, _value in {
    "PGCONNECT_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    # It would print the address of a server with the password in it.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}.items():
    os.environ.setdefault(_name, _value)
with heavy_import():
    import mlflow
    from mlflow import MlflowClient
    from mlflow.entities import (
        Dataset,
        DatasetInput,
        Experiment,
        InputTag,
        LoggedModelOutput,
        Metric,
        Param,
        Run,
        RunTag,
        ViewType,
    )
    from mlflow.exceptions import MlflowException
    from mlflow.models import Model, ModelSignature
    from mlflow.protos.databricks_pb2 import BAD_REQUEST
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
    from mlflow.store.db import utils as database_utils
    from mlflow.store.tracking.dbmodels import models as tables
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType
    from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_ARTIFACTS
    from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH, MAX_TAG_VAL_LENGTH
# There is no variable for it.
database_utils.MAX_RETRY_COUNT = 0
logging.getLogger("alembic").setLevel(logging.WARNING)
# It logs what it raises, with a traceback and with the values that it could not write.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
__all__ = [
    "BAD_REQUEST", "MAX_PARAM_VAL_LENGTH", "MAX_TAG_VAL_LENGTH", "MLFLOW_LOGGED_ARTIFACTS",
    "AnyType", "ColSpec", "Dataset", "DatasetInput", "Experiment", "InputTag",
    "LoggedModelOutput", "Metric", "MlflowClient", "MlflowException", "Model", "ModelSignature",
    "Param", "Run", "RunTag", "Schema", "SqlAlchemyStore", "ViewType", "get_artifact_repository",
    "mlflow", "scoring_server", "store_of", "tables",
]  # fmt: skip


def scoring_server() -> Any:
    """MLflow's scoring server, which nothing else needs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MLflow's own type hints
        from mlflow.pyfunc import scoring_server

    return scoring_server


def store_of(client: MlflowClient) -> object:
    """The store behind a client: MLflow's own class for a database, another one for a server."""
    return client._tracking_client.store  # noqa: SLF001 - no public way to it

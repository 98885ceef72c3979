"""Where the runs are recorded: an MLflow store, by default a SQLite file at the root."""

import os
from pathlib import Path

DATABASE = "mlflow.db"
ARTIFACTS = "mlruns"
ANSWER_SECONDS = 5


def project_root() -> Path:
    """The repository that the user works in. DVC runs queued experiments in
    folders that it deletes; DVC_ROOT still names the real one."""
    return Path(os.environ.get("DVC_ROOT") or Path(__file__).parents[2]).resolve()


def store_uri(uri: str | None, root: Path) -> str:
    """uri, else the environment's MLFLOW_TRACKING_URI, else root/mlflow.db. The path
    of a SQLite file is relative to root, whatever the working directory."""
    given = uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{DATABASE}"
    file = given.removeprefix("sqlite:///")
    return given if file == given else f"sqlite:///{root / file}"


def source(uri: str | None) -> str:
    """What names the store, for messages."""
    if uri:
        return f"tracking.uri={uri}"
    variable = os.environ.get("MLFLOW_TRACKING_URI")
    return f"MLFLOW_TRACKING_URI={variable}" if variable else DATABASE


def database_file(uri: str) -> Path | None:
    """The SQLite file of a URI that store_uri returned; None for another kind of store."""
    file = uri.removeprefix("sqlite:///").partition("?")[0]
    return None if uri.startswith(file) else Path(file)


def default_database(uri: str | None, root: Path) -> Path | None:
    """root/mlflow.db if that is the store, whether it exists or not; None otherwise."""
    file = root / DATABASE
    return file if store_uri(uri, root) == f"sqlite:///{file}" else None


def check_answer(uri: str) -> None:
    """Raises ConnectionError for a server that does not answer soon, which MLflow would ask again
    and again. Any answer will do."""
    if not uri.startswith("http"):
        return
    import requests  # few stores are servers

    try:
        requests.get(f"{uri.rstrip('/')}/health", timeout=ANSWER_SECONDS)
    except requests.exceptions.SSLError:
        pass  # whether to trust it is MLflow's to decide
    except (requests.ConnectionError, requests.Timeout) as error:
        raise ConnectionError("the server does not answer") from error

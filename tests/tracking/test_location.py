"""Where runs are recorded follows from the configuration, the environment and the root."""

from pathlib import Path

import pytest

import pipeline
from pipeline.tracking.location import default_database, project_root, store_uri

pytestmark = pytest.mark.usefixtures("own_environment")


def test_the_root_is_the_repository_or_what_dvc_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert project_root() == Path(pipeline.__file__).parents[1].resolve()
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert project_root() == tmp_path.resolve()


def test_a_relative_database_is_the_root_s_whatever_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    assert store_uri("sqlite:///runs.db", tmp_path) == f"sqlite:///{tmp_path}/runs.db"
    assert store_uri("sqlite:////else/runs.db", tmp_path) == "sqlite:////else/runs.db"
    assert store_uri("http://127.0.0.1:5000", tmp_path) == "http://127.0.0.1:5000"


def test_the_configuration_goes_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store_uri(None, tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert store_uri(None, tmp_path) == "http://127.0.0.1:5000"
    assert store_uri("sqlite:///runs.db", tmp_path) == f"sqlite:///{tmp_path}/runs.db"


def test_only_the_project_s_own_file_is_its_database(tmp_path: Path) -> None:
    own = tmp_path / "mlflow.db"
    assert default_database(None, tmp_path) == own
    assert default_database("sqlite:///mlflow.db", tmp_path) == own
    assert default_database(f"sqlite:///{own}", tmp_path) == own
    for other in ("sqlite:///runs.db", "http://127.0.0.1:5000", "postgresql://h/mlflow"):
        assert default_database(other, tmp_path) is None

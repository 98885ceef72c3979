"""A sweep is deleted as a whole, if it is not being run."""

from pathlib import Path

import optuna
import pytest

from pipeline.compose.schema import Config
from pipeline.runtime.errors import UserError
from pipeline.sweep.deletion import forget
from pipeline.tracking.trial_files import SWEEPS, folder_in_use
from tests.sweep.test_study import ask_all, study

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, without an MLflow store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    return tmp_path


def studies(root: Path) -> list[str]:
    return optuna.get_all_study_names(f"sqlite:///{root}/sweeps.db")


def test_the_study_and_the_files_are_gone_and_others_are_not(root: Path) -> None:
    for name in ("spring", "autumn"):
        ask_all(study(root, name=name), 3)
        (SWEEPS / name / "batches").mkdir(parents=True)
        (SWEEPS / name / "batches" / "1.npz").touch()
    optuna.create_study(storage=f"sqlite:///{root}/sweeps.db", study_name="of somebody else")
    assert forget("spring", Config(), root) == ["its study (3 trials)", "data/sweeps/spring"]
    assert studies(root) == ["autumn", "of somebody else"]
    assert [path.name for path in SWEEPS.iterdir()] == ["autumn"]
    for name in ("spring", "of somebody else", "..", "../sweeps/autumn", ""):
        with pytest.raises(UserError) as caught:
            forget(name, Config(), root)
        assert str(caught.value) == f"{name}: no such sweep; there are autumn"
    assert studies(root) == ["autumn", "of somebody else"]


def test_without_a_sweep_there_is_none_and_nothing_is_created(root: Path) -> None:
    with pytest.raises(UserError, match=r"^spring: no such sweep; there are none$"):
        forget("spring", Config(), root)
    assert list(root.iterdir()) == []


def test_a_sweep_with_trials_in_training_is_not_deleted(root: Path) -> None:
    assert study(root).ask(2, 4)
    with pytest.raises(UserError, match=r"^the sweep spring is running: 2 of its trials are being"):
        forget("spring", Config(), root)
    assert studies(root) == ["spring"]
    assert not (SWEEPS / "spring").exists()


def test_a_sweep_is_run_or_deleted_but_not_both(root: Path) -> None:
    ask_all(study(root), 3)
    message = r"^the sweep spring is being run by another process; wait for its end, or interrupt"
    with (
        folder_in_use(SWEEPS / "spring"),
        folder_in_use(SWEEPS / "spring"),
        pytest.raises(UserError, match=message),
    ):
        forget("spring", Config(), root)
    assert studies(root) == ["spring"]
    with folder_in_use(SWEEPS / "spring", alone=True):
        message = r"^the sweep spring is being deleted by another process; wait for its end$"
        with pytest.raises(UserError, match=message), folder_in_use(SWEEPS / "spring"):
            pass

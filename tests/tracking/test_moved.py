"""The artifacts of a database that is moved or copied are found where it is now."""

import shutil
from pathlib import Path

import pytest

from pipeline.tracking.store import Store

pytestmark = pytest.mark.usefixtures("own_environment")


@pytest.fixture
def before(tmp_path: Path, empty_store: Path) -> Path:
    """A folder with a store."""
    folder = tmp_path / "my work"
    folder.mkdir()
    shutil.copy(empty_store, folder)
    return folder


def record(folder: Path) -> str:
    """A run with an artifact, in the store of that folder."""
    store = Store("trials", None, folder)
    note = folder / "note.txt"
    note.write_text("kept\n", "utf-8")
    run_id = store.create_run("plain", {}, {})
    store.log_file(run_id, note, "notes")
    return run_id


def read(folder: Path, run_id: str, to: Path) -> str:
    """That artifact, read back through MLflow."""
    client = Store("trials", None, folder).client
    to.mkdir()
    return Path(client.download_artifacts(run_id, "notes/note.txt", str(to))).read_text("utf-8")


def files(folder: Path) -> set[str]:
    """The runs that have artifacts below a folder."""
    return {path.name for path in (folder / "mlruns").iterdir()}


def test_a_moved_store_keeps_its_artifacts_and_gets_new_ones(
    tmp_path: Path, before: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = record(before)
    after = before.rename(tmp_path / "50 Größen")
    capsys.readouterr()
    new = record(after)
    assert capsys.readouterr().err == (
        f"warning: mlflow.db was moved from {before}: artifacts are now in {after}/mlruns\n"
    )
    assert files(after) == {old, new}
    assert not before.exists()
    for run_id in (old, new):
        assert read(after, run_id, tmp_path / run_id) == "kept\n"
    assert capsys.readouterr().err == ""


def test_a_copied_store_leaves_the_original_alone(
    tmp_path: Path, before: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = record(before)
    after = tmp_path / "copy"
    shutil.copytree(before, after)
    new = record(after)
    assert f"mlflow.db was copied from {before}: " in capsys.readouterr().err
    assert (files(before), files(after)) == ({old}, {old, new})
    shutil.rmtree(before)
    assert read(after, old, tmp_path / old) == "kept\n"


def test_a_database_copied_without_its_artifacts_finds_the_earlier_ones(
    tmp_path: Path, before: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = record(before)
    after = tmp_path / "copy"
    after.mkdir()
    shutil.copy(before / "mlflow.db", after)
    new = record(after)
    assert capsys.readouterr().err == (
        f"warning: mlflow.db was copied from {before}: artifacts are now in {after}/mlruns; those"
        f" of earlier runs are looked for in {before}/mlruns\n"
    )
    assert (files(before), files(after)) == ({old}, {new})
    assert read(after, old, tmp_path / old) == "kept\n"


def test_a_folder_of_the_user_s_choice_stays(
    tmp_path: Path, before: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = tmp_path / "large disk" / "mlruns"
    chosen.mkdir(parents=True)
    client = Store("another", None, before).client
    client.create_experiment("trials", chosen.as_uri())
    after = before.rename(tmp_path / "after")
    capsys.readouterr()
    run_id = record(after)
    assert capsys.readouterr().err == ""
    assert (chosen / run_id).is_dir()


def test_a_store_reached_by_a_link_was_not_moved(
    tmp_path: Path, before: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(before)
    (tmp_path / "link").symlink_to(before)
    Store("trials", f"sqlite:///{tmp_path}/link/mlflow.db", tmp_path)
    assert capsys.readouterr().err == ""


def test_models_and_other_experiments_move_too(tmp_path: Path, before: Path) -> None:
    record(before)
    store = Store("other", None, before)
    model = store.client.create_logged_model(store.experiment_id)
    assert str(before.as_uri()) in model.artifact_location
    after = before.rename(tmp_path / "after")
    store = Store("trials", None, after)
    found = store.client.get_logged_model(model.model_id)
    assert found.artifact_location.startswith(f"{after.as_uri()}/mlruns/")
    other = store.client.get_experiment_by_name("other")
    assert other is not None
    assert other.artifact_location == f"{after.as_uri()}/mlruns"

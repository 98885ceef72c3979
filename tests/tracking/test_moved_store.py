"""A database that is moved or copied gets its new artifacts where it is now."""

import shutil
import subprocess
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
    store.client.log_artifact(run_id, str(note), "notes")
    return run_id


def read(folder: Path, run_id: str, to: Path) -> str:
    """That artifact, read back through MLflow."""
    client = Store("trials", None, folder).client
    to.mkdir()
    return Path(client.download_artifacts(run_id, "notes/note.txt", str(to))).read_text("utf-8")


def files(folder: Path) -> set[str]:
    """The runs that have artifacts below a folder."""
    return {path.name for path in (folder / "mlruns").iterdir()}


def test_a_moved_store_writes_to_where_it_is_and_says_how_to_see_what_it_has(
    tmp_path: Path, before: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = record(before)
    after = before.rename(tmp_path / "50 Größen")
    capsys.readouterr()
    new = record(after)
    name = f"trials of {before} (2)"
    link = f"ln -s '{after}' '{before}'"
    assert capsys.readouterr().err == (
        f"warning: mlflow.db was moved or copied from {before}: its runs are now those of the"
        f" experiment {name!r}, and their artifacts are looked for in {before}/mlruns, where"
        f" `{link}` shows them\n"
    )
    assert files(after) == {old, new}
    assert not before.exists()
    assert read(after, new, tmp_path / new) == "kept\n"
    subprocess.run(link, shell=True, check=True)  # noqa: S602 - as the user would
    assert read(after, old, tmp_path / old) == "kept\n"
    assert capsys.readouterr().err == ""


def test_a_copied_store_leaves_the_original_alone(
    tmp_path: Path, before: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = record(before)
    after = tmp_path / "copy"
    shutil.copytree(before, after)
    new = record(after)
    assert capsys.readouterr().err.endswith(f"artifacts are looked for in {before}/mlruns\n")
    assert (files(before), files(after)) == ({old}, {old, new})
    for folder, run_id in ((after, old), (after, new), (before, old)):
        assert read(folder, run_id, tmp_path / f"{folder.name} {run_id}") == "kept\n"


def test_a_store_may_be_moved_again_and_back(tmp_path: Path, before: Path) -> None:
    folder = before
    for name in ("there", "my work", "there", "my work"):
        record(folder)
        folder = folder.rename(tmp_path / name)
    assert read(folder, record(folder), tmp_path / "read") == "kept\n"


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

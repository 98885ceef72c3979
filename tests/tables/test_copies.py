"""A table that Git does not know is not in the copy in which DVC runs an experiment."""

from pathlib import Path

import pytest

from pipeline.runtime.errors import UserError
from pipeline.tables.copies import check_copied, schema_warning


@pytest.fixture(autouse=True)
def _copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory is a copy without b.csv."""
    for name in ("root/data/raw/a.csv", "root/data/raw/b.csv", "copy/data/raw/a.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x,y\n1,2\n", "utf-8")
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "root"))


@pytest.mark.parametrize("path", ["data/raw/b.csv", "data/raw", "data/raw/*.csv"])
def test_a_table_that_is_missing_from_the_copy_is_named_with_what_to_do(path: str) -> None:
    with pytest.raises(UserError) as caught:
        check_copied(path)
    assert str(caught.value) == (
        "data/raw/b.csv: is not in the copy that this experiment runs in, because Git does not"
        " know it; git add data/raw/b.csv, or run it with --copy-paths data/raw/b.csv"
    )


@pytest.mark.parametrize(
    "path", ["data/raw/a.csv", "data/raw/none.csv", "data", "sklearn:diabetes"]
)
def test_other_tables_are_left_to_the_reading(path: str) -> None:
    check_copied(path)


def test_the_repository_itself_is_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path / "root")
    check_copied("data/raw")
    monkeypatch.delenv("DVC_ROOT")
    monkeypatch.chdir(tmp_path / "copy")
    check_copied("data/raw/b.csv")
    assert schema_warning(Path("data/raw/b.csv"), "another") is None


def test_a_schema_that_git_does_not_know_is_named_where_it_differs(tmp_path: Path) -> None:
    path = Path("data/schema/b.csv.yaml")
    assert schema_warning(path, "inferred") is None
    (tmp_path / "root/data/schema").mkdir()
    (tmp_path / "root" / path).write_text("edited", "utf-8")
    assert schema_warning(path, "edited") is None
    assert schema_warning(path, "inferred") == (
        f"{path}: is inferred anew, because Git does not know the one that you have; to use that,"
        f" git add {path}, or run it with --copy-paths {path}"
    )

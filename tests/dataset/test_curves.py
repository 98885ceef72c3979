"""The table of epochs is read as it was written, or not at all."""

from pathlib import Path

import pytest

from pipeline.dataset.curves import read_folds, read_history
from pipeline.runtime.errors import UserError

HEADER = "epoch,loss,mae,validation_loss,validation_mae,learning_rate,kept"
ROWS = ["1,4,1.5,,,0.01,False", "2,0.25,0.5,,,0.01,True"]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data/model").mkdir(parents=True)


def write(*lines: str) -> None:
    Path("data/model/history.csv").write_text("\n".join(lines), "utf-8")


def test_the_epochs_are_those_that_were_written() -> None:
    write(HEADER, *ROWS)
    table = read_history(Path("data/model"))
    assert table["loss"].tolist() == [4, 0.25]
    assert table["kept"].tolist() == [False, True]
    assert table["validation_loss"].isna().all()


def test_the_epochs_of_folds_have_their_number_or_none() -> None:
    assert read_folds(Path("data/model")) is None
    path = Path("data/model/folds.csv")
    path.write_text("\n".join([f"fold,{HEADER}", f"1,{ROWS[0]}", f",{ROWS[1]}"]), "utf-8")
    table = read_folds(Path("data/model"))
    assert table is not None
    assert table["fold"].isna().tolist() == [False, True]
    assert table["loss"].tolist() == [4, 0.25]
    path.write_text("fold\n", "utf-8")
    with pytest.raises(UserError, match=r"folds\.csv: is damaged"):
        read_folds(Path("data/model"))


@pytest.mark.parametrize(
    "lines",
    [[], [HEADER], ["epoch,loss", "1,4"], [HEADER, ROWS[0], "2,0.2"], [HEADER, "1,a,1,,,0.1,True"]],
)
def test_a_damaged_table_is_named_with_what_makes_it_again(lines: list[str]) -> None:
    write(*lines)
    with pytest.raises(UserError) as caught:
        read_history(Path("data/model"))
    assert str(caught.value) == (
        "data/model/history.csv: is damaged; `dvc repro train` makes it again"
    )

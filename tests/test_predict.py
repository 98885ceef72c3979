"""The command that predicts new rows; here without the libraries of a real model."""

import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline import predict
from pipeline.command import UserError
from pipeline.tables import numbers

Predict = Callable[..., None]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text("name,x\nb,2\na,-1.5\n", "utf-8")


@pytest.fixture
def predicting(monkeypatch: pytest.MonkeyPatch) -> Predict:
    """The command with its arguments."""

    def command(*arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["predict", *arguments])
        predict.main()

    return command


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch, predicting: Predict) -> Predict:
    """The command with a model that answers x and refuses what is no number."""

    def model(rows: pd.DataFrame, source: str) -> pd.DataFrame:
        x = numbers(rows, ["x"], source)["x"]
        return pd.DataFrame({"predicted": x.to_numpy()}, index=rows.index)

    monkeypatch.setattr(predict, "load", lambda _: model)
    return predicting


@pytest.fixture
def doubled(monkeypatch: pytest.MonkeyPatch, predicting: Predict) -> Predict:
    """The command with a model that doubles x and refuses 13."""

    def model(rows: pd.DataFrame, source: str) -> pd.DataFrame:
        if (rows["x"] == 13).any():
            raise UserError(f"{source}: 13 is refused")
        return pd.DataFrame({"predicted": 2 * rows["x"]})

    monkeypatch.setattr(predict, "load", lambda _: model)
    return predicting


def mistake(command: Predict, *arguments: str) -> str:
    with pytest.raises(UserError) as caught:
        command(*arguments)
    return str(caught.value)


# What comes out


def test_predictions_stand_after_the_rows_and_in_their_order(
    doubled: Predict, capsys: pytest.CaptureFixture[str]
) -> None:
    doubled("rows.csv")
    assert Path("predictions.csv").read_text("utf-8") == "name,x,predicted\nb,2.0,4\na,-1.5,-3\n"
    assert capsys.readouterr() == ("predicted 2 rows: predictions.csv\n", "")


def test_the_output_is_where_it_is_asked_for(doubled: Predict) -> None:
    Path("out").mkdir()
    doubled("rows.csv", "--output", "out/answers.csv")
    assert [path.name for path in Path("out").iterdir()] == ["answers.csv"]
    assert not Path("predictions.csv").exists()


def test_every_row_of_a_long_table_is_predicted_once(doubled: Predict) -> None:
    rows = 2 * predict.ROWS_AT_ONCE + 1
    pd.DataFrame({"x": range(100, 100 + rows)}).to_csv("rows.csv", index=False)
    doubled("rows.csv")
    table = pd.read_csv("predictions.csv")
    assert table["x"].tolist() == list(range(100, 100 + rows))
    assert (table["predicted"] == 2 * table["x"]).all()


def test_the_columns_of_the_rows_are_not_rounded_as_the_predictions_are(
    checked: Predict,
) -> None:
    rows = ["9223372036854775807,12345678901.5,0.123456789012345", "1,0.1,1e-300"]
    Path("rows.csv").write_text("\n".join(["id,amount,x", *rows, ""]), "utf-8")
    checked("rows.csv")
    assert Path("predictions.csv").read_text("utf-8").splitlines() == [
        "id,amount,x,predicted",
        f"{rows[0]},0.123456789",
        f"{rows[1]},1e-300",
    ]


def test_predictions_that_fail_half_way_leave_the_old_ones(doubled: Predict) -> None:
    Path("predictions.csv").write_text("old\n", "utf-8")
    values = [1] * predict.ROWS_AT_ONCE + [13]
    pd.DataFrame({"x": values}).to_csv("rows.csv", index=False)
    assert mistake(doubled, "rows.csv") == "rows.csv: 13 is refused"
    assert Path("predictions.csv").read_text("utf-8") == "old\n"
    assert {path.name for path in Path().iterdir()} == {"rows.csv", "predictions.csv"}


# Mistakes


def test_a_bad_cell_is_named_by_its_row_in_the_file_wherever_the_row_stands(
    checked: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "ROWS_AT_ONCE", 3)
    Path("rows.csv").write_text("\n".join(["x", *"1234567", "a", "9", ""]), "utf-8")
    assert mistake(checked, "rows.csv").startswith(
        "rows.csv, row 8 below the header, column 'x': the value is 'a', not a finite number"
    )


def test_missing_rows_are_named(predicting: Predict) -> None:
    assert mistake(predicting, "none.csv").startswith("none.csv: no such file; ")


def test_a_missing_model_folder_is_named_with_what_makes_it(predicting: Predict) -> None:
    assert mistake(predicting, "rows.csv", "--model", "data/none") == (
        "data/none: no such model folder; `dvc repro` makes data/model"
    )
    assert not Path("predictions.csv").exists()


def test_the_model_of_the_pipeline_is_the_one_that_is_meant(predicting: Predict) -> None:
    assert mistake(predicting, "rows.csv").startswith("data/model: no such model folder; ")


def test_a_missing_output_folder_is_named(predicting: Predict) -> None:
    assert mistake(predicting, "rows.csv", "--output", "none/a.csv") == (
        "--output: there is no folder none"
    )


def test_an_output_that_is_a_folder_is_refused(predicting: Predict) -> None:
    Path("out").mkdir()
    assert mistake(predicting, "rows.csv", "--output", "out") == (
        "--output: out is a folder; name a file in it"
    )


def test_rows_that_have_predictions_already_are_refused(predicting: Predict) -> None:
    Path("rows.csv").write_text("x,predicted\n1,2\n", "utf-8")
    assert mistake(predicting, "rows.csv") == (
        "rows.csv: has a column 'predicted' already; rename it"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "the following arguments are required: rows"),
        (["rows.csv", "more.csv"], "unrecognized arguments: more.csv"),
        (["rows.csv", "--output"], "argument --output: expected one argument"),
    ],
)
def test_wrong_arguments_are_named_beside_the_right_ones(
    arguments: list[str],
    said: str,
    predicting: Predict,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        predicting(*arguments)
    assert caught.value.code == 2
    usage, _, error = capsys.readouterr().err.rpartition("error: ")
    assert error == f"{said}\n"
    assert "usage: python -m pipeline.predict" in usage


def test_help_names_every_argument_with_its_default(
    predicting: Predict, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        predicting("--help")
    assert caught.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    for text in ("rows", "--model", "(default: data/model)", "(default: predictions.csv)"):
        assert text in told

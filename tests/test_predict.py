"""The command that predicts new rows; here without the libraries of a real model."""

import csv
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from pipeline import predict
from pipeline.config.data import Kind, Reading, Violations
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Column, Schema
from pipeline.schema.contract import Contract
from pipeline.schema.flags import flags

Predict = Callable[..., None]
Answer = Callable[[pd.DataFrame], pd.DataFrame]

CONTRACT = Contract(
    "y",
    Schema({"x": Column(Kind.numeric, missing=True), "code": Column(Kind.category, missing=True)}),
    reading=Reading(missing=["", "-99"]),
    policies=Violations(),
)
NUMBER = Contract("y", CONTRACT.schema.select(["x"]), Reading(missing=["?"]), Violations())


@dataclass
class Model:
    """A stand-in for a Predictor."""

    contract: Contract
    predict_conformed: Answer
    intervals: Any = None

    def answer(self, rows: pd.DataFrame) -> pd.DataFrame:
        return self.predict_conformed(rows).assign(flags=flags(rows, self.contract.schema))


Serve = Callable[[Contract, Answer], Model]


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Makes a model with this contract and these predictions the pipeline's."""

    def serve(contract: Contract, answer: Answer) -> Model:
        model = Model(contract, answer)

        def load(folder: Path) -> Model:
            assert folder == Path("data/model")
            return model

        monkeypatch.setattr(predict, "load", load)
        Path("data/model").mkdir(parents=True)
        contract.write(Path("data/model/contract.json"))
        return model

    return serve


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text("name,x\nb,2\na,-1.5\n", "utf-8")


@pytest.fixture
def predicting() -> Predict:
    """The command with its arguments."""

    def command(*arguments: str) -> None:
        predict.main(**vars(predict.command_parser().parse_args(arguments)))

    return command


@pytest.fixture
def checked(serving: Serve, predicting: Predict) -> Predict:
    """The command with a model that predicts x."""
    serving(NUMBER, lambda rows: rows.set_axis(["predicted"], axis=1))
    return predicting


@pytest.fixture
def doubled(serving: Serve, predicting: Predict) -> Predict:
    """The command with a model that doubles x."""
    serving(NUMBER, lambda rows: pd.DataFrame({"predicted": 2 * rows["x"]}))
    return predicting


def mistake(command: Callable[..., object], *arguments: str) -> str:
    with pytest.raises(UserError) as caught:
        command(*arguments)
    return str(caught.value)


# The output


def test_predictions_follow_the_columns_of_the_rows_in_their_order(
    doubled: Predict, capsys: pytest.CaptureFixture[str]
) -> None:
    doubled("rows.csv")
    assert (
        Path("predictions.csv").read_text("utf-8")
        == "name,x,predicted,flags\nb,2.0,4,\na,-1.5,-3,\n"
    )
    said = "predicted 2 rows (without intervals, as evaluate has made none for this model)"
    assert capsys.readouterr() == (f"{said}: predictions.csv\n", "")


def test_the_output_is_where_it_is_asked_for(doubled: Predict) -> None:
    Path("out").mkdir()
    doubled("rows.csv", "--output", "out/answers.csv")
    assert [path.name for path in Path("out").iterdir()] == ["answers.csv"]
    assert not Path("predictions.csv").exists()


def test_intervals_and_flags_follow_the_predictions(
    serving: Serve,
    predicting: Predict,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def answer(rows: pd.DataFrame) -> pd.DataFrame:
        x = rows["x"].fillna(0)
        return pd.DataFrame({"predicted": x, "lower": x - 1 / 3, "upper": x + 1})

    column = Column(Kind.numeric, missing=True, min=0, max=5)
    contract = replace(CONTRACT, schema=Schema(CONTRACT.schema.columns | {"x": column}))
    serving(contract, answer).intervals = True
    Path("rows.csv").write_text("code,x\na,2\na,\na,7\n", "utf-8")
    predicting("rows.csv")
    assert Path("predictions.csv").read_text("utf-8").splitlines() == [
        "code,x,predicted,lower,upper,flags",
        "a,2.0,2,1.66666667,3,",
        "a,,0,-0.333333333,1,x is imputed",
        "a,7.0,7,6.66666667,8,x is out of range",
    ]
    assert capsys.readouterr().out == "predicted 3 rows: predictions.csv\n"


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
        "id,amount,x,predicted,flags",
        f"{rows[0]},0.123456789,",
        f"{rows[1]},1e-300,",
    ]


TEXTS = [
    "a\rb",
    "a\r\nb",
    "a\nb",
    'a"b',
    "a,b",
    "=1+1",
    "+1|cmd",
    "@a",
    "-x",
    "<script>",
    "\tx",
    "",
]


def test_texts_are_as_they_were_whatever_they_contain(checked: Predict) -> None:
    """Formulas of spreadsheets, too: docs/predict.md says what to do about them."""
    for name, texts in (("note", TEXTS), ("note", TEXTS[1:]), ("a\rb", TEXTS[1:])):
        rows = [[f"{number}", text] for number, text in enumerate(texts)]
        with Path("rows.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["x", name], *rows])
        read_as_is = predict.read_rows("rows.csv", NUMBER)[0]
        checked("rows.csv")
        with Path("predictions.csv").open(encoding="utf-8", newline="") as file:
            header, *found = csv.reader(file)
        assert header == ["x", *read_as_is.columns[1:], "predicted", "flags"]
        assert [row[1] for row in found] == read_as_is.iloc[:, 1].fillna("").tolist()
        assert [row[2] for row in found] == [f"{number}" for number in range(len(texts))]
        assert pd.read_csv("predictions.csv")["predicted"].tolist() == [*range(len(texts))]


def test_predictions_that_fail_half_way_leave_the_old_ones(doubled: Predict) -> None:
    Path("predictions.csv").write_text("old\n", "utf-8")
    values = [1] * predict.ROWS_AT_ONCE + [2, 1e300]
    pd.DataFrame({"x": values}).to_csv("rows.csv", index=False)
    assert mistake(doubled, "rows.csv").startswith("rows.csv, row 65538 below the header, ")
    assert Path("predictions.csv").read_text("utf-8") == "old\n"
    assert {path.name for path in Path().iterdir()} == {"data", "rows.csv", "predictions.csv"}


PREDICTED = "name,x,predicted,flags\nb,2.0,4,\na,-1.5,-3,\n"


@pytest.mark.parametrize("output", ["-", "/dev/stdout", "/dev/fd/1"])
def test_standard_output_gets_the_rows_and_nothing_else(
    output: str, doubled: Predict, capfd: pytest.CaptureFixture[str]
) -> None:
    doubled("rows.csv", "--output", output)
    assert capfd.readouterr() == (PREDICTED, "")
    assert {path.name for path in Path().iterdir()} == {"data", "rows.csv"}


def test_what_reading_prints_is_not_among_the_rows(
    doubled: Predict, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = predict.read_rows

    def printing(*arguments: Any) -> object:
        print("read")
        return read(*arguments)

    monkeypatch.setattr(predict, "read_rows", printing)
    doubled("rows.csv", "--output", "-")
    assert capfd.readouterr() == (PREDICTED, "read\n")


def test_a_file_that_standard_error_goes_to_is_not_replaced(
    doubled: Predict, capfd: pytest.CaptureFixture[str]
) -> None:
    doubled("rows.csv", "--output", "/dev/stderr")
    assert capfd.readouterr().err == PREDICTED


def test_a_device_or_a_pipe_stays_one(doubled: Predict) -> None:
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    doubled("rows.csv", "--output", "pipe")
    assert os.read(reader, 1000).decode() == PREDICTED
    os.close(reader)
    assert Path("pipe").is_fifo()
    doubled("rows.csv", "--output", "/dev/null")
    assert Path("/dev/null").is_char_device()


def test_a_link_stays_one_to_the_new_file(doubled: Predict) -> None:
    Path("out").mkdir()
    Path("out/real.csv").write_text("old\n", "utf-8")
    Path("link.csv").symlink_to("out/real.csv")
    doubled("rows.csv", "--output", "link.csv")
    assert Path("link.csv").is_symlink()
    assert Path("out/real.csv").read_text("utf-8") == PREDICTED


@pytest.mark.parametrize("target", ["none.csv", "link.csv"])
def test_a_link_to_nowhere_is_refused(target: str, predicting: Predict) -> None:
    Path("link.csv").symlink_to(target)
    assert mistake(predicting, "rows.csv", "--output", "link.csv") == (
        "--output: link.csv is a link to nowhere; delete it"
    )


def test_a_full_disk_is_named_by_the_output(doubled: Predict) -> None:
    assert mistake(doubled, "rows.csv", "--output", "/dev/full") == (
        "/dev/full: No space left on device; free some space and run it again"
    )
    assert Path("/dev/full").is_char_device()


# How the rows are read


@pytest.fixture
def shown(serving: Serve, predicting: Predict) -> Callable[..., pd.DataFrame]:
    """The command with a folder that has a contract; the rows that its model is given."""
    given: list[pd.DataFrame] = []

    def show(rows: pd.DataFrame) -> pd.DataFrame:
        given.append(rows)
        return pd.DataFrame({"predicted": 0.0}, index=rows.index)

    def command(path: str) -> pd.DataFrame:
        predicting(path)
        assert len(pd.read_csv("predictions.csv")) == len(given[-1])
        return given[-1]

    serving(CONTRACT, show)
    return command


ROWS = pd.DataFrame({"code": ["007", "8", None], "x": [1.5, -2.0, 3.25], "note": ["a", "b", "c"]})


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("rows.csv", lambda path: ROWS.to_csv(path, index=False)),
        ("rows.csv", lambda path: ROWS.to_csv(path, index=False, sep=";", decimal=",")),
        ("rows.tsv", lambda path: ROWS.to_csv(path, index=False, sep="\t")),
        ("rows.csv.gz", lambda path: ROWS.to_csv(path, index=False)),
        ("rows.parquet", ROWS.to_parquet),
    ],
)
def test_rows_may_be_written_in_many_ways(
    shown: Callable[..., pd.DataFrame], name: str, write: Callable[[str], None]
) -> None:
    write(name)
    pd.testing.assert_frame_equal(shown(name), ROWS[["x", "code"]], check_dtype=False)


def test_rows_may_be_those_of_several_files(shown: Callable[..., pd.DataFrame]) -> None:
    Path("rows").mkdir()
    for part in ("1", "2"):
        ROWS.to_csv(f"rows/{part}.csv", index=False)
    assert shown("rows")["code"].tolist() == shown("rows/*.csv")["code"].tolist()
    assert len(shown("rows")) == 6


def test_a_code_of_digits_is_a_category_as_in_training(shown: Callable[..., pd.DataFrame]) -> None:
    Path("rows.csv").write_text("x,code\n1,007\n2,010\n", "utf-8")
    assert shown("rows.csv")["code"].tolist() == ["007", "010"]


def test_the_missing_markers_are_those_of_training(shown: Callable[..., pd.DataFrame]) -> None:
    Path("rows.csv").write_text("x,code\n1,NA\n-99,-99\n", "utf-8")
    rows = shown("rows.csv")
    assert rows["x"].isna().tolist() == [False, True]
    assert rows["code"].iloc[0] == "NA"
    assert rows["code"].isna().tolist() == [False, True]


def test_numbers_and_letters_are_written_as_in_training(shown: Callable[..., pd.DataFrame]) -> None:
    reading = Reading(decimal=",", thousands=".", encoding="latin-1")
    written = Contract("y", CONTRACT.schema, reading, Violations())
    written.write(Path("data/model/contract.json"))
    # Detected, 1.500 would be one and a half.
    Path("rows.csv").write_text("x;code\n1.500;Köln\n", "latin-1")
    assert shown("rows.csv").to_numpy().tolist() == [[1500, "Köln"]]


def test_a_model_in_mlflow_is_downloaded_and_its_contract_read_before_keras_is_imported(
    monkeypatch: pytest.MonkeyPatch, predicting: Predict
) -> None:
    def download(uri: str, folder: Path) -> Path:
        assert uri == "models:/cars@champion"
        CONTRACT.write(folder / "contract.json")
        return folder

    def answer(rows: pd.DataFrame) -> pd.DataFrame:
        assert rows["code"].tolist() == ["007", "010"]
        assert rows["x"].isna().tolist() == [False, True]
        return pd.DataFrame({"predicted": [1.0, 2.0]})

    models = SimpleNamespace(download=download)
    monkeypatch.setitem(sys.modules, "pipeline.tracking.models", models)
    monkeypatch.setattr(predict, "load", None)
    Path("rows.csv").write_text("x,code\n1,007\na,010\n", "utf-8")
    assert "column 'x': 'a' is not" in mistake(
        predicting, "rows.csv", "--model", "models:/cars@champion"
    )
    monkeypatch.setattr(predict, "load", lambda _folder: Model(CONTRACT, answer))
    Path("rows.csv").write_text("x,code\n1,007\n-99,010\n", "utf-8")
    predicting("rows.csv", "--model", "models:/cars@champion")
    assert pd.read_csv("predictions.csv")["predicted"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("model", "folder"),
    [
        ("data/model", True),
        ("/home/a:b", True),
        ("runs:/7/model", False),
        ("models:/diabetes/3", False),
        ("s3://bucket/model", False),
    ],
)
def test_a_model_is_one_in_a_folder_or_in_mlflow(model: str, folder: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert predict.is_folder(model) is folder


def test_true_and_false_stay_what_they_are(shown: Callable[..., pd.DataFrame]) -> None:
    ROWS.assign(paid=[True, False, True]).to_parquet("rows.parquet")
    shown("rows.parquet")
    assert pd.read_csv("predictions.csv")["paid"].tolist() == [True, False, True]


@pytest.mark.parametrize(
    "content",
    [
        "", "{}", "[]", "\0",
        '{"target": "y", "missing": [], "deviations": {}, "columns": {}}',
        '{"target": "y", "reading": {"size": 1}, "deviations": {}, "columns": {}}',
    ],
)  # fmt: skip
def test_a_contract_that_cannot_be_read_is_named(
    shown: Callable[..., pd.DataFrame], content: str
) -> None:
    Path("data/model/contract.json").write_text(content, "utf-8")
    assert mistake(shown, "rows.csv") == (
        "data/model/contract.json: is damaged; `dvc repro train` makes it again"
    )


# Mistakes


def test_a_bad_cell_is_named_by_its_row_in_the_file_whichever_chunk_it_is_in(
    checked: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "ROWS_AT_ONCE", 3)
    Path("rows.csv").write_text("\n".join(["x", *"1234567", "a", "9", ""]), "utf-8")
    assert mistake(checked, "rows.csv").startswith(
        "rows.csv, row 8 below the header, column 'x': 'a' is not a finite float32 number; fix it"
    )


def test_a_bad_cell_is_named_in_its_own_file_of_several(
    checked: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "ROWS_AT_ONCE", 3)
    Path("rows").mkdir()
    Path("rows/1.csv").write_text("x\n1\n2\n", "utf-8")
    Path("rows/2.csv").write_text("x\n3\n4\na\n", "utf-8")
    assert mistake(checked, "rows") == (
        "rows/2.csv, row 3 below the header, column 'x': 'a' is not a finite float32 number; fix it"
    )


def test_a_file_without_a_header_has_no_row_below_it(checked: Predict) -> None:
    pd.DataFrame({"x": ["1", "a"]}).to_parquet("rows.parquet")
    assert mistake(checked, "rows.parquet") == (
        "rows.parquet, row 2, column 'x': 'a' is not a finite float32 number; fix it"
    )


def test_missing_rows_are_named(checked: Predict) -> None:
    assert mistake(checked, "none.csv").startswith("none.csv: no such file; ")


def test_a_model_that_is_missing_is_reported_before_rows_that_are(predicting: Predict) -> None:
    assert mistake(predicting, "none.csv").startswith("data/model: no such model folder; ")
    Path("data/model").mkdir(parents=True)
    assert mistake(predicting, "none.csv") == (
        "data/model/contract.json: no such file; `dvc repro train` makes it again"
    )


def test_rows_that_are_missing_are_reported_before_the_model_is_loaded(
    checked: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Which takes ten seconds.
    monkeypatch.setattr(predict, "load", None)
    assert mistake(checked, "none.csv").startswith("none.csv: no such file; ")


def test_a_missing_model_folder_is_named_with_what_makes_it(predicting: Predict) -> None:
    assert mistake(predicting, "rows.csv", "--model", "data/none") == (
        "data/none: no such model folder; `dvc repro` makes data/model"
    )
    assert not Path("predictions.csv").exists()


def test_the_model_of_the_pipeline_is_the_one_that_is_meant(predicting: Predict) -> None:
    assert mistake(predicting, "rows.csv").startswith("data/model: no such model folder; ")


def test_a_missing_output_folder_is_named(predicting: Predict) -> None:
    assert mistake(predicting, "rows.csv", "--output", "none/a.csv") == (
        "--output: no such folder: none"
    )


def test_an_output_that_is_a_folder_is_refused(predicting: Predict) -> None:
    Path("out").mkdir()
    assert mistake(predicting, "rows.csv", "--output", "out") == (
        "--output: out is a folder; name a file in it"
    )


def test_rows_that_have_predictions_already_are_refused(checked: Predict) -> None:
    for name in ("predicted", "lower", "upper", "flags"):
        Path("rows.csv").write_text(f"x,{name}\n1,2\n", "utf-8")
        assert mistake(checked, "rows.csv") == f"rows.csv: already has a column {name!r}; rename it"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: rows"),
        (["rows.csv", "more.csv"], "unrecognized arguments: more.csv"),
        (["rows.csv", "--output"], "argument --output: expected one argument"),
    ],
)
def test_wrong_arguments_are_named(
    arguments: list[str],
    message: str,
    predicting: Predict,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        predicting(*arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err == f"error: {message}; see --help\n"


def test_help_names_every_argument_with_its_default(
    predicting: Predict, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        predicting("--help")
    assert caught.value.code == 0
    printed = " ".join(capsys.readouterr().out.split())
    for text in ("rows", "--model", "(default: data/model)", "(default: predictions.csv)"):
        assert text in printed

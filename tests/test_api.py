"""Training on a DataFrame, up to the point where a network is trained; from there on it is tested
with a table of one's own."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pipeline
from pipeline import api
from pipeline.config.data import Kind
from pipeline.preparation.preparation import Prepared
from pipeline.runtime.errors import UserError

ROWS = 40
X = np.random.default_rng(0).normal(size=ROWS).round(3)
TABLE = pd.DataFrame({"x": X, "y": (3 * X + np.sin(9 * X)).round(3)})


@pytest.fixture(autouse=True)
def _untrained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(api, "_trained", lambda prepared, *_: prepared)
    monkeypatch.chdir(tmp_path)


def prepare(frame: pd.DataFrame, *overrides: str, target: str = "y", **params: Any) -> Prepared:
    prepared: Any = pipeline.train(
        frame, target, "data.lint.identifier=accept", *overrides, **params
    )
    assert isinstance(prepared, Prepared)
    return prepared


def mistake(frame: Any, *overrides: str, **params: Any) -> str:
    with pytest.raises(UserError) as raised:
        prepare(frame, *overrides, **params)
    return str(raised.value)


def test_importing_the_package_imports_nothing_heavy() -> None:
    script = "import sys, pipeline; print({'pandas', 'hydra', 'keras'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(api.ROOT)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "set()\n"
    with pytest.raises(AttributeError, match="has no attribute 'tarin'"):
        pipeline.tarin  # noqa: B018 - the access is what fails


def test_the_defaults_are_those_of_a_table_whatever_the_working_directory_has() -> None:
    Path("params.yaml").write_text("data: {split: {folds: 3}}\n", "utf-8")
    before = TABLE.copy(deep=True)
    assert prepare(TABLE).folds.count == 5
    pd.testing.assert_frame_equal(TABLE, before)
    assert [path.name for path in Path().iterdir()] == ["params.yaml"]


def test_settings_are_given_as_on_the_command_line_or_as_in_params_yaml() -> None:
    assert prepare(TABLE, "data.split.folds=4").folds.count == 4
    split = {"folds": np.int64(4), "test": 0.25}
    prepared = prepare(TABLE, params={"data": {"kinds": {"x": "category"}, "split": split}})
    assert prepared.folds.count == 4
    assert len(prepared.parts["test"]) == 10
    assert prepared.schema.columns["x"].kind is Kind.category


@pytest.mark.parametrize(
    ("override", "key", "instead"),
    [
        ("data.path=x.csv", "data.path", "the table is the DataFrame"),
        ("data={new_rows: x.csv}", "data.new_rows", "use predictor.predict"),
        ("conf.data=diabetes", "data", "its options are for other tables"),
        ("tracking=off", "tracking", "dvc repro records runs"),
        ("sweep.trials=3", "sweep.trials", "python -m pipeline.sweep searches"),
    ],
)
def test_a_setting_that_has_no_effect_is_refused(override: str, key: str, instead: str) -> None:
    assert mistake(TABLE, override) == f"{key}: has no effect on a DataFrame; {instead}"


def test_mistakes_in_settings_are_those_of_the_command_line() -> None:
    message = "unknown key training.epoch; did you mean epochs?"
    assert mistake(TABLE, "training.epoch=3") == message
    assert mistake(TABLE, params={"training": {"epoch": 3}}) == f"params: {message}"
    assert mistake(TABLE, params={"conf": {"data": "diabetes"}}).startswith("data: has no effect")
    wrong: Any = {"training.epochs": 3}
    assert mistake(TABLE, wrong) == (
        "an override is a text such as 'training.epochs=50', not {'training.epochs': 3}; a"
        " dictionary is given as params"
    )


def test_mistakes_in_the_frame_are_those_of_a_file_with_its_labels() -> None:
    labelled = TABLE.set_axis([f"r{number}" for number in range(ROWS)])
    message = mistake(labelled.assign(y=labelled["y"].where(labelled.index != "r7")))
    assert message.startswith("the DataFrame, label 'r7', column 'y': the target is missing, in 1 ")
    assert mistake(TABLE, target="z").startswith("the DataFrame: has no column 'z'")
    assert "is a copy of the target" in mistake(TABLE.assign(z=2 * TABLE["y"]))
    assert mistake("table.csv").startswith("the table is a str, not a pandas DataFrame; ")


def test_rows_that_are_left_out_leave_the_labels_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passed: list[Any] = []
    monkeypatch.setattr(api, "_trained", lambda *arguments: passed.extend(arguments))
    frame = TABLE.assign(y=TABLE["y"].where(X > -1)).iloc[::-1]
    pipeline.train(frame, "y", "data.missing_target=drop", "data.lint.identifier=accept")
    prepared, _, _, labels = passed
    rows = pd.concat(prepared.parts.values())
    assert len(rows) == (X > -1).sum()
    np.testing.assert_array_equal(rows["y"], frame.loc[labels[rows.index], "y"])


def test_findings_are_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    prepare(TABLE.assign(one=1))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "warning: the DataFrame, column 'one': has one value in all training rows"
    )


def test_a_categorical_column_is_a_category_even_if_it_holds_numbers() -> None:
    codes = pd.Categorical(np.arange(ROWS) % 4)
    frame = TABLE.assign(code=codes, kept=codes, y=pd.Categorical(TABLE["y"]))
    columns = prepare(frame, "data.kinds.kept=numeric").schema.columns
    kinds = {name: column.kind for name, column in columns.items()}
    numeric = dict.fromkeys(["x", "y", "kept"], Kind.numeric)
    assert kinds == numeric | {"code": Kind.category}


def test_decimal_commas_beside_decimal_points_are_refused() -> None:
    commas = [f"{value:.1f}".replace(".", ",") for value in 5 * X]
    message = "column 'z' is text with decimal commas, but 'x' was read with decimal points"
    assert message in mistake(TABLE.assign(z=commas))
    assert prepare(TABLE.assign(z=commas)[["y", "z"]].assign(y=range(ROWS))).contract


def test_a_target_may_have_any_name() -> None:
    for name in ("a${b}", "x: 'y' #"):
        assert prepare(TABLE.rename(columns={"y": name}), target=name).contract.target == name


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path) -> None:
    nothing: Any = None
    files = {"contract.json": b"{}", "evaluation/figure.png": b""}
    result = api.Result(nothing, [], [], nothing, nothing, nothing, {}, files)
    for _ in range(2):
        result.save(tmp_path / "kept")
    assert (tmp_path / "kept/evaluation/figure.png").is_file()
    (tmp_path / "work").mkdir()
    (tmp_path / "work/notes.txt").touch()
    for folder in (tmp_path / "work", tmp_path / "work/notes.txt"):
        with pytest.raises(UserError, match=r"notes.txt: is not part of a model; name a new fold"):
            result.save(folder)
    assert (tmp_path / "work/notes.txt").is_file()

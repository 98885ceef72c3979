"""The current result is compared with the champion on test rows, where that is fair."""

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.config.data import Data, Kind, Reading, Split, SplitBy
from pipeline.evaluation.metrics import Vector
from pipeline.preparation.preparation import prepare
from pipeline.preparation.prepared_files import write
from pipeline.registry.comparison import over_champion, training_hashes
from pipeline.runtime.errors import UserError
from pipeline.runtime.files import whole_directory
from pipeline.runtime.paths import CONTRACT, EVALUATION, PREPARED
from pipeline.schema import schema_file
from pipeline.schema.contract import Contract

WHO = "the champion, version 3 of cars,"
DATA = Data(path="data/raw/t.csv", target="y", split=Split(validation=0.2, test=0.3))
Predict = Callable[[pd.DataFrame], Vector]


def table(rows: int = 200, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(2, rows)).round(6)
    return pd.DataFrame({"a": a, "b": b, "code": "07", "y": (a * b + 20).round(6)})


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data/raw").mkdir(parents=True)
    Path("data/schema").mkdir()
    table().to_csv(DATA.path, index=False)


def result(data: Data = DATA, error: float = 0.1) -> Contract:
    """Prepares the table, and evaluates a model whose errors are of this size."""
    prepared = prepare(data, today=dt.date(2026, 1, 1))
    with whole_directory(PREPARED) as folder:
        write(prepared, data, folder)
    text = schema_file.to_yaml(prepared.schema, data.path)
    schema_file.path_of(data.path).write_text(text, "utf-8")
    test = prepared.parts["test"][data.target]
    errors = error * np.random.default_rng(5).normal(size=len(test))
    listed = pd.DataFrame({"part": "test", "row": test.index + 1, "predicted": test + errors})
    EVALUATION.mkdir(exist_ok=True)
    listed.to_csv(EVALUATION / "predictions.csv", index=False)
    return Contract.read(PREPARED / CONTRACT)


def champion(error: float = 0.1) -> Predict:
    def predict(rows: pd.DataFrame) -> Vector:
        errors = error * np.random.default_rng(6).normal(size=len(rows))
        return np.asarray(rows["a"] * rows["b"] + 20 + errors, np.float64)

    return predict


def refused(contract: Contract, data: Data = DATA, predict: Predict | None = None) -> str:
    seen = training_hashes(contract)
    with pytest.raises(UserError) as caught:
        over_champion(WHO, contract, seen, predict or champion(), data)
    message = str(caught.value)
    assert message.startswith(WHO) or "test.parquet" in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize(("before", "now"), [(0.1, 0.2), (0.2, 0.1), (0.1, 0.1)])
def test_the_errors_on_the_test_rows_are_compared(before: float, now: float) -> None:
    contract = result(error=now)
    one = over_champion(WHO, contract, training_hashes(contract), champion(before), DATA)
    assert one.estimate == pytest.approx(1 - now / before, abs=0.25)
    assert (one.low > 0, one.high < 0) == (now < before, now > before)


def test_the_champion_may_read_other_columns_in_another_way() -> None:
    former = replace(
        DATA, kinds={"code": Kind.category}, reading=replace(Reading(), more_missing=["?"])
    )
    data = replace(former, lint=replace(DATA.lint, accept=["constant:code"]))
    contract = result(data)
    seen = training_hashes(contract)
    result(replace(DATA, leave_out=["b", "code"]), error=0.1)

    def predict(rows: pd.DataFrame) -> Vector:
        assert set(rows) == set(contract.schema.columns) >= {"a", "b"}
        return champion(0.2)(rows)

    assert over_champion(WHO, contract, seen, predict, DATA).low > 0


def test_a_champion_that_was_trained_on_test_rows_is_not_compared() -> None:
    contract = result()
    seen = training_hashes(contract)
    data = replace(DATA, split=replace(DATA.split, seed=1))
    result(data)
    with pytest.raises(UserError) as caught:
        over_champion(WHO, contract, seen, champion(), data, split=["data.split.seed=0"])
    found = re.match(f"{WHO} was trained on (\\d+) of the 60 test rows", str(caught.value))
    assert found
    assert "; use the split that it was trained with (data.split.seed=0), or set registry." in str(
        caught.value
    )
    assert 30 < int(found[1]) < 55


def test_rows_that_are_added_are_new_to_the_champion_if_their_key_decides() -> None:
    for by in (SplitBy.hash, SplitBy.random):
        column = "id" if by is SplitBy.hash else None
        data = replace(DATA, split=replace(DATA.split, by=by, column=column))
        numbered = table(400).assign(id=[f"row {number}" for number in range(400)])
        numbered.iloc[:300].to_csv(DATA.path, index=False)
        contract = result(data)
        seen = training_hashes(contract)
        numbered.to_csv(DATA.path, index=False)
        result(data)
        if by is SplitBy.hash:
            assert over_champion(WHO, contract, seen, champion(0.2), data).low > 0
        else:
            with pytest.raises(UserError, match=r"trained with \(data.split.by=hash keeps"):
                over_champion(WHO, contract, seen, champion(0.2), data)


def test_a_champion_of_unknown_rows_is_not_compared() -> None:
    contract = result()
    with pytest.raises(UserError, match=r"^the champion.* was not registered by this command, so"):
        over_champion(WHO, contract, None, champion(), DATA)


def test_another_target_is_named() -> None:
    contract = replace(result(), target="z")
    with pytest.raises(UserError) as caught:
        over_champion(WHO, contract, None, champion(), DATA)
    assert str(caught.value) == (
        f"{WHO} predicts 'z', and this result 'y'; set registry.name to another name"
    )


def test_other_units_are_named() -> None:
    contract = result()
    converted = table().assign(y=lambda rows: 1000 * rows["y"])
    converted.to_csv(DATA.path, index=False)
    result()
    seen = training_hashes(contract)
    with pytest.raises(UserError, match="seems to predict 'y' in other units than those of the"):
        over_champion(WHO, contract, seen, champion(), DATA)


def test_a_champion_that_cannot_read_the_table_is_named_with_what_it_lacks() -> None:
    contract = result()
    seen = training_hashes(contract)
    table().drop(columns="b").to_csv(DATA.path, index=False)
    schema_file.path_of(DATA.path).unlink()
    result()
    with pytest.raises(UserError, match=r"cannot predict the test rows: .*has no column 'b'"):
        over_champion(WHO, contract, seen, champion(), DATA)


def test_a_table_that_has_changed_since_it_was_prepared_is_named() -> None:
    contract = result()
    table().iloc[::-1].to_csv(DATA.path, index=False)
    assert "data/raw/t.csv: has changed since; run `dvc repro --force`" in refused(contract)


def test_too_few_test_rows_are_named() -> None:
    table(20).to_csv(DATA.path, index=False)
    assert "test.parquet: has 6 rows or groups, but" in refused(result())

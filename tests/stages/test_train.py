"""The train stage reads all that it needs before it trains."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from pipeline.compose.experiment import compose
from pipeline.dataset import prepared
from pipeline.dataset.encoding import Category, Date, Encoding, Number, Target
from pipeline.dataset.folds import NO_FOLDS
from pipeline.runtime.errors import UserError
from pipeline.runtime.files import write_text
from pipeline.runtime.paths import COMPOSED
from pipeline.stages import train

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _composed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    composed = yaml.safe_dump(compose(ROOT).plain)
    monkeypatch.chdir(tmp_path)
    write_text(COMPOSED, composed)
    Path("data/prepared").mkdir()
    NO_FOLDS.write(Path("data/prepared/folds.json"))


def write_encoding(**columns: dict[str, Any]) -> None:
    encoding = {"numbers": {}, "categories": {}, "dates": {}, **columns}
    Encoding(**encoding, target=Target("y")).write(Path("data/prepared/encoding.json"))


@pytest.mark.parametrize("content", [None, "", '{"target": '])
def test_a_contract_that_cannot_be_read_is_named_before_the_training(content: str | None) -> None:
    write_encoding(numbers={"x": Number(0, missing_indicator=False)})
    if content is not None:
        write_text(Path("data/prepared/contract.json"), content)
    with pytest.raises(UserError, match=r"^data/prepared/contract\.json: .* `dvc repro prepare`"):
        train.main()


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"numbers": {"z": Number(0, missing_indicator=False)}},
         "expects numbers in column 'z', which is missing in train.parquet"),
        ({"numbers": {"name": Number(0, missing_indicator=False)}},
         "expects numbers in column 'name', which has texts in train.parquet"),
        ({"categories": {"x": Category(["a"], other=True)}},
         "expects texts in column 'x', which has numbers in train.parquet"),
        ({"dates": {"name": Date(0, missing_indicator=False, mean=0, std=1, clock=False)}},
         "expects dates in column 'name', which has texts in train.parquet"),
    ],
)  # fmt: skip
def test_an_encoding_that_does_not_fit_the_rows_is_named_before_the_training(
    columns: dict[str, Any], text: str
) -> None:
    write_encoding(**columns)
    write_text(Path("data/prepared/contract.json"), "{}")
    table = pd.DataFrame({"x": [1.0], "name": ["a"], "y": [2.0]})
    for part in ("train", "validation"):
        prepared.write(table, Path(f"data/prepared/{part}.parquet"), inputs=1)
    with pytest.raises(UserError) as caught:
        train.main()
    assert str(caught.value) == (
        f"data/prepared/encoding.json: {text}; `dvc repro prepare` makes it again"
    )

"""The train stage reads all that it needs before it trains."""

from pathlib import Path

import pytest
import yaml

from pipeline.compose.experiment import compose
from pipeline.dataset.encoding import Encoding, Number, Target
from pipeline.runtime.errors import UserError
from pipeline.runtime.files import write_text
from pipeline.runtime.paths import COMPOSED
from pipeline.stages import train

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("content", [None, "", '{"target": '])
def test_a_contract_that_cannot_be_read_is_named_before_the_training(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    composed = yaml.safe_dump(compose(ROOT).plain)
    monkeypatch.chdir(tmp_path)
    write_text(COMPOSED, composed)
    Path("data/prepared").mkdir()
    Encoding({"x": Number(0, missing_indicator=False)}, {}, {}, Target("y")).write(
        Path("data/prepared/encoding.json")
    )
    if content is not None:
        write_text(Path("data/prepared/contract.json"), content)
    with pytest.raises(UserError, match=r"^data/prepared/contract\.json: .* `dvc repro prepare`"):
        train.main()

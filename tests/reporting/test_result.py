"""A result read from its files."""

from pathlib import Path

import pytest

from pipeline.evaluation.paired import Improvement
from pipeline.reporting.result import read_result
from pipeline.runtime.errors import UserError
from pipeline.runtime.files import write_table, write_text
from pipeline.runtime.paths import EVALUATION, METRICS
from tests.reporting import made


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_result_is_read_with_what_there_is_of_it() -> None:
    config = made.write()
    few = read_result(config)
    assert few.rows == {"train": 20, "validation": 10, "test": 10}
    assert (few.tables, few.figures, few.calibrated_with, few.warnings) == ({}, {}, None, [])
    assert (few.epochs, few.kept, few.compared) == (2, 2, {})
    assert list(few.columns["column"]) == ["a", "b", "y"]

    write_table(made.BETTER, EVALUATION / "baselines.csv")
    write_table(made.SLICES.head(0), EVALUATION / "slices.csv")
    write_table(made.IMPORTANCE.assign(column=["NA", "007"]), EVALUATION / "importance.csv")
    write_text(EVALUATION / "intervals.json", '{"rows": 30}')
    (EVALUATION / "residuals.png").write_bytes(b"PNG")
    more = read_result(config)
    assert list(more.tables) == ["baselines", "importance"]
    assert list(more.tables["importance"]["column"]) == ["NA", "007"]
    assert more.figures == {"residuals": b"PNG"}
    assert more.calibrated_with == 30
    assert more.compared == {
        "test": {"mean": Improvement(0.5, 0.4, 0.6), "ridge": Improvement(0.09, 0.01, 0.17)}
    }


def test_infinite_differences_are_read() -> None:
    worse = made.baselines(("test", "mean", float("-inf"), float("-inf"), float("-inf")))
    config = made.write()
    write_table(worse, EVALUATION / "baselines.csv")
    assert read_result(config).compared["test"]["mean"].in_words("it") == "much worse than it"


@pytest.mark.parametrize("content", [None, "{"])
def test_a_file_that_cannot_be_read_is_named(content: str | None) -> None:
    config = made.write()
    METRICS.unlink()
    if content:
        write_text(METRICS, content)
    with pytest.raises(UserError, match=r"^data/metrics\.json: .*`dvc repro evaluate`"):
        read_result(config)

"""The command behind make track; here without MLflow."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

import pipeline.tracking
from pipeline import track
from pipeline.runtime.errors import UserError
from pipeline.runtime.files import write_text
from pipeline.runtime.paths import COMPOSED
from tests.compose_once import compose_once

ROOT = Path(__file__).parents[1]
OUTCOME = SimpleNamespace(run_name="linear-1", store="mlflow.db", recreated=True)


@pytest.fixture
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The command on small results, with what tracking them returns."""

    def command(outcome: object, *overrides: str) -> None:
        composed = yaml.safe_dump(compose_once(ROOT, overrides).plain)
        monkeypatch.chdir(tmp_path)
        write_text(COMPOSED, composed)
        write_text(Path("data/model/history.csv"), "epoch\n1\n")
        write_text(Path("data/evaluation/predictions.csv"), "row\n1\n")
        if not Path("data/metrics.json").exists():
            write_text(Path("data/metrics.json"), '{"in_sample": {"mse": 0.25}}')
        run = SimpleNamespace(track=lambda _config: outcome)
        monkeypatch.setitem(sys.modules, "pipeline.tracking.training_run", run)
        monkeypatch.setattr(pipeline.tracking, "training_run", run, raising=False)
        track.main()

    return command


def test_the_results_are_printed_with_their_run(
    tracking: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    tracking(OUTCOME)
    printed = capsys.readouterr().out
    assert "  in-sample: mse 0.25\n" in printed
    assert "  run: linear-1 in mlflow.db, re-created from data/model/" in printed


def test_a_result_that_could_not_be_recorded_is_printed_and_the_command_fails(
    tracking: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        tracking(None)
    assert caught.value.code == 1
    assert "  in-sample: mse 0.25\n" in capsys.readouterr().out


def test_where_tracking_is_off_there_is_no_run_and_no_failure(
    tracking: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    tracking(None, "tracking=off")
    assert "  run: none, because tracking is off\n" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "{", "[]", '{"test": {"mse": "a"}}', '{"test": 3}'])
def test_damaged_metrics_are_named_with_what_makes_them_again(
    content: str, tracking: Callable[..., None], tmp_path: Path
) -> None:
    write_text(tmp_path / "data/metrics.json", content)
    with pytest.raises(UserError) as caught:
        tracking(OUTCOME)
    assert str(caught.value) == (
        "data/metrics.json: is damaged; `dvc repro evaluate` makes it again"
    )

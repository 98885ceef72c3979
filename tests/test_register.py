"""The command that registers a result; here without MLflow and Keras."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from pipeline import register
from pipeline.config.data import Reading, Violations
from pipeline.evaluation.paired import Improvement
from pipeline.runtime.errors import UserError
from pipeline.runtime.files import write_text
from pipeline.runtime.paths import COMPOSED
from pipeline.schema.columns import Schema
from pipeline.schema.contract import Contract
from tests.compose_once import compose_once

ROOT = Path(__file__).parents[1]
METRICS = {"cv": {"rmse": 2.0}, "test": {"rmse": 2.5, "r2": 0.75}}
BASELINES = """part,baseline,improvement,low,high
test,mean,0.5,-0.4,0.6
cv,mean,0.5,0.4,0.6
cv,ridge,0.1,-0.02,0.2
"""


@dataclass(frozen=True)
class Version:
    number: int
    tags: dict[str, str]
    champion: bool = False
    registered: float = 1.8e9


@dataclass
class Registry:
    """A stand-in for the registry. It has the run of one result."""

    name: str = "cars"
    made: list[Version] = field(default_factory=list)

    def result_run(self) -> Any:
        tags = {"fingerprint": "f", "fingerprint.evaluate": "e", "git.dirty": "false"}
        return SimpleNamespace(data=SimpleNamespace(tags=tags))

    def versions(self) -> list[Version]:
        return self.made

    def champion(self) -> Version | None:
        return next((one for one in self.made if one.champion), None)

    def add(self, _run: Any, tags: dict[str, str], rows: list[int]) -> Version:
        assert rows == [7]
        same = [one for one in self.made if one.tags["fingerprint"] == tags["fingerprint"]]
        if same:
            return same[0]
        self.made.insert(0, Version(len(self.made) + 1, tags))
        return self.made[0]

    def promote(self, version: Version, former: Version | None) -> None:
        assert former == self.champion()
        self.made = [replace(one, champion=one.number == version.number) for one in self.made]

    def rollback(self) -> tuple[Version, Version]:
        return self.made[0], self.made[1]


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    made = Registry()
    monkeypatch.setattr(register, "registry_of", lambda _config: made)
    monkeypatch.setattr(register, "check_up_to_date", lambda: None)
    monkeypatch.setattr(register, "training_hashes", lambda _contract: [7])
    return made


@pytest.fixture
def registering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The command on a result, with overrides of the configuration."""
    monkeypatch.chdir(tmp_path)
    write_text(Path("data/metrics.json"), json.dumps(METRICS))
    write_text(Path("data/evaluation/baselines.csv"), BASELINES)
    Path("data/model").mkdir()
    Contract("y", Schema({}), Reading(), Violations()).write(Path("data/model/contract.json"))

    def command(*arguments: str, overrides: tuple[str, ...] = ()) -> None:
        write_text(COMPOSED, yaml.safe_dump(compose_once(ROOT, overrides).plain))
        register.main(**vars(register.command_parser().parse_args(arguments)))

    return command


@pytest.fixture
def improved(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the improvement over the champion."""

    def to(estimate: float) -> None:
        one = Improvement(estimate, estimate - 0.05, estimate + 0.05)
        monkeypatch.setattr(register, "compare", lambda *_arguments: one)

    return to


def former(registry: Registry) -> Version:
    registry.made = [Version(1, {"fingerprint": "other"}, champion=True)]
    return registry.made[0]


def refused(command: Callable[..., None], *overrides: str) -> list[str]:
    with pytest.raises(UserError) as caught:
        command(overrides=overrides)
    return str(caught.value).splitlines()


def test_the_first_model_that_passes_is_the_champion(
    registering: Callable[..., None], registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    registering()
    assert capsys.readouterr().out.splitlines() == [
        "cv: better than the mean by 50.0 % (40.0 to 60.0 %)",
        "version 1 of cars is the champion: models:/cars@champion",
    ]
    tags = registry.made[0].tags
    assert registry.made[0].champion
    assert (tags["gate"], tags["test_rmse"], tags["target"]) == ("passed", "2.5", "y")
    assert (tags["fingerprint"], tags["git.commit"]) == ("f", "unknown")
    registering()
    assert capsys.readouterr().out == "version 1 of cars is the champion already\n"


def test_a_better_model_replaces_the_champion(
    registering: Callable[..., None],
    registry: Registry,
    improved: Callable[[float], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    former(registry)
    improved(0.1)
    registering()
    assert [one.champion for one in registry.made] == [True, False]
    assert "test: better than the champion by 10.0 %" in capsys.readouterr().out


def test_there_is_nothing_to_register_before_a_result(registering: Callable[..., None]) -> None:
    shutil.rmtree("data/evaluation")  # as in a new clone
    assert refused(registering) == ["data/evaluation: no such folder; `dvc repro` makes it"]


@pytest.mark.parametrize("estimate", [0.04, 0.0, -0.2])
def test_a_model_that_is_no_better_is_registered_and_does_not_replace_the_champion(
    estimate: float,
    registering: Callable[..., None],
    registry: Registry,
    improved: Callable[[float], None],
) -> None:
    champion = former(registry)
    improved(estimate)
    failed, outcome = refused(registering)
    assert failed.startswith("test: ")
    assert "above registry.improvement_over.champion=0" in failed
    assert (
        outcome == "version 2 of cars does not become the champion; version 1 remains the champion"
    )
    assert registry.champion() == champion
    tags = registry.made[0].tags
    assert (tags["gate"], tags["gate.failures"]) == ("failed", failed)


def test_without_the_threshold_the_champion_is_replaced_without_a_comparison(
    registering: Callable[..., None], registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    former(registry)
    monkeypatch.setattr(register, "compare", None)
    registering(overrides=("registry.improvement_over.champion=null",))
    assert [one.champion for one in registry.made] == [True, False]


def test_every_threshold_that_fails_is_named(
    registering: Callable[..., None], registry: Registry
) -> None:
    lines = refused(
        registering, "registry.max.test_rmse=2", "registry.min.test_r2=0.8",
        "registry.improvement_over.ridge=0",
    )  # fmt: skip
    assert [line.split()[0] for line in lines] == ["test_rmse", "test_r2", "cv:", "version"]
    assert lines[-1] == "version 1 of cars does not become the champion; cars has no champion"
    assert registry.champion() is None


@pytest.mark.parametrize(
    ("override", "start"),
    [
        ("registry.max.test_rsme=2", "registry.max: data/metrics.json has no metric 'test_rsme'"),
        ("registry.improvement_over.lasso=2", "registry.improvement_over: 'lasso' is neither"),
        ("tracking=off", "tracking is off, and the registry is MLflow's"),
    ],
)
def test_a_mistake_registers_nothing(
    override: str, start: str, registering: Callable[..., None], registry: Registry
) -> None:
    (line,) = refused(registering, override)
    assert line.startswith(start)
    assert registry.made == []


def test_a_champion_that_cannot_be_compared_registers_nothing(
    registering: Callable[..., None], registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compare(*_arguments: object) -> Improvement:
        raise UserError("the champion, version 1 of cars, predicts 'z'")

    champion = former(registry)
    monkeypatch.setattr(register, "compare", compare)
    assert refused(registering) == ["the champion, version 1 of cars, predicts 'z'"]
    assert registry.made == [champion]


def test_without_held_out_rows_a_baseline_cannot_be_a_threshold(
    registering: Callable[..., None], registry: Registry
) -> None:
    Path("data/evaluation/baselines.csv").unlink()
    (line,) = refused(registering)
    assert line.startswith("data/evaluation/baselines.csv: no such file, as fewer than 10 rows")
    registering(overrides=("registry.improvement_over.mean=null",))
    assert len(registry.made) == 1


def test_without_a_result_the_command_that_makes_one_is_named(
    registering: Callable[..., None], registry: Registry
) -> None:
    Path("data/metrics.json").unlink()
    assert refused(registering) == [
        "data/metrics.json: no such file; `dvc repro evaluate` makes it again"
    ]
    assert registry.made == []


@pytest.mark.parametrize(
    ("status", "stdout", "stderr", "message"),
    [
        (
            0,
            '{"train": [], "evaluate": []}',
            "",
            "the result under data/ is not up to date: train, evaluate would run again; run `dvc",
        ),
        (255, "", "ERROR: you are not inside of a DVC repository\n", "dvc status: you are not"),
    ],
)
def test_a_result_that_is_not_up_to_date_is_refused(
    status: int, stdout: str, stderr: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = SimpleNamespace(returncode=status, stdout=stdout, stderr=stderr)
    monkeypatch.setattr("subprocess.run", lambda *_arguments, **_options: done)
    with pytest.raises(UserError, match=f"^{message}"):
        register.check_up_to_date()


def test_the_versions_are_listed(
    registering: Callable[..., None], registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    registering("--list")
    assert capsys.readouterr().out.startswith("cars has no versions; `python -m pipeline.register`")
    registering()
    registry.made.insert(0, Version(2, {"gate": "failed", "cv_rmse": "3"}))
    capsys.readouterr()
    registering("--list")
    header, second, first = (line.split() for line in capsys.readouterr().out.splitlines())
    assert header == [
        "version", "champion", "registered", "target", "cv_rmse", "test_rmse", "commit", "gate"
    ]  # fmt: skip
    assert (second[0], second[-1]) == ("2", "failed")
    assert first[:2] == ["1", "champion"]
    assert first[-4:] == ["2", "2.5", "unknown", "passed"]


def test_rolling_back_names_both_versions(
    registering: Callable[..., None], registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.made = [Version(5, {}), Version(3, {})]
    registering("--rollback")
    assert capsys.readouterr().out == "version 3 of cars is the champion again, not 5\n"

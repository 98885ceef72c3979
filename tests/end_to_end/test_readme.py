"""The README's first run and its example, as a reader types them, in a clone."""

import re

import pytest

from tests.clone import Clone
from tests.readme import blocks, commands, metrics

TRACK = ["python", "-m", "pipeline.track"]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return Clone(tmp_path_factory.mktemp("readme") / "project")


def shape(printed: str) -> list[str]:
    """Lines without what differs between machines and versions of the code: the digits of
    numbers, and the fingerprint in a run's name."""
    return [
        re.sub(r"-?\d+(\.\d+)?(e-?\d+)?", "#", re.sub(r"-[0-9a-f]{6}\b", "-#", line))
        for line in printed.splitlines()
        if line
    ]


@pytest.mark.long
def test_the_first_run_prints_what_the_readme_shows(clone: Clone) -> None:
    shown, _, _ = blocks("text")
    # What `make repro` runs once the packages are installed.
    printed = clone.run("dvc", "repro").stdout + clone.run(*TRACK).stdout
    assert [line for line in shape(shown) if line not in shape(printed)] == []
    # The notebook's numbers are the same everywhere.
    numbers = [line for line in shown.splitlines() if "in-sample" in line]
    assert [line for line in numbers if line not in printed] == []


@pytest.mark.long
def test_a_forced_repetition_leaves_the_lock_byte_for_byte(clone: Clone) -> None:
    before, runs = clone.read("dvc.lock"), len(clone.runs())
    assert clone.repro("--force") == ["configure", "prepare", "train", "evaluate"]
    assert clone.read("dvc.lock") == before
    assert len(clone.runs()) == runs + 1


@pytest.mark.long
def test_the_example_prints_what_the_readme_shows(clone: Clone) -> None:
    _, _, shown = blocks("text")
    (write,) = commands("python -c")
    clone.run(*write)
    (clone.root / "params.yaml").write_text(blocks("yaml")[0], "utf-8")
    printed = clone.run("dvc", "repro").stdout
    assert [line for line in shape(shown) if line not in shape(printed)] == []


@pytest.mark.long
def test_the_metrics_of_both_runs_are_those_that_are_documented(clone: Clone) -> None:
    documented = metrics("Metrics of a training")
    logged = {name for run in clone.runs() for name in run.data.metrics}
    assert {name for name in logged if not any(one.fullmatch(name) for one in documented)} == set()
    assert [one.pattern for one in documented if not any(map(one.fullmatch, logged))] == []

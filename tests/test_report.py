"""The command behind make report: which results it refuses. The report itself is tested with the
packages that write it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline import report
from pipeline.runtime.errors import UserError
from pipeline.runtime.files import write_text
from pipeline.runtime.paths import COMPOSED, METRICS, REPORT, TRACKED
from pipeline.tracking import fingerprint
from tests.compose_once import compose_once
from tests.imports import ROOT
from tests.reporting import made


@pytest.fixture(autouse=True)
def _result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result as `dvc repro` leaves it, of code that there is none of."""
    composed = yaml.safe_dump(compose_once(ROOT, ["data=diabetes", "tracking=off"]).plain)
    monkeypatch.chdir(tmp_path)
    made.write()
    write_text(COMPOSED, composed)
    write_text(Path("params.yaml"), "conf: {data: diabetes}\n")
    stages = {stage: {"cmd": "none", "deps": []} for stage in ("train", "evaluate")}
    write_text(Path("dvc.yaml"), yaml.safe_dump({"stages": stages}))
    (md5,) = fingerprint.hash_files(Path("params.yaml")).values()
    locked = {"stages": {"configure": {"deps": [{"path": "params.yaml", "md5": md5}]}}}
    write_text(Path("dvc.lock"), yaml.safe_dump(locked))
    write_text(TRACKED, json.dumps({"fingerprint": fingerprint.of_stage("train").hash}))


def test_the_report_is_written_and_opened(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    report.main(no_open=True)
    assert opened == []
    report.main()
    assert opened == [REPORT.resolve().as_uri()]
    assert capsys.readouterr().out == "data/evaluation/report.html\n" * 2


def refused() -> str:
    with pytest.raises(UserError) as caught:
        report.main(no_open=True)
    assert not REPORT.exists()
    return str(caught.value)


def test_a_result_that_is_not_there_is_named_with_the_commands_that_make_it() -> None:
    METRICS.unlink()
    assert refused() == (
        "data/metrics.json: no such file; `dvc repro` makes it, `dvc checkout` restores it"
    )


def test_a_result_of_other_parameters_is_refused() -> None:
    write_text(Path("params.yaml"), "conf: {data: proportional}\n")
    assert refused() == (
        "params.yaml: has changed since the result in data/; `dvc repro` makes the new one"
    )


def test_a_result_of_another_configuration_data_or_code_is_refused() -> None:
    write_text(TRACKED, '{"fingerprint": "c0ffee"}')
    assert refused() == (
        "data/evaluation: is of another configuration, data or code than there is now; `dvc repro`"
        " evaluates that"
    )


def test_a_restored_result_is_reported() -> None:
    TRACKED.unlink()
    Path("dvc.lock").unlink()
    report.main(no_open=True)
    assert REPORT.exists()


def test_a_report_needs_no_heavy_library() -> None:
    script = (
        "import sys; from pipeline import report; report.main(no_open=True);"
        " print({'tensorflow', 'keras', 'mlflow', 'sklearn', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "set()"

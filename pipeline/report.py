"""Writes data/evaluation/report.html anew and opens it: the current result in words and figures,
for readers who know nothing of the pipeline."""

import json
import webbrowser
from pathlib import Path
from typing import Any

import yaml

from pipeline.compose.schema import read_config
from pipeline.runtime.entry import CommandParser, leave, run
from pipeline.runtime.errors import UserError, read_errors
from pipeline.runtime.paths import EVALUATION, HISTORY, METRICS, MODEL, REPORT, TRACKED
from pipeline.tracking import fingerprint
from pipeline.tracking.report import write_current

LOCK, PARAMS = Path("dvc.lock"), Path("params.yaml")


def main(*, no_open: bool = False) -> None:
    check_result()
    write_current(read_config())
    print(REPORT)
    if not no_open:
        webbrowser.open(REPORT.resolve().as_uri())


def check_result() -> None:
    """Raises UserError if there is no result, or if it is of another configuration."""
    for path in (METRICS, MODEL / HISTORY, EVALUATION / "predictions.csv"):
        if not path.is_file():
            raise UserError(
                f"{path}: no such file; `dvc repro` makes it, `dvc checkout` restores it"
            )
    if LOCK.is_file():
        with read_errors(LOCK):
            stages: dict[str, Any] = yaml.safe_load(LOCK.read_text("utf-8"))["stages"]
            locked = {one["path"]: one.get("md5") for one in stages["configure"]["deps"]}
        if locked.get(str(PARAMS)) != fingerprint.hash_files(PARAMS).get(str(PARAMS)):
            raise UserError(
                f"{PARAMS}: has changed since the result in data/; `dvc repro` makes the new one"
            )
    # Not there where DVC has only restored the result.
    if TRACKED.is_file():
        with read_errors(TRACKED):
            evaluated = json.loads(TRACKED.read_text("utf-8"))["fingerprint"]
        if evaluated != fingerprint.of_stage("train").hash:
            raise UserError(
                f"{EVALUATION}: is of another configuration, data or code than there is now;"
                " `dvc repro` evaluates that"
            )


if __name__ == "__main__":
    parser = CommandParser("pipeline.report", __doc__)
    parser.add_argument("--no-open", action="store_true", help="write it without opening it")
    run(main, parser)
    leave()

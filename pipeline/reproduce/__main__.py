"""Repeats a run of the experiment, given by its id or name in MLflow, also a trial of a sweep, in a
clone of the repository, and compares the results. The exit status is 1 if they differ."""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.compose.experiment import compose
from pipeline.reproduce.scratch import Scratch
from pipeline.runtime.entry import CommandParser, leave, run

if TYPE_CHECKING:
    from pipeline.tracking.recorded_run import RecordedRun

ROOT = Path()


def command_parser() -> CommandParser:
    parser = CommandParser("pipeline.reproduce", __doc__)
    parser.add_argument("run", metavar="RUN", help="the id or the name of the run")
    return parser


def main(*, run: str) -> None:
    # MLflow takes seconds to import.
    from pipeline.tracking.recorded_run import read_run

    config = compose(ROOT).config
    folder = Path(tempfile.mkdtemp(prefix="reproduce-"))
    keep = False
    try:
        recorded = read_run(run, config, folder)
        scratch = Scratch(ROOT.resolve(), folder / "clone")
        scratch.check_out(recorded.commit, recorded.diff)
        scratch.restore(recorded.inputs)
        print(f"repeating {recorded.name} in {scratch.root}", flush=True)
        keep = True
        scratch.repeat(recorded.trial.overrides if recorded.trial else [])
        keep = not compare(recorded, scratch.root)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    if keep:
        print(f"the repetition is in {scratch.root}")
        raise SystemExit(1)


def compare(run: "RecordedRun", root: Path) -> bool:
    """Prints how a run and its repetition under root differ; whether they are the same."""
    from pipeline.reproduce import differences

    if run.trial is None:
        differ, same = differences.of_results(run, root), "bit for bit: metrics, weights, tables"
    else:
        differ, largest = differences.of_trial(run.trial, run.metrics, root)
        same = "bit for bit: score and losses"
        if 0 < largest <= differences.GROUPED:
            differ = []
            same = (
                f"up to {largest:.2g} of its score and losses: as one model with other trials, the"
                " same numbers were summed in another order"
            )
    if not differ:
        print(f"{run.name}: the same {same}")
        return True
    for line in differ:
        print(f"differs: {line}")
    causes = list(differences.of_origins(run, root))
    for line in causes or [
        "nothing that is recorded of what it was computed from and with differs"
    ]:
        print(f"origin: {line}")
    return False


if __name__ == "__main__":
    run(main, command_parser())
    leave()

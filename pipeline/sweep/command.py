"""Searches for better values of some keys of the experiment.

python -m pipeline.sweep [KEY=VALUES ...]
    runs a sweep, or continues it. Several values vary a key, a single value fixes it:
      optimizer.learning_rate=0.01,0.1
      'optimizer.learning_rate=tag(log, interval(1e-4, 1e-1))'
      model=linear,mlp training.epochs=50 sweep.trials=32
python -m pipeline.sweep promote [--name NAME] [--trial NUMBER]
    writes the best trial, or another one, to params.yaml
python -m pipeline.sweep forget NAME
    deletes a sweep: its files, its study, its runs and models
"""

import hashlib
import json
import math
import re
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.compose.experiment import compose
from pipeline.compose.schema import experiment_parameters
from pipeline.preparation.preparation import prepare
from pipeline.runtime.entry import CommandParser, run
from pipeline.runtime.errors import UserError
from pipeline.schema import schema_file
from pipeline.sweep.deletion import forget
from pipeline.sweep.encodings import fit
from pipeline.sweep.promotion import TABLE, promote
from pipeline.sweep.space import Space, read_space
from pipeline.sweep.study import Study
from pipeline.tracking import fingerprint
from pipeline.tracking.client import Recorder
from pipeline.tracking.environment import warn_of_changing
from pipeline.tracking.identity import table_name
from pipeline.tracking.trial_files import SWEEPS, batches, folder_in_use, read_batch

ROOT = Path()


def main() -> None:
    """Runs the command with the arguments of the command line."""
    if sys.argv[1:2] == ["promote"]:
        run(promote_command, promote_parser(), sys.argv[2:])
    elif sys.argv[1:2] == ["forget"]:
        run(forget_command, forget_parser(), sys.argv[2:])
    else:
        run(sweep_command, sweep_parser())


def sweep_parser() -> CommandParser:
    parser = CommandParser("pipeline.sweep", __doc__)
    parser.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUES", help="overrides in Hydra's grammar"
    )
    return parser


def promote_parser() -> CommandParser:
    parser = CommandParser("pipeline.sweep promote", "Writes a trial to params.yaml.")
    parser.add_argument("--name", help="the sweep (default: the last one)")
    parser.add_argument("--trial", type=int, help="the number of the trial (default: the best one)")
    return parser


def forget_parser() -> CommandParser:
    parser = CommandParser(
        "pipeline.sweep forget", "Deletes a sweep: its files, its study, its runs and models."
    )
    parser.add_argument("name", help="the sweep")
    return parser


def forget_command(name: str) -> None:
    """Deletes a sweep."""
    for line in forget(name, compose(ROOT).config, ROOT.resolve()):
        print(f"deleted: {line}")


def promote_command(name: str | None, trial: int | None) -> None:
    """Writes a trial to params.yaml."""
    finished = sorted(SWEEPS.glob("*/winner.json"), key=lambda path: path.stat().st_mtime_ns)
    named = SWEEPS / name / "winner.json" if name else None
    path = named or (finished[-1] if finished else SWEEPS / "winner.json")
    if not path.is_file():
        raise UserError(f"{path}: no such sweep has finished; `python -m pipeline.sweep` runs one")
    winner = json.loads(path.read_text("utf-8"))
    data = compose(ROOT).config.data
    for key in TABLE:
        if winner[key] != getattr(data, key):
            raise UserError(
                f"{path}: the sweep ran with data.{key}: {winner[key]}, but params.yaml has"
                f" {getattr(data, key)}; name another sweep with --name, or change params.yaml"
            )
    number, overrides = winner["trial"], winner["overrides"]
    if trial is None and not winner.get("better_than_start", True):
        raise UserError(
            f"{winner['compared_with_start']}; params.yaml is left as it is; to write the winner's"
            f" values all the same: python -m pipeline.sweep promote --name {path.parent.name}"
            f" --trial {number}"
        )
    if trial is not None and trial != number:
        number = trial
        overrides = [*winner["fixed"], *_trial_overrides(path.parent, number)]
    changed = promote(ROOT, overrides)
    print(f"params.yaml now has the values of trial {number} of the sweep {path.parent.name}:")
    for key, value in changed.items():
        print(f"  {key}: {value}")
    print("to train and evaluate it: dvc repro")


def sweep_command(overrides: Sequence[str]) -> None:
    """Runs a sweep, or continues it."""
    began = time.monotonic()
    warn_of_changing()
    space = read_space(ROOT, overrides)
    config, sweep = space.experiment, space.experiment.sweep
    prepared = prepare(config.data, schema_file.read(config.data.path))
    files = hash_inputs()
    input_hashes = files | {"contract": _hash(asdict(prepared.contract))}
    inputs_hash = hash_study(space, input_hashes)
    name = sweep.name or f"{table_name(config.data.path)}-{inputs_hash[:8]}"
    if not re.fullmatch(r"(?!\.+$)[\w.-]+", name):
        raise UserError(
            f"sweep.name: {name!r} is also the name of a folder, which may contain letters,"
            " digits, . _ and - only, and not only dots"
        )
    space.validate()
    for section in space.sections():
        fit(prepared, section)  # a table may not allow it
    with (
        folder_in_use(SWEEPS / name),
        Recorder(config, remedy="the same command") as recorder,
    ):
        # Keras takes ten seconds to import, and opening the database does not need it.
        importing = threading.Thread(target=import_module, args=["pipeline.sweep.search"])
        importing.start()
        try:
            study = Study(
                name, sweep.storage, space, inputs_hash=inputs_hash, sampler=sweep.sampler,
                seed=sweep.seed, root=ROOT.resolve(), start=space.start,
            )  # fmt: skip
        finally:
            importing.join()
        common = {"inputs": files, "overrides": space.fixed, "score": sweep.score.value}
        with recorder.sweep(name, name, sweep_parameters(space), inputs_hash, common):
            from pipeline.sweep.search import Search, run_sweep
            from pipeline.sweep.tables import Tables
            from pipeline.sweep.trials import train_groups

            def seconds_left() -> float:
                minutes = math.inf if sweep.minutes is None else sweep.minutes
                return minutes * 60 - (time.monotonic() - began)

            tables = Tables(prepared, config)
            trainer: Any = nullcontext(partial(train_groups, tables))
            if sweep.cluster:
                from pipeline.sweep.cluster import connected

                trainer = connected(sweep.cluster.value, prepared, config)
            with trainer as train:
                search = Search(space, tables, study, recorder, input_hashes, seconds_left, train)
                run_sweep(search, prepared)


def sweep_parameters(space: Space) -> dict[str, Any]:
    """The parameters of the sweep's run: the experiment, what varies, and how it is sampled."""
    sweep = space.experiment.sweep
    varied = {f"space.{key}": text for key, text in space.described().items()}
    sampling = {"sweep.sampler": sweep.sampler.value, "sweep.trials": sweep.trials}
    return experiment_parameters(space.experiment) | varied | sampling


def hash_inputs() -> dict[str, str]:
    """The hashes of the raw data and of the code that prepares and trains, by path."""
    inputs = fingerprint.inputs_of_stage("train") | fingerprint.inputs_of_stage("prepare")
    return {path: md5 for path, md5 in inputs.items() if not path.startswith("data/prepared")}


def hash_study(space: Space, input_hashes: dict[str, str]) -> str:
    """A hash of everything that makes the trials of a study comparable. How many there are, and
    how they are sampled, may change."""
    experiment = experiment_parameters(space.experiment)
    experiment |= {"score": space.experiment.sweep.score.value}
    fixed = sorted(one for one in space.fixed if not one.startswith("sweep."))
    return _hash([fixed, space.described(), experiment, input_hashes])


def _trial_overrides(folder: Path, number: int) -> list[str]:
    """The values of a trial of a sweep as overrides. Raises UserError if there is none."""
    for batch in batches(folder):
        for record in read_batch(batch):
            if record.number == number:
                return [f"{key}={value}" for key, value in record.values.items()]
    raise UserError(f"--trial: {folder} has no trial {number}")


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]

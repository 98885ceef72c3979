"""Searches for better values of some keys, from the current experiment on.

python -m pipeline.sweep [KEY=VALUES ...]       in Hydra's grammar: 'model=linear,mlp',
    'optimizer.learning_rate=tag(log, interval(1e-4, 1e-1))'; KEY=VALUE fixes a key
python -m pipeline.sweep promote [--name NAME] [--trial NUMBER]
    writes a trial, the best unless told, into params.yaml
"""

import argparse
import hashlib
import json
import re
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.compose.experiment import as_hydra_calls_it, compose
from pipeline.compose.schema import Config, settings
from pipeline.config.section import typed
from pipeline.runtime.errors import UserError
from pipeline.schema import schema_file
from pipeline.sweep import space
from pipeline.sweep.promotion import promote
from pipeline.sweep.space import Space
from pipeline.sweep.study import Study
from pipeline.tables.preparation import prepare
from pipeline.tracking import fingerprint
from pipeline.tracking.client import Recorder
from pipeline.tracking.identity import table_name
from pipeline.tracking.trial_files import SWEEPS, batches, read_batch

ROOT = Path()


def main() -> None:
    if sys.argv[1:2] == ["promote"]:
        promote_command(sys.argv[2:])
    elif {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__.strip())
    else:
        sweep_command(sys.argv[1:])


def promote_command(arguments: Sequence[str]) -> None:
    """Writes a trial into params.yaml."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.sweep promote")
    parser.add_argument("--name", help="the sweep; the last one unless given")
    parser.add_argument("--trial", type=int, help="its number; the best one unless given")
    given = parser.parse_args(arguments)
    folders = sorted(SWEEPS.glob("*/winner.json"), key=lambda path: path.stat().st_mtime_ns)
    named = SWEEPS / given.name / "winner.json" if given.name else None
    path = named or (folders[-1] if folders else SWEEPS / "winner.json")
    if not path.is_file():
        raise UserError(f"{path}: no such sweep has ended; `python -m pipeline.sweep` runs one")
    winner = json.loads(path.read_text("utf-8"))
    number, overrides = winner["trial"], winner["overrides"]
    if given.trial is not None and given.trial != number:
        number = given.trial
        found = [
            record
            for batch in batches(path.parent)
            for record in read_batch(batch)
            if record.number == number
        ]
        if not found:
            raise UserError(f"--trial: {path.parent} has no trial {number}")
        values = found[0].values
        overrides = [*winner["fixed"], *(f"{key}={value}" for key, value in values.items())]
    stated = promote(ROOT, overrides)
    print(f"trial {number} is the experiment in params.yaml now:")
    for key, value in stated.items():
        print(f"  {key}: {value}")
    print("To train and evaluate it: dvc repro")


def sweep_command(given: Sequence[str]) -> None:
    """Runs a sweep, or goes on with it."""
    begun = time.monotonic()
    searched, config = understood(given)
    settled = config.sweep
    prepared = prepare(config.data, schema_file.known(config.data.path))
    made_of = code_and_data() | {"contract": hashed(asdict(prepared.contract))}
    identity = hashed([sorted(searched.fixed), axes(searched), base_settings(config), made_of])
    name = settled.name or f"{table_name(config.data.path)}-{identity[:8]}"
    if not re.fullmatch(r"[\w.-]+", name):
        raise UserError(f"sweep.name: {name!r} names a folder too: letters, digits, . _ - only")
    searched.check_all()
    with Recorder(config, results=True) as recorder:
        # Keras takes ten seconds; the database and the first trials need none of it.
        importing = threading.Thread(target=import_module, args=["pipeline.sweep.searching"])
        importing.start()
        try:
            study = Study(
                name, settled.storage, searched,
                made_of=identity, sampler=settled.sampler, seed=settled.seed, root=ROOT.resolve(),
            )  # fmt: skip
        finally:
            importing.join()
        params = settings(config) | {f"space.{key}": value for key, value in axes(searched).items()}
        params |= {"sweep.sampler": settled.sampler.value, "sweep.trials": settled.trials}
        with recorder.sweep(study.name, name, params, identity):
            from pipeline.sweep.searching import Search

            Search(searched, config, prepared, study, recorder, made_of, begun).run()


def understood(given: Sequence[str]) -> tuple[Space, Config]:
    """The space and the experiment that it varies. Raises UserError."""
    given = [as_hydra_calls_it(text) for text in given]
    single = [text for text in given if not space.varies(text)]
    plain = compose(ROOT, single)
    searched = space.parse(ROOT, plain["sweep"]["space"], given)
    return searched, typed(Config, plain)


def axes(searched: Space) -> dict[str, str]:
    """The space in words."""
    return dict(line.split(": ", 1) for line in space.described(searched))


def base_settings(config: Config) -> dict[str, Any]:
    """What a study is of, beside its space: the experiment and what is compared."""
    return settings(config) | {"score": config.sweep.score.value}


def code_and_data() -> dict[str, str]:
    """Hashes of all that a trial is made from besides its configuration."""
    inputs = fingerprint.of_stage("train").inputs | fingerprint.of_stage("prepare").inputs
    return {path: md5 for path, md5 in inputs.items() if not path.startswith("data/prepared")}


def hashed(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]

"""Registers the model of the current result in MLflow, and makes it the champion if it passes the
thresholds of the section registry."""

import json
import re
import subprocess
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from pipeline.compose.schema import Config, plain_sections, read_config
from pipeline.evaluation.comparison import JUDGED
from pipeline.evaluation.metrics import MIN_UNITS, Vector
from pipeline.evaluation.paired import Improvement
from pipeline.predict import load, model_folder, read_contract
from pipeline.registry.comparison import over_champion, training_hashes
from pipeline.registry.gate import CHAMPION, Gate, flat_metrics, in_words
from pipeline.runtime.entry import CommandParser, leave, run
from pipeline.runtime.errors import UserError, read_errors
from pipeline.runtime.paths import CONTRACT, EVALUATION, METRICS, MODEL
from pipeline.schema.contract import Contract

if TYPE_CHECKING:
    from pipeline.tracking.registry import Registry, Version

SPLIT = "data.split"


def command_parser() -> CommandParser:
    parser = CommandParser("pipeline.register", __doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--list", action="store_true", dest="listing", help="list the versions, the newest first"
    )
    what.add_argument(
        "--rollback", action="store_true", help="make the champion the version that was it before"
    )
    return parser


def main(*, listing: bool, rollback: bool) -> None:
    config = read_config()
    if not (listing or rollback):
        register(config)
        return
    registry = registry_of(config)
    if rollback:
        left, now = registry.rollback()
        print(f"version {now.number} of {registry.name} is the champion again, not {left.number}")
    else:
        print(as_table(registry.versions(), registry.name))


def registry_of(config: Config) -> "Registry":
    """Imports MLflow."""
    from pipeline.tracking.registry import Registry

    return Registry(config)


def register(config: Config) -> None:
    """Registers the current result. Raises UserError if it does not become the champion."""
    if not EVALUATION.is_dir():
        raise UserError(f"{EVALUATION}: no such folder; `dvc repro` makes it")
    with read_errors(METRICS):
        metrics = flat_metrics(json.loads(METRICS.read_text("utf-8")))
    limits = config.registry
    gate = Gate(*(without_none(one) for one in (limits.max, limits.min, limits.improvement_over)))
    gate.check_names(metrics)
    over_baselines = improvements_over_baselines(gate)
    if not config.tracking.enabled:
        raise UserError("tracking is off, and the registry is MLflow's; set tracking.enabled=true")
    check_up_to_date()
    registry = registry_of(config)
    result, champion = registry.result_run(), registry.champion()
    contract = Contract.read(MODEL / CONTRACT)
    compared = dict(over_baselines)
    same = champion and champion.tags.get("fingerprint") == result.data.tags["fingerprint"]
    if champion and not same and CHAMPION in gate.improvement_over:
        compared[CHAMPION] = "test", compare(champion, registry, config)
    failures = list(gate.failures(metrics, compared))
    tags = {
        "gate": "failed" if failures else "passed",
        "gate.failures": "\n".join(failures),
        "target": contract.target,
        SPLIT: json.dumps(plain_sections(config)["data"]["split"]),
        **{name: result.data.tags[name] for name in ("fingerprint", "fingerprint.evaluate")},
        "git.commit": result.data.tags.get("mlflow.source.git.commit", "unknown"),
        "git.dirty": result.data.tags.get("git.dirty", "unknown"),
        **{name: f"{value:.9g}" for name, value in metrics.items()},
    }
    version = registry.add(result, tags, training_hashes(contract))
    known = f"version {version.number} of {registry.name}"
    if failures:
        now = (
            f"version {champion.number} remains the champion"
            if champion
            else f"{registry.name} has no champion"
        )
        raise UserError("\n".join([*failures, f"{known} does not become the champion; {now}"]))
    if champion and champion.number == version.number:
        print(f"{known} is the champion already")
        return
    registry.promote(version, champion)
    for name, (part, one) in compared.items():
        print(f"{part}: {one.in_words(in_words(name))}")
    print(f"{known} is the champion: models:/{registry.name}@champion")


def without_none(limits: dict[str, float | None]) -> dict[str, float]:
    return {name: limit for name, limit in limits.items() if limit is not None}


def improvements_over_baselines(gate: Gate) -> dict[str, tuple[str, Improvement]]:
    """For the baselines of a gate: the part of the verdict, and the improvement on its rows."""
    names = [name for name in gate.improvement_over if name != CHAMPION]
    if not names:
        return {}
    path = EVALUATION / "baselines.csv"
    if not path.is_file():
        raise UserError(
            f"{path}: no such file, as fewer than {MIN_UNITS} rows are held out for a comparison;"
            " set data.split.test, or the baselines of registry.improvement_over to null"
        )
    with read_errors(path):
        table = pd.read_csv(path).set_index("part")
        part = next(one for one in JUDGED if one in table.index)
        each: Any = table.loc[[part]].set_index("baseline")[["improvement", "low", "high"]]
        return {name: (part, Improvement(*each.loc[name])) for name in names}


def check_up_to_date() -> None:
    """Raises UserError if the stages would run again."""
    status = [sys.executable, "-m", "dvc", "status", "--json"]
    done = subprocess.run(status, capture_output=True, text=True, check=False)
    if done.returncode:
        said = re.search("^ERROR: (.*)", done.stderr, re.MULTILINE)
        raise UserError(f"dvc status: {said[1] if said else 'failed'}")
    if stages := json.loads(done.stdout):
        raise UserError(
            f"the result under data/ is not up to date: {', '.join(stages)} would run again; run"
            " `dvc repro`"
        )


def compare(champion: "Version", registry: "Registry", config: Config) -> Improvement:
    """What comparison.over_champion returns. Imports Keras once mistakes are ruled out."""
    who = f"the champion, version {champion.number} of {registry.name},"
    now = plain_sections(config)["data"]["split"]
    before = json.loads(champion.tags.get(SPLIT, "{}"))
    split = [f"data.split.{key}={one}" for key, one in before.items() if one != now.get(key)]
    with model_folder(champion.uri) as folder:

        def predict(rows: pd.DataFrame) -> Vector:
            predicted: Vector = load(folder).predict_conformed(rows)["predicted"].to_numpy()
            return predicted

        seen = registry.training_rows(champion)
        return over_champion(who, read_contract(folder), seen, predict, config.data, split=split)


def as_table(versions: list["Version"], name: str) -> str:
    """The versions as text: which is the champion, and whether each passed the gate."""
    if not versions:
        return f"{name} has no versions; `python -m pipeline.register` registers the current result"
    errors = [f"{part}_rmse" for part in JUDGED]
    errors = [error for error in errors if any(error in one.tags for one in versions)]
    rows = [
        {
            "version": one.number,
            "champion": "champion" if one.champion else "",
            "registered": f"{datetime.fromtimestamp(one.registered).astimezone():%Y-%m-%d %H:%M}",
            "target": one.tags.get("target", ""),
            **{error: one.tags.get(error, "") for error in errors},
            "commit": one.tags.get("git.commit", "")[:7],
            "gate": one.tags.get("gate", ""),
        }
        for one in versions
    ]
    return pd.DataFrame(rows).to_string(index=False, justify="left")


if __name__ == "__main__":
    run(main, command_parser())
    leave()

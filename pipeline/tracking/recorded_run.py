"""A run of the experiment as it was recorded: what brings back its result, and the result."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.compose.schema import Config, flatten
from pipeline.runtime.errors import UserError
from pipeline.tracking.backend import Run
from pipeline.tracking.location import source
from pipeline.tracking.provenance_files import DIFF, FOLDER, INPUTS, MACHINE, PACKAGES, SWEEP
from pipeline.tracking.store import STORE_ERRORS, Store
from pipeline.tracking.untracked import explained

MAX_NAMED = 5
# Sections that do not define a training.
UNUSED = ("evaluation", "tracking", "registry", "sweep")


@dataclass(frozen=True)
class RecordedRun:
    """A run that has finished.

    Attributes
    ----------
    name, commit, diff
        Its name, the commit, and what differed from it.
    inputs
        The hashes of what the stages read, by stage and by path.
    packages
        The lines of installed packages.
    machine
        What tracking.environment.machine returned; None for runs of earlier versions.
    configuration
        Its parameters, by dotted key.
    metrics
        Its metrics by name.
    files
        A folder with its artifacts: training/ and evaluation/, if it is no trial.
    trial
        What a trial of a sweep has instead.
    """

    name: str
    commit: str
    diff: str
    inputs: dict[str, dict[str, str]]
    packages: list[str]
    machine: dict[str, str] | None
    configuration: dict[str, Any]
    metrics: dict[str, float]
    files: Path
    trial: "Trial | None"


@dataclass(frozen=True)
class Trial:
    """A trial of a sweep: the overrides of the experiment, the error that is its score, its state
    and its curve of losses."""

    overrides: list[str]
    score: str
    state: str
    losses: list[float]


def read_run(name: str, config: Config, folder: Path) -> RecordedRun:
    """Reads a run of the experiment into a folder.

    Parameters
    ----------
    name
        Its id, or its name if no other run has that.
    config
        Where the runs are.
    folder
        For the files.

    Raises
    ------
    UserError
        For a store out of reach, a run that there is not, and one that cannot be repeated.
    """
    with _errors(config):
        store = Store(config.tracking.experiment, config.tracking.uri)
        run = _find(store, name)
        tags = run.data.tags
        if tags.get("sweep.role") == "sweep":
            raise UserError(f"{name}: is a sweep; name one of its trials, by the id of its run")
        trial = tags.get("sweep.role") == "trial"
        if run.info.status != "FINISHED":
            raise UserError(f"{name}: the run is {run.info.status}, so that there is no result")
        above = store.client.get_run(tags["mlflow.parentRunId"]) if trial else run
        client, above_id = store.client, above.info.run_id
        wanted = [FOLDER] if trial else [FOLDER, "training", "evaluation"]
        present = {item.path for item in client.list_artifacts(above_id)}
        if FOLDER not in present:
            raise UserError(
                f"{name}: has no folder {FOLDER}/; an earlier version of the pipeline recorded it,"
                " or its artifacts are not where MLflow looks for them"
            )
        for one in wanted:
            client.download_artifacts(above_id, one, str(folder))
        losses = client.get_metric_history(run.info.run_id, "loss") if trial else []
    texts = {path.name: path.read_text("utf-8") for path in (folder / FOLDER).iterdir()}
    commit = above.data.tags.get("mlflow.source.git.commit")
    if commit is None:
        raise UserError(f"{name}: its commit is unknown: {above.data.tags.get('git.unknown')}")
    return RecordedRun(
        str(run.info.run_name),
        commit,
        texts.get(DIFF, ""),
        json.loads(texts[INPUTS]),
        texts[PACKAGES].splitlines(),
        json.loads(texts[MACHINE]) if MACHINE in texts else None,
        json.loads(tags["configuration"]) if trial else parameters(texts["config.yaml"]),
        dict(run.data.metrics),
        folder,
        _trial(run, json.loads(texts[SWEEP]), [one.value for one in losses]) if trial else None,
    )


def _trial(run: Run, common: dict[str, Any], losses: list[float]) -> Trial:
    values = [f"{key}={value}" for key, value in run.data.params.items()]
    overrides = [*common["overrides"], *values]
    return Trial(overrides, common["score"], run.data.tags["sweep.state"], losses)


def parameters(composed: str) -> dict[str, Any]:
    """The parameters of an experiment, by dotted key, of the text of a data/config.yaml: they may
    be those of another version of the code."""
    flat = flatten(yaml.safe_load(composed))
    return {
        key: value
        for key, value in flat.items()
        if key.removeprefix("conf.").partition(".")[0] not in UNUSED
    }


def _find(store: Store, name: str) -> Run:
    quote = '"' if "'" in name else "'"
    conditions = [f"attributes.{key} = {quote}{name}{quote}" for key in ("run_id", "run_name")]
    for condition in conditions:
        found = store.client.search_runs([store.experiment_id], condition, max_results=1000)
        if len(found) > 1:
            ids = ", ".join(run.info.run_id for run in found[:MAX_NAMED])
            more = f" and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
            raise UserError(
                f"{name}: {len(found)} runs have this name; name one by id: {ids}{more}"
            )
        if found:
            return found[0]
    recent = store.client.search_runs(
        [store.experiment_id],
        "attributes.status = 'FINISHED'",
        max_results=MAX_NAMED,
        order_by=["attributes.start_time DESC"],
    )
    names = ", ".join(str(run.info.run_name) for run in recent)
    raise UserError(
        f"{name}: no run of the experiment has this id or name in {store.name}; "
        + (f"the last ones are {names}" if recent else "there are none")
    )


@contextmanager
def _errors(config: Config) -> Iterator[None]:
    uri = config.tracking.uri
    try:
        yield
    except STORE_ERRORS as error:
        raise UserError(explained(error, source(uri))) from error

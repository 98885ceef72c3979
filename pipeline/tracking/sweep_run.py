"""A sweep in MLflow: a run for it, and below that a run for each of its trials."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.dataset.curves import CURVES
from pipeline.tracking import processes
from pipeline.tracking.models import log_model
from pipeline.tracking.provenance import git_changes
from pipeline.tracking.provenance_files import log_provenance
from pipeline.tracking.store import Store
from pipeline.tracking.trial_files import Record, read_batch
from pipeline.tracking.trial_runs import TrialRun, log_trial_runs

STATUS = {"complete": "FINISHED", "pruned": "FINISHED", "failed": "FAILED"}
# Longer than it takes a machine that has found no run to make one.
SETTLE_SECONDS = 2.0
DESCRIPTION = """\
| Artifact | Content |
|---|---|
| sweep/trials.csv | a row for each trial, the best first |
| sweep/parallel_coordinates.png | which values led to which score; pruned trials are dashed |
| sweep/importance.png | how much each key mattered |
| sweep/history.png | the score of each trial, and the best so far |
| sweep/winner.csv | the best trial, beside other seeds, the ensemble, the start and baselines |
| model | the best trial's network |
| ensemble | an ensemble of the best trials, where it is better than the best of them |
| provenance/ | what the trials were trained from |

The runs below this one are its trials; they are compared by their metric score.
"""


class SweepRun:
    """The run of a sweep while its trials are trained."""

    def __init__(
        self,
        store: Store,
        study: str,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        *,
        common: Mapping[str, Any] | None = None,
    ) -> None:
        """Opens the run of that study: the existing one, or a new one called name, whose provenance
        has what its trials have in common. Several processes, of several machines too, may open it
        at once."""
        self._store = store
        self._study = study
        with store.lock:
            found = self._run_ids()
            own = None
            if not found:
                role = {"sweep.study": study, "sweep.role": "sweep"}
                own = store.create_run(name, params, {**tags, **role})
            if store.shared:
                # Another machine that found no run either has made its own by now.
                time.sleep(SETTLE_SECONDS)
                found = self._run_ids()
            self._run_id = found[0] if found else str(own)
            if own not in (None, self._run_id):
                store.client.delete_run(str(own))
            if self._run_id != own:
                store.end_abandoned()
                store.log_tags(self._run_id, {**tags, "process": processes.this_process()})
                store.client.update_run(self._run_id, status="RUNNING")
        if self._run_id == own and common is not None:
            inputs = {"train": common["inputs"]}
            log_provenance(store, own, inputs, git_changes(), common)
        self._below = f"tags.`mlflow.parentRunId` = '{self._run_id}'"
        self._logged = self._trial_numbers()

    def log_batch(self, path: Path) -> None:
        """A run for each trial of a batch file that has none yet."""
        records = read_batch(path)
        if not self._missing(records):
            return
        with self._store.lock:
            # A process that has just begun may have logged the batch of another. The first of
            # its trials shows it: to ask for all of them takes seconds where there are many.
            first = self._missing(records)[0].number
            if self._search(f"{self._below} and tags.`sweep.trial` = '{first}'", most=1):
                self._logged |= self._trial_numbers()
            new = self._missing(records)
            log_trial_runs(self._store, self._run_id, [self._trial_run(record) for record in new])
        self._logged |= {str(record.number) for record in new}

    def log_results(
        self,
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        folder: Path,
        models: Mapping[str, str],
        example: Mapping[str, Any],
    ) -> None:
        """The results of the sweep: its numbers, the files of a folder, the model folders by
        name, of which example has rows for their input example."""
        self._store.log_metrics(self._run_id, metrics)
        self._store.log_tags(self._run_id, {"mlflow.note.content": DESCRIPTION, **tags})
        self._store.client.log_artifacts(self._run_id, str(folder), "sweep")
        for name, model in models.items():
            log_model(self._store, self._run_id, Path(model), pd.DataFrame(example), name)

    def end(self, status: str, reason: str | None = None) -> None:
        """FINISHED, FAILED for a reason, or KILLED."""
        self._store.end(self._run_id, status, reason)

    def _run_ids(self) -> list[str]:
        """The runs of the study, in an order that all machines agree on."""
        condition = f"tags.`sweep.study` = '{self._study}' and tags.`sweep.role` = 'sweep'"
        return sorted(str(run.info.run_id) for run in self._search(condition, most=1000))

    def _missing(self, records: Sequence[Record]) -> list[Record]:
        return [record for record in records if str(record.number) not in self._logged]

    def _search(self, condition: str, most: int, token: str | None = None) -> Any:
        """A page of the runs of the experiment."""
        return self._store.client.search_runs(
            [self._store.experiment_id], condition, max_results=most, page_token=token
        )

    def _trial_numbers(self) -> set[str]:
        """The numbers of the trials that have a run."""
        numbers: set[str] = set()
        token = None
        while True:
            page = self._search(self._below, 10_000, token)
            numbers |= {run.data.tags.get("sweep.trial", "") for run in page}
            token = page.token
            if not token:
                return numbers

    def _trial_run(self, record: Record) -> TrialRun:
        curves = dict(zip(CURVES, record.curves.T.astype(float).tolist(), strict=True))
        if len(set(curves["learning_rate"])) <= 1:
            del curves["learning_rate"]  # constant: a value of the configuration
        tags = {
            "fingerprint": record.fingerprint,
            "sweep.study": self._study,
            "sweep.role": "trial",
            "sweep.trial": str(record.number),
            "sweep.state": record.state,
            "configuration": json.dumps(record.configuration),
        }
        if record.reason:
            tags["failure" if record.state == "failed" else "sweep.reason"] = record.reason
        metrics = {"epochs": float(record.epochs)}
        if record.score is not None:
            metrics["score"] = record.score
        return TrialRun(
            f"trial-{record.number}",
            params=record.values,
            tags=tags,
            metrics=metrics,
            curves=curves,
            status=STATUS[record.state],
            began=record.began,
            ended=record.ended,
        )

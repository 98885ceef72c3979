"""A sweep in MLflow: a run for it, and below that a run for each of its trials."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.dataset.curves import CURVES
from pipeline.tracking import training_run
from pipeline.tracking.mlflow_store import Child, Store
from pipeline.tracking.trial_files import Record, read_batch

STATUS = {"complete": "FINISHED", "pruned": "FINISHED", "failed": "FAILED"}
DESCRIPTION = """\
| Artifact | What it holds |
|---|---|
| sweep/trials.csv | a row for each trial, the best first |
| sweep/parallel_coordinates.png | which values led to which score |
| sweep/importance.png | how much each key mattered |
| sweep/history.png | the score of each trial, and the best so far |
| sweep/winner.csv | the best trial, and other seeds, an ensemble, the start, a line beside it |
| model | the best trial's network, or the ensemble where that is better |

The runs below this one are its trials: score is what they are compared by.
"""


class SweepRuns:
    """The run of a sweep, while its trials come in."""

    def __init__(self, store: Store, begin: dict[str, Any]) -> None:
        """begin is the message of recording.Recorder.sweep."""
        self._store = store
        self._study = begin["study"]
        self._run_id = store.open_parent(
            begin["name"], begin["study"], begin["params"], begin["tags"]
        )
        self._known = store.children(self._run_id)

    def log_batch(self, path: Path) -> None:
        """A run for each trial of a batch that has none yet."""
        new = [one for one in read_batch(path) if str(one.number) not in self._known]
        self._store.log_children(self._run_id, [self._child(record) for record in new])
        self._known |= {str(record.number) for record in new}

    def _child(self, record: Record) -> Child:
        curves = dict(zip(CURVES, record.curves.T.astype(float).tolist(), strict=True))
        if len(set(curves["learning_rate"])) <= 1:
            del curves["learning_rate"]  # a value of the configuration, and no curve
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
        return Child(
            f"trial-{record.number}",
            params=record.values,
            tags=tags,
            metrics=metrics,
            curves=curves,
            status=STATUS[record.state],
            began=record.began,
            ended=record.ended,
        )

    def log_results(self, message: dict[str, Any]) -> None:
        """What came out of the sweep: its numbers, its folder, its model."""
        self._store.log_metrics(self._run_id, message["metrics"])
        self._store.log_tags(
            self._run_id, {"mlflow.note.content": DESCRIPTION} | message.get("tags", {})
        )
        self._store.log_folder(self._run_id, Path(message["folder"]), "sweep")
        example = pd.DataFrame(message["example"])
        for name, folder in message["models"].items():
            training_run.log_model(self._store, self._run_id, Path(folder), example, name)

    def end(self, status: str, reason: str | None = None) -> None:
        """FINISHED, FAILED or KILLED."""
        if reason is not None:
            self._store.log_tags(self._run_id, {"failure": reason})
        self._store.end(self._run_id, status)

"""The runs of trainings as rows of MLflow's own SQLite file, written without MLflow.

A training of seconds would otherwise wait for MLflow's import, which takes as many on
the core beside it. What MLflow reads back is what its client would have written; the
tables are those of one version of its schema, and whatever is not as they are known
here is left to the client: a server, another database, another version, an experiment
that has to be made.
"""

import math
import sqlite3
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.tracking import processes
from pipeline.tracking.identity import Identity
from pipeline.tracking.live import run_tags

# Of MLflow's migrations, the last that these tables are of.
SCHEMA = "dc11669786a5"
# Longer values are cut, as the client cuts them.
LONGEST_PARAM, LONGEST_TAG = 6000, 8000
LARGEST = sys.float_info.max
BUSY_SECONDS = 20.0
TROUBLE = (sqlite3.Error, OSError)


class SqliteRuns:
    """The runs of one experiment of one file."""

    def __init__(self, file: Path, experiment_id: int, artifacts: str) -> None:
        self._file = file
        self._experiment_id = experiment_id
        self._artifacts = artifacts

    @classmethod
    def opened(cls, file: Path, experiment: str) -> "SqliteRuns | None":
        """None where the client must do it."""
        if not file.is_file():
            return None
        with suppress(sqlite3.Error), _connected(file) as database:
            if database.execute("SELECT version_num FROM alembic_version").fetchall() != [
                (SCHEMA,)
            ]:
                return None
            found = database.execute(
                "SELECT experiment_id, artifact_location FROM experiments"
                " WHERE name = ? AND workspace = 'default' AND lifecycle_stage = 'active'",
                (experiment,),
            ).fetchone()
            return cls(file, *found) if found and found[1] else None
        return None

    def create(self, identity: Identity, params: dict[str, Any], tags: dict[str, str]) -> str:
        """A new run in status RUNNING; returns its id. Ends runs whose process is gone."""
        run_id = uuid.uuid4().hex
        artifacts = f"{self._artifacts.rstrip('/')}/{run_id}/artifacts"
        tags = tags | run_tags(identity, processes.own()) | {"mlflow.runName": identity.run_name}
        values = {key: str(value)[:LONGEST_PARAM] for key, value in params.items()}
        with _transaction(self._file) as database:
            self._end_abandoned(database)
            database.execute(
                "INSERT INTO runs (run_uuid, name, start_time, artifact_uri, experiment_id, status,"
                " source_type, source_name, source_version, entry_point_name, user_id,"
                " lifecycle_stage) VALUES (?, ?, ?, ?, ?, 'RUNNING', 'UNKNOWN', '', '', '',"
                " 'unknown', 'active')",
                (run_id, identity.run_name, _now(), artifacts, self._experiment_id),
            )
            database.executemany(
                "INSERT INTO params (run_uuid, key, value) VALUES (?, ?, ?)",
                [(run_id, key, value) for key, value in values.items()],
            )
            _tag(database, run_id, tags)
        return run_id

    def _end_abandoned(self, database: sqlite3.Connection) -> None:
        running = database.execute(
            "SELECT runs.run_uuid, tags.value FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid"
            " WHERE tags.key = 'process' AND runs.status = 'RUNNING'"
            " AND runs.lifecycle_stage = 'active' AND runs.experiment_id = ?",
            (self._experiment_id,),
        ).fetchall()
        for run_id, process in running:
            if processes.is_gone(process):
                _end(database, run_id, "KILLED")

    def log_epochs(self, run_id: str, epochs: Iterable[tuple[int, Mapping[Any, float]]]) -> None:
        """A point for each value, at the step of its epoch; missing values have none."""
        now = _now()
        points = [
            (name, max(-LARGEST, min(LARGEST, value)), now, epoch, run_id)
            for epoch, values in epochs
            for name, value in values.items()
            if not math.isnan(value)
        ]
        with _transaction(self._file) as database:
            _check_active(database, run_id)
            columns = "(key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, 0, ?)"
            database.executemany(f"INSERT OR IGNORE INTO metrics {columns}", points)
            database.executemany(
                f"INSERT INTO latest_metrics {columns} ON CONFLICT (key, run_uuid) DO UPDATE SET"
                " value = excluded.value, timestamp = excluded.timestamp, step = excluded.step"
                " WHERE excluded.step >= latest_metrics.step",
                points,
            )

    def log_tags(self, run_id: str, tags: dict[str, str]) -> None:
        """Adds to those that the run has."""
        with _transaction(self._file) as database:
            _check_active(database, run_id)
            _tag(database, run_id, tags)

    def end(self, run_id: str, status: str) -> None:
        """FINISHED, FAILED or KILLED."""
        with _transaction(self._file) as database:
            _check_active(database, run_id)
            _end(database, run_id, status)


@contextmanager
def _connected(file: Path) -> Iterator[sqlite3.Connection]:
    # By its URI, so that no file is made; transactions are begun by hand.
    uri = f"{file.absolute().as_uri()}?mode=rw"
    with closing(
        sqlite3.connect(uri, timeout=BUSY_SECONDS, uri=True, isolation_level=None)
    ) as database:
        yield database


@contextmanager
def _transaction(file: Path) -> Iterator[sqlite3.Connection]:
    """All that the block writes, or nothing. It waits for its turn before it reads: to
    want to write only then would fail at once where another process writes."""
    with _connected(file) as database:
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("BEGIN IMMEDIATE")
        with database:
            yield database


def _check_active(database: sqlite3.Connection, run_id: str) -> None:
    active = database.execute(
        "SELECT 1 FROM runs WHERE run_uuid = ? AND lifecycle_stage = 'active'", (run_id,)
    )
    if active.fetchone() is None:
        raise sqlite3.IntegrityError(f"the run {run_id} is deleted")


def _tag(database: sqlite3.Connection, run_id: str, tags: Mapping[str, str]) -> None:
    database.executemany(
        "INSERT OR REPLACE INTO tags (run_uuid, key, value) VALUES (?, ?, ?)",
        [(run_id, key, value[:LONGEST_TAG]) for key, value in tags.items()],
    )


def _end(database: sqlite3.Connection, run_id: str, status: str) -> None:
    database.execute(
        "UPDATE runs SET status = ?, end_time = ? WHERE run_uuid = ?", (status, _now(), run_id)
    )


def _now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000

"""The databases of runs and sweeps. They are only read, by SQL: MLflow takes seconds to import, and
may be what is broken."""

import os
import re
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from pipeline.doctor.findings import Finding, note, ok, wrong
from pipeline.runtime.paths import COMPOSED
from pipeline.tracking.location import ARTIFACTS, database_file, source, store_uri

Check = Callable[[sqlite3.Connection, Path], Iterator[Finding]]
SECONDS = 3
PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306}
RUNNING = """
SELECT tags.value FROM runs JOIN tags USING (run_uuid)
WHERE runs.status = 'RUNNING' AND runs.lifecycle_stage = 'active' AND tags.key = 'process'
"""


def runs(root: Path) -> Iterator[Finding]:
    """Whether MLflow's store can be written, and what is wrong in it."""
    configured = _configured(root, "tracking", "uri")
    uri = store_uri(configured, root)
    file = database_file(uri)
    if file is None:
        yield _server(uri, source(configured))
        return
    if not file.exists():
        yield ok(f"{file}: there is none yet; `make repro` records the first run in it")
        return
    yield from list(_database(file, _mlflow_findings)) or [ok(str(file))]


def sweeps(root: Path) -> Iterator[Finding]:
    """Whether Optuna's database can be written."""
    configured = _configured(root, "sweep", "storage")
    url = configured or os.environ.get("SWEEP_STORAGE") or f"sqlite:///{root / 'sweeps.db'}"
    file = database_file(url)
    if file is None:
        yield _server(url, "sweep.storage" if configured else "SWEEP_STORAGE")
    elif file.exists():
        yield from list(_database(file, lambda *_: iter(()))) or [ok(str(file))]
    else:
        yield ok(f"{file}: there is none yet")


def _configured(root: Path, section: str, key: str) -> str | None:
    """A value of the configuration as it was last composed."""
    import yaml

    path = root / COMPOSED
    text = path.read_text("utf-8") if path.is_file() else ""
    value = ((yaml.safe_load(text) or {}).get(section) or {}).get(key)
    return None if value is None else str(value)


def _server(uri: str, named: str) -> Finding:
    parts = urlsplit(uri)
    port = parts.port or PORTS.get(parts.scheme.partition("+")[0])
    if parts.hostname is None or port is None:
        return note(f"{named}: {uri} was not contacted")
    try:
        with socket.create_connection((parts.hostname, port), timeout=SECONDS):
            return ok(f"{named}: {parts.hostname}:{port} answers")
    except OSError as error:
        return wrong(
            f"{named}: {parts.hostname}:{port} cannot be reached ({error.strerror or error});"
            " start the server, or set another one"
        )


def _database(file: Path, check: Check) -> Iterator[Finding]:
    if not os.access(file, os.W_OK) or not os.access(file.parent, os.W_OK):
        yield wrong(f"{file}: it or its folder may not be written; change the permissions")
        return
    try:
        uri = f"file:{quote(str(file))}?mode=rw"
        with closing(sqlite3.connect(uri, SECONDS, uri=True)) as database:
            # Takes the lock of a writer, and gives it back.
            database.execute("BEGIN IMMEDIATE")
            database.rollback()
            yield from check(database, file)
    except sqlite3.Error as error:
        remedy = (
            "wait for the process that writes to it"
            if "locked" in str(error)
            else "move it away; `make track` records the current result in a new one"
        )
        yield wrong(f"{file}: {error}; {remedy}")


def _mlflow_findings(database: sqlite3.Connection, file: Path) -> Iterator[Finding]:
    (version,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
    known, newest = _schemas()
    if known and version not in known:
        yield wrong(
            f"{file}: is of a newer version of MLflow; install that one, or move the file away"
        )
        return
    if known and version != newest:
        yield wrong(
            f"{file}: is of an older version of MLflow; `mlflow db upgrade sqlite:///{file}`"
            " upgrades it"
        )
        return
    from pipeline.tracking import processes

    gone = [name for (name,) in database.execute(RUNNING) if processes.is_gone(name)]
    if gone:
        yield note(
            f"{file}: {len(gone)} runs are marked as RUNNING, but their process has ended; the next"
            " run of the same experiment, or `make track`, marks them as KILLED"
        )
    for name, location in database.execute(
        "SELECT name, artifact_location FROM experiments WHERE lifecycle_stage = 'active'"
    ):
        before = Path(unquote(location.removeprefix("file://")))
        moved = before.is_absolute() and before.name == ARTIFACTS and before.parent != file.parent
        if moved and f" of {before.parent} (" not in name:
            yield note(
                f"{file}: was moved or copied from {before.parent}, where the artifacts of the"
                f" experiment {name!r} are looked for; `make track` begins a new one here"
            )


def _schemas() -> tuple[set[str], str]:
    """The versions of the database that the installed MLflow knows, and the newest of them."""
    spec = find_spec("mlflow")
    if spec is None or spec.origin is None:
        return set(), ""
    folder = Path(spec.origin).parent / "store/db_migrations/versions"
    texts = [path.read_text("utf-8") for path in folder.glob("*.py")]
    known, before = (
        {found for one in texts for found in re.findall(rf'^{name} = "(\w+)"', one, re.MULTILINE)}
        for name in ("revision", "down_revision")
    )
    return known, next(iter(known - before), "")

"""A database that was moved or copied together with its artifacts.

MLflow keeps the absolute path of the artifacts with each experiment, run and model, and has no
command that changes it. Without one, the runs of a moved repository would lack their artifacts,
and new ones would be written to where the repository was, even if that is another one's by now.
"""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from sqlalchemy import func, literal, or_, update
from sqlalchemy.orm import InstrumentedAttribute

from pipeline.runtime.errors import warn
from pipeline.tracking.backend import (
    MlflowClient,
    SqlAlchemyStore,
    SqlModelVersion,
    store_of,
    tables,
)
from pipeline.tracking.location import ARTIFACTS

OF_EXPERIMENTS = [tables.SqlExperiment.artifact_location]
OF_RUNS = [
    tables.SqlRun.artifact_uri,
    tables.SqlLoggedModel.artifact_location,
    SqlModelVersion.source,
    SqlModelVersion.storage_location,
]


def follow(database: Path, client: MlflowClient, location: str) -> None:
    """Changes the paths in a database if it was moved or copied since an experiment with
    artifacts at location was created; one line says so."""
    store = store_of(client)
    assert isinstance(store, SqlAlchemyStore)
    before, now = Path(unquote(location.removeprefix("file://"))), database.parent / ARTIFACTS
    if before.name != ARTIFACTS or before.resolve() == now.resolve():
        return
    copied = (before.parent / database.name).exists()
    if before.exists() and not copied:
        return  # a folder of the user's choice
    came_along = now.is_dir()
    _replace(store, before, now, OF_EXPERIMENTS + (OF_RUNS if came_along else []))
    others = f"; those of earlier runs are looked for in {before}"
    warn(
        f"{database.name} was {'copied' if copied else 'moved'} from {before.parent}: artifacts"
        f" are now in {now}{'' if came_along else others}"
    )


def _replace(
    store: SqlAlchemyStore, before: Path, now: Path, columns: Sequence[InstrumentedAttribute[str]]
) -> None:
    """Replaces the beginning of paths, be they written as URIs or not."""
    with store.ManagedSessionMaker(read_only=False) as session:
        for old, new in ((before.as_uri(), now.as_uri()), (str(before), str(now))):
            for column in columns:
                below = or_(column == old, column.startswith(f"{old}/", autoescape=True))
                moved = literal(new).concat(func.substr(column, len(old) + 1))
                session.execute(update(column.class_).where(below).values({column: moved}))

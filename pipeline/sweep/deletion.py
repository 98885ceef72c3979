"""Deleting a sweep: its runs and models in MLflow, its study, its files."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import optuna

from pipeline.compose.schema import Config
from pipeline.runtime.errors import UserError
from pipeline.sweep.storage import Storage
from pipeline.sweep.study import open_storage, running, storage_errors, storage_url
from pipeline.tracking.location import database_file, project_root, store_uri
from pipeline.tracking.trial_files import SWEEPS, folder_in_use

if TYPE_CHECKING:
    from pipeline.tracking.sweep_deletion import SweepRuns

MAX_NAMES = 20


def forget(name: str, config: Config, root: Path) -> list[str]:
    """Deletes everything that there is of a sweep; returns it as lines.

    Raises
    ------
    UserError
        For a sweep that there is not or that is being run, a model of it in the registry, and a
        database or store that cannot be reached; nothing is deleted then. If one of them fails in
        the middle, the same command deletes the rest.
    """
    folder, url = SWEEPS / name, config.sweep.storage
    with storage_errors(url, root):
        storage = open_storage(url, root) if _exists(storage_url(url, root)) else None
        studies = _studies(storage) if storage else {}
    runs = _runs(name, config)
    names = {path.name for path in SWEEPS.glob("*") if path.is_dir()} | {*studies}
    if name not in names and not (runs and runs.runs):
        raise UserError(_no_such_sweep(name, names | (runs.names() if runs else set())))
    deleted = []
    with folder_in_use(folder, alone=True):
        with storage_errors(url, root):
            trials = studies[name].get_trials(deepcopy=False) if name in studies else []
        if count := running(trials):
            raise UserError(
                f"the sweep {name} is running: {count} of its trials are being trained; wait until"
                " it ends, or interrupt it. Trials on a machine that was switched off count as"
                " running for a day"
            )
        if runs and runs.runs:
            deleted.append(runs.delete())
        if storage and name in studies:
            with storage_errors(url, root):
                storage.delete(name)
            deleted.append(f"its study ({len(trials)} trials)")
        if any(folder.iterdir()):
            shutil.rmtree(folder)
            deleted.append(str(folder))
    return deleted


def _exists(url: str) -> bool:
    """Whether there is a database: opening a file that there is not would create it."""
    file = database_file(url)
    return file is None or file.exists()


def _studies(storage: Storage) -> dict[str, optuna.Study]:
    """Those of sweeps, by name: somebody else may keep others in the same database."""
    return {one.study_name: one for one in storage.studies() if "inputs_hash" in one.user_attrs}


def _runs(name: str, config: Config) -> "SweepRuns | None":
    """Imports MLflow, if there is a store."""
    if not _exists(store_uri(config.tracking.uri, project_root())):
        return None
    from pipeline.tracking.sweep_deletion import SweepRuns

    return SweepRuns(config, name)


def _no_such_sweep(name: str, names: set[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - MAX_NAMES} more" if len(listed) > MAX_NAMES else ""
    known = f"there are {', '.join(listed[:MAX_NAMES])}{more}" if listed else "there are none"
    return f"{name}: no such sweep; {known}"

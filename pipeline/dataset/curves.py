"""The curves of a training, by name: a value for each epoch."""

from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.runtime.errors import read_errors
from pipeline.runtime.paths import FOLD_HISTORIES, HISTORY

CURVES = ("loss", "mae", "validation_loss", "validation_mae", "learning_rate")


def read_history(folder: Path) -> pd.DataFrame:
    """The table of epochs in a model folder, as in training.fitting.Fitted. Raises UserError if
    it is missing or damaged."""
    return _read(folder / HISTORY, {})


def read_folds(folder: Path) -> pd.DataFrame | None:
    """The tables of epochs of all folds in a model folder, with their numbers; None without
    folds. Raises UserError if it is damaged."""
    path = folder / FOLD_HISTORIES
    return _read(path, {"fold": "Int64"}) if path.exists() else None


def _read(path: Path, first: dict[str, Any]) -> pd.DataFrame:
    with read_errors(path):
        types = {**first, "epoch": int, **dict.fromkeys(CURVES, float), "kept": bool}
        table: pd.DataFrame = pd.read_csv(path, dtype=types)[list(types)]
        if table.empty:
            raise ValueError
        return table

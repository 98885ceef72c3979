"""The curves of a training, by name: a value for each epoch."""

from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.runtime.errors import read_errors
from pipeline.runtime.paths import FOLD_HISTORIES, HISTORY

CURVES = ("loss", "mae", "validation_loss", "validation_mae", "learning_rate")


def read_history(folder: Path, file: str = HISTORY) -> pd.DataFrame:
    """The table of epochs in a model folder, as in training.fitting.Fitted; FOLD_HISTORIES has
    those of all folds, with their number. Raises UserError if it is missing or damaged."""
    with read_errors(folder / file):
        types: dict[str, Any] = {"fold": "Int64"} if file == FOLD_HISTORIES else {}
        types |= {"epoch": int, **dict.fromkeys(CURVES, float), "kept": bool}
        table: pd.DataFrame = pd.read_csv(folder / file, dtype=types)[list(types)]
        if table.empty:
            raise ValueError
        return table

"""The curves of a training, by name: a value for each epoch."""

from pathlib import Path

import pandas as pd

from pipeline.runtime.errors import read_errors
from pipeline.runtime.paths import HISTORY

CURVES = ("loss", "mae", "validation_loss", "validation_mae", "learning_rate")


def read_history(folder: Path) -> pd.DataFrame:
    """The table of epochs in a model folder, as in training.fitting.Fitted. Raises UserError if
    it is missing or damaged."""
    with read_errors(folder / HISTORY):
        types = {"epoch": int, **dict.fromkeys(CURVES, float), "kept": bool}
        table: pd.DataFrame = pd.read_csv(folder / HISTORY, dtype=types)[list(types)]
        if table.empty:
            raise ValueError
        return table

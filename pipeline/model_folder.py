"""The folder of a trained model: what train writes, and others read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import network, weights
from pipeline.backend import keras
from pipeline.features import Encoding
from pipeline.network import Array
from pipeline.places import CONTRACT, ENCODING
from pipeline.schema import Contract

MODEL = "model.keras"
HISTORY = "history.csv"


def write(
    folder: Path,
    saved: keras.Model,
    contract: Contract,
    encoding: Encoding,
    *,
    history: pd.DataFrame,
    before: dict[str, Array],
    after: dict[str, Array],
    first: Mapping[str, Any],
) -> None:
    """Everything that training brings forth, into an existing folder.

    history is fit's table; before and after are weights.named around it; first
    is network.first_prediction, with the row that it is for.
    """
    network.save(saved, folder / MODEL)
    contract.write(folder / CONTRACT)
    encoding.write(folder / ENCODING)
    (folder / "summary.txt").write_text(network.summary(saved), "utf-8")
    _write_table(history, folder / HISTORY)
    (folder / "curves").mkdir()
    for part, prefix in (("train", ""), ("validation", "validation_")):
        # A file for each part: DVC's plots would draw missing values as zeros.
        curve = history[["epoch", f"{prefix}loss", f"{prefix}mae"]].dropna()
        curve.columns = pd.Index(["epoch", "loss", "mae"])
        _write_table(curve, folder / "curves" / f"{part}.csv")
    _write_table(weights.table(before, after), folder / "weights.csv")
    weights.save(before, folder / "weights_before.npz")
    weights.save(after, folder / "weights_after.npz")
    _write_table(pd.DataFrame([first]), folder / "first_prediction.csv")


def _write_table(table: pd.DataFrame, path: Path) -> None:
    # Nine digits tell any two numbers of float32 apart.
    table.to_csv(path, index=False, float_format="%.9g")

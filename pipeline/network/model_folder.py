"""The folder of a trained model, which the train stage writes."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipeline.config.training import Layer
from pipeline.network import archive, dense, weights
from pipeline.network.encoder import Encoder, whole
from pipeline.network.weights import Array
from pipeline.runtime.files import write_table
from pipeline.runtime.paths import ENCODING, HISTORY

MODEL = "model.keras"


def write(
    folder: Path,
    encoder: Encoder,
    layers: Sequence[Layer],
    seed: int,
    *,
    trained: Sequence[Array],
    history: pd.DataFrame,
    row: pd.DataFrame,
) -> None:
    """Writes all files of a trained model but its contract.

    The files are model.keras, encoding.json, summary.txt, history.csv, curves/, weights.csv,
    weights_before.npz, weights_after.npz and first_prediction.csv.

    Parameters
    ----------
    folder
        An existing, empty folder.
    encoder
        The encoder of the rows that the network was trained on.
    layers, seed
        Configuration of the network, and the seed of its initial weights.
    trained
        Kernel (inputs, units) and bias (units,) of each layer in turn after training.
    history
        The table of epochs, as in training.fitting.Fitted.
    row
        A conformed table of one row, for the first prediction of the untrained network.

    Raises
    ------
    RuntimeError
        If the untrained network's prediction differs from the one computed by hand.
    """
    encoding = encoder.encoding
    network = dense.build(layers, len(encoding.names), seed)
    before = weights.by_name(network)
    first = dict(row[encoding.columns].iloc[0])
    first |= dense.first_prediction(network, encoder.x(row)[0], encoding.target)
    weights.assign(network, trained)
    after = weights.by_name(network)
    model = whole(encoder.model, network, encoding.target)
    archive.save(model, folder / MODEL)
    encoding.write(folder / ENCODING)
    (folder / "summary.txt").write_text(archive.summary(model), "utf-8")
    write_table(history, folder / HISTORY)
    (folder / "curves").mkdir()
    for part, prefix in (("train", ""), ("validation", "validation_")):
        # A file for each part, because DVC plots missing values as zeros.
        curve = history[["epoch", f"{prefix}loss", f"{prefix}mae"]].dropna()
        curve.columns = pd.Index(["epoch", "loss", "mae"])
        write_table(curve, folder / "curves" / f"{part}.csv")
    write_table(weights.table(before, after), folder / "weights.csv")
    weights.save(before, folder / "weights_before.npz")
    weights.save(after, folder / "weights_after.npz")
    write_table(pd.DataFrame([first]), folder / "first_prediction.csv")

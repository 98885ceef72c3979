"""The folder of a trained model: what train writes, and others read."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipeline.config.training import Layer
from pipeline.network import archive, dense, encoder, weights
from pipeline.network.encoder import Encoder
from pipeline.network.weights import Array
from pipeline.runtime.files import write_table
from pipeline.runtime.paths import ENCODING

MODEL = "model.keras"
HISTORY = "history.csv"


def write(
    folder: Path,
    encode: Encoder,
    layers: Sequence[Layer],
    seed: int,
    *,
    trained: Sequence[Array],
    history: pd.DataFrame,
    row: pd.DataFrame,
) -> None:
    """Everything that a training produces, into an existing folder; the contract with
    whoever gives rows to the model is the caller's to add.

    The network of these layers begins as seed says; trained are the weights that it ends
    with, history is the table of fitting.Fitted, row a table of one row for the untrained
    network's first prediction.
    """
    encoding = encode.encoding
    network = dense.build(layers, len(encoding.names), seed)
    before = weights.named(network)
    first = dict(row[encoding.columns].iloc[0])
    first |= dense.first_prediction(network, encode.x(row)[0], encoding.target)
    weights.assign(network, trained)
    after = weights.named(network)
    model = encoder.whole(encode.model, network, encoding.target)
    archive.save(model, folder / MODEL)
    encoding.write(folder / ENCODING)
    (folder / "summary.txt").write_text(archive.summary(model), "utf-8")
    write_table(history, folder / HISTORY)
    (folder / "curves").mkdir()
    for part, prefix in (("train", ""), ("validation", "validation_")):
        # A file for each part: DVC's plots would draw missing values as zeros.
        curve = history[["epoch", f"{prefix}loss", f"{prefix}mae"]].dropna()
        curve.columns = pd.Index(["epoch", "loss", "mae"])
        write_table(curve, folder / "curves" / f"{part}.csv")
    write_table(weights.table(before, after), folder / "weights.csv")
    weights.save(before, folder / "weights_before.npz")
    weights.save(after, folder / "weights_after.npz")
    write_table(pd.DataFrame([first]), folder / "first_prediction.csv")

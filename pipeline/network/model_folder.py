"""The folder of a trained model, which the train stage writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.config.training import Layer
from pipeline.dataset.curves import CURVES
from pipeline.dataset.encoding import Encoding
from pipeline.network import archive, dense, weights
from pipeline.network.backend import keras
from pipeline.network.encoder import Encoder, mean_of, whole
from pipeline.network.weights import Array
from pipeline.runtime.files import write_table
from pipeline.runtime.paths import ENCODING, FOLD_HISTORIES, HISTORY

MODEL = "model.keras"
# Beside a MODEL that is a single network: the mean of the folds.
FOLDS_MODEL = "folds.keras"


@dataclass(frozen=True)
class TrainedNetwork:
    """A network after its training.

    Attributes
    ----------
    encoder
        The encoder of the rows that it was trained on.
    layers, seed
        Its configuration, and the seed of its initial weights.
    weights
        Kernel (inputs, units) and bias (units,) of each layer in turn.
    history
        The table of epochs, as in training.fitting.Fitted.
    """

    encoder: Encoder
    layers: Sequence[Layer]
    seed: int
    weights: Sequence[Array]
    history: pd.DataFrame

    def untrained(self) -> keras.Sequential:
        """The network before its training."""
        return dense.build(self.layers, len(self.encoder.encoding.names), self.seed)

    def trained(self) -> keras.Sequential:
        """The network after its training."""
        built = self.untrained()
        weights.assign(built, self.weights)
        return built


def write(
    folder: Path,
    network: TrainedNetwork | None,
    folds: Sequence[TrainedNetwork] = (),
    *,
    encoding: Encoding,
    row: pd.DataFrame,
) -> None:
    """Writes all files of a trained model but its contract.

    The files are model.keras, encoding.json, summary.txt, history.csv, curves/, weights.csv,
    weights_before.npz, weights_after.npz and first_prediction.csv; with folds also folds.csv,
    which has their histories, and folds.keras beside a network of its own. In tables, a column
    has the number of the fold, or nothing for that network.

    Parameters
    ----------
    folder
        An existing, empty folder.
    network
        The network that is the model, or None if that is the mean of the folds.
    folds
        The networks of cross-validation.
    encoding
        The one that is fitted to the whole training part.
    row
        A conformed table of one row, for the first predictions of the untrained networks.

    Raises
    ------
    RuntimeError
        If an untrained network's prediction differs from the one computed by hand.
    """
    networks = {f"fold_{number}": fold for number, fold in enumerate(folds, start=1)}
    networks |= {"": network} if network else {}
    numbers = [name.removeprefix("fold_") for name in networks]
    before: dict[str, Array] = {}
    after: dict[str, Array] = {}
    models, first = [], []
    for name, one in networks.items():
        encode, target = one.encoder, one.encoder.encoding.target
        built = one.untrained()
        before |= weights.by_name(built, name)
        predicted = dense.first_prediction(built, encode.x(row)[0], target)
        first.append(dict(row[encoding.columns].iloc[0]) | predicted)
        weights.assign(built, one.weights)
        after |= weights.by_name(built, name)
        models.append(whole(encode.model, built, target, name or "model"))
    model = models[-1] if network else mean_of(models)
    archive.save(model, folder / MODEL)
    if network and folds:
        archive.save(mean_of(models[:-1]), folder / FOLDS_MODEL)
    encoding.write(folder / ENCODING)
    (folder / "summary.txt").write_text(archive.summary(model), "utf-8")
    histories = [one.history for one in networks.values()]
    first_predictions, history = pd.DataFrame(first), histories[-1]
    if folds:
        # A column of the table may have that name, too.
        first_predictions.insert(0, "fold", numbers, allow_duplicates=True)
        listed = pd.concat(histories, keys=numbers, names=["fold"]).reset_index("fold")
        write_table(listed, folder / FOLD_HISTORIES)
        kept = history["epoch"][history["kept"] & (network is not None)]
        history = mean_history(histories[: len(folds)])
        history["kept"] = history["epoch"].isin(kept)
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
    write_table(first_predictions, folder / "first_prediction.csv")


def mean_history(histories: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The curves' mean in each epoch over the networks that were trained in it."""
    return pd.concat(histories).groupby("epoch", as_index=False)[list(CURVES)].mean()

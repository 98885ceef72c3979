"""The weights of a network's Dense layers: as arrays, as a table, as a file."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.network.backend import keras

Array = NDArray[np.float32]
# A longer table is of no use to a reader; the .npz files have all weights.
MAX_TABLE_ROWS = 1000


def of(network: keras.Sequential) -> list[Array]:
    """Kernel (inputs, units) and bias (units,) of each Dense layer in turn."""
    return [
        np.array(weight) for layer in dense_layers(network) for weight in (layer.kernel, layer.bias)
    ]


def assign(network: keras.Sequential, arrays: Sequence[Array]) -> None:
    """Sets the weights of the Dense layers, in the form that `of` returns."""
    for layer, kernel, bias in zip(dense_layers(network), arrays[::2], arrays[1::2], strict=True):
        layer.kernel.assign(kernel)
        layer.bias.assign(bias)


def dense_layers(network: keras.Sequential) -> list[keras.layers.Dense]:
    """The Dense layers, first to last."""
    return [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]


def by_name(network: keras.Sequential, fold: str = "") -> dict[str, Array]:
    """The arrays of `of` by name: dense_1/kernel, dense_1/bias and so on, after that of a fold:
    fold_1/dense_1/kernel."""
    prefix = f"{fold}/" if fold else ""
    names = [
        f"{prefix}{layer.name}/{kind}"
        for layer in dense_layers(network)
        for kind in ("kernel", "bias")
    ]
    return dict(zip(names, of(network), strict=True))


def table(before: dict[str, Array], after: dict[str, Array]) -> pd.DataFrame:
    """The weights before and after training, a row for each weight; for more than
    MAX_TABLE_ROWS weights, a row for each array with its mean and standard deviation."""
    rows: list[dict[str, Any]] = []
    many = sum(array.size for array in after.values()) > MAX_TABLE_ROWS
    for name, array in after.items():
        *fold, layer, weight = name.split("/")
        label = {"fold": fold[0].removeprefix("fold_")} if fold else {}
        label |= {"layer": layer, "weight": weight}
        if many:
            rows.append(
                label
                | {"shape": " x ".join(map(str, array.shape))}
                | {"mean_before": before[name].mean(), "mean_after": array.mean()}
                | {"std_before": before[name].std(), "std_after": array.std()}
            )
            continue
        rows.extend(
            label
            | {"input": index[0] + 1 if weight == "kernel" else None, "unit": index[-1] + 1}
            | {"before": before[name][index], "after": array[index]}
            for index in np.ndindex(array.shape)
        )
    frame = pd.DataFrame(rows)
    return frame if many else frame.astype({"input": "Int64"})


def save(arrays: dict[str, Array], path: Path) -> None:
    """Writes arrays as an .npz file, whose bytes follow from them alone."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)

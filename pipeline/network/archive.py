"""Saving a model as a .keras archive whose bytes follow from its content alone."""

import json
import zipfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pipeline.network.backend import keras


def summary(network: keras.Model) -> str:
    """Keras's table of layers, output shapes and numbers of parameters."""
    lines: list[str] = []
    # In a notebook, the library that lays out the table would show an empty output besides.
    with patch("rich.jupyter.display"):
        network.summary(print_fn=lines.append, line_length=80)
    return "\n".join(lines) + "\n"


def save(network: keras.Model, path: Path) -> None:
    """Writes network as a .keras archive, with the same bytes for the same content.

    Keras's own archive contains the date, the memory addresses of shared objects, and names
    numbered by all layers that the process has built. Here the date is left out, and shared
    objects and names are numbered by their position in the network. The operations of network
    are renamed accordingly.
    """
    _number_unnamed(network)
    dated = path.with_name(f"dated-{path.name}")
    network.save(dated)
    with zipfile.ZipFile(dated) as archive, zipfile.ZipFile(path, "w") as undated:
        for name in sorted(archive.namelist()):
            content = archive.read(name)
            if name == "metadata.json":
                metadata = json.loads(content)
                del metadata["date_saved"]
                content = json.dumps(metadata).encode()
            elif name == "config.json":
                content = json.dumps(_number_shared(json.loads(content), {})).encode()
            undated.writestr(zipfile.ZipInfo(name), content)
    dated.unlink()


def _number_unnamed(network: keras.Model) -> None:
    # The layers of a Sequential are named explicitly.
    if isinstance(network, keras.Sequential):
        return
    for position, operation in enumerate(network.operations):
        if isinstance(operation, keras.Model):
            _number_unnamed(operation)
        kind = operation.name.rstrip("_0123456789")
        is_input = isinstance(operation, keras.layers.InputLayer)
        if not is_input and kind.replace("_", "") == type(operation).__name__.lower():
            operation.name = f"{kind}_{position}"
        # That of a TextVectorization layer is not an operation of the network.
        inner = getattr(operation, "_lookup_layer", None)
        if inner is not None:
            inner.name = f"{operation.name}_lookup"


def _number_shared(node: Any, numbers: dict[int, int]) -> Any:
    if isinstance(node, list):
        return [_number_shared(item, numbers) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: numbers.setdefault(item, len(numbers))
        if key == "shared_object_id"
        else _number_shared(item, numbers)
        for key, item in node.items()
    }

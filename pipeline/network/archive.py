"""A model as a .keras file whose bytes depend on nothing but its content."""

import json
import zipfile
from pathlib import Path
from typing import Any

from pipeline.network.backend import keras


def summary(network: keras.Model) -> str:
    """Keras's table of layers, shapes and numbers of parameters."""
    lines: list[str] = []
    network.summary(print_fn=lines.append, line_length=80)
    return "\n".join(lines) + "\n"


def save(network: keras.Model, path: Path) -> None:
    """network as a .keras archive whose bytes depend on nothing but its content.

    Keras writes the date into it, marks objects that are shared by their address in
    memory, and numbers what was given no name by all that the process has made before:
    the date is taken out, marks and names are numbered by their place instead.
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
    # All layers of a Sequential have names of their own.
    if isinstance(network, keras.Sequential):
        return
    for place, operation in enumerate(network.operations):
        if isinstance(operation, keras.Model):
            _number_unnamed(operation)
        kind = operation.name.rstrip("_0123456789")
        named = isinstance(operation, keras.layers.InputLayer)
        if not named and kind.replace("_", "") == type(operation).__name__.lower():
            operation.name = f"{kind}_{place}"
        # That of TextVectorization, which is no operation of the network.
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

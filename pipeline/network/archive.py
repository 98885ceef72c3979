"""Saving a model as a .keras archive whose bytes follow from its content alone."""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pipeline.network.backend import keras
from pipeline.runtime.errors import UserError

# What a model consists of; without the module, an array or the like.
MODULES = re.compile(
    r"(keras(\.(layers|initializers|regularizers|constraints|src\.models\.functional|src\.ops\.\w+))?)?"
)
# Layers that run code of the file, or of another one that it names.
RUN_CODE = ("FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper")
OUTSIDE = re.compile(r"[/\\]|(.*[/\\])?\.\.([/\\]|$)")
# How many times as large as the archive an entry may be.
MAX_EXPANSION = 100


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


def check(path: Path) -> None:
    """Raises UserError for an archive that could do more than compute predictions. Keras refuses
    most of this too, but not all of it, and less in earlier versions."""
    remedy = "is not loaded; use a model that `dvc repro` has trained"
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            named = f"{path}: has the entry {entry.filename!r}"
            if OUTSIDE.match(entry.filename):
                raise UserError(f"{named}, which points outside the file, so it {remedy}")
            if entry.file_size > MAX_EXPANSION * path.stat().st_size:
                raise UserError(f"{named} of {entry.file_size} bytes, so it {remedy}")
        config = json.loads(archive.read("config.json"))
    for one in _objects(config):
        module, name = one.get("module") or "", one["class_name"]
        known = MODULES.fullmatch(module) and name not in RUN_CODE
        # A layer of the user's own.
        if not known and keras.saving.get_registered_object(one.get("registered_name")) is None:
            raise UserError(
                f"{path}: names {module}.{name}, which may run any code, so it {remedy}"
            )


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    """All parts of a configuration that name a class or a function."""
    if isinstance(node, dict) and "class_name" in node:
        yield node
    for item in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _objects(item)


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

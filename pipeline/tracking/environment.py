"""Environment variables that change what the stages compute. Others that Keras and TensorFlow read
are set by pipeline/network/backend.py."""

import os

from pipeline.runtime.errors import warn

# By name or by how the name begins: what the variable changes.
CHANGING = {
    "ONEDNN_": "the instructions that TensorFlow computes with",
    "DNNL_": "the instructions that TensorFlow computes with",
    "OPENBLAS_CORETYPE": "the instructions that NumPy computes with",
}


def changing() -> dict[str, str]:
    """Those that are set, and what they change."""
    return {
        name: what
        for name in sorted(os.environ)
        for start, what in CHANGING.items()
        if name.startswith(start)
    }


def warn_of_changing() -> None:
    """A line for each of them."""
    for name, what in changing().items():
        warn(f"{name} is set and changes {what}, and with it results; `unset {name}`")

"""The machine, and environment variables that change what the stages compute. Others that Keras and
TensorFlow read are set by pipeline/network/backend.py."""

import os
import platform
import re
from pathlib import Path

from pipeline.runtime.errors import warn

# By name or by how the name begins: what the variable changes.
CHANGING = {
    "ONEDNN_": "the instructions that TensorFlow computes with",
    "DNNL_": "the instructions that TensorFlow computes with",
    "OPENBLAS_CORETYPE": "the instructions that NumPy computes with",
}
# Which GPUs TensorFlow sees.
VISIBLE = [name for name in ["CUDA_VISIBLE_DEVICES"] if name in os.environ]


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


def machine() -> dict[str, str]:
    """What the last digits of a result depend on, beside the packages: another processor may sum
    in another order."""
    described = _read(Path("/proc/cpuinfo"))
    model = re.search(r"^model name\s*: (.*)$", described, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*: (.*)$", described, re.MULTILINE)
    vectors = re.findall(r"\b(?:avx|fma|amx|sve|asimd)\w*", flags[1]) if flags else []
    devices = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    gpus = [found[1] for one in devices if (found := re.search(r"Model:\s*(.*)", _read(one)))]
    return {
        "system": platform.system(),
        "processor": model[1] if model else platform.processor() or platform.machine(),
        "instructions": " ".join(sorted(vectors)),
        "cores": str(os.cpu_count()),
        "GPUs": ", ".join(gpus),
        "variables": " ".join(f"{name}={os.environ[name]}" for name in (*changing(), *VISIBLE)),
    }


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""

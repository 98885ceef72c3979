"""Python, the packages, and environment variables."""

import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from pipeline.doctor.findings import Finding, note, ok, wrong
from pipeline.tracking.environment import changing

SUPPORTED = (3, 11), (3, 13)
LOCK = Path("requirements/run.txt")
INSTALL = "`rm -f .venv/run.stamp && make .venv/run.stamp` installs the locked ones"
MAX_NAMED = 5
# What they say: where runs, sweeps and registered models go, and under which name.
ELSEWHERE = (
    "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_WORKSPACE", "SWEEP_STORAGE", "DVC_ROOT",
    "DVC_EXP_NAME", "GIT_DIR", "GIT_WORK_TREE",
)  # fmt: skip


def version(root: Path) -> Iterator[Finding]:
    """Whether this Python is supported, and that of .venv."""
    now = f"{platform.python_version()}, {sys.executable}"
    if not SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
        yield wrong(
            f"{now}: is not 3.11, 3.12 or 3.13; `rm -rf .venv && make PYTHON=python3.12` makes"
            " .venv with another one"
        )
    elif Path(sys.prefix).resolve() != (root / ".venv").resolve():
        yield wrong(
            f"{now}: is not that of .venv, as in `. .venv/bin/activate`; `make repro` makes .venv"
        )
    else:
        yield ok(now)


def packages(root: Path) -> Iterator[Finding]:
    """Whether the installed packages are those of the lock file."""
    try:
        requirements: Any = import_module("packaging.requirements")
    except ImportError:  # pip has its own
        requirements = import_module("pip._vendor.packaging.requirements")
    lines = re.findall(r"^([\w.-]+==.*?) *\\?$", (root / LOCK).read_text("utf-8"), re.MULTILINE)
    locked = [requirements.Requirement(line) for line in lines]
    locked = [one for one in locked if one.marker is None or one.marker.evaluate()]
    differ = []
    for one in locked:
        try:
            now = metadata.version(one.name)
        except metadata.PackageNotFoundError:
            differ.append(f"{one.name} is missing")
            continue
        if not one.specifier.contains(now, prereleases=True):
            differ.append(f"{one.name} is {now}, not {str(one.specifier).lstrip('=')}")
    if differ:
        more = f" and {len(differ) - MAX_NAMED} more" if len(differ) > MAX_NAMED else ""
        yield wrong(f"{', '.join(differ[:MAX_NAMED])}{more}; {INSTALL}")
    else:
        yield ok(f"all {len(locked)} are those of {LOCK}")


def variables(_root: Path) -> Iterator[Finding]:
    """Environment variables that change results or send them elsewhere."""
    for name, what in changing().items():
        yield wrong(f"{name} is set and changes {what}, and with it results; `unset {name}`")
    elsewhere = [name for name in ELSEWHERE if os.environ.get(name)]
    for name in elsewhere:
        yield note(
            f"{name}={os.environ[name]}; unless it is meant for this project: `unset {name}`"
        )
    if not changing() and not elsewhere:
        yield ok("no variable changes results, or sends them elsewhere")

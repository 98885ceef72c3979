"""What a result was made of: fingerprint, commit, packages, seconds.

A fingerprint is what DVC's own run cache goes by: a stage's command, the values
of its configuration sections, and the content of everything that it depends on,
code and data. Two results with one fingerprint are one result, so a tracked run
is found by it and no run id is passed from stage to stage.
"""

import hashlib
import json
import os
import platform
import subprocess
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any, cast

import psutil
import yaml

from pipeline.files import write_text

TIMINGS = Path("data/timings")
DERIVED = ("dvc.lock", "data/config.yaml", "data/metrics.json")
NAMED_PACKAGES = (
    "keras", "tensorflow", "numpy", "pandas", "mlflow", "hydra-core", "dvc",
)  # fmt: skip


@dataclass(frozen=True)
class Fingerprint:
    """hash is 32 hexadecimal digits over all the rest; inputs maps the files to
    their MD5, which is the hash that dvc.lock has for them."""

    hash: str
    inputs: dict[str, str]
    sections: dict[str, Any]


def of_stage(stage: str, root: Path = Path()) -> Fingerprint:
    """The fingerprint of a stage of root/dvc.yaml, with the files as they are now."""
    entry = yaml.safe_load((root / "dvc.yaml").read_text("utf-8"))["stages"][stage]
    inputs: dict[str, str] = {}
    for dependency in entry["deps"]:
        inputs |= hash_files(root / dependency, root)
    sections: dict[str, Any] = {}
    for item in entry.get("params", []):
        for file, names in cast("dict[str, list[str]]", item).items():
            values = yaml.safe_load((root / file).read_text("utf-8"))
            sections |= {name: values[name] for name in names}
    made_of = {"cmd": entry["cmd"], "inputs": inputs, "sections": sections}
    text = json.dumps(made_of, sort_keys=True)
    return Fingerprint(hashlib.sha256(text.encode()).hexdigest()[:32], inputs, sections)


def hash_files(path: Path, root: Path = Path()) -> dict[str, str]:
    """The MD5 of a file, or of every file below a folder, by path relative to root."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    hashes = {}
    for file in files:
        if "__pycache__" not in file.parts:
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "md5")
            hashes[file.relative_to(root).as_posix()] = digest.hexdigest()
    return hashes


def note_seconds(stage: str) -> None:
    """Notes the age of this process as the stage's duration in data/timings/.

    Durations differ from run to run, so they must not be among a stage's outputs.
    """
    note = {"fingerprint": of_stage(stage).hash, "seconds": process_seconds()}
    write_text(TIMINGS / f"{stage}.json", json.dumps(note) + "\n")


def process_seconds() -> float:
    """Since this process began, imports included."""
    return round(time.time() - psutil.Process().create_time(), 3)


def noted_seconds(stage: str) -> float | None:
    """What note_seconds noted, if that was for what the stage is made of now."""
    try:
        note = json.loads((TIMINGS / f"{stage}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return float(note["seconds"]) if note["fingerprint"] == of_stage(stage).hash else None


def git_commit() -> str | None:
    """The commit that is checked out, or None outside a Git repository."""
    return _git("rev-parse", "HEAD")


def git_diff() -> str | None:
    """All that differs from the commit, new files included; None if nothing does.

    What the stages write themselves (DERIVED) does not count: it follows from the
    rest, and changes while they run.
    """
    with tempfile.TemporaryDirectory() as folder:
        # An index of its own: the user's staged changes stay as they are.
        env = {**os.environ, "GIT_INDEX_FILE": f"{folder}/index"}
        if _git("read-tree", "HEAD", env=env) is None:
            return None
        _git("add", "--intent-to-add", "--all", env=env)
        others = [f":(exclude){path}" for path in DERIVED]
        return _git("diff", "HEAD", "--", ".", *others, env=env) or None


def packages() -> dict[str, str]:
    """Version of Python and of the packages that the result hangs on most."""
    return {"python": platform.python_version()} | {name: version(name) for name in NAMED_PACKAGES}


def all_packages() -> str:
    """Every installed package, as the lines of a requirements file."""
    pairs = {(item.metadata["Name"], item.version) for item in distributions()}
    lines = [
        f"{name}=={number}" for name, number in sorted(pairs, key=lambda pair: pair[0].lower())
    ]
    return "\n".join(lines) + "\n"


def _git(*arguments: str, env: dict[str, str] | None = None) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=env,
            check=False,
        )
    except OSError:
        return None
    return done.stdout.strip("\n") if done.returncode == 0 else None

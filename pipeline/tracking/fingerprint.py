"""What a result was made of: fingerprint, commit, packages, seconds.

A fingerprint is what DVC's own run cache goes by: a stage's command, the values
of its configuration sections, and the content of everything that it depends on,
code and data. Two results with one fingerprint are one result, so a tracked run
is found by it and no run id is passed from stage to stage.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml


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

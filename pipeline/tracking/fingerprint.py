"""The fingerprint of a stage: a hash of everything that its result depends on.

It covers what DVC's own run cache goes by: the stage's command, the values of its
configuration sections, and the content of its deps, code and data. Two results with one
fingerprint are one result, so a tracked run is found by it and no run id is passed from stage
to stage.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml

if TYPE_CHECKING:
    import pandas as pd


# The tag of a run, and of a sweep's: the hash of the test rows that it was evaluated on.
TEST_ROWS = "test_rows"


@dataclass(frozen=True)
class Fingerprint:
    """hash is 32 hexadecimal digits over all the rest; inputs maps the files to
    their MD5, which is the hash that dvc.lock has for them."""

    hash: str
    inputs: dict[str, str]
    sections: dict[str, Any]


def of_stage(stage: str, root: Path = Path()) -> Fingerprint:
    """The fingerprint of a stage of root/dvc.yaml, with the files as they are now."""
    entry, inputs = _entry(stage, root), inputs_of_stage(stage, root)
    sections: dict[str, Any] = {}
    for item in entry.get("params", []):
        for file, names in cast("dict[str, list[str]]", item).items():
            values = yaml.safe_load((root / file).read_text("utf-8"))
            sections |= {name: values[name] for name in names}
    content = {"cmd": entry["cmd"], "inputs": inputs, "sections": sections}
    text = json.dumps(content, sort_keys=True)
    return Fingerprint(hashlib.sha256(text.encode()).hexdigest()[:32], inputs, sections)


def inputs_of_stage(stage: str, root: Path = Path()) -> dict[str, str]:
    """The MD5 of each file, code or data, that a stage of root/dvc.yaml depends on; a file
    that does not exist yet has none."""
    inputs: dict[str, str] = {}
    for dependency in _entry(stage, root)["deps"]:
        inputs |= hash_files(root / dependency, root)
    return inputs


def outputs_of_stage(stage: str, root: Path = Path()) -> list[Path]:
    """The files and folders that DVC removes before it runs a stage of root/dvc.yaml."""
    entry = _entry(stage, root)
    named = [*entry.get("outs", []), *entry.get("metrics", [])]
    plain = [one for one in named if isinstance(one, str)]
    settings = [one.items() for one in named if isinstance(one, dict)]
    kept = [path for one in settings for path, how in one if not how.get("persist")]
    return [Path(path) for path in [*plain, *kept]]


def _entry(stage: str, root: Path) -> dict[str, Any]:
    stages = yaml.safe_load((root / "dvc.yaml").read_text("utf-8"))["stages"]
    return cast("dict[str, Any]", stages[stage])


def hash_files(path: Path, root: Path = Path()) -> dict[str, str]:
    """The MD5 of a file, or of every file below a folder, by path relative to root. Byte code
    is left out, as .dvcignore has it."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    hashes = {}
    for file in files:
        name = file.relative_to(root)
        if "__pycache__" not in name.parts and name.suffix != ".pyc":
            status = file.stat()
            hashes[name.as_posix()] = _md5(
                file.absolute(), status.st_ino, status.st_size, status.st_mtime_ns
            )
    return hashes


def of_rows(true: "pd.Series[float]") -> str | None:
    """A hash of rows, by their true values and by their positions in the table, which are the
    index; None without rows."""
    if true.empty:
        return None
    content = true.index.to_numpy("int64").tobytes() + true.to_numpy("float64").tobytes()
    return hashlib.sha256(content).hexdigest()[:32]


@cache
def _md5(file: Path, _inode: int, _size: int, _changed: int) -> str:
    """A file that has not changed since is not read again, by the signs that DVC goes by."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "md5").hexdigest()

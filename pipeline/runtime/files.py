"""Outputs that are written completely or not at all."""

import csv
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psutil

from pipeline.runtime.errors import write_errors

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def whole_directory(target: Path) -> Iterator[Path]:
    """A new directory to write to. It replaces target when the block ends, and is deleted if
    the block raises. Raises UserError for a full disk and the like."""
    with write_errors(target):
        folder = Path(tempfile.mkdtemp(prefix=f"{_draft(target).name}-", dir=target.parent))
        draft, old = folder / "new", folder / "old"
        try:
            draft.mkdir()
            yield draft
            for path in draft.rglob("*"):
                if path.is_file():
                    _sync(path)
            # What may not be deleted may often be renamed, so that it is never half a directory.
            with suppress(FileNotFoundError):
                target.rename(old)
            draft.rename(target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A path to write to. The file replaces target when the block ends, and is deleted if the
    block raises. Raises UserError for a full disk and the like."""
    with write_errors(target):
        draft = _draft(target)
        try:
            yield draft
            _sync(draft)
            draft.replace(target)
        finally:
            with suppress(OSError):
                draft.unlink()


def write_text(target: Path, text: str) -> None:
    """Replaces the content of target by text, in UTF-8."""
    with whole_file(target) as draft:
        draft.write_text(text, encoding="utf-8")


def write_table(table: "pd.DataFrame", path: Path) -> None:
    """Writes a table as CSV, without its index."""
    # Nine digits distinguish any two float32 numbers.
    table.to_csv(path, index=False, float_format="%.9g", quoting=csv_quoting(table))


def csv_quoting(table: "pd.DataFrame") -> Literal[0, 2]:
    """How to quote a table in CSV. Python's csv module leaves a carriage return unquoted, at which
    most readers begin another row; of a table with one, all texts are quoted."""
    columns = (table.iloc[:, position] for position in range(table.shape[1]))
    texts = (one for one in columns if one.dtype.kind not in "biufmM")
    found = any("\r" in str(name) for name in table.columns) or any(
        one.astype("str").str.contains("\r", regex=False, na=False).any() for one in texts
    )
    return csv.QUOTE_NONNUMERIC if found else csv.QUOTE_MINIMAL


def _draft(target: Path) -> Path:
    """A path beside target for what this process writes. Such drafts of processes that were killed
    are removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for path in target.parent.glob(".*-*"):
        found = re.fullmatch(rf"\.{re.escape(target.name)}-(\d+)(-.*)?", path.name)
        if found and not psutil.pid_exists(int(found[1])):
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    return target.with_name(f".{target.name}-{os.getpid()}")


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())

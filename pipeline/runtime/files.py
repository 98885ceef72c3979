"""Outputs that are there as a whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def whole_directory(target: Path) -> Iterator[Path]:
    """A new directory to write to; it takes the place of target when the block
    ends well and vanishes when it raises."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        draft.chmod(0o755)
        yield draft
        for path in draft.rglob("*"):
            if path.is_file():
                _sync(path)
        shutil.rmtree(target, ignore_errors=True)
        draft.replace(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A path to write to; the file takes the place of target when the block ends
    well and vanishes when it raises."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{os.getpid()}-{target.name}")
    try:
        yield draft
        _sync(draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """text as the whole content of target, in UTF-8."""
    with whole_file(target) as draft:
        draft.write_text(text, encoding="utf-8")


def write_table(table: "pd.DataFrame", path: Path) -> None:
    """table as CSV, without its index."""
    # Nine digits tell any two numbers of float32 apart.
    table.to_csv(path, index=False, float_format="%.9g")


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())

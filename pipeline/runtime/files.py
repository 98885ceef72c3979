"""Outputs that are written completely or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.runtime.errors import write_errors

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def whole_directory(target: Path) -> Iterator[Path]:
    """A new directory to write to. It replaces target when the block ends, and is deleted if
    the block raises. Raises UserError for a full disk and the like."""
    with write_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
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
    draft = target.with_name(f".{os.getpid()}-{target.name}")
    with write_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
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
    table.to_csv(path, index=False, float_format="%.9g")


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())

"""The disk, and files that processes left which were killed."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipeline.doctor.findings import Finding, note, ok, wrong
from pipeline.runtime.paths import CHECKPOINTS

# A training of a table of a few megabytes, with its copies in MLflow and in the cache of DVC.
MIN_BYTES = 2**30
MIN_FILES = 1000
# Where outputs are written.
FOLDERS = (".", "data", "data/schema", "mlruns")


def disk(root: Path) -> Iterator[Finding]:
    """Whether the folders can be written, and have space."""
    found = [one for one in _disk_findings(root) if one.status != "ok"]
    yield from found or [ok(f"{shutil.disk_usage(root).free / 1e9:.0f} GB are free")]


def _disk_findings(root: Path) -> Iterator[Finding]:
    for folder in [root / one for one in FOLDERS if (root / one).exists()]:
        if not os.access(folder, os.W_OK | os.X_OK):
            yield wrong(f"{folder}: may not be written; change the permissions of this folder")
    for folder in (root, Path(tempfile.gettempdir())):
        status = os.statvfs(folder)
        free = status.f_bavail * status.f_frsize
        if free < MIN_BYTES:
            yield wrong(f"{folder}: only {free / 1e6:.0f} MB are free; delete other files")
        # Some file systems have no limit, and say 0 of 0.
        if status.f_files and status.f_favail < MIN_FILES:
            yield wrong(
                f"{folder}: only {status.f_favail} more files can be created; delete others"
            )


def leftovers(root: Path) -> Iterator[Finding]:
    """Drafts and checkpoints of processes that were killed."""
    import psutil

    drafts = [
        path
        for folder in (root, root / "data", root / "data/raw", *(root / "data").glob("*/"))
        for path in folder.glob(".*-*")
        if (found := re.fullmatch(r"\..+?-(\d+)(-.*)?", path.name))
        and not psutil.pid_exists(int(found[1]))
    ]
    checkpoints = list((root / CHECKPOINTS).glob("*"))
    if drafts:
        named = " ".join(str(one.relative_to(root)) for one in sorted(set(drafts)))
        yield note(f"a killed process left {named}; delete it, or run the same command again")
    if checkpoints:
        size = sum(one.stat().st_size for one in checkpoints) / 1e6
        yield note(
            f"{root / CHECKPOINTS}: {len(checkpoints)} checkpoints of trainings, {size:.0f} MB; the"
            f" same training goes on from them; if you do not repeat it: rm -r {CHECKPOINTS}"
        )
    if not drafts and not checkpoints:
        yield ok("no drafts or checkpoints of killed processes")

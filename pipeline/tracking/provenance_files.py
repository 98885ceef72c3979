"""The folder provenance/ of a run: what brings back its result, and what it was computed with."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.runtime.paths import COMPOSED
from pipeline.runtime.redaction import redact, redact_assignments
from pipeline.tracking import provenance
from pipeline.tracking.environment import machine
from pipeline.tracking.provenance import Changes
from pipeline.tracking.store import Store

FOLDER = "provenance"
INPUTS, PACKAGES, DIFF, SWEEP, MACHINE = (
    "inputs.json", "packages.txt", "git.diff", "sweep.json", "machine.json",
)  # fmt: skip


def log_provenance(
    store: Store,
    run_id: str,
    inputs: Mapping[str, Mapping[str, str]],
    changes: Changes,
    sweep: Mapping[str, Any] | None = None,
) -> None:
    """Writes the folder.

    Parameters
    ----------
    store, run_id
        Where.
    inputs
        The hashes of the files that each stage depends on, by stage and by path.
    changes
        What differs from the commit.
    sweep
        Of a sweep, what its trials have in common.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for path in (COMPOSED, Path("dvc.lock")):
            # A sweep has its own configuration, and no stages.
            if sweep is None and path.is_file():
                (folder / path.name).write_text(redact(path.read_text("utf-8")), "utf-8")
        for path in (Path("params.yaml"), Path("dvc.yaml")):
            if path.is_file():  # with comments, which may say anything
                text = redact_assignments(path.read_text("utf-8"))
                (folder / path.name).write_text(text, "utf-8")
        (folder / PACKAGES).write_text(provenance.all_packages(), "utf-8")
        for name, content in ((INPUTS, inputs), (MACHINE, machine()), (SWEEP, sweep)):
            if content is not None:
                (folder / name).write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        if changes.diff:
            (folder / DIFF).write_text(f"{changes.diff}\n", "utf-8")
        if changes.other_files:
            lines = [f"{md5}  {name}\n" for name, md5 in changes.other_files.items()]
            listed = "".join(lines).encode(errors="surrogateescape")
            (folder / "files_not_in_git.diff.txt").write_bytes(listed)
        store.client.log_artifacts(run_id, str(folder), FOLDER)

"""The copy of the repository in which DVC runs a queued or temporary experiment."""

import os
from pathlib import Path

from pipeline.runtime.errors import UserError
from pipeline.tables.files import files_of


def check_copied(path: str) -> None:
    """Raises UserError if a file of a table is in the repository that DVC has copied, but not in
    its copy, which is the working directory: Git does not know it."""
    root, here = Path(os.environ.get("DVC_ROOT") or ".").resolve(), Path.cwd()
    if root == here or Path(path).is_absolute():
        return
    try:
        files, _ = files_of(str(root / path))
    except UserError:
        return
    for file in files:
        name = file.relative_to(root)
        if file.exists() and not name.exists():
            raise UserError(
                f"{name}: is not in the copy that this experiment runs in, because Git does not"
                f" know it; git add {name}, or run it with --copy-paths {name}"
            )

"""The copy of the repository in which DVC runs a queued or temporary experiment."""

import os
from pathlib import Path

from pipeline.runtime.errors import UserError
from pipeline.tables.files import files_of

REMEDY = "git add {0}, or run it with --copy-paths {0}"


def check_copied(path: str) -> None:
    """Raises UserError if a file of a table is in the repository that DVC has copied, but not in
    its copy, which is the working directory: Git does not know it."""
    root = copied_root()
    if root is None or Path(path).is_absolute():
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
                f" know it; {REMEDY.format(name)}"
            )


def schema_warning(path: Path, text: str) -> str | None:
    """A warning if the repository has a schema that is not in its copy, and is not the one that
    has been inferred there."""
    root = copied_root()
    if root is None or not (root / path).is_file() or (root / path).read_text("utf-8") == text:
        return None
    return (
        f"{path}: is inferred anew, because Git does not know the one that you have;"
        f" to use that, {REMEDY.format(path)}"
    )


def copied_root() -> Path | None:
    """The repository whose copy the working directory is, if it is one."""
    root = Path(os.environ.get("DVC_ROOT") or ".").resolve()
    return None if root == Path.cwd() else root

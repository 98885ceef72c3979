"""What a result was made of: fingerprint, commit, packages, seconds.

A fingerprint is what DVC's own run cache goes by: a stage's command, the values
of its configuration sections, and the content of everything that it depends on,
code and data. Two results with one fingerprint are one result, so a tracked run
is found by it and no run id is passed from stage to stage.
"""

import os
import platform
import subprocess
import tempfile
from importlib.metadata import distributions, version

DERIVED = ("dvc.lock", "data/config.yaml", "data/metrics.json")
NAMED_PACKAGES = (
    "keras", "tensorflow", "numpy", "pandas", "mlflow", "hydra-core", "dvc",
)  # fmt: skip


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

"""Provenance of a result: the commit, what differs from it, and the installed packages."""

import os
import platform
import subprocess
import tempfile
from importlib.metadata import distributions, version

DERIVED = ("dvc.lock", "data/config.yaml", "data/metrics.json")
MAIN_PACKAGES = (
    "keras", "tensorflow", "numpy", "pandas", "mlflow", "hydra-core", "dvc",
)  # fmt: skip


def git_commit() -> str | None:
    """The commit that is checked out, or None outside a Git repository."""
    return _git("rev-parse", "HEAD")


def git_diff() -> str | None:
    """The changes since the commit, new files included; None if there are none.

    What the stages write (DERIVED) is left out: it follows from the rest, and changes while
    they run.
    """
    with tempfile.TemporaryDirectory() as folder:
        # A temporary index: the user's staged changes stay as they are.
        env = {**os.environ, "GIT_INDEX_FILE": f"{folder}/index"}
        if _git("read-tree", "HEAD", env=env) is None:
            return None
        _git("add", "--intent-to-add", "--all", env=env)
        excluded = [f":(exclude){path}" for path in DERIVED]
        return _git("diff", "HEAD", "--", ".", *excluded, env=env) or None


def packages() -> dict[str, str]:
    """Versions of Python and of the packages that a result depends on most."""
    return {"python": platform.python_version()} | {name: version(name) for name in MAIN_PACKAGES}


def all_packages() -> str:
    """Every installed package, as the lines of a requirements file."""
    pairs = {(item.metadata["Name"], item.version) for item in distributions()}
    lines = [
        f"{name}=={number}" for name, number in sorted(pairs, key=lambda pair: pair[0].lower())
    ]
    return "\n".join(lines) + "\n"


def run_tags() -> dict[str, str]:
    """Commit and versions as tags of a run, which MLflow's table of runs shows as columns."""
    versions = {f"version.{name}": number for name, number in packages().items()}
    commit = git_commit()
    source = {"mlflow.source.type": "PROJECT", "mlflow.source.name": "dvc.yaml"}
    return versions | source | ({"mlflow.source.git.commit": commit} if commit else {})


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

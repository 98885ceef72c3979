"""Provenance of a result: the commit, what differs from it, and the installed packages."""

import os
import platform
import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from fnmatch import fnmatch
from importlib.metadata import distributions, version
from pathlib import Path

from pipeline.runtime.errors import warn
from pipeline.runtime.redaction import HIDDEN, redact_assignments
from pipeline.tracking.fingerprint import hash_files

DERIVED = ("dvc.lock", "data/config.yaml", "data/metrics.json")
# New files whose content is recorded: code and settings. Of others, which may hold anything, the
# name and the hash are.
CODE = re.compile(
    r"((pipeline|conf|tests|benchmarks|data/schema)/.*\.(py|ya?ml|html)"
    r"|params\.yaml|dvc\.yaml|pyproject\.toml)"
)
# Files whose content is not recorded, new or not.
SECRET_FILES = (
    ".env", ".env.*", "*.env", ".envrc", ".netrc", ".pgpass", ".htpasswd", ".npmrc", ".pypirc",
    "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "id_rsa*", "id_dsa*", "id_ecdsa*",
    "id_ed25519*", "*credentials*", "*secret*", "config.local",
)  # fmt: skip
# A longer diff is of data, which DVC keeps, rather than of code.
MAX_DIFF_CHARACTERS = 1_000_000
# How a diff begins that does not bring the commit to what was there.
INCOMPLETE = "# Not complete: "
MAX_FILES, MAX_BYTES = 1000, 2**30
MAIN_PACKAGES = (
    "keras", "tensorflow", "numpy", "pandas", "mlflow", "hydra-core", "dvc",
)  # fmt: skip
# Git's messages, and what to say instead.
REASONS = {
    "not a git repository (or any": "this folder is in no Git repository; `git init` makes one",
    "Needed a single revision": "the Git repository has no commit yet; `git commit` makes one",
    "in 'HEAD'": "the commit has no dvc.yaml, so it is not of this project; commit it",
}


class GitError(Exception):
    """What Git cannot say, and why."""


@dataclass(frozen=True)
class Changes:
    """What differs from the commit.

    Attributes
    ----------
    commit
        The commit that is checked out; None if it is unknown.
    diff
        The changes of files that may be recorded, secrets left out.
    other_files
        The MD5 of the other changed and new files, by path.
    unknown
        Why the commit or the changes are unknown; None if they are known.
    """

    commit: str | None = None
    diff: str = ""
    other_files: dict[str, str] = field(default_factory=dict)
    unknown: str | None = None

    @property
    def dirty(self) -> str:
        """The tag of a run: true, false or unknown."""
        return "unknown" if self.unknown else str(bool(self.diff or self.other_files)).lower()


def git_commit() -> str:
    """The commit that is checked out. Raises GitError if it cannot be found out."""
    commit = _git("rev-parse", "--verify", "HEAD").decode().strip()
    # A repository around this one may have nothing to do with it.
    _git("cat-file", "-e", "HEAD:./dvc.yaml")
    return commit


def git_changes() -> Changes:
    """The commit and what differs from it, new files included.

    What the stages write (DERIVED) is left out: it follows from the rest, and changes while
    they run.
    """
    commit = None
    try:
        commit = git_commit()
        with tempfile.TemporaryDirectory() as folder:
            # A temporary index: the user's staged changes stay as they are.
            return _changes(commit, Path(folder) / "index")
    except GitError as error:
        return Changes(commit, unknown=str(error))


def _changes(commit: str, index: Path) -> Changes:
    _git("read-tree", "HEAD", index=index)
    new = _names(_git("ls-files", "--others", "--exclude-standard", "-z", index=index))
    new = [name for name in new if name not in DERIVED]
    code = [name for name in new if CODE.fullmatch(name) and not is_secret_file(name)]
    if code:
        listed = "\0".join(code).encode(errors="surrogateescape")
        arguments = ["--intent-to-add", "--pathspec-from-file=-", "--pathspec-file-nul"]
        _git("--literal-pathspecs", "add", *arguments, index=index, given=listed)
    differ = ["diff", "HEAD", "--relative", "--no-ext-diff", "--no-textconv", "--no-color"]
    differ += ["--no-renames", "--ignore-submodules=none"]
    changed = _names(_git(*differ, "--name-only", "-z", index=index))
    secret = [name for name in changed if is_secret_file(name)]
    excluded = [f":(exclude,literal){name}" for name in (*DERIVED, *secret)]
    prefixes = ["--src-prefix=a/", "--dst-prefix=b/"]
    diff = _git(*differ, *prefixes, "--", ".", *excluded, index=index)
    others = sorted({*new, *secret} - set(code))
    hashes = {name: _hash(Path(name)) for name in others[:MAX_FILES]}
    if len(others) > MAX_FILES:
        hashes["..."] = f"{len(others) - MAX_FILES} more"
    return Changes(commit, recordable(diff.decode(errors="replace").strip("\n")), hashes)


def recordable(diff: str) -> str:
    """A diff without secrets, and cut if it is long. A first line says what was left out: such a
    diff does not bring the commit to what was there."""
    cut = diff[:MAX_DIFF_CHARACTERS]
    shown = redact_assignments(cut)
    notes = []
    if shown != cut:
        notes.append(f"what looks like a secret is replaced by {HIDDEN}")
    if cut != diff:
        notes.append(f"cut after {len(cut)} of {len(diff)} characters")
    return f"{INCOMPLETE}{'; '.join(notes)}\n{shown}" if notes else shown


def is_secret_file(name: str) -> bool:
    """Whether a file probably holds keys or passwords, by its name."""
    base = name.rpartition("/")[2].lower()
    return any(fnmatch(base, pattern) for pattern in SECRET_FILES) and not name.endswith(".py")


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


def warn_unknown(reason: str) -> None:
    """One line, because a run without its commit cannot be repeated for sure."""
    warn(f"the run's commit, or what differs from it, is unknown: {reason}")


def run_tags() -> dict[str, str]:
    """Commit and versions as tags of a run, which MLflow's table of runs shows as columns."""
    versions = {f"version.{name}": number for name, number in packages().items()}
    source = {"mlflow.source.type": "PROJECT", "mlflow.source.name": "dvc.yaml"}
    try:
        commit = {"mlflow.source.git.commit": git_commit()}
    except GitError as error:
        commit = {"git.unknown": str(error)}
    return versions | source | commit


def _hash(path: Path) -> str:
    """The MD5 of a file, or what there is instead of one."""
    try:
        if not path.is_file():
            return "no file"
        if path.stat().st_size > MAX_BYTES:
            return "too large to be hashed"
        return next(iter(hash_files(path).values()), "byte code")
    except OSError:
        return "cannot be read"


def _names(listed: bytes) -> list[str]:
    return listed.decode(errors="surrogateescape").split("\0")[:-1]


def _git(*arguments: str, index: Path | None = None, given: bytes | None = None) -> bytes:
    """What a command of Git prints. Raises GitError with its reason if it fails."""
    env = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
    if index is not None:
        env["GIT_INDEX_FILE"] = str(index)
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", *arguments],
            input=given,
            capture_output=True,
            env=env,
            check=False,
        )
    except OSError as error:
        raise GitError(f"Git cannot be started ({error.strerror}); install it") from error
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())
        known = [reason for text, reason in REASONS.items() if text in said]
        raise GitError(known[0] if known else f"Git: {said[:300]}")
    return done.stdout

"""A clone of the repository in which a run is repeated."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from pipeline.runtime.errors import UserError
from pipeline.tracking.fingerprint import hash_files, outputs_of_stage
from pipeline.tracking.provenance import INCOMPLETE

# Of the user's shell, none of these may reach into the repetition.
HIDDEN = re.compile(r"^(DVC_|MLFLOW_|GIT_|SWEEP_|PYTHONPATH$)")
PROMOTE = (
    "import sys, pathlib; from pipeline.sweep.promotion import promote;"
    " promote(pathlib.Path(), sys.argv[1:])"
)
MAX_NAMED = 5


class Scratch:
    """A clone of the repository around a folder.

    Attributes
    ----------
    root
        The folder of the project in it.
    """

    def __init__(self, project: Path, folder: Path) -> None:
        self._project = project
        self._prefix = _git(project, "rev-parse", "--show-prefix").strip()
        self._clone = folder
        self.root = folder / self._prefix

    def check_out(self, commit: str, diff: str) -> None:
        """Clones the repository as it was with the changes of a diff. Raises UserError if that is
        not possible."""
        known = subprocess.run(
            ["git", "cat-file", "-e", f"{commit}^{{commit}}"],
            cwd=self._project, capture_output=True, check=False,
        )  # fmt: skip
        if known.returncode:
            raise UserError(
                f"the commit {commit[:12]} is not in this repository; `git fetch --all` gets it, if"
                " another one still has it"
            )
        if diff.startswith(INCOMPLETE):
            first = diff.partition("\n")[0].removeprefix(INCOMPLETE)
            raise UserError(
                f"the recorded changes to the commit {commit[:12]} are not complete: {first}; only"
                " runs of committed code can be repeated then"
            )
        top = _git(self._project, "rev-parse", "--show-toplevel").strip()
        _git(self._project, "clone", "--quiet", "--shared", "--no-checkout", top, str(self._clone))
        _git(self._clone, "checkout", "--quiet", "--detach", commit)
        if diff:
            try:
                _git(self._clone, "apply", "--whitespace=nowarn", f"--directory={self._prefix}",
                     given=diff)  # fmt: skip
            except UserError as error:
                raise UserError(
                    f"the recorded changes to the commit {commit[:12]} cannot be applied: {error};"
                    " changes of binary files and of text that is not UTF-8 are not recorded"
                ) from error

    def restore(self, inputs: Mapping[str, Mapping[str, str]]) -> None:
        """Restores the files that the clone does not have as they were: from the working tree, from
        the cache of DVC, or from its remote. Raises UserError if one of them has none.

        Parameters
        ----------
        inputs
            Their hashes, by stage and by path.
        """
        stages = yaml.safe_load((self.root / "dvc.yaml").read_text("utf-8"))["stages"]
        outputs = [path for stage in stages for path in outputs_of_stage(stage, self.root)]
        wanted = {
            path: md5
            for files in inputs.values()
            for path, md5 in files.items()
            if not any(Path(path).is_relative_to(one) for one in outputs)
        }
        missing = {path: md5 for path, md5 in wanted.items() if self._hash(path) != md5}
        if missing:
            cache = self._cache()
        for path, md5 in missing.items():
            self._copy(path, md5, cache)
        missing = {path: md5 for path, md5 in missing.items() if self._hash(path) != md5}
        if missing and any(self.root.glob("data/**/*.dvc")):
            self._pull()
            missing = {path: md5 for path, md5 in missing.items() if self._hash(path) != md5}
        if missing:
            named = ", ".join(f"{path} ({md5})" for path, md5 in list(missing.items())[:MAX_NAMED])
            more = f" and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else ""
            raise UserError(
                "files that the run read are in none of the commit, the working tree, DVC's cache"
                f" and a remote: {named}{more}; restore them with these MD5s, and run the command"
                " again"
            )

    def repeat(self, overrides: Sequence[str]) -> None:
        """Runs all stages with these values, without recording them."""
        command = [sys.executable, "-c", PROMOTE, *overrides, "tracking.enabled=false"]
        self._run(command, "params.yaml cannot be written")
        command = [sys.executable, "-m", "dvc", "repro", "--force", "--quiet"]
        self._run(command, "the run cannot be repeated")

    def _run(self, command: list[str], failure: str) -> None:
        done = subprocess.run(command, cwd=self.root, env=_environment(), check=False)
        if done.returncode:
            raise UserError(f"{failure}; see the lines above, and the clone in {self.root}")

    def _hash(self, path: str) -> str | None:
        file = self.root / path
        return hash_files(file, self.root)[path] if file.is_file() else None

    def _cache(self) -> Path:
        command = [sys.executable, "-m", "dvc", "cache", "dir"]
        done = subprocess.run(
            command, cwd=self._project, env=_environment(), capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        return Path(done.stdout.strip() or self._project / ".dvc/cache") / "files/md5"

    def _copy(self, path: str, md5: str, cache: Path) -> None:
        here = self._project / path
        cached = cache / md5[:2] / md5[2:]
        same = here.is_file() and hash_files(here, self._project).get(path) == md5
        found = here if same else cached
        if found.is_file():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, self.root / path)

    def _pull(self) -> None:
        """What the files *.dvc of the clone name, as far as there is a remote that has it."""
        local = self._project / ".dvc/config.local"
        if local.is_file():
            shutil.copy(local, self.root / ".dvc")
        tracked = [str(one.relative_to(self.root)) for one in self.root.glob("data/**/*.dvc")]
        command = [sys.executable, "-m", "dvc", "pull", "--quiet", "--force", *tracked]
        subprocess.run(command, cwd=self.root, env=_environment(), capture_output=True, check=False)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not HIDDEN.match(name)}
    return kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"}


def _git(folder: Path, *arguments: str, given: str | None = None) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder, env=_environment() | {"LC_ALL": "C"}, input=given, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
    except OSError as error:
        raise UserError(f"Git cannot be started ({error.strerror}); install it") from error
    if done.returncode:
        raise UserError(f"Git: {' '.join(done.stderr.split())[:300]}")
    return done.stdout

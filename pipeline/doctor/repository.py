"""Git and DVC."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.doctor.findings import Finding, note, ok, wrong


def git(_root: Path) -> Iterator[Finding]:
    """Whether Git says what is checked out."""
    from pipeline.tracking.provenance import GitError, git_commit

    try:
        yield ok(f"commit {git_commit()[:7]}")
    except GitError as error:
        yield wrong(str(error))


def dvc(root: Path) -> Iterator[Finding]:
    """Whether the cache may be written, and where it and the remote are."""
    import yaml

    if not (root / ".dvc").is_dir():
        yield wrong(f"{root}: has no .dvc; run the doctor in the project's own folder")
        return
    command = [sys.executable, "-m", "dvc", "config", "--list"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        said = re.search("^ERROR: (.*)", done.stderr, re.MULTILINE)
        yield wrong(said[1] if said else done.stderr.strip().rpartition("\n")[2])
        return
    config = dict(line.partition("=")[::2] for line in done.stdout.splitlines() if "=" in line)
    cache = root / ".dvc" / config.get("cache.dir", "cache")
    there = next(one for one in (cache, *cache.parents) if one.exists())
    if not os.access(there, os.W_OK):
        yield wrong(f"{there}: may not be written; change the permissions of this folder")
    elif missing := _missing(yaml.safe_load(_read(root / "dvc.lock")) or {}, root, cache):
        yield note(
            f"{cache}: has not {', '.join(missing)} of dvc.lock; `dvc repro` computes them"
            + (", `dvc pull` fetches them" if _remotes(config) else "")
        )
    else:
        yield ok(f"cache {cache}")
    for name, url in _remotes(config).items():
        local = "://" not in url
        folder = root / ".dvc" / url
        if local and not folder.is_dir():
            yield wrong(
                f"the remote {name} is {url}, which is no folder; mount or create it, or"
                f" `dvc remote modify {name} url URL`"
            )
        else:
            yield ok(f"remote {name}: {url}" + ("" if local else ", which was not contacted"))


def _remotes(config: dict[str, str]) -> dict[str, str]:
    found = {re.fullmatch(r"remote\.(.+)\.url", key): url for key, url in config.items()}
    return {key[1]: url for key, url in found.items() if key}


def _missing(lock: dict[str, Any], root: Path, cache: Path) -> list[str]:
    """The folders of dvc.lock that are neither in the cache nor at their path."""
    outs = [one for stage in lock.get("stages", {}).values() for one in stage.get("outs", [])]
    return [
        one["path"]
        for one in outs
        if one["md5"].endswith(".dir")
        and not (cache / "files" / "md5" / one["md5"][:2] / one["md5"][2:]).exists()
        and not (root / one["path"]).exists()
    ]


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""

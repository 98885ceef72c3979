"""Checks the environment that the pipeline runs in: a line for each check, with what is wrong and
how to fix it. Changes nothing. The exit status is 1 if something is wrong."""

from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.doctor import files, python, repository, stores
from pipeline.doctor.findings import Finding, wrong
from pipeline.runtime.entry import CommandParser, run
from pipeline.runtime.redaction import redact

CHECKS: dict[str, Callable[[Path], Iterator[Finding]]] = {
    "Python": python.version,
    "packages": python.packages,
    "environment": python.variables,
    "Git": repository.git,
    "DVC": repository.dvc,
    "disk": files.disk,
    "leftovers": files.leftovers,
    "runs": stores.runs,
    "sweeps": stores.sweeps,
}


def main() -> None:
    root = Path.cwd()
    found = [(name, one) for name, check in CHECKS.items() for one in _findings(check, root)]
    for name, one in found:
        print(redact(f"{one.status:5}  {name}: {one.text}"))
    if any(one.status == "wrong" for _, one in found):
        raise SystemExit(1)


def _findings(check: Callable[[Path], Iterator[Finding]], root: Path) -> Iterator[Finding]:
    """Those of a check. One that fails must not hide the others."""
    try:
        yield from check(root)
    except ImportError as error:
        yield wrong(f"cannot be checked: {error}; `make repro` installs the packages")
    except Exception as error:  # noqa: BLE001 - whatever the environment has led to
        yield wrong(f"cannot be checked: {type(error).__name__}: {' '.join(str(error).split())}")


if __name__ == "__main__":
    run(main, CommandParser("pipeline.doctor", __doc__))

"""Runs the benchmarks that are named, or all of them, and prints their tables.

python -m benchmarks [notebook|epoch|members|rows|prepare|tracking|pipeline|sweep|sweep_table|
    sweep_quality|sweep_growth ...]
"""

import os
import sys
from pathlib import Path

from benchmarks.race import machine

PEERS = Path(os.environ.get("PEERS_PYTHON", ".venv-benchmarks/bin/python"))


def main() -> None:
    from benchmarks import stages, sweeps, tables, training

    known = {
        "notebook": training.notebook,
        "epoch": lambda: training.an_epoch(PEERS),
        "members": training.members,
        "rows": training.rows_and_memory,
        "prepare": tables.prepare,
        "tracking": stages.tracking,
        "pipeline": stages.pipeline,
        "sweep": sweeps.notebook,
        "sweep_table": sweeps.medium,
        "sweep_quality": sweeps.quality,
        "sweep_growth": sweeps.growth,
    }
    named = sys.argv[1:] or list(known)
    unknown = [name for name in named if name not in known]
    if unknown:
        sys.exit(f"error: no benchmark {unknown[0]!r}; there are {', '.join(known)}")
    print(f"Measured on {machine()}.")
    for name in named:
        known[name]()


if __name__ == "__main__":
    main()

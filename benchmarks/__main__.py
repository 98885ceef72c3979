"""Runs the benchmarks that are named, or all of them, and prints their tables.

python -m benchmarks [notebook|epoch|members|rows|folds|folds_cost|prepare|tracking|pipeline|
    serving|sweep|sweep_table|sweep_cluster|sweep_quality|sweep_growth|sweep_pruning|quality ...]

The environment variables TABLES, TARGETS, SEEDS and OVERRIDES are arguments of `quality`, and
TABLES, TARGETS and TRIALS of `sweep_pruning`; see benchmarks/README.md.
"""

import os
import sys
from pathlib import Path

from benchmarks.race import machine

PEERS = Path(os.environ.get("PEERS_PYTHON", ".venv-benchmarks/bin/python"))


def set_to(variable: str) -> str:
    return os.environ.get(variable, "")


def path(variable: str) -> Path | None:
    return Path(set_to(variable)) if set_to(variable) else None


def main() -> None:
    from benchmarks import (
        cluster,
        folds,
        pruning,
        quality,
        serving,
        stages,
        sweeps,
        tables,
        training,
    )

    known = {
        "notebook": training.notebook,
        "epoch": lambda: training.an_epoch(PEERS),
        "members": training.members,
        "rows": training.rows_and_memory,
        "folds": folds.cross_validation,
        "folds_cost": folds.cost,
        "prepare": tables.prepare,
        "tracking": stages.tracking,
        "pipeline": stages.pipeline,
        "serving": serving.serving,
        "sweep": sweeps.notebook,
        "sweep_table": sweeps.medium,
        "sweep_cluster": cluster.scaling,
        "sweep_quality": sweeps.quality,
        "sweep_growth": sweeps.growth,
        "sweep_pruning": lambda: pruning.pruning(
            path("TABLES"), path("TARGETS"), int(set_to("TRIALS") or 32)
        ),
        "quality": lambda: quality.quality(
            path("TABLES"), path("TARGETS"), int(set_to("SEEDS") or 1), set_to("OVERRIDES"), PEERS
        ),
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

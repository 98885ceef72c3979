"""Preparing tables: rows a second and memory, against reading the file alone."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.csv as arrow_csv

from benchmarks.memory import grown
from benchmarks.race import show

COLUMNS = 20
CATEGORIES = ("north", "east", "south", "west")


def prepare() -> None:
    """The whole of the prepare stage but for its start, each size in a process of its own."""
    lines = []
    for rows in (10_000, 100_000, 1_000_000):
        with tempfile.TemporaryDirectory() as folder:
            call(folder, f"write({rows}, Path('table.csv'))")
            done = call(folder, f"prepared({rows})")
        seconds, reading, memory = (float(word) for word in done.stdout.split()[-3:])
        size = rows * COLUMNS * 8 / 2**20
        lines.append(
            [
                f"{rows:,}", seconds, f"{rows / seconds:,.0f}", seconds / reading,
                size, memory, memory / size, "at most 3" if rows >= 10**6 else "",
            ]
        )  # fmt: skip
    show(
        f"Preparing a CSV of {COLUMNS} columns: {COLUMNS - 2} numbers, a category, the target",
        ["rows", "seconds", "rows a second", "times pyarrow's reading", "table, MB",
         "memory above the imports, MB", "times the table", "goal"],
        lines,
    )  # fmt: skip


def call(folder: str, code: str) -> subprocess.CompletedProcess[str]:
    """A function of this module, in a process and a folder of its own."""
    return subprocess.run(
        [sys.executable, "-c", f"from benchmarks.tables import *; {code}"],
        capture_output=True, text=True, check=True, cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip


def write(rows: int, path: Path) -> None:
    """A table with a few values missing."""
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(rows, COLUMNS - 2))).add_prefix("x")
    table["region"] = random.choice(CATEGORIES, rows)
    table["y"] = table["x0"] * 3 + np.sin(table["x1"]) + random.normal(size=rows)
    table.loc[random.integers(0, rows, rows // 100), "x2"] = np.nan
    table.to_csv(path, index=False, float_format="%.6f")


def prepared(rows: int) -> None:
    """Prints seconds, seconds of pyarrow's reading alone, and MB, of table.csv here."""
    from pipeline.config.data import Data, Split
    from pipeline.preparation import prepared_files
    from pipeline.preparation.preparation import prepare as prepare_table

    data = Data(path="table.csv", target="y", split=Split(validation=0.2, test=0.2))
    folder = Path("prepared")
    folder.mkdir()
    begun = time.perf_counter()
    memory = grown(lambda: prepared_files.write(prepare_table(data), data, folder))
    seconds = time.perf_counter() - begun
    begun = time.perf_counter()
    table = arrow_csv.read_csv("table.csv")
    reading = time.perf_counter() - begun
    assert table.num_rows == rows
    print(seconds, reading, memory)
